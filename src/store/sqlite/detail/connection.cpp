#include "store/sqlite/detail/connection.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "store/detail/compare.h"

namespace zona::store::detail {
namespace {

/// @{
/// Milliseconds for which a lock is waited for, and for which an open waits: long enough for a log
/// to be recovered; whoever holds a file from us is to be told of soon.
constexpr int kPatience = 10000;
constexpr int kOpenPatience = 1000;
/// @}

using core::Code;
using core::Error;
using core::Result;

constexpr std::size_t kMaxStatements = 128;

bool is_full_disk(int code, int number) {
    return (code & 0xFF) == SQLITE_FULL ||
           ((code & 0xFF) == SQLITE_IOERR &&
            (number == ENOSPC || number == EDQUOT || number == EFBIG));
}

bool is_damage(int code) {
    return (code & 0xFF) == SQLITE_CORRUPT || (code & 0xFF) == SQLITE_NOTADB ||
           code == SQLITE_IOERR_DATA || code == SQLITE_IOERR_CORRUPTFS ||
           code == SQLITE_IOERR_SHORT_READ;
}

Error describe(int code, int number, std::string_view path, std::string_view said) {
    if (is_full_disk(code, number)) {
        return Error(
            Code::kResourceExhausted,
            fmt::format("no room on the disk for {}: nothing was changed; reads go on, and "
                        "writes do when there is room",
                        path));
    }
    if (is_damage(code)) {
        return Error(
            Code::kInternal,
            fmt::format("the database {0} is damaged ({1}): stop zona, keep {0} and what "
                        "stands beside it for a closer look, and put a backup in its place",
                        path, said));
    }
    switch (code & 0xFF) {
        case SQLITE_NOMEM:
            return Error(Code::kResourceExhausted, "no memory for the database");
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_AUTH:
            return Error(Code::kForbidden,
                         fmt::format("the database {} may not be written ({})", path, said));
        case SQLITE_CANTOPEN:
        case SQLITE_IOERR:
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_PROTOCOL:
            return Error(Code::kUnavailable,
                         fmt::format("the database {} cannot be read or written now ({}{})", path,
                                     said, number == 0 ? "" : fmt::format(", errno {}", number)));
        default:
            return Error(Code::kInternal, fmt::format("the database {}: {}", path, said));
    }
}

}  // namespace

std::string quoted(std::string_view name) {
    std::string out = "\"";
    for (const char c : name) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + '"';
}

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_),
      statement_(std::exchange(other.statement_, nullptr)),
      in_use_(std::exchange(other.in_use_, nullptr)),
      next_(other.next_),
      code_(other.code_) {}

Statement::~Statement() {
    if (statement_ == nullptr) return;
    if (in_use_ == nullptr) {
        sqlite3_finalize(statement_);
        return;
    }
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
    *in_use_ = false;
}

Statement& Statement::bind(std::int64_t number) {
    sqlite3_bind_int64(statement_, next_++, number);
    return *this;
}

Statement& Statement::bind(std::string_view text) {
    // A null pointer would be NULL, not the empty text.
    sqlite3_bind_text64(statement_, next_++, text.data() == nullptr ? "" : text.data(), text.size(),
                        SQLITE_STATIC, SQLITE_UTF8);
    return *this;
}

Statement& Statement::bind(const Id& id) {
    if (const auto* number = std::get_if<std::int64_t>(&id)) return bind(*number);
    return bind(std::string_view(std::get<std::string>(id)));
}

Statement& Statement::bind_null() {
    sqlite3_bind_null(statement_, next_++);
    return *this;
}

Statement& Statement::bind_value(const json::value* value) {
    if (value == nullptr) return bind_null();
    if (const auto whole = as_integer(*value)) return bind(*whole);
    switch (value->kind()) {
        case json::kind::bool_:
            return bind(std::int64_t{value->get_bool()});
        case json::kind::string:
            return bind(std::string_view(value->get_string()));
        case json::kind::double_:
            sqlite3_bind_double(statement_, next_++, value->get_double());
            return *this;
        default:
            return bind_null();
    }
}

Result<bool> Statement::step() {
    code_ = sqlite3_step(statement_);
    if (code_ == SQLITE_ROW) return true;
    if (code_ == SQLITE_DONE) return false;
    return connection_->error(code_);
}

Result<void> Statement::run() {
    while (true) {
        ZONA_TRY(const bool row, step());
        if (!row) return {};
    }
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_, column);
}

