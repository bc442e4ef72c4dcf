/// @file
/// SHA-256 and what is made of it: HMAC and HKDF; comparison in constant time.
///
/// Pure functions, any thread. They cannot fail but for want of memory, and then the process
/// aborts: to go on would take one text for another.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "crypto/key.h"

namespace zona::crypto {

/// The result of SHA-256 and of HMAC-SHA256.
using Digest = std::array<std::byte, 32>;

/// SHA-256. Source: FIPS 180-4.
Digest sha256(std::span<const std::byte> data);
/// The same of a text's bytes.
Digest sha256(std::string_view text);

/// SHA-256 of what comes piece by piece. One thread at a time.
class Sha256 {
  public:
    Sha256();
    ~Sha256();
    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;

    /// The next piece.
    void add(std::span<const std::byte> data);
    /// The bytes of a text as the next piece.
    void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
    /// Of all that was added; afterwards it begins anew.
    Digest finish();

  private:
    void begin();
    void* context_;  ///< EVP_MD_CTX
};

/// HMAC-SHA256 under a key. Source: RFC 2104, FIPS 198-1.
Digest hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> data);
/// The same under one of our keys.
Digest hmac_sha256(const Key& key, std::span<const std::byte> data);

/// A key for one purpose, made of another: HKDF-SHA256, extract and expand.
///
/// Whoever knows the result learns nothing of `from` or of a key with another `salt` or `purpose`.
/// `purpose` is a constant of the code that uses the key, with a version in it ("zona page 1").
/// Source: RFC 5869.
Key derive_key(const Key& from, std::span<const std::byte> salt, std::string_view purpose);

/// HKDF-SHA256 into `out` (at most 8,160 bytes), for secrets of any length: what derive_key() is
/// made of. Source: RFC 5869.
void hkdf_sha256(std::span<const std::byte> secret, std::span<const std::byte> salt,
                 std::span<const std::byte> info, std::span<std::byte> out);

/// Whether both are the same bytes; of two of one length it takes the same time wherever they
/// differ. For whatever somebody could guess byte by byte: tags, hashes of keys.
bool same_bytes(std::span<const std::byte> a, std::span<const std::byte> b);
/// The same of two texts.
bool same_bytes(std::string_view a, std::string_view b);

}  // namespace zona::crypto
