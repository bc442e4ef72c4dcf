/// @file
/// One SQLite connection with its prepared statements, and its errors in our words. One thread at
/// a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include <boost/json/value.hpp>
#include <sqlite3.h>

#include "core/byte_count.h"
#include "core/result.h"
#include "store/value.h"

namespace zona::store::detail {

namespace json = boost::json;

/// `name` as an SQL identifier, whatever it holds.
std::string quoted(std::string_view name);

class Connection;

/// A prepared statement in use; reset when it dies. Bound texts must live until then.
class Statement {
  public:
    Statement(Statement&& other) noexcept;
    Statement& operator=(Statement&&) = delete;
    ~Statement();

    /// @{
    /// Binds the next parameter.
    Statement& bind(std::int64_t number);
    Statement& bind(std::string_view text);
    Statement& bind(const Id& id);
    Statement& bind_null();
    /// A text, number or boolean; anything else is bound as NULL.
    Statement& bind_value(const json::value* value);
    /// @}

    /// True: there is a row. Errors: those of Connection::error().
    core::Result<bool> step();
    /// Steps to the end of a statement that gives no rows.
    core::Result<void> run();
    /// The result code of the last step, extended.
    int code() const { return code_; }

    /// @{
    /// A column of the present row; a text is valid until the next step.
    std::int64_t integer(int column) const;
    std::string_view text(int column) const;
    Id id(int column) const;
    bool is_null(int column) const;
    /// @}

  private:
    friend class Connection;
    Statement(Connection& connection, sqlite3_stmt* statement, bool* in_use)
        : connection_(&connection), statement_(statement), in_use_(in_use) {}

    Connection* connection_;
    sqlite3_stmt* statement_;
    bool* in_use_;  // of its place in the cache; nullptr: it is in none
    int next_ = 1;
    int code_ = SQLITE_OK;
};

/// What a connection is for.
enum class Access : std::uint8_t { kRead, kWrite };

/// How to make one.
struct ConnectionOptions {
    std::string path;
    std::string vfs;  ///< empty: the default
    std::function<core::Result<void>(sqlite3*)> prepare;
    core::ByteCount cache = core::ByteCount::mib(16);
};

class Connection {
  public:
    /// Opens, and for kWrite makes, the file: WAL, synchronous=FULL, secure_delete, no automatic
    /// checkpoint, temporary tables in memory. Errors: as error().
    static core::Result<std::unique_ptr<Connection>> open(const ConnectionOptions& options,
                                                          Access access);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// A statement, from the cache if it was prepared before. Errors: as error().
    core::Result<Statement> prepare(std::string_view sql);
    /// Runs statements without parameters and rows.
    core::Result<void> execute(const char* sql);
    /// The first column of the first row; 0 without one.
    core::Result<std::int64_t> integer(std::string_view sql);

    /// Whether a transaction is open; SQLite ends one by itself when the disk is full.
    bool in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }
    sqlite3* get() { return db_; }

    /// A result code as an error: kResourceExhausted for a full disk or memory, kInternal with what
    /// to do for a damaged file, kForbidden for one that may not be written, kUnavailable for
    /// other trouble of the disk.
    core::Error error(int code) const;
    /// Whether the last call failed because a rule of the schema was broken.
    bool constraint_failed() const { return (sqlite3_errcode(db_) & 0xFF) == SQLITE_CONSTRAINT; }
    /// What SQLite said last.
    std::string_view message() const { return sqlite3_errmsg(db_); }

  private:
    friend class Statement;
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    struct Cached {
        std::unique_ptr<sqlite3_stmt, Finalize> statement;
        bool in_use = false;
        std::uint64_t used = 0;  // uses_ at that time
    };
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>()(text);
        }
    };

    explicit Connection(std::string path) : path_(std::move(path)) {}
    core::Result<void> configure(const ConnectionOptions& options, Access access);
    core::Result<sqlite3_stmt*> compile(std::string_view sql, unsigned flags);
    void make_room();
    int disk_errno() const;

    const std::string path_;
    sqlite3* db_ = nullptr;
    std::unordered_map<std::string, Cached, Hash, std::equal_to<>> cache_;
    std::uint64_t uses_ = 0;
};

}  // namespace zona::store::detail
