// Assertions that are encrypted to us.
#pragma once

#include <string>

#include <libxml/tree.h>

#include "core/result.h"
#include "core/secret.h"

namespace zona::identity::saml {

/// The text of the element that `encrypted` (an EncryptedAssertion) holds. By AES-GCM and RSA-OAEP
/// alone: whoever may ask about others often enough learns what they encrypt from the refusals.
/// `key` is PEM. Errors: kInvalidToken.
core::Result<std::string> decrypt(xmlNode* encrypted, const core::Secret& key);

}  // namespace zona::identity::saml
