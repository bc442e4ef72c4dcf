/// @file
/// DatabaseFile: the main file of a database, page by page.
#pragma once

#include <memory>
#include <vector>

#include "vault/detail/page_cipher.h"
#include "vault/detail/rekey.h"
#include "vault/detail/vfs_file.h"

namespace zona::vault::detail {

class DatabaseFile final : public VfsFile {
  public:
    DatabaseFile(sqlite3_file* base, PageCipher cipher, std::shared_ptr<DatabaseState> state)
        : VfsFile(base), cipher_(std::move(cipher)), state_(std::move(state)) {}

    /// What stands in page 1: SQLITE_OK; SQLITE_NOTFOUND for an empty file; SQLITE_IOERR_AUTH or
    /// SQLITE_IOERR_DATA when it does not open.
    int check_first_page();

    /// Of whole pages, as many as one likes, or within the clear header.
    int read(std::span<std::byte> out, sqlite3_int64 offset) override;
    /// Of whole pages.
    int write(std::span<const std::byte> in, sqlite3_int64 offset) override;
    int truncate(sqlite3_int64 size) override;
    void write_lock_released() override {
        if (log_ != nullptr) log_->write_lock_released();
    }
    /// The write-ahead log of the same connection; null when it is closed.
    void set_log(VfsFile* log) { log_ = log; }

  private:
    bool read_at_once(std::span<std::byte> out, sqlite3_int64 offset);
    int read_surely(std::span<std::byte> out, sqlite3_int64 offset);
    int read_page(std::span<std::byte> out, sqlite3_int64 offset);
    int write_pages(std::span<const std::byte> in, sqlite3_int64 offset);

    PageCipher cipher_;
    // Owned by all who have the database open, and by the VFS that lends it.
    std::shared_ptr<DatabaseState> state_;
    VfsFile* log_ = nullptr;
    KeyId key_read_{};  ///< of the page that was read last
    std::vector<std::byte> sealed_ = std::vector<std::byte>(kPageSize);
};

}  // namespace zona::vault::detail
