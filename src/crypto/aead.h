/// @file
/// AES-256-GCM and the nonces for it: the one way in which zona encrypts.
///
/// What is sealed can be neither read nor changed without the key, and is bound to its *associated
/// data*: bytes that are not stored with it but say where it belongs, so that it opens nowhere
/// else.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "core/random.h"
#include "crypto/key.h"

namespace zona::crypto {

/// Bytes of a nonce.
inline constexpr std::size_t kNonceSize = 12;
/// Bytes of an authentication tag.
inline constexpr std::size_t kTagSize = 16;

/// A number that is used once under a key; not secret.
using Nonce = std::array<std::byte, kNonceSize>;
/// What proves that cipher text and associated data are what was sealed.
using Tag = std::array<std::byte, kTagSize>;

/// Gives nonces, none twice: 32 random bits that stay, and a 64-bit counter with a random
/// beginning.
///
/// Two sources under one key meet only when 96 random bits say so: with a million sources of 2^32
/// nonces each, with a chance below 2^-24; random nonces would meet after 2^48. A process that
/// forks must not use the source in both. Any thread.
class NonceSource {
  public:
    /// `random` is used here alone; fit for keys: core::SystemRandom, but for tests.
    explicit NonceSource(core::Random& random);
    /// The next one.
    Nonce next() noexcept;

  private:
    std::uint32_t prefix_;
    std::atomic<std::uint64_t> counter_;
};

/// AES-256 in Galois/counter mode under one key.
///
/// The key is expanded once; seal() and open() allocate nothing. Not thread-safe: one object for
/// each thread, or a lock. Its memory is wiped when it dies. Source: NIST SP 800-38D.
class Aes256Gcm {
  public:
    /// Expands `key`, which is not kept.
    explicit Aes256Gcm(const Key& key);
    Aes256Gcm(Aes256Gcm&&) noexcept;
    Aes256Gcm& operator=(Aes256Gcm&&) noexcept;
    ~Aes256Gcm();

    /// Encrypts `plain` into `cipher`, which has the same size and may be the same memory, and
    /// gives the tag. `nonce` must never have been used under this key (NonceSource). At most 2
    /// GiB.
    Tag seal(const Nonce& nonce, std::span<const std::byte> associated,
             std::span<const std::byte> plain, std::span<std::byte> cipher);

    /// Decrypts into `plain`, of the same size, maybe the same memory. False when nonce, associated
    /// data, cipher text and tag are not those of one seal() under this key; then `plain` is zeros.
    [[nodiscard]] bool open(const Nonce& nonce, std::span<const std::byte> associated,
                            std::span<const std::byte> cipher, const Tag& tag,
                            std::span<std::byte> plain);

  private:
    struct Free {
        void operator()(void* context) const noexcept;
    };
    /// OpenSSL's context.
    std::unique_ptr<void, Free> context_;
};

}  // namespace zona::crypto
