#include "store/mongo/detail/open.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "store/detail/page_token.h"
#include "store/mongo/detail/commit.h"
#include "store/mongo/detail/schema.h"
#include "store/mongo/detail/workers.h"

namespace zona::store::mongo {
namespace {

using core::Code;
using core::Error;
using core::Result;

// MongoDB 4.2: transactions in shards, index keys of any length.
constexpr int kLeastWireVersion = 8;

/// Destroyed from the last member up: threads before what they use.
class OpenDatabase final : public MongoDatabase {
  public:
    OpenDatabase(const MongoOptions& options, SessionSetup setup, const core::Clock& clock,
                 std::unique_ptr<ClientFactory> factory)
        : setup_(std::move(setup)),
          factory_(std::move(factory)),
          commits_(setup_, clock),
          workers_(options, *factory_, setup_.transactions ? options.max_connections : 1,
                   setup_.log) {
        if (!setup_.transactions)
            workers_.every(options.recovery_interval, [this](Client& client) { recover(client); });
    }

    void submit_read(ReadWork work) override {
        workers_.submit(WorkKind::kRead,
                        [this, work = std::move(work)](Result<Client*> client) mutable {
                            if (!client.has_value()) {
                                work(client.take_error());
                                return;
                            }
                            commits_.run(**client, work);
                        });
    }

    void submit_write(WriteWork work, Callback<void> done) override {
        auto run = [this, work = std::move(work),
                    done = std::move(done)](Result<Client*> client) mutable {
            if (!client.has_value()) {
                done(client.take_error());
                return;
            }
            done(commits_.run(**client, work));
        };
        workers_.submit(WorkKind::kWrite, std::move(run));
    }

    MongoStats stats() const override {
        MongoStats out;
        workers_.fill(out);
        out.transactions = commits_.transactions();
        out.repeated = commits_.repeated();
        out.recovered = commits_.recovered();
        return out;
    }

    void set_login(const std::string& username, const core::Secret& password) override {
        factory_->set_login(username, password);
    }

    DatabaseLoad load() const override {
        DatabaseLoad out;
        workers_.fill(out);
        out.committed = commits_.transactions();
        out.failed = commits_.failed();
        out.commits = out.committed;
        out.repeated = commits_.repeated();
        return out;
    }

  private:
    void recover(Client& client) {
        if (auto done = commits_.recover(client, kOwnersTime); !done.has_value())
            setup_.log.report("the outbox of a database could not be looked through", done.error());
    }

    const SessionSetup setup_;
    const std::unique_ptr<ClientFactory> factory_;
    Committer commits_;
    Workers workers_;
};

Error invalid(std::string message) {
    return {Code::kInvalidArgument, "the database's options: " + std::move(message)};
}

bool is_database_name(std::string_view name) {
    return !name.empty() && name.size() <= 63 && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-';
    });
}

Result<void> check_options(const MongoOptions& options) {
    if (!is_database_name(options.database))
        return invalid("the name of a database is 1 to 63 of [A-Za-z0-9_-]");
    if (options.page_token_key.reveal().size() < kMinTokenKey)
        return invalid(fmt::format("a key for page tokens has {} bytes at least", kMinTokenKey));
    if (options.max_connections < 1 || options.max_connections > 256)
        return invalid("there are 1 to 256 connections");
    if (options.min_connections > options.max_connections)
        return invalid("there cannot be more connections at least than at most");
    if (options.max_waiting_reads < 1 || options.max_waiting_writes < 1 || options.max_examined < 1)
        return invalid("a limit of 0 would let nothing through");
    const auto shortest =
        std::min({options.idle_timeout, options.health_interval, options.connect_timeout,
                  options.selection_timeout, options.socket_timeout, options.recovery_interval});
    if (shortest < std::chrono::milliseconds(1)) return invalid("a time-out is 1 ms at least");
    for (const CollectionSpec* spec : options.collections) {
        ZONA_TRY_VOID(validate(*spec));
        const auto same = [spec](const CollectionSpec* other) { return other->name == spec->name; };
        if (std::ranges::count_if(options.collections, same) > 1)
            return invalid(fmt::format("two collections are called {}", spec->name));
    }
    return {};
}

Result<ServerKind> ask_server(Client& client) {
    ZONA_TRY(const ServerKind kind, client.server());
    if (kind.wire_version >= kLeastWireVersion) return kind;
    return Error(Code::kUnsupported,
                 "the database server is older than MongoDB 4.2, which zona needs at least");
}

}  // namespace

Result<std::unique_ptr<MongoDatabase>> open_here(const MongoOptions& options,
                                                 const core::Clock& clock, const core::Logger& log,
                                                 PrepareClient prepare) {
    ZONA_TRY_VOID(check_options(options));
    ZONA_TRY(auto factory, ClientFactory::make(options));
    factory->prepare = std::move(prepare);
    SessionSetup setup{.collections = options.collections,
                       .page_token_key = options.page_token_key,
                       .max_examined = options.max_examined,
                       .clock = &clock,
                       .log = log,
                       .primary_reads = options.read_preference == ReadPreference::kPrimary};
    {
        Client client(*factory);
        ZONA_TRY(const ServerKind kind, ask_server(client));
        setup.transactions = kind.transactions;
        if (!kind.transactions) client.update_one_by_one();
        Tags tags;
        if (auto ready = prepare_schema(client, options.collections, tags, log); !ready.has_value())
            return ready.take_error().context(options.database);
        Committer commits(setup, clock);
        if (auto done = commits.recover(client, std::chrono::seconds(0)); !done.has_value())
            return done.take_error().context(options.database);
    }
    return std::make_unique<OpenDatabase>(options, std::move(setup), clock, std::move(factory));
}

Result<void> probe_here(const MongoOptions& options) {
    MongoOptions quick = options;
    quick.selection_timeout = std::min(options.selection_timeout, options.connect_timeout);
    ZONA_TRY(const auto factory, ClientFactory::make(quick));
    Client client(*factory);
    ZONA_TRY_VOID(success_of(ask_server(client)));
    // A command that takes a user's right, unlike the one before.
    ZONA_TRY_VOID(success_of(client.find_one(kCollections, Bson())));
    return {};
}

}  // namespace zona::store::mongo
