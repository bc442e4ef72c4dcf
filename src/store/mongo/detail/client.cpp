#include "store/mongo/detail/client.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "core/fault.h"
#include "store/mongo/detail/errors.h"

namespace zona::store::mongo {

using core::Code;
using core::Error;
using core::Result;

namespace {

// Of one command: below the 16 MB that a server takes, with room for what stands around.
constexpr std::size_t kBatchBytes = std::size_t{8} << 20U;
constexpr std::size_t kBatchParts = 1000;
// How often a commit with unknown outcome is asked for again.
constexpr int kCommitTries = 5;
// Of whoever looks for a server at the end of zona: near ones answer in a few milliseconds.
constexpr std::chrono::seconds kLastLook(1);

void begin_library() {
    static std::once_flag once;
    std::call_once(once, [] {
        mongoc_init();
        // What it would print may hold addresses and names; its errors come back to us.
        mongoc_log_set_handler(nullptr, nullptr);
    });
}

Error invalid(std::string message) {
    return {Code::kInvalidArgument, std::move(message)};
}

Result<void> check_uri(const mongoc_uri_t* uri) {
    if (mongoc_uri_get_username(uri) != nullptr || mongoc_uri_get_password(uri) != nullptr) {
        return invalid(
            "the database's URI holds a user name or password: they belong in fields of their own");
    }
    static constexpr std::array kOurs = {MONGOC_URI_CONNECTTIMEOUTMS,
                                         MONGOC_URI_SOCKETTIMEOUTMS,
                                         MONGOC_URI_SERVERSELECTIONTIMEOUTMS,
                                         MONGOC_URI_MAXPOOLSIZE,
                                         MONGOC_URI_W,
                                         MONGOC_URI_JOURNAL,
                                         MONGOC_URI_RETRYWRITES,
                                         MONGOC_URI_READCONCERNLEVEL,
                                         MONGOC_URI_READPREFERENCE,
                                         MONGOC_URI_TLSINSECURE,
                                         MONGOC_URI_TLSALLOWINVALIDCERTIFICATES,
                                         MONGOC_URI_TLSALLOWINVALIDHOSTNAMES};
    for (const char* option : kOurs) {
        if (!mongoc_uri_has_option(uri, option)) continue;
        return invalid(fmt::format(
            "the database's URI sets {}: zona sets it by itself, see docs/configuration.md",
            option));
    }
    return {};
}

mongoc_read_mode_t mode_of(ReadPreference preference) {
    switch (preference) {
        case ReadPreference::kPrimary:
            return MONGOC_READ_PRIMARY;
        case ReadPreference::kPrimaryPreferred:
            return MONGOC_READ_PRIMARY_PREFERRED;
        case ReadPreference::kSecondary:
            return MONGOC_READ_SECONDARY_PREFERRED;
        case ReadPreference::kNearest:
            return MONGOC_READ_NEAREST;
    }
    return MONGOC_READ_PRIMARY;
}

std::int32_t milliseconds(std::chrono::milliseconds duration) {
    return static_cast<std::int32_t>(
        std::clamp<std::int64_t>(duration.count(), 1, std::int64_t{1} << 30U));
}

void set_options(mongoc_uri_t* uri, const MongoOptions& options) {
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS,
                                   milliseconds(options.connect_timeout));
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SOCKETTIMEOUTMS,
                                   milliseconds(options.socket_timeout));
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS,
                                   milliseconds(options.selection_timeout));
    // Else one look at the servers decides, and an election takes longer than that.
    mongoc_uri_set_option_as_bool(uri, MONGOC_URI_SERVERSELECTIONTRYONCE, false);
    mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYWRITES, true);
    mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYREADS, true);
    if (options.tls == Tls::kOn) mongoc_uri_set_option_as_bool(uri, MONGOC_URI_TLS, true);
}

/// Its servers are looked at once.
void wait_for_none(mongoc_uri_t* uri) {
    const std::int32_t usual = mongoc_uri_get_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS, 1);
    mongoc_uri_set_option_as_int32(uri, MONGOC_URI_CONNECTTIMEOUTMS,
                                   std::min(usual, milliseconds(kLastLook)));
    mongoc_uri_set_option_as_bool(uri, MONGOC_URI_SERVERSELECTIONTRYONCE, true);
}

}  // namespace