std::string_view Statement::text(int column) const {
    // Null for an empty value, and when reading it failed; then the next step says so.
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    if (text == nullptr) return {};
    return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Id Statement::id(int column) const {
    if (sqlite3_column_type(statement_, column) == SQLITE_INTEGER) return integer(column);
    return std::string(text(column));
}

bool Statement::is_null(int column) const {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

Result<std::unique_ptr<Connection>> Connection::open(const ConnectionOptions& options,
                                                     Access access) {
    std::unique_ptr<Connection> connection(new Connection(options.path));
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (access == Access::kWrite) flags |= SQLITE_OPEN_CREATE;
    const int opened = sqlite3_open_v2(options.path.c_str(), &connection->db_, flags,
                                       options.vfs.empty() ? nullptr : options.vfs.c_str());
    if (opened != SQLITE_OK) return connection->error(opened);
    // Before anything is read: another connection may be recovering the log at this moment.
    sqlite3_busy_timeout(connection->db_, kOpenPatience);
    if (options.prepare) ZONA_TRY_VOID(options.prepare(connection->db_));
    ZONA_TRY_VOID(connection->configure(options, access));
    return connection;
}

Result<void> Connection::configure(const ConnectionOptions& options, Access access) {
    sqlite3_busy_timeout(db_, kPatience);
    sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    // Else a quoted column that is not there would be taken for a text.
    sqlite3_db_config(db_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
    sqlite3_db_config(db_, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
    sqlite3_limit(db_, SQLITE_LIMIT_ATTACHED, 0);
    ZONA_TRY_VOID(execute("PRAGMA temp_store=MEMORY"));
    ZONA_TRY_VOID(
        execute(fmt::format("PRAGMA cache_size=-{}", options.cache.bytes() / 1024).c_str()));
    // A reader meets the file after the writer has set it up.
    if (access == Access::kRead) return execute("PRAGMA query_only=ON");
    ZONA_TRY_VOID(execute("PRAGMA journal_mode=WAL"));
    ZONA_TRY_VOID(execute("PRAGMA synchronous=FULL"));
    ZONA_TRY_VOID(execute("PRAGMA secure_delete=ON"));
    ZONA_TRY_VOID(execute("PRAGMA cache_spill=OFF"));
    ZONA_TRY_VOID(execute("PRAGMA wal_autocheckpoint=0"));
    ZONA_TRY_VOID(execute("PRAGMA cell_size_check=ON"));
    // One that could not become WAL, on a file system without shared memory, would be a lie.
    ZONA_TRY(Statement mode, prepare("PRAGMA journal_mode"));
    ZONA_TRY(const bool row, mode.step());
    if (row && mode.text(0) == "wal") return {};
    return Error(Code::kUnsupported,
                 fmt::format("the file system of {} cannot keep a write-ahead log", path_));
}

Connection::~Connection() {
    cache_.clear();
    sqlite3_close(db_);
}

Result<sqlite3_stmt*> Connection::compile(std::string_view sql, unsigned flags) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()), flags,
                                        &statement, nullptr);
    if (code != SQLITE_OK) return error(code);
    return statement;
}

Result<Statement> Connection::prepare(std::string_view sql) {
    auto found = cache_.find(sql);
    if (found == cache_.end()) {
        ZONA_TRY(sqlite3_stmt * statement, compile(sql, SQLITE_PREPARE_PERSISTENT));
        make_room();
        found = cache_.emplace(std::string(sql), Cached{}).first;
        found->second.statement.reset(statement);
    } else if (found->second.in_use) {
        ZONA_TRY(sqlite3_stmt * statement, compile(sql, 0));
        return Statement(*this, statement, nullptr);
    }
    found->second.in_use = true;
    found->second.used = ++uses_;
    return Statement(*this, found->second.statement.get(), &found->second.in_use);
}

void Connection::make_room() {
    if (cache_.size() < kMaxStatements) return;
    const auto oldest = std::ranges::min_element(cache_, {}, [](const auto& entry) {
        return entry.second.in_use ? UINT64_MAX : entry.second.used;
    });
    if (!oldest->second.in_use) cache_.erase(oldest);
}

Result<void> Connection::execute(const char* sql) {
    const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return error(code);
    return {};
}

Result<std::int64_t> Connection::integer(std::string_view sql) {
    ZONA_TRY(Statement statement, prepare(sql));
    ZONA_TRY(const bool row, statement.step());
    return row ? statement.integer(0) : 0;
}

/// The errno behind a trouble of the disk. A failed commit does not leave one with the connection,
/// but the file that was written still has it: the log, or the database.
int Connection::disk_errno() const {
    int number = sqlite3_system_errno(db_);
    for (const int which : {SQLITE_FCNTL_JOURNAL_POINTER, SQLITE_FCNTL_FILE_POINTER}) {
        sqlite3_file* file = nullptr;
        if (number != 0 ||
            sqlite3_file_control(db_, "main", which, static_cast<void*>(&file)) != SQLITE_OK ||
            file == nullptr || file->pMethods == nullptr)
            continue;
        (void)file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &number);
    }
    return number;
}

Error Connection::error(int code) const {
    const bool of_disk = db_ != nullptr && (code & 0xFF) == SQLITE_IOERR;
    const int number = of_disk ? disk_errno() : 0;
    const char* said = db_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db_);
    return describe(code, number, path_, said);
}

}  // namespace zona::store::detail
