/// @file
/// Ed25519: signatures that anybody checks with a public key. Source: RFC 8032.
///
/// As with hash.h, what can fail is memory alone, and then the process aborts.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "crypto/key.h"

namespace zona::crypto {

/// What is given to those who check.
using Ed25519Public = std::array<std::byte, 32>;
/// What stands beside what was signed.
using Ed25519Signature = std::array<std::byte, 64>;

/// One who signs. All const members from any thread.
class Ed25519Key {
  public:
    /// `seed` is the secret key of RFC 8032: any 32 random bytes.
    explicit Ed25519Key(Key seed);

    /// The key that belongs to it.
    const Ed25519Public& public_key() const { return public_; }
    /// The same for the same message.
    Ed25519Signature sign(std::string_view message) const;
    /// The secret, for the one place that seals it.
    const Key& seed() const { return seed_; }

  private:
    Key seed_;
    Ed25519Public public_;
};

/// Whether `signature` was made over `message` by the owner of `key`. False too for what is no key.
bool is_signed_by(const Ed25519Public& key, std::string_view message,
                  const Ed25519Signature& signature);

}  // namespace zona::crypto
