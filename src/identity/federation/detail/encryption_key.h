// The key to which providers encrypt what they say to zona.
#pragma once

#include <string>

#include "core/clock.h"
#include "core/result.h"
#include "core/secret.h"

namespace zona::identity::detail {

struct EncryptionKey {
    core::Secret key;         ///< PEM
    std::string certificate;  ///< by itself, for ten years; DER in base64
};

/// A new one of RSA with 3072 bits, which takes some tenths of a second. Any thread. Errors:
/// kInternal.
core::Result<EncryptionKey> new_encryption_key(core::SystemTime now);

}  // namespace zona::identity::detail
