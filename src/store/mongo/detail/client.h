/// @file
/// Client: one connection to the deployment (a libmongoc client of its own), with our errors. One
/// thread at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <mongoc/mongoc.h>

#include "core/result.h"
#include "store/mongo/detail/bson.h"
#include "store/mongo_database.h"

namespace zona::store::mongo {

/// Why a command failed, for who can do something about it; the error is for people.
struct Failure {
    enum class Kind : std::uint8_t {
        kNone,
        kDuplicate,      ///< of `index`: another document has its key
        kTransient,      ///< the transaction is to be begun anew
        kUnknownCommit,  ///< whether it was committed is not known: the commit can be repeated
        kNetwork,        ///< no answer: whether it was done is not known
        kNoServer,       ///< there is none to ask: it was not done
        kOther,
    };
    Kind kind = Kind::kNone;
    std::string index;  ///< its name; `_id_` for the id
    int code = 0;       ///< the server's
};

/// What a server is able to do.
struct ServerKind {
    bool transactions = false;
    int wire_version = 0;
};

/// As whom clients connect.
struct Login {
    std::string username;  ///< empty: as nobody
    core::Secret password;
    std::uint64_t number = 0;  ///< one more with each that a factory has had
};

/// How clients are made; made once for a database. Any thread.
class ClientFactory {
  public:
    /// Errors: kInvalidArgument for a URI that is none, or that says what options say.
    static core::Result<std::unique_ptr<ClientFactory>> make(const MongoOptions& options);
    ClientFactory(const ClientFactory&) = delete;
    ClientFactory& operator=(const ClientFactory&) = delete;
    ~ClientFactory();

    /// A client that connects with its first command; it waits for no server if is_ending().
    mongoc_client_t* make_client(const Login& login) const;
    /// @{
    /// MongoOptions::ending: whether it was asked to stop, and whether a server was looked for in
    /// vain since.
    bool is_ending() const { return ending_.stop_requested(); }
    bool has_given_up() const { return given_up_; }
    void give_up() const { given_up_ = true; }
    /// @}
    /// As MongoDatabase::set_login().
    void set_login(const std::string& username, const core::Secret& password);
    Login login() const;
    /// Whether login() is another one now.
    bool has_replaced(const Login& login) const { return login.number != login_number_; }
    const std::string& database() const { return database_; }
    const mongoc_read_prefs_t* read_preference() const { return preference_.get(); }

    /// A hook for tests, called with each client before it is used.
    std::function<void(mongoc_client_t*)> prepare;

  private:
    ClientFactory() = default;
    template <class T, void (*destroy)(T*)>
    struct Destroy {
        void operator()(T* made) const { destroy(made); }
    };
    using Uri = std::unique_ptr<mongoc_uri_t, Destroy<mongoc_uri_t, mongoc_uri_destroy>>;
    Uri uri_;  ///< without a user
    std::unique_ptr<mongoc_read_prefs_t, Destroy<mongoc_read_prefs_t, mongoc_read_prefs_destroy>>
        preference_;
    std::string database_;
    std::string ca_file_;
    std::string client_file_;
    bool tls_ = false;
    std::string auth_source_;
    std::stop_token ending_;
    mutable std::atomic<bool> given_up_ = false;
    std::atomic<std::uint64_t> login_number_ = 0;
    mutable std::mutex mutex_;
    Login login_;  // guarded by mutex_
};

/// A cursor; read to its end or dropped.
class Cursor {
  public:
    Cursor(Cursor&& other) noexcept : client_(other.client_), cursor_(std::move(other.cursor_)) {}
    Cursor& operator=(Cursor&&) = delete;

    /// The next document, valid until the next call; nullptr: there is none.
    core::Result<const bson_t*> next();

  private:
    friend class Client;
    struct Destroy {
        void operator()(mongoc_cursor_t* cursor) const { mongoc_cursor_destroy(cursor); }
    };
    Cursor(class Client& client, mongoc_cursor_t* cursor) : client_(&client), cursor_(cursor) {}
    class Client* client_;
    std::unique_ptr<mongoc_cursor_t, Destroy> cursor_;
};

/// How many documents of an update or delete were met.
struct Counted {
    std::int64_t matched = 0;
};

/// For whom success is enough.
template <class T>
core::Result<void> success_of(core::Result<T> result) {
    if (!result.has_value()) return result.take_error();
    return {};
}

class Client {
  public:
    explicit Client(const ClientFactory& factory);
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client();

    /// Errors of all members: kUnavailable: no server, or not the right one; kUnauthenticated;
    /// kForbidden; kResourceExhausted: the server's disk is full; kTooLarge; kConflict: a duplicate
    /// key; kInternal.
    core::Result<void> ping();
    core::Result<ServerKind> server();
    /// A command that reads, on the primary.
    core::Result<Bson> read(const Bson& command);
    /// A command that writes, majority and journal. Its reply has no errors in it.
    core::Result<Bson> write(const Bson& command);
    Cursor find(const std::string& collection, const Bson& filter, Bson options);
    Cursor aggregate(const std::string& collection, const std::vector<Bson>& pipeline);
    core::Result<std::optional<Bson>> find_one(const std::string& collection, const Bson& filter);

    /// @{
    /// Batches of one collection, as many commands as it takes.
    core::Result<void> insert(const std::string& collection, const std::vector<Bson>& documents);
    core::Result<Counted> update(const std::string& collection, const std::vector<Bson>& updates);
    core::Result<Counted> remove(const std::string& collection, const std::vector<Bson>& deletes);
    /// @}

    /// @{
    /// The server's transaction; reads and writes between are of it. commit() is repeated by
    /// itself while its outcome is unknown.
    core::Result<void> begin();
    core::Result<void> commit();
    void abort();
    bool in_transaction() const { return session_ != nullptr; }
    /// @}

    /// Why the last command failed.
    const Failure& failure() const { return failure_; }
    /// Every update is a command of its own from now on: FerretDB stands still at the twentieth of
    /// one.
    void update_one_by_one() { updates_at_once_ = 1; }
    /// Connects anew if the last command found no server, as another user if there is one now, or
    /// without waiting for a server if zona has begun to end. A client that has failed to connect
    /// does not try again for five seconds, however often it is asked.
    void renew_if_needed();
    mongoc_client_t* get() { return client_; }
    /// Of any reply or library call.
    core::Error failed(const bson_error_t& error, const bson_t* reply);

  private:
    void drop();
    core::Result<Bson> run(bool writes, const Bson& command);
    core::Result<void> check_reply(const Bson& reply);
    core::Result<std::int64_t> batch(const char* command, const std::string& collection,
                                     const char* field, const std::vector<Bson>& parts,
                                     std::size_t at_once);
    Bson session_options() const;

    const ClientFactory& factory_;
    Login login_;
    bool is_hurried_;  ///< client_ waits for no server
    mongoc_client_t* client_;
    mongoc_client_session_t* session_ = nullptr;  // in a transaction
    Failure failure_;
    std::size_t updates_at_once_ = 1000;
};

}  // namespace zona::store::mongo
