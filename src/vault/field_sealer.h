/// @file
/// FieldSealer: single secret fields of documents, encrypted before any store sees them.
///
/// For what a collection's definition flags, in every backend, whether or not its files are
/// encrypted too: a database's administrator sees cipher text. Each value is bound to its place, so
/// it opens in no other field, document, collection or tenant. Source: SEC-01, SEC-02, SEC-03.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/random.h"
#include "core/result.h"
#include "core/secret.h"
#include "crypto/aead.h"
#include "vault/data_keys.h"

namespace zona::vault {

/// Where a value belongs, within its tenant.
struct FieldPlace {
    std::string_view collection;
    std::string_view document;  ///< its id
    std::string_view field;     ///< its path
};

/// Seals and opens the fields of one tenant. All members from any thread.
///
/// A sealed value is a text, for a JSON string: "zenc1." and base64url of key id 4 (little endian),
/// nonce 12, cipher text, tag 16. Equal values give different texts.
class FieldSealer {
  public:
    /// `tenant` is bound into every value, so it must never change. `random` is used here alone.
    FieldSealer(std::string tenant, std::shared_ptr<const DataKeys> keys, core::Random& random);

    /// Errors: kNotFound when the tenant's keys were erased; kTooLarge beyond 16 MiB.
    core::Result<std::string> seal(const FieldPlace& place, std::string_view value) const;
    /// What seal() was given. Errors: kConflict for a text that is no sealed value or not one of
    /// this place; kNotFound when its key was retired or erased. No message repeats a value.
    core::Result<core::Secret> open(const FieldPlace& place, std::string_view sealed) const;

    /// What every sealed value begins with.
    static constexpr std::string_view kPrefix = "zenc1.";
    /// The key that seal() takes now. Errors: kNotFound when the tenant's keys were erased.
    core::Result<KeyId> current_key() const;
    /// The key of a sealed value, for those who look for values to encrypt anew; nullopt for any
    /// other text.
    static std::optional<KeyId> key_of(std::string_view sealed);

  private:
    std::string tenant_;
    std::shared_ptr<const DataKeys> keys_;
    mutable crypto::NonceSource nonces_;
};

}  // namespace zona::vault
