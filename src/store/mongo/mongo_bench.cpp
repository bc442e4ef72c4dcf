// What this backend costs over libmongoc alone: both do the same operation in turns, on the same
// server, each on a connection of its own. `over_us` is the median of the differences of such
// pairs, and what a budget is about. libmongoc alone is called on the thread that measures; the
// store on its own, so the way there and back counts as ours. `way_us` is that way: a function that
// asks for nothing, in the same turns. The kernel's waking of two threads is nearly all of it.
//
// The server that decides is scripted and answers from memory: what it does costs next to nothing
// and is the same each time. ZONA_BENCH_MONGO_URI names a real one, too, for comparison.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <boost/json/object.hpp>

#include "core/clock.h"
#include "core/log.h"
#include "store/blocking.h"
#include "store/mongo/detail/client.h"
#include "store/mongo/detail/open.h"
#include "store/mongo/testing/scripted_set.h"

namespace zona::store::mongo {
namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kRounds = 3000;
constexpr std::size_t kWarmUp = 300;
constexpr int kPage = 20;

enum class ServerKindOf : std::uint8_t { kStandalone, kReplicaSet, kReal };
enum class Operation : std::uint8_t { kInsert, kFindById, kUpdate, kFindByIndex };

/// Two, so that those which are found do not become more.
const CollectionSpec& inserted() {
    static const CollectionSpec kSpec{
        .name = "inserted",
        .indexes = {{.name = "by_status", .fields = {{"status", FieldType::kText}}}}};
    return kSpec;
}
const CollectionSpec& found() {
    static const CollectionSpec kSpec{
        .name = "found",
        .indexes = {{.name = "by_status", .fields = {{"status", FieldType::kText}}}}};
    return kSpec;
}

/// About 1 kB.
const json::object& document() {
    static const json::object kDocument{{"status", "open"},
                                        {"owner", "user-17"},
                                        {"number", 4711},
                                        {"text", std::string(850, 'x')}};
    return kDocument;
}

double microseconds_since(Clock::time_point begin) {
    return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

double median(std::vector<double>& values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    return *middle;
}

[[noreturn]] void give_up(const std::string& why) {
    (void)std::fprintf(stderr, "%s\n", why.c_str());
    std::abort();
}

template <class T>
T must(core::Result<T> result) {
    if (!result.has_value()) give_up(result.error().message());
    return *std::move(result);
}

/// The same documents as a program would keep them that knows only libmongoc.
class Alone {
  public:
    explicit Alone(const MongoOptions& options) : client_(connected(options)) {
        const Bson concern = Bson().put("w", "majority").put("j", true);
        durable_.put("writeConcern", concern);
        inserted_ =
            mongoc_client_get_collection(client_, options.database.c_str(), "inserted_alone");
        found_ = mongoc_client_get_collection(client_, options.database.c_str(), "found_alone");
        make_index(inserted_);
        make_index(found_);
        for (int i = 0; i < kPage; ++i)
            insert(found_, i);
    }
    Alone(const Alone&) = delete;
    Alone& operator=(const Alone&) = delete;
    ~Alone() {
        mongoc_collection_destroy(found_);
        mongoc_collection_destroy(inserted_);
        mongoc_client_destroy(client_);
    }

    void run(Operation operation) {
        switch (operation) {
            case Operation::kInsert:
                return insert(inserted_, next_++);
            case Operation::kFindById:
                if (find_by_id() != 1) give_up("the document is not there");
                return;
            case Operation::kUpdate:
                return update();
            case Operation::kFindByIndex:
                return find_by_index();
        }
    }

  private:
    static mongoc_client_t* connected(const MongoOptions& options) {
        const auto factory = must(ClientFactory::make(options));
        return factory->make_client(factory->login());
    }
    static void check(bool done, const bson_error_t& error) {
        if (!done) give_up(error.message);
    }
    static Bson stored(int id, int version) {
        Bson out;
        out.put("_id", std::to_string(id)).put("w", std::to_string(version)).put("status", "open");
        out.put_document("d", document());
        return out;
    }
    void make_index(mongoc_collection_t* collection) const {
        const Bson keys = Bson().put("status", 1);
        const Bson index = Bson().put("key", keys).put("name", "by_status");
        const Bson command = Bson()
                                 .put("createIndexes", mongoc_collection_get_name(collection))
                                 .put("indexes", std::vector<Bson>{index});
        bson_error_t error{};
        check(mongoc_collection_write_command_with_opts(collection, command.get(), nullptr, nullptr,
                                                        &error),
              error);
    }
    void insert(mongoc_collection_t* into, int id) const {
        bson_error_t error{};
        check(mongoc_collection_insert_one(into, stored(id, 1).get(), durable_.get(), nullptr,
                                           &error),
              error);
    }
    int find(const Bson& filter, const Bson& options) const {
        mongoc_cursor_t* cursor =
            mongoc_collection_find_with_opts(found_, filter.get(), options.get(), nullptr);
        const bson_t* at = nullptr;
        int count = 0;
        while (mongoc_cursor_next(cursor, &at))
            ++count;
        bson_error_t error{};
        check(!mongoc_cursor_error(cursor, &error), error);
        mongoc_cursor_destroy(cursor);
        return count;
    }
    int find_by_id() const {
        return find(Bson().put("_id", "7"), Bson().put("limit", 1).put("singleBatch", true));
    }
    /// Reads it, and replaces it if it is still what was read: what the store promises.
    void update() {
        if (find_by_id() != 1) give_up("the document is not there");
        const Bson seen = Bson().put("_id", "7").put("w", std::to_string(version_));
        bson_error_t error{};
        check(mongoc_collection_replace_one(found_, seen.get(), stored(7, ++version_).get(),
                                            durable_.get(), nullptr, &error),
              error);
    }
    void find_by_index() const {
        const Bson open = Bson().put("status", Bson().put("$gte", "open").put("$lt", "opeo"));
        if (find(open, Bson().put("limit", kPage).put("sort", Bson().put("status", 1))) != kPage)
            give_up("not all documents were found");
    }

    mongoc_client_t* client_;
    mongoc_collection_t* inserted_;
    mongoc_collection_t* found_;
    Bson durable_;
    int next_ = 0;
    int version_ = 1;
};

/// The store on the same server.
class Ours {
  public:
    explicit Ours(const MongoOptions& options)
        : logging_(clock_), database_(must(open_here(options, clock_, logging_.logger("store")))) {
        for (int i = 0; i < kPage; ++i)
            insert(found_, i);
    }

    void run(Operation operation) {
        switch (operation) {
            case Operation::kInsert:
                return insert(inserted_, next_++);
            case Operation::kFindById:
                if (!must(read_and_wait(*database_, [&](Reader& r) { return r.find(found_, 7); })))
                    give_up("the document is not there");
                return;
            case Operation::kUpdate:
                must(write_and_wait(*database_, [&](Writer& w) {
                    return w.modify(found_, 7, Update().set("number", ++number_));
                }));
                return;
            case Operation::kFindByIndex: {
                const Query open{.filter = Filter::eq("status", "open")};
                const PageRequest page{.limit = kPage};
                const Page answer = must(read_and_wait(
                    *database_, [&](Reader& r) { return r.find_page(found_, open, page); }));
                if (answer.records.size() != kPage) give_up("not all documents were found");
                return;
            }
        }
    }

    /// To the store's thread and back.
    void way() {
        must(read_and_wait(*database_, [](Reader&) -> core::Result<bool> { return true; }));
    }

  private:
    void insert(const Collection& into, int id) {
        must(write_and_wait(*database_, [&](Writer& w) { return w.insert(into, id, document()); }));
    }

    core::RealClock clock_;
    core::Logging logging_;
    std::unique_ptr<MongoDatabase> database_;
    const Collection inserted_{mongo::inserted(), Scope::tenant("acme").value()};
    const Collection found_{mongo::found(), Scope::tenant("acme").value()};
    int next_ = 0;
    int number_ = 0;
};

void over_libmongoc(benchmark::State& state, ServerKindOf kind, Operation operation) {
    const char* real = std::getenv("ZONA_BENCH_MONGO_URI");
    if (kind == ServerKindOf::kReal && real == nullptr) {
        state.SkipWithError("ZONA_BENCH_MONGO_URI names no server");
        return;
    }
    const ScriptedSet scripted(kind == ServerKindOf::kReplicaSet ? Topology::kReplicaSet
                                                                 : Topology::kStandalone);
    static int databases = 0;
    const MongoOptions options{.uri = kind == ServerKindOf::kReal ? real : scripted.uri(),
                               .database = "bench_" + std::to_string(++databases),
                               .collections = {&inserted(), &found()},
                               .page_token_key = core::Secret(std::string(32, 'k'))};
    for (auto _ : state) {
        Alone alone(options);
        Ours ours(options);
        const std::array<std::function<void()>, 3> calls = {
            [&] { alone.run(operation); }, [&] { ours.run(operation); }, [&] { ours.way(); }};
        std::array<std::vector<double>, 3> taken;
        for (std::size_t i = 0; i < kWarmUp + kRounds; ++i) {
            // None is always the one that finds everything warm.
            for (std::size_t turn = 0; turn < calls.size(); ++turn) {
                const std::size_t which = (i + turn) % calls.size();
                const auto begin = Clock::now();
                calls[which]();
                const double time = microseconds_since(begin);
                if (i >= kWarmUp) taken[which].push_back(time);
            }
        }
        std::vector<double> over;
        for (std::size_t i = 0; i < kRounds; ++i)
            over.push_back(taken[1][i] - taken[0][i]);
        const double ours_us = median(taken[1]);
        state.SetIterationTime(ours_us / 1e6);
        state.counters["alone_us"] = median(taken[0]);
        state.counters["ours_us"] = ours_us;
        state.counters["way_us"] = median(taken[2]);
        state.counters["over_us"] = median(over);
    }
}

#define ZONA_OVER_LIBMONGOC(server, kind)                                                    \
    BENCHMARK_CAPTURE(over_libmongoc, server##_insert, kind, Operation::kInsert)             \
        ->UseManualTime()                                                                    \
        ->Iterations(1);                                                                     \
    BENCHMARK_CAPTURE(over_libmongoc, server##_find_by_id, kind, Operation::kFindById)       \
        ->UseManualTime()                                                                    \
        ->Iterations(1);                                                                     \
    BENCHMARK_CAPTURE(over_libmongoc, server##_update, kind, Operation::kUpdate)             \
        ->UseManualTime()                                                                    \
        ->Iterations(1);                                                                     \
    BENCHMARK_CAPTURE(over_libmongoc, server##_find_by_index, kind, Operation::kFindByIndex) \
        ->UseManualTime()                                                                    \
        ->Iterations(1)

ZONA_OVER_LIBMONGOC(standalone, ServerKindOf::kStandalone);
ZONA_OVER_LIBMONGOC(replica_set, ServerKindOf::kReplicaSet);
ZONA_OVER_LIBMONGOC(real, ServerKindOf::kReal);

}  // namespace
}  // namespace zona::store::mongo
