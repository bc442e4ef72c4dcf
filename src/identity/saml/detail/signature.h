// Signatures of SAML: enveloped, over exactly one element, by a key that is known beforehand.
#pragma once

#include <span>
#include <string>

#include <libxml/tree.h>

#include "core/result.h"

namespace zona::identity::saml {

/// Sets xmlsec up, once. Errors: kUnsupported.
core::Result<void> set_up_xmlsec();

/// Whether `signature`, right below `element`, is over all of `element` and by the key of one of
/// these certificates (DER); what it says of keys by itself counts nothing. Its one reference is to
/// the element's own ID, its algorithms are those that SAML names, from SHA-256 on.
/// Precondition: IDs differ. Errors: kInvalidToken.
core::Result<void> check_signature(xmlNode* element, xmlNode* signature,
                                   std::span<const std::string> certificates);

}  // namespace zona::identity::saml
