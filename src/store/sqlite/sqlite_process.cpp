#include "store/sqlite_process.h"

#include <sqlite3.h>

namespace zona::store {
namespace {

using core::LogLevel;

/// Bytes of a place for small objects of a connection, and how many there are.
constexpr int kPlace = 256;
constexpr int kPlaces = 64;

LogLevel level_of(int code) {
    switch (code & 0xFF) {
        case SQLITE_OK:
        case SQLITE_CONSTRAINT:  // an answer to a caller, who gets it as an error
        case SQLITE_SCHEMA:      // a statement is prepared anew
        case SQLITE_INTERRUPT:
            return LogLevel::kDebug;
        case SQLITE_NOTICE:
            return LogLevel::kInfo;
        case SQLITE_WARNING:
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return LogLevel::kWarn;
        default:
            return LogLevel::kError;
    }
}

}  // namespace

core::Result<std::unique_ptr<SqliteProcess>> SqliteProcess::begin(core::Logger log) {
    std::unique_ptr<SqliteProcess> process(new SqliteProcess(std::move(log)));
    // The first one refuses when SQLite is in use, and no other does then.
    if (sqlite3_config(SQLITE_CONFIG_LOG, &say, process.get()) != SQLITE_OK) {
        return core::Error(core::Code::kConflict,
                           "SQLite is in use already, so it cannot be set up for this process");
    }
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite3_config(SQLITE_CONFIG_PAGECACHE, nullptr, 0, 0);
    sqlite3_config(SQLITE_CONFIG_LOOKASIDE, kPlace, kPlaces);
    return process;
}

SqliteProcess::~SqliteProcess() {
    sqlite3_shutdown();
    sqlite3_config(SQLITE_CONFIG_LOG, nullptr, nullptr);
}

void SqliteProcess::say(void* self, int code, const char* text) {
    const auto& log = static_cast<SqliteProcess*>(self)->log_;
    log.log(level_of(code), "SQLite says something",
            {{"text", text}, {"code", sqlite3_errstr(code)}, {"number", code}});
}

}  // namespace zona::store
