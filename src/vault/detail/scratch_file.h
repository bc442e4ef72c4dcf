/// @file
/// ScratchFile: a temporary file of SQLite (sorting, statement journals, VACUUM), unreadable even
/// while it exists.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/random.h"
#include "crypto/aead.h"
#include "vault/detail/page_cipher.h"
#include "vault/detail/vfs_file.h"

namespace zona::vault::detail {

/// Blocks of a page under a key that only this object knows and that dies with it, as do the tags:
/// what is on the disk has the size of the content and cannot be exchanged or put back.
class ScratchFile final : public VfsFile {
  public:
    ScratchFile(sqlite3_file* base, core::Random& random);

    int read(std::span<std::byte> out, sqlite3_int64 offset) override;
    int write(std::span<const std::byte> in, sqlite3_int64 offset) override;
    int truncate(sqlite3_int64 size) override;
    int size(sqlite3_int64* out) override;

  private:
    struct Seal {
        crypto::Nonce nonce;
        crypto::Tag tag;
        bool written = false;
    };
    /// Block `index` into block_, in clear; zeros for one that was never written.
    int load(std::size_t index);
    int store(std::size_t index);

    crypto::Aes256Gcm cipher_;
    crypto::NonceSource nonces_;
    std::vector<Seal> seals_;
    sqlite3_int64 size_ = 0;
    std::array<std::byte, kPageSize> block_;
};

}  // namespace zona::vault::detail
