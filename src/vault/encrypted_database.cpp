// Preparing a connection: from outside of the VFS, by what SQLite offers everybody.
#include <memory>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include "vault/detail/page_cipher.h"
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
    const auto meaning = [&] {
        if (unreadable) return Code::kConflict;
        if ((code & 0xFF) == SQLITE_BUSY) return Code::kUnavailable;
        return (code & 0xFF) == SQLITE_FULL ? Code::kResourceExhausted : Code::kInternal;
    };
    return Error(meaning(), fmt::format("the database is not opened: {} ({})",
                                        ::sqlite3_errmsg(connection), ::sqlite3_errstr(code)));
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

}  // namespace

Result<void> prepare_encrypted(sqlite3* connection) {
    constexpr int kReserved = detail::kTrailerSize;
    constexpr int kAsk = -1;
    ZONA_TRY_VOID(reserved_bytes(connection, kReserved));
    static_assert(detail::kPageSize == 4096);
    ZONA_TRY_VOID(run(connection, "PRAGMA page_size = 4096; PRAGMA cache_spill = 0"));
    ZONA_TRY(const std::string pages, run(connection, "PRAGMA page_count"));
    ZONA_TRY(const std::string before, run(connection, "PRAGMA journal_mode"));
    // A copy by VACUUM INTO: page 1 must not get into a journal on the disk.
    if (pages != "0" && before != "wal")
        ZONA_TRY_VOID(run(connection, "PRAGMA journal_mode = MEMORY"));
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

Result<void> empty_log(const std::string& path, const std::string& vfs,
                       std::chrono::milliseconds patience) {
    sqlite3* opened = nullptr;
    const int code = ::sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READWRITE, vfs.c_str());
    const std::unique_ptr<sqlite3, decltype(&::sqlite3_close)> connection(opened, &::sqlite3_close);
    if (code != SQLITE_OK) return error_of(opened, code);
    ::sqlite3_busy_timeout(opened, static_cast<int>(patience.count()));
    ZONA_TRY_VOID(prepare_encrypted(opened));
    const int emptied =
        ::sqlite3_wal_checkpoint_v2(opened, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
    if (emptied == SQLITE_BUSY || emptied == SQLITE_LOCKED)
        return Error(Code::kUnavailable, "the log of the database is being read: try again");
    if (emptied != SQLITE_OK) return error_of(opened, emptied);
    return {};
}

}  // namespace zona::vault