Result<std::unique_ptr<ClientFactory>> ClientFactory::make(const MongoOptions& options) {
    begin_library();
    std::unique_ptr<ClientFactory> made(new ClientFactory);
    bson_error_t error{};
    made->uri_.reset(mongoc_uri_new_with_error(options.uri.c_str(), &error));
    if (made->uri_ == nullptr) {
        // The message may quote the URI, and with it what somebody has put there.
        return invalid(
            "the database's address is no mongodb:// URI: it looks like "
            "mongodb://HOST:27017/?replicaSet=NAME");
    }
    ZONA_TRY_VOID(check_uri(made->uri_.get()));
    set_options(made->uri_.get(), options);
    made->preference_.reset(mongoc_read_prefs_new(mode_of(options.read_preference)));
    made->database_ = options.database;
    made->auth_source_ = options.auth_source.empty() ? "admin" : options.auth_source;
    made->set_login(options.username, options.password);
    made->tls_ = mongoc_uri_get_tls(made->uri_.get());
    made->ca_file_ = options.tls_ca_file;
    made->client_file_ = options.tls_client_file;
    made->ending_ = options.ending;
    return made;
}

ClientFactory::~ClientFactory() = default;

void ClientFactory::set_login(const std::string& username, const core::Secret& password) {
    const std::lock_guard lock(mutex_);
    if (login_.username == username && login_.password.same_as(password)) return;
    login_ = {.username = username, .password = password, .number = login_.number + 1};
    login_number_ = login_.number;
}

Login ClientFactory::login() const {
    const std::lock_guard lock(mutex_);
    return login_;
}

mongoc_client_t* ClientFactory::make_client(const Login& login) const {
    const Uri uri(mongoc_uri_copy(uri_.get()));
    if (!login.username.empty()) {
        mongoc_uri_set_username(uri.get(), login.username.c_str());
        mongoc_uri_set_password(uri.get(), std::string(login.password.reveal()).c_str());
        mongoc_uri_set_auth_source(uri.get(), auth_source_.c_str());
    }
    if (is_ending()) wait_for_none(uri.get());
    mongoc_client_t* client = mongoc_client_new_from_uri(uri.get());
    if (client == nullptr) return nullptr;
    mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
    mongoc_client_set_appname(client, "zona");
    if (tls_) {
        mongoc_ssl_opt_t tls = *mongoc_ssl_opt_get_default();
        if (!ca_file_.empty()) tls.ca_file = ca_file_.c_str();
        if (!client_file_.empty()) tls.pem_file = client_file_.c_str();
        mongoc_client_set_ssl_opts(client, &tls);
    }
    if (prepare) prepare(client);
    return client;
}

Result<const bson_t*> Cursor::next() {
    const bson_t* document = nullptr;
    if (mongoc_cursor_next(cursor_.get(), &document)) return document;
    bson_error_t error{};
    const bson_t* reply = nullptr;
    if (mongoc_cursor_error_document(cursor_.get(), &error, &reply))
        return client_->failed(error, reply);
    return nullptr;
}

Client::Client(const ClientFactory& factory)
    : factory_(factory),
      login_(factory.login()),
      is_hurried_(factory.is_ending()),
      client_(factory.make_client(login_)) {}

Client::~Client() {
    drop();
}

void Client::drop() {
    abort();
    if (client_ == nullptr) return;
    // It would tell the server which sessions are over, and wait for an answer; there they end by
    // themselves in half an hour.
    if (factory_.is_ending() && !is_hurried_) mongoc_client_reset(client_);
    mongoc_client_destroy(client_);
}

void Client::renew_if_needed() {
    const bool is_broken =
        failure_.kind == Failure::Kind::kNetwork || failure_.kind == Failure::Kind::kNoServer;
    const bool must_hurry = factory_.is_ending() && !is_hurried_;
    if (!is_broken && !must_hurry && !factory_.has_replaced(login_)) return;
    drop();
    login_ = factory_.login();
    is_hurried_ = factory_.is_ending();
    client_ = factory_.make_client(login_);
    failure_ = {};
}

