/// @file
/// BaseFile: a file of the VFS beneath, opened beside SQLite.
///
/// Never by open(2): a process that closes any descriptor of a file loses all its POSIX locks on
/// it, SQLite's too. The unix VFS knows of all of its own and closes when no lock is held.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include <sqlite3.h>

namespace zona::vault::detail {

/// Owns an open file; closed when it dies.
class BaseFile {
  public:
    BaseFile() = default;
    BaseFile(BaseFile&&) = default;
    BaseFile& operator=(BaseFile&&) = delete;
    ~BaseFile() {
        if (get() != nullptr) get()->pMethods->xClose(get());
    }

    /// SQLITE_NOTFOUND when there is no such file or it is empty.
    int open(sqlite3_vfs* vfs, const std::string& path, int flags) {
        int there = 0;
        const int code = vfs->xAccess(vfs, path.c_str(), SQLITE_ACCESS_EXISTS, &there);
        if (code != SQLITE_OK || there == 0) return SQLITE_NOTFOUND;
        constexpr std::size_t kUnit = sizeof(std::max_align_t);
        auto memory = std::make_unique<std::max_align_t[]>(
            static_cast<std::size_t>(vfs->szOsFile) / kUnit + 1);
        auto* const file = reinterpret_cast<sqlite3_file*>(memory.get());
        const int opened = vfs->xOpen(vfs, path.c_str(), file, flags, nullptr);
        if (opened == SQLITE_OK) memory_ = std::move(memory);
        return opened;
    }
    /// Null before open() succeeded.
    sqlite3_file* get() const { return reinterpret_cast<sqlite3_file*>(memory_.get()); }

  private:
    std::unique_ptr<std::max_align_t[]> memory_;
};

}  // namespace zona::vault::detail
