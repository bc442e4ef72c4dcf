/// @file
/// Root keys in a device that does not give them away: an HSM, a smart card, a KMS that speaks
/// PKCS#11.
///
/// The key is made in the token, is not extractable, and wraps there (AES-256-GCM by C_Encrypt);
/// what comes out is only what it wrapped. The module is loaded when it is used first. A session is
/// kept; when the token was taken out or logged out, the next use logs in again. A PIN that was
/// refused is not tried a second time, for tokens lock themselves after a few.
///
/// Source: SEC-07; PKCS#11 2.40.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/random.h"
#include "core/result.h"
#include "core/secret.h"
#include "vault/root_key.h"

namespace zona::vault {

/// Which token, and which keys in it.
struct TokenOptions {
    std::string module;  ///< path of the vendor's library
    std::string token;   ///< its label
    /// The label of this installation's keys. No other's: what is left over after a rotation of
    /// keys with this label is destroyed.
    std::string label = "zona-root";
    /// The user's PIN, asked with each login. Errors become those of the operation.
    std::function<core::Result<core::Secret>()> pin;
};

/// Keys with that label. A key's id is its CKA_ID, 16 digits. `random` must outlive the object.
///
/// Errors of all members and keys, besides those of root_key.h: kInvalidArgument: the module cannot
/// be loaded, is no PKCS#11 module. kUnavailable: the token is not there or does not answer; the
/// message has the module's own code. kForbidden: the PIN is wrong or locked. No message has the
/// PIN.
std::unique_ptr<RootKeyProvider> make_token_provider(TokenOptions options, core::Random& random);

}  // namespace zona::vault