Error Client::failed(const bson_error_t& error, const bson_t* reply) {
    failure_ = failure_of(error, reply);
    if (failure_.kind == Failure::Kind::kNoServer && factory_.is_ending()) factory_.give_up();
    return error_of(error, failure_, scrub(error.message, login_.password.reveal()));
}

Bson Client::session_options() const {
    Bson options;
    if (session_ != nullptr) {
        bson_error_t error{};
        mongoc_client_session_append(session_, options.get(), &error);
    }
    return options;
}

Result<Bson> Client::run(bool writes, const Bson& command) {
    failure_ = {};
    if (client_ == nullptr) return invalid("the database's address cannot be used");
    Bson options = session_options();
    // A transaction has its own, of the commit.
    if (writes && session_ == nullptr)
        options.put("writeConcern", Bson().put("w", "majority").put("j", true));
    bson_error_t error{};
    bson_t reply;
    const bool done =
        writes ? mongoc_client_write_command_with_opts(client_, factory_.database().c_str(),
                                                       command.get(), options.get(), &reply, &error)
               : mongoc_client_read_command_with_opts(client_, factory_.database().c_str(),
                                                      command.get(), nullptr, options.get(), &reply,
                                                      &error);
    Bson answer(&reply);
    bson_destroy(&reply);
    if (!done) return failed(error, answer.get());
    return answer;
}

Result<void> Client::check_reply(const Bson& reply) {
    const Bson errors = reply.object("writeErrors");
    Bson first = errors.object("0");
    if (first.size() <= Bson().size()) first = reply.object("writeConcernError");
    if (first.size() <= Bson().size()) return {};
    bson_error_t error{};
    bson_set_error(&error, MONGOC_ERROR_SERVER, static_cast<std::uint32_t>(first.integer("code")),
                   "%s", std::string(first.text("errmsg")).c_str());
    return failed(error, reply.get());
}

Result<Bson> Client::read(const Bson& command) {
    return run(false, command);
}

Result<Bson> Client::write(const Bson& command) {
    ZONA_TRY(Bson reply, run(true, command));
    ZONA_TRY_VOID(check_reply(reply));
    return reply;
}

Result<void> Client::ping() {
    ZONA_TRY_VOID(success_of(read(Bson().put("ping", 1))));
    return {};
}

Result<ServerKind> Client::server() {
    // "hello" is younger than what many servers are; both know the other.
    ZONA_TRY(const Bson reply, read(Bson().put("isMaster", 1)));
    const bool sessions = reply.find("logicalSessionTimeoutMinutes").has_value();
    const bool shared = !reply.text("setName").empty() || reply.text("msg") == "isdbgrid";
    return ServerKind{.transactions = sessions && shared,
                      .wire_version = static_cast<int>(reply.integer("maxWireVersion"))};
}

Cursor Client::find(const std::string& collection, const Bson& filter, Bson options) {
    failure_ = {};
    if (session_ != nullptr) {
        bson_error_t error{};
        mongoc_client_session_append(session_, options.get(), &error);
    }
    mongoc_collection_t* of =
        mongoc_client_get_collection(client_, factory_.database().c_str(), collection.c_str());
    mongoc_cursor_t* cursor = mongoc_collection_find_with_opts(
        of, filter.get(), options.get(),
        session_ == nullptr ? factory_.read_preference() : nullptr);
    mongoc_collection_destroy(of);
    return {*this, cursor};
}

Cursor Client::aggregate(const std::string& collection, const std::vector<Bson>& pipeline) {
    failure_ = {};
    const Bson options = session_options();
    const Bson stages = Bson().put("pipeline", pipeline);
    mongoc_collection_t* of =
        mongoc_client_get_collection(client_, factory_.database().c_str(), collection.c_str());
    mongoc_cursor_t* cursor =
        mongoc_collection_aggregate(of, MONGOC_QUERY_NONE, stages.get(), options.get(),
                                    session_ == nullptr ? factory_.read_preference() : nullptr);
    mongoc_collection_destroy(of);
    return {*this, cursor};
}

