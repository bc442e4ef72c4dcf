// What belongs to encrypted databases and is done from outside of the VFS.
#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include "os/fd.h"
#include "vault/detail/page_cipher.h"
#include "vault/detail/wal_file.h"
#include "vault/encrypting_vfs.h"

namespace zona::vault {
namespace {

using core::Code;
using core::Error;
using core::Result;

Error error_of(sqlite3* connection, int result) {
    const int code = ::sqlite3_extended_errcode(connection);
    const bool unreadable =
        code == SQLITE_IOERR_DATA || code == SQLITE_IOERR_AUTH || result == SQLITE_NOTADB;
    return Error(unreadable ? Code::kConflict : Code::kInternal,
                 fmt::format("the database is not opened: {} ({})", ::sqlite3_errmsg(connection),
                             ::sqlite3_errstr(code)));
}

/// Runs statements; the last column that any of them gives is the answer.
Result<std::string> run(sqlite3* connection, const char* sql) {
    std::string answer;
    const auto keep = [](void* out, int columns, char** values, char**) {
        if (columns > 0 && values[columns - 1] != nullptr)
            *static_cast<std::string*>(out) = values[columns - 1];
        return 0;
    };
    const int result = ::sqlite3_exec(connection, sql, keep, &answer, nullptr);
    if (result != SQLITE_OK) return error_of(connection, result);
    return answer;
}

Result<int> reserved_bytes(sqlite3* connection, int wanted) {
    int bytes = wanted;
    const int result =
        ::sqlite3_file_control(connection, "main", SQLITE_FCNTL_RESERVE_BYTES, &bytes);
    if (result != SQLITE_OK) return error_of(connection, result);
    return bytes;
}

/// Counts the blocks of `stride` bytes from `offset` on by the key in their ends.
Result<void> count_keys(const std::string& path, std::uint64_t offset, std::size_t stride,
                        std::map<KeyId, std::uint64_t>& out) {
    auto file = os::open_file(path, O_RDONLY);
    if (!file) return file.error().code() == Code::kNotFound ? Result<void>{} : file.take_error();
    std::array<std::byte, detail::kTrailerSize> trailer;
    for (std::uint64_t block = offset;; block += stride) {
        ZONA_TRY(const std::size_t got,
                 os::read_at(file->get(), trailer, block + stride - trailer.size()));
        if (got < trailer.size()) return {};
        ++out[detail::PageCipher::key_of(trailer)];
    }
}

}  // namespace

Result<void> prepare_encrypted(sqlite3* connection) {
    constexpr int kReserved = detail::kTrailerSize;
    constexpr int kAsk = -1;
    ZONA_TRY_VOID(reserved_bytes(connection, kReserved));
    static_assert(detail::kPageSize == 4096);
    ZONA_TRY_VOID(run(connection, "PRAGMA page_size = 4096; PRAGMA cache_spill = 0"));
    ZONA_TRY(const std::string mode, run(connection, "PRAGMA journal_mode = WAL"));
    if (mode != "wal") {
        return Error(
            Code::kConflict,
            fmt::format("the database cannot have a write-ahead log, its journal is '{}'", mode));
    }
    ZONA_TRY(const int reserved, reserved_bytes(connection, kAsk));
    if (reserved != kReserved)
        return Error(Code::kConflict, "the database was made without room for encryption");
    return {};
}

Result<std::map<KeyId, std::uint64_t>> keys_in_use(const std::string& path) {
    std::map<KeyId, std::uint64_t> out;
    ZONA_TRY_VOID(count_keys(path, 0, detail::kPageSize, out));
    ZONA_TRY_VOID(count_keys(path + "-wal", detail::kWalHeaderSize, detail::kFrameSize, out));
    return out;
}

}  // namespace zona::vault
