// The embedded store against what its disk can do. Every insert is measured beside the rate at
// which one thread appends 4 kB and syncs in the same directory, in the same run; `of_append` is
// the ratio. ZONA_BENCH_DIR says where; the default is the temporary directory, which must not be a
// tmpfs.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fcntl.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/random.h"
#include "os/fd.h"
#include "store/blocking.h"
#include "store/sqlite_engine.h"
#include "store/sqlite_process.h"

namespace zona::store {
namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;

double seconds(Clock::duration time) {
    return std::chrono::duration<double>(time).count();
}

/// Three indexes besides that of the id.
const CollectionSpec& spec() {
    static const CollectionSpec kSpec{
        .name = "events",
        .indexes = {{.name = "by_created"},
                    {.name = "by_status", .fields = {{"status", FieldType::kText}}},
                    {.name = "by_owner", .fields = {{"owner", FieldType::kText}}}}};
    return kSpec;
}

/// The same with a search.
const CollectionSpec& searched_spec() {
    static const CollectionSpec kSpec = [] {
        CollectionSpec spec = zona::store::spec();
        spec.name = "searched";
        spec.search = {"title"};
        return spec;
    }();
    return kSpec;
}

/// Twenty words, as common as those of a language: the n-th has 1/n of the first one's share.
std::string title(core::SeededRandom& random) {
    std::string out;
    for (int i = 0; i < 20; ++i) {
        const double part = static_cast<double>(random.below(1U << 30U)) / (1U << 30U);
        const auto word = static_cast<int>(std::exp(part * std::log(50000.0)));
        out += "word" + std::to_string(word) + " ";
    }
    return out;
}

/// About 1 kB.
json::object document(core::SeededRandom& random, const char* status) {
    static const std::string kText(850, 'x');
    return {{"status", status},
            {"owner", "user-" + std::to_string(random.below(1000))},
            {"number", random.below(1000000)},
            {"text", kText}};
}

class Directory {
  public:
    Directory() {
        const char* base = std::getenv("ZONA_BENCH_DIR");
        std::string name = (base == nullptr ? std::filesystem::temp_directory_path()
                                            : std::filesystem::path(base)) /
                           "zona-bench-XXXXXX";
        path_ = ::mkdtemp(name.data());
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    ~Directory() { std::filesystem::remove_all(path_); }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

/// Appends of 4 kB, each synced, a second.
double append_rate(const std::string& directory) {
    const os::UniqueFd file =
        os::open_file(directory + "/append", O_WRONLY | O_CREAT | O_APPEND).value();
    const std::string block(4096, 'x');
    const auto begin = Clock::now();
    int count = 0;
    while (Clock::now() - begin < std::chrono::seconds(1)) {
        if (!os::write_all(file.get(), block) || !os::sync_data(file.get())) std::abort();
        ++count;
    }
    return count / seconds(Clock::now() - begin);
}

SqliteEngineOptions engine_options() {
    SqliteEngineOptions options;
    if (const char* writers = std::getenv("ZONA_BENCH_WRITERS"); writers != nullptr)
        options.writers = static_cast<std::size_t>(std::atoi(writers));
    if (const char* files = std::getenv("ZONA_BENCH_OPEN_FILES"); files != nullptr)
        options.open_files = static_cast<std::size_t>(std::atoi(files));
    return options;
}

/// As the daemon has it; the first store of the program makes it.
void set_up_sqlite() {
    static const auto kProcess = SqliteProcess::begin({}).value();
}

/// Files of one engine.
class Store {
  public:
    explicit Store(std::size_t files = 1)
        : logging_(clock_),
          engine_(
              SqliteEngine::create(engine_options(), clock_, logging_.logger("store")).value()) {
        set_up_sqlite();
        for (std::size_t i = 0; i < files; ++i) {
            databases_.push_back(
                engine_
                    ->open({.path = directory_.path() + "/" + std::to_string(i) + ".db",
                            .collections = {&spec(), &searched_spec()},
                            .page_token_key = core::Secret(std::string(32, 'k'))})
                    .value());
        }
    }
    SqliteDatabase& database(std::size_t number = 0) { return *databases_[number]; }
    const std::vector<std::unique_ptr<SqliteDatabase>>& databases() const { return databases_; }
    const std::string& directory() const { return directory_.path(); }
    SqliteStats stats() const {
        SqliteStats sum;
        for (const auto& database : databases_) {
            sum.transactions += database->stats().transactions;
            sum.batches += database->stats().batches;
        }
        return sum;
    }

  private:
    Directory directory_;
    core::RealClock clock_;
    core::Logging logging_;
    std::unique_ptr<SqliteEngine> engine_;
    std::vector<std::unique_ptr<SqliteDatabase>> databases_;
};

/// Clients on one thread, as a thread of requests has them: each begins its next insert when the
/// last one was answered, into a file that chance picks.
class Clients {
  public:
    Clients(Store& store, const CollectionSpec& collection)
        : store_(store), events_(collection, Scope::tenant("acme").value()) {}

    void run(std::size_t clients, std::size_t inserts) {
        latencies_.reserve(inserts);
        for (std::size_t i = 0; i < clients; ++i)
            begin();
        for (std::size_t done = 0, begun = clients; done < inserts;) {
            std::deque<Clock::time_point> answered;
            {
                std::unique_lock lock(mutex_);
                wake_.wait(lock, [this] { return !answered_.empty(); });
                answered.swap(answered_);
            }
            for (const auto from : answered) {
                latencies_.push_back(seconds(Clock::now() - from) * 1000);
                ++done;
                if (begun < inserts) {
                    ++begun;
                    begin();
                }
            }
        }
        std::ranges::sort(latencies_);
    }

    double quantile(double part) const {
        return latencies_[static_cast<std::size_t>(part *
                                                   static_cast<double>(latencies_.size() - 1))];
    }

  private:
    void begin() {
        const auto from = Clock::now();
        json::object event = document(random_, "open");
        if (!events_.spec().search.empty()) event["title"] = title(random_);
        write(
            store_.database(random_.below(store_.databases().size())),
            [this, id = next_id_++, event = std::move(event)](Writer& w) {
                return w.insert(events_, id, event);
            },
            [this, from](const core::Result<Record>& stored) {
                if (!stored.has_value()) std::abort();
                const std::lock_guard lock(mutex_);
                answered_.push_back(from);
                if (answered_.size() == 1) wake_.notify_one();
            });
    }

    Store& store_;
    const Collection events_;
    core::SeededRandom random_{1};
    std::int64_t next_id_ = 1;
    std::vector<double> latencies_;  // milliseconds
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Clock::time_point> answered_;  // guarded by mutex_
};

/// Of so many clients, over so many files.
void durable_insert(benchmark::State& state, const CollectionSpec& collection) {
    const auto clients = static_cast<std::size_t>(state.range(0));
    const auto files = static_cast<std::size_t>(state.range(1));
    const std::size_t inserts = clients == 1 ? 10000 : 60000;
    for (auto _ : state) {
        Store store(files);
        const double before = append_rate(store.directory());
        Clients load(store, collection);
        const auto begin = Clock::now();
        load.run(clients, inserts);
        const double taken = seconds(Clock::now() - begin);
        const double floor = (before + append_rate(store.directory())) / 2;
        const double rate = static_cast<double>(inserts) / taken;
        state.SetIterationTime(taken);
        state.counters["per_s"] = rate;
        state.counters["append_per_s"] = floor;
        state.counters["of_append"] = rate / floor;
        state.counters["p50_ms"] = load.quantile(0.5);
        state.counters["p99_ms"] = load.quantile(0.99);
        const SqliteStats stats = store.stats();
        state.counters["batch"] =
            static_cast<double>(stats.transactions) / static_cast<double>(stats.batches);
    }
}
BENCHMARK_CAPTURE(durable_insert, with_search, searched_spec())
    ->Args({1, 1})
    ->Args({64, 1})
    ->UseManualTime()
    ->Iterations(1);
BENCHMARK_CAPTURE(durable_insert, plain, spec())
    ->Args({1, 1})
    ->Args({64, 1})
    ->Args({256, 1})
    ->Args({64, 100})
    ->UseManualTime()
    ->Iterations(1);

/// 100,000 documents of 100 tenants and a large one, made once; a run with more:
/// ZONA_BENCH_DOCUMENTS.
Store& filled() {
    static const auto kStore = [] {
        auto store = std::make_unique<Store>();
        const char* wanted = std::getenv("ZONA_BENCH_DOCUMENTS");
        const int documents = wanted == nullptr ? 100000 : std::atoi(wanted);
        core::SeededRandom random(7);
        for (int tenant = 0; tenant < 100; ++tenant) {
            const Collection events(spec(), Scope::tenant("t" + std::to_string(tenant)).value());
            const auto filled =
                write_and_wait(store->database(), [&](Writer& w) -> core::Result<int> {
                    // One is large enough for a page 1,000.
                    const int count =
                        tenant == 42 ? std::max(documents / 100, 25000) : documents / 100;
                    for (int i = 0; i < count; ++i) {
                        ZONA_TRY(
                            const Record stored,
                            w.insert(events, i, document(random, i % 50 == 0 ? "done" : "open")));
                    }
                    return 0;
                });
            if (!filled.has_value()) std::abort();
        }
        return store;
    }();
    return *kStore;
}

const Collection& tenant() {
    static const Collection kTenant(spec(), Scope::tenant("t42").value());
    return kTenant;
}

/// One read function over and over, on the reader's thread: the store itself. `p99_us` is that of
/// single calls.
template <class Body>
void measure(benchmark::State& state, Store& store, Body body) {
    std::vector<double> taken;
    const auto done = read_and_wait(store.database(), [&](Reader& r) -> core::Result<int> {
        for (auto _ : state) {
            const auto from = Clock::now();
            benchmark::DoNotOptimize(body(r));
            taken.push_back(seconds(Clock::now() - from) * 1e6);
        }
        return 0;
    });
    if (!done.has_value()) std::abort();
    std::ranges::sort(taken);
    state.counters["p99_us"] = taken[taken.size() * 99 / 100];
}

void point_read(benchmark::State& state) {
    std::int64_t id = 0;
    measure(state, filled(), [&](Reader& r) {
        id = (id + 7777) % 25000;
        return r.find(tenant(), id).value()->version;
    });
}
BENCHMARK(point_read);

/// With its way to the reader's thread and back.
void point_read_round_trip(benchmark::State& state) {
    Store& store = filled();
    for (auto _ : state) {
        benchmark::DoNotOptimize(
            read_and_wait(store.database(), [](Reader& r) { return r.find(tenant(), 7); }));
    }
}
BENCHMARK(point_read_round_trip);

/// 20 documents of an index, the first page or one far behind (by pages of 20, up to what is
/// there).
void page_of_20(benchmark::State& state) {
    Store& store = filled();
    const Query open{.filter = Filter::eq("status", "open")};
    PageRequest request;
    for (std::int64_t page = 1; page < state.range(0); ++page) {
        const auto answer = read_and_wait(
            store.database(), [&](Reader& r) { return r.find_page(tenant(), open, request); });
        if (answer->next.empty()) break;
        request.token = answer->next;
    }
    measure(state, filled(),
            [&](Reader& r) { return r.find_page(tenant(), open, request)->records.size(); });
}
BENCHMARK(page_of_20)->Arg(1)->Arg(1000);

/// As many of one tenant, each with twenty words; made once.
Store& searched() {
    static const auto kStore = [] {
        auto store = std::make_unique<Store>();
        const char* wanted = std::getenv("ZONA_BENCH_DOCUMENTS");
        const int documents = wanted == nullptr ? 100000 : std::atoi(wanted);
        core::SeededRandom random(7);
        const Collection events(searched_spec(), Scope::tenant("t42").value());
        for (int from = 0; from < documents; from += 1000) {
            const auto filled =
                write_and_wait(store->database(), [&](Writer& w) -> core::Result<int> {
                    for (int i = from; i < from + 1000; ++i) {
                        json::object event = document(random, "open");
                        event["title"] = title(random);
                        ZONA_TRY(const Record stored, w.insert(events, i, event));
                    }
                    return 0;
                });
            if (!filled.has_value()) std::abort();
        }
        return store;
    }();
    return *kStore;
}

/// 20 documents, the newest first, that have a word of this place among the common ones, or those
/// that begin so.
void search_of_20(benchmark::State& state, const char* text) {
    const Query query{.filter = Filter::search(searched_spec().search, text),
                      .direction = Direction::kDescending};
    const Collection events(searched_spec(), Scope::tenant("t42").value());
    measure(state, searched(),
            [&](Reader& r) { return r.find_page(events, query, {})->records.size(); });
}
BENCHMARK_CAPTURE(search_of_20, rare, "word30000");
BENCHMARK_CAPTURE(search_of_20, some, "word1000");
BENCHMARK_CAPTURE(search_of_20, common, "word10");
BENCHMARK_CAPTURE(search_of_20, both, "word1000 word10");
BENCHMARK_CAPTURE(search_of_20, beginning, "word123*");

void count_by_index(benchmark::State& state) {
    const Query done{.filter = Filter::eq("status", "done")};
    measure(state, filled(), [&](Reader& r) { return r.count(tenant(), done).value(); });
}
BENCHMARK(count_by_index);

/// Groups of 25,000 documents: of columns alone, and by looking at each document.
void groups(benchmark::State& state, const Measure& measured) {
    const Aggregation by_status{
        .group_by = "status", .measures = {{}, measured}, .walk = Walk::kAllow};
    measure(state, filled(), [&](Reader& r) { return r.aggregate(tenant(), by_status)->size(); });
}
BENCHMARK_CAPTURE(groups, of_columns, Measure{});
BENCHMARK_CAPTURE(groups, of_documents, Measure{.kind = Measure::Kind::kMax, .path = "number"});

}  // namespace
}  // namespace zona::store
