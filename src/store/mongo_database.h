/// @file
/// Documents in MongoDB, or in a server that speaks its protocol.
///
/// The driver (libmongoc) is loaded with the first database that is opened, from a shared object
/// beside this program's own files: who uses no MongoDB pays nothing for it. Calls block on bounded
/// threads of the database's own, each with a connection of its own, made when they are needed and
/// closed when they have been idle.
///
/// What a transaction is depends on the server, which is asked when the database is opened:
///
///     replica set, mongos    the server's transactions with snapshot reads and majority writes.
///                            Two functions that read what the other writes, and write different
///                            documents, may both succeed (snapshot isolation)
///     standalone, FerretDB   a write set of more than one document goes through an outbox, which
///                            the next open or the periodic recovery finishes or undoes. Within
///                            this process functions are serializable. Readers of other processes
///                            may see a part of a write set while it is being applied
///
/// docs/adr/0009-mongodb.md says how. Nothing here is done with TTL indexes: expiry is a job.
/// Source: TEN-23, TEN-46, DATA-39, DATA-41, REL-16, design decisions 3 and 4.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/result.h"
#include "core/secret.h"
#include "store/database.h"

namespace zona::store {

/// Who may answer reads. All but kPrimary may give an older state than the last acknowledged one,
/// and no common state for several reads of one function.
enum class ReadPreference : std::uint8_t { kPrimary, kPrimaryPreferred, kSecondary, kNearest };
/// Whether the connection is encrypted; the server's certificate is always checked.
enum class Tls : std::uint8_t { kOff, kOn };

/// Where it is and what it may take.
struct MongoOptions {
    /// `mongodb://HOST[:PORT][,HOST...][/][?replicaSet=...]` or `mongodb+srv://HOST`. Without
    /// credentials: those stand below. Options that are set below must not stand in it.
    std::string uri;
    std::string database;         ///< 1 to 63 of [A-Za-z0-9_-]
    std::string username;         ///< empty: none
    core::Secret password;        ///< never in a message or log line
    std::string auth_source;      ///< where the user is known; empty: "admin"
    Tls tls = Tls::kOff;          ///< kOn as well when the URI says so
    std::string tls_ca_file;      ///< empty: the system's authorities
    std::string tls_client_file;  ///< certificate and key of ours, PEM; empty: none
    ReadPreference read_preference = ReadPreference::kPrimary;
    /// All that this database may be asked for; they must outlive it.
    std::vector<const CollectionSpec*> collections;
    /// What signs page tokens, at least 32 bytes; the same for all who serve the same clients.
    core::Secret page_token_key;

    std::size_t min_connections = 0;                 ///< kept open, and checked
    std::size_t max_connections = 8;                 ///< 1 to 256; each with its thread
    std::chrono::milliseconds idle_timeout{60'000};  ///< after which one above the minimum closes
    std::chrono::milliseconds health_interval{10'000};    ///< between two pings of an idle one
    std::chrono::milliseconds connect_timeout{5'000};     ///< of one connection
    std::chrono::milliseconds selection_timeout{10'000};  ///< to find a server that can answer
    std::chrono::milliseconds socket_timeout{30'000};     ///< of one answer
    std::chrono::milliseconds recovery_interval{30'000};  ///< between two looks into the outbox
    std::size_t max_waiting_reads = 4096;                 ///< more are refused
    std::size_t max_waiting_writes = 4096;                ///< more are refused
    std::size_t max_examined = 100000;  ///< documents of one operation that come back
    /// Once it is asked to stop, no server is waited for that is away: it is looked for once, for a
    /// second at most, and what comes after that is refused as kCancelled. A server that is there
    /// goes on answering. What has begun before takes as long as it would have.
    std::stop_token ending{};
};

/// What it has done since it was opened, and is doing.
struct MongoStats {
    std::size_t connections = 0;             ///< open, or being opened
    std::size_t busy = 0;                    ///< of them, at work
    std::size_t waiting = 0;                 ///< functions in the queues
    std::uint64_t opened = 0;                ///< connections
    std::uint64_t closed_idle = 0;           ///< connections
    std::uint64_t pings = 0;                 ///< health checks
    std::uint64_t failed_pings = 0;          ///< health checks that no server answered
    std::uint64_t transactions = 0;          ///< functions with a Writer that were kept
    std::uint64_t repeated = 0;              ///< functions that were called again
    std::uint64_t recovered = 0;             ///< write sets of others that were finished or undone
    std::chrono::microseconds last_ping{0};  ///< how long the last answered one took
};

/// An open database.
class MongoDatabase : public Database {
  public:
    /// The counters now; they are not of one moment.
    virtual MongoStats stats() const = 0;
    /// Connects as this user from now on; as none if `username` is empty. A connection at work does
    /// what it does to its end, and is replaced then; an idle one before it is used, or by the next
    /// health check. Nothing is tried: probe_mongo() does that. Any thread. Source: TEN-17.
    virtual void set_login(const std::string& username, const core::Secret& password) = 0;
};

/// Connects, brings the database to the declared collections, finishes what was interrupted, and
/// starts its threads. Blocks, for migrations as long as they take. `clock` must outlive the
/// database.
///
/// Errors  kInvalidArgument: an option, or a declaration that validate() refuses. kUnavailable: no
///         server answers within the time-outs. kUnauthenticated: the server refuses the user or
///         password. kForbidden: the user may not do what is needed. kUnsupported: the driver is
///         not installed; a server that is too old. kConflict: as open_sqlite().
core::Result<std::unique_ptr<MongoDatabase>> open_mongo(const MongoOptions& options,
                                                        const core::Clock& clock,
                                                        const core::Logger& log);

/// Whether the server answers and takes the credentials, within the connect time-out; nothing is
/// made there. Blocks. Errors: those of open_mongo() for that.
core::Result<void> probe_mongo(const MongoOptions& options);

}  // namespace zona::store
