/// @file
/// How the pages of a database file are read and written through a VFS.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <sqlite3.h>

namespace zona::store::detail {

/// Whole pages, of whatever size; a page at a time would be a system call for each. Source:
/// os_unix.c of SQLite, which takes no more than 131,071 bytes at once.
inline constexpr std::size_t kMostAtOnce = std::size_t{64} << 10U;

/// Calls `transfer` (data, size, offset), as xRead and xWrite have them, for one piece after the
/// other of what stands at `offset`; the first code that is not SQLITE_OK ends it and is returned.
template <class Byte, class Transfer>
int for_each_piece(std::span<Byte> bytes, std::uint64_t offset, const Transfer& transfer) {
    while (!bytes.empty()) {
        const auto piece = bytes.first(std::min(bytes.size(), kMostAtOnce));
        const int code = transfer(piece.data(), static_cast<int>(piece.size()),
                                  static_cast<sqlite3_int64>(offset));
        if (code != SQLITE_OK) return code;
        bytes = bytes.subspan(piece.size());
        offset += piece.size();
    }
    return SQLITE_OK;
}

}  // namespace zona::store::detail
