#include "vault/detail/key_count.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>

#include "vault/detail/base_file.h"
#include "vault/detail/page_cipher.h"
#include "vault/detail/vfs_file.h"
#include "vault/detail/wal_file.h"

namespace zona::vault::detail {
namespace {

using core::Code;
using core::Error;
using core::Result;
using Counts = std::map<KeyId, std::uint64_t>;

Result<void> of_code(int code, const std::string& path) {
    if (code == SQLITE_OK || code == SQLITE_NOTFOUND || code == SQLITE_IOERR_SHORT_READ) return {};
    return Error(Code::kUnavailable, fmt::format("{}: {}", path, ::sqlite3_errstr(code)));
}

int count_pages(VfsFile& file, Counts& out) {
    std::array<std::byte, kTrailerSize> trailer;
    for (std::size_t end = kPageSize;; end += kPageSize) {
        const int code = file.read(trailer, static_cast<sqlite3_int64>(end - kTrailerSize));
        if (code != SQLITE_OK) return code;
        ++out[PageCipher::key_of(trailer)];
    }
}

int count_frames(VfsFile& file, Counts& out) {
    std::array<std::byte, kWalHeaderSize> log;
    if (const int code = file.read(log, 0); code != SQLITE_OK) return code;
    std::array<std::byte, kFrameHeaderSize> header;
    std::array<std::byte, kTrailerSize> trailer;
    for (std::size_t frame = kWalHeaderSize;; frame += kFrameSize) {
        const std::size_t end = frame + kFrameSize - kTrailerSize;
        if (const int code = file.read(header, static_cast<sqlite3_int64>(frame));
            code != SQLITE_OK)
            return code;
        if (const int code = file.read(trailer, static_cast<sqlite3_int64>(end)); code != SQLITE_OK)
            return code;
        if (std::memcmp(&log[16], &header[8], 8) == 0) ++out[PageCipher::key_of(trailer)];
    }
}

}  // namespace

Result<Counts> count_keys(sqlite3_vfs* base, const std::string& database) {
    Counts out;
    const auto count = [&out, base](const std::string& path, int type, auto&& blocks) {
        BaseFile file;
        int code = file.open(base, path, type | SQLITE_OPEN_READONLY);
        if (code == SQLITE_OK) {
            VfsFile whole(file.get());
            code = blocks(whole, out);
        }
        return of_code(code, path);
    };
    ZONA_TRY_VOID(count(database, SQLITE_OPEN_MAIN_DB, count_pages));
    ZONA_TRY_VOID(count(database + "-wal", SQLITE_OPEN_WAL, count_frames));
    return out;
}

}  // namespace zona::vault::detail
