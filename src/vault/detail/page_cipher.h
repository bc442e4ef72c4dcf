/// @file
/// PageCipher: pages and write-ahead log frames of one database file, sealed in place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/random.h"
#include "crypto/aead.h"
#include "vault/data_keys.h"

namespace zona::vault::detail {

/// Bytes of a database page. The only size, so that no reader has to guess it from a damaged file.
inline constexpr std::size_t kPageSize = 4096;
/// Nonce 12, tag 16, key id 4: the end of each page, which SQLite leaves alone ("reserved bytes").
inline constexpr std::size_t kTrailerSize = crypto::kNonceSize + crypto::kTagSize + 4;
/// The beginning of page 1 that stays clear: SQLite reads it before it knows what a page is, and a
/// page 1 that a power cut tore must not make the database unopenable.
inline constexpr std::size_t kClearHeader = 100;

/// What a sealed block is; bound into it.
enum class BlockKind : std::uint8_t { kPage = 1, kFrame = 2 };

/// What opening a block says.
enum class Opened : std::uint8_t {
    kGood,
    kDamaged,     ///< not what was sealed there
    kUnwritten,   ///< key id 0: nothing was ever sealed there
    kUnknownKey,  ///< sealed under a key that is not there
};

/// Seals and opens the blocks of one file, database and log alike. Not thread-safe; each open file
/// has its own.
///
/// The key of a file is derived from the tenant's data key and the file's id, so blocks of two
/// files never open as each other's. Associated data: file id 16 | kind 1 | key id 4 | offset 8,
/// little endian | the clear beginning of the block.
class PageCipher {
  public:
    /// `nonces` must outlive the object; several ciphers may share it.
    PageCipher(const core::Uuid& file, std::shared_ptr<const DataKeys> keys,
               crypto::NonceSource& nonces);

    /// Encrypts all of `block` but the first `clear` bytes and the trailer, which it writes. False
    /// when there is no current key.
    [[nodiscard]] bool seal(BlockKind kind, std::uint64_t offset, std::size_t clear,
                            std::span<std::byte> block);
    /// Decrypts in place; the trailer is zeros afterwards. What is not kGood leaves `block` without
    /// meaning.
    Opened open(BlockKind kind, std::uint64_t offset, std::size_t clear,
                std::span<std::byte> block);

    /// The key that seal() takes now. Errors: as of DataKeys::current().
    core::Result<KeyId> current() const { return keys_->current(); }
    /// The key id in the trailer of a sealed block; 0 for none.
    static KeyId key_of(std::span<const std::byte> block);

  private:
    crypto::Aes256Gcm* cipher(KeyId id);

    core::Uuid file_;
    std::shared_ptr<const DataKeys> keys_;
    crypto::NonceSource& nonces_;
    std::vector<std::pair<KeyId, crypto::Aes256Gcm>> ciphers_;  // the last one used in front
};

}  // namespace zona::vault::detail
