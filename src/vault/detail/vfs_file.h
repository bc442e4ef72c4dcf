/// @file
/// VfsFile: an open file below SQLite, as a C++ interface over the file of the VFS beneath.
///
/// Results are SQLite's codes, offsets and sizes its types: this is the inside of a VFS, where the
/// caller is SQLite. One connection uses a file at a time.
#pragma once

#include <cstddef>
#include <span>

#include <sqlite3.h>

namespace zona::vault::detail {

/// Passes everything on; what encrypts replaces the methods that see content.
class VfsFile {
  public:
    /// `base` is open and outlives the object.
    explicit VfsFile(sqlite3_file* base) : base_(base) {}
    VfsFile(const VfsFile&) = delete;
    VfsFile& operator=(const VfsFile&) = delete;
    virtual ~VfsFile() = default;

    /// Before the file beneath is closed.
    virtual int close() { return SQLITE_OK; }
    virtual int read(std::span<std::byte> out, sqlite3_int64 offset) {
        return base_->pMethods->xRead(base_, out.data(), static_cast<int>(out.size()), offset);
    }
    virtual int write(std::span<const std::byte> in, sqlite3_int64 offset) {
        return base_->pMethods->xWrite(base_, in.data(), static_cast<int>(in.size()), offset);
    }
    virtual int truncate(sqlite3_int64 size) { return base_->pMethods->xTruncate(base_, size); }
    virtual int sync(int flags) { return base_->pMethods->xSync(base_, flags); }
    virtual int size(sqlite3_int64* out) { return base_->pMethods->xFileSize(base_, out); }
    /// After a connection gave the right to write to the log back.
    virtual void write_lock_released() {}

    sqlite3_file* base() const { return base_; }

  private:
    sqlite3_file* base_;
};

}  // namespace zona::vault::detail
