/// @file
/// Key: 256 secret bits that leave no copy behind and cannot be printed.
#pragma once

#include <cstddef>
#include <span>

#include "core/random.h"

namespace zona::crypto {

/// Bytes of every symmetric key here: AES-256, HMAC-SHA256, HKDF.
inline constexpr std::size_t kKeySize = 32;

/// Overwrites memory that held something secret; the compiler does not leave it out.
void wipe(std::span<std::byte> secret) noexcept;

/// A symmetric key.
///
/// Moves only; clone() is a visible copy. The bytes are overwritten when the value dies, is moved
/// from or replaced, and lie in memory that is neither dumped nor swapped (core/locked_memory.h).
/// There is no formatter, no operator<< and no conversion: a key gets into a text
/// only by a call of reveal(). A moved-from key is not to be used.
class Key {
  public:
    /// A new key. `random` is fit for keys: core::SystemRandom, but for tests.
    static Key random(core::Random& random);
    /// A key of these bytes; wiping the source is the caller's.
    explicit Key(std::span<const std::byte, kKeySize> bytes);

    Key(Key&& other) noexcept;
    Key& operator=(Key&& other) noexcept;
    Key(const Key&) = delete;
    Key& operator=(const Key&) = delete;
    ~Key();

    /// A second key of the same bytes.
    Key clone() const;
    /// The bytes, valid as long as this object. For the one place that needs them.
    std::span<const std::byte, kKeySize> reveal() const;
    /// Whether both hold the same bytes; takes the same time wherever they differ.
    bool same_as(const Key& other) const;

  private:
    Key();
    std::byte* bytes_;  ///< a locked piece of memory; null once moved from
};

}  // namespace zona::crypto