Result<std::optional<Bson>> Client::find_one(const std::string& collection, const Bson& filter) {
    Bson options;
    options.put("limit", 1).put("singleBatch", true);
    Cursor cursor = find(collection, filter, std::move(options));
    ZONA_TRY(const bson_t* const found, cursor.next());
    if (found == nullptr) return std::nullopt;
    return Bson(found);
}

Result<std::int64_t> Client::batch(const char* command, const std::string& collection,
                                   const char* field, const std::vector<Bson>& parts,
                                   std::size_t at_once) {
    std::int64_t count = 0;
    for (std::size_t at = 0; at < parts.size();) {
        std::vector<Bson> some;
        for (std::size_t bytes = 0; at < parts.size() && some.size() < at_once; ++at) {
            bytes += parts[at].size();
            if (!some.empty() && bytes > kBatchBytes) break;
            some.push_back(parts[at]);
        }
        ZONA_TRY(const Bson reply, write(Bson().put(command, collection).put(field, some)));
        count += reply.integer("n");
    }
    return count;
}

Result<void> Client::insert(const std::string& collection, const std::vector<Bson>& documents) {
    ZONA_TRY(const std::int64_t count,
             batch("insert", collection, "documents", documents, kBatchParts));
    if (count == static_cast<std::int64_t>(documents.size())) return {};
    return Error(Code::kInternal, "the server took some documents and said nothing of the others");
}

Result<Counted> Client::update(const std::string& collection, const std::vector<Bson>& updates) {
    ZONA_TRY(const std::int64_t count,
             batch("update", collection, "updates", updates, updates_at_once_));
    return Counted{count};
}

Result<Counted> Client::remove(const std::string& collection, const std::vector<Bson>& deletes) {
    ZONA_TRY(const std::int64_t count,
             batch("delete", collection, "deletes", deletes, kBatchParts));
    return Counted{count};
}

Result<void> Client::begin() {
    failure_ = {};
    bson_error_t error{};
    session_ = mongoc_client_start_session(client_, nullptr, &error);
    if (session_ == nullptr) return failed(error, nullptr);
    mongoc_transaction_opt_t* options = mongoc_transaction_opts_new();
    mongoc_read_concern_t* reads = mongoc_read_concern_new();
    mongoc_read_concern_set_level(reads, MONGOC_READ_CONCERN_LEVEL_SNAPSHOT);
    mongoc_write_concern_t* writes = mongoc_write_concern_new();
    mongoc_write_concern_set_wmajority(writes, 0);
    mongoc_write_concern_set_journal(writes, true);
    mongoc_transaction_opts_set_read_concern(options, reads);
    mongoc_transaction_opts_set_write_concern(options, writes);
    const bool begun = mongoc_client_session_start_transaction(session_, options, &error);
    mongoc_write_concern_destroy(writes);
    mongoc_read_concern_destroy(reads);
    mongoc_transaction_opts_destroy(options);
    if (begun) return {};
    Error refused = failed(error, nullptr);
    abort();
    return refused;
}

Result<void> Client::commit() {
    for (int attempt = 1;; ++attempt) {
        failure_ = {};
        bson_error_t error{};
        bson_t reply;
        const bool done = mongoc_client_session_commit_transaction(session_, &reply, &error);
        const Bson answer(&reply);
        bson_destroy(&reply);
        if (done) {
            mongoc_client_session_destroy(session_);
            session_ = nullptr;
            return {};
        }
        Error refused = failed(error, answer.get());
        if (failure_.kind == Failure::Kind::kUnknownCommit && attempt < kCommitTries) continue;
        const Failure why = failure_;
        abort();
        failure_ = why;
        return refused;
    }
}

void Client::abort() {
    if (session_ == nullptr) return;
    if (mongoc_client_session_in_transaction(session_)) {
        bson_error_t error{};
        // The server forgets it by itself in a minute.
        (void)mongoc_client_session_abort_transaction(session_, &error);
    }
    mongoc_client_session_destroy(session_);
    session_ = nullptr;
}

}  // namespace zona::store::mongo
