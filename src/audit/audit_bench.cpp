// What a record costs those who write: durable inserts of 1 kB by 64 clients into one file, each
// beside nothing, with an entry in its transaction, with one in the spool, and as it would be if
// each transaction took the chain's head. Numbers are given meanwhile, as in the daemon.
#include <condition_variable>
#include <filesystem>
#include <mutex>

#include <benchmark/benchmark.h>
#include <boost/json.hpp>

#include "audit/collections.h"
#include "audit/recorder.h"
#include "audit/testing/test_books.h"
#include "core/clock.h"
#include "store/sqlite_engine.h"
#include "store/sqlite_process.h"

namespace zona::audit {
namespace {

namespace json = boost::json;
using core::Result;
using store::Scope;

constexpr std::size_t kClients = 64;
constexpr std::size_t kInserts = 20'000;

enum class Way : std::uint8_t { kNone, kTransaction, kSpool, kHead };

const store::CollectionSpec& events() {
    static const store::CollectionSpec kSpec{
        .name = "events",
        .indexes = {{.name = "by_created"}, {.name = "by_owner", .fields = {{.path = "owner"}}}}};
    return kSpec;
}

class Home {
  public:
    Home() {
        static const auto kProcess = store::SqliteProcess::begin({}).value();
        const char* base = std::getenv("ZONA_BENCH_DIR");
        path_ = std::string(base == nullptr ? "/tmp" : base) + "/zona-audit-XXXXXX";
        if (::mkdtemp(path_.data()) == nullptr) std::abort();
        engine_ = store::SqliteEngine::create({}, clock, {}).value();
        auto specs = core_collections();
        specs.push_back(&events());
        database = engine_
                       ->open({.path = path_ + "/a.db",
                               .collections = specs,
                               .page_token_key = core::Secret(std::string(32, 'k'))})
                       .value();
        books.emplace(*database);
        recorder.emplace(
            Spool::open({.directory = path_ + "/spool"}, random, {}).value(),
            RecorderDeps{.clock = clock, .random = random, .log = {}, .metrics = metrics});
        recorder->start(*books, [] { return Result<std::optional<Permit>>(Permit()); }, {});
    }
    ~Home() {
        recorder.reset();
        database.reset();
        std::filesystem::remove_all(path_);
    }

    core::RealClock clock;
    core::SystemRandom random;
    core::MetricRegistry metrics;
    std::unique_ptr<store::SqliteDatabase> database;
    std::optional<TestBooks> books;
    std::optional<Recorder> recorder;
    const Subjects subjects{random};
    const Scope scope = Scope::tenant("acme").value();

  private:
    std::string path_;
    std::unique_ptr<store::SqliteEngine> engine_;
};

Entry entry_of(const Home& home) {
    Entry out = home.recorder->begin();
    out.actor = {.kind = "user", .id = "17", .number = 17, .name = "Ann", .address = "192.0.2.1"};
    out.action = "putEvent";
    out.resource = "/api/v1/tenants/acme/events/1";
    out.correlation = "eef8c1b47c67b833-3";
    out.after = std::make_shared<const json::object>(json::object{{"status", "open"}});
    return out;
}

/// 64 clients, each with its next insert as soon as it was answered.
class Load {
  public:
    Load(Home& home, Way way) : home_(home), way_(way) {}

    void run() {
        std::unique_lock lock(mutex_);
        for (std::size_t i = 0; i < kClients; ++i)
            begin(lock);
        done_.wait(lock, [this] { return answered_ == kInserts; });
    }

  private:
    void begin(std::unique_lock<std::mutex>& lock) {
        if (begun_ == kInserts) return;
        const auto number = static_cast<std::int64_t>(++begun_);
        lock.unlock();
        insert(number);
        lock.lock();
    }

    void insert(std::int64_t number) {
        static const std::string kText(900, 'x');
        auto body = [this, number](store::Writer& w) -> Result<bool> {
            const json::object document = {{"owner", "u" + std::to_string(number % 1000)},
                                           {"text", kText}};
            ZONA_TRY(const auto stored,
                     w.insert(store::Collection(events(), home_.scope), number, document));
            if (way_ == Way::kTransaction) ZONA_TRY_VOID(append(w, home_.scope, entry_of(home_)));
            if (way_ == Way::kHead) {
                const Batch one{.spool = "bench",
                                .entries = {{.number = number, .entry = entry_of(home_)}}};
                SealingWriter sealing(w);
                ZONA_TRY(const auto linked, advance(sealing, home_.scope, one, home_.subjects, {},
                                                    home_.clock.system()));
            }
            return true;
        };
        store::write(*home_.database, std::move(body), [this](Result<bool> stored) {
            if (!stored) std::abort();
            if (way_ == Way::kTransaction) home_.recorder->appended(home_.scope);
            if (way_ == Way::kSpool) home_.recorder->record("acme", entry_of(home_));
            std::unique_lock lock(mutex_);
            ++answered_;
            begin(lock);
            if (answered_ == kInserts) done_.notify_one();
        });
    }

    Home& home_;
    const Way way_;
    std::mutex mutex_;
    std::condition_variable done_;
    std::size_t begun_ = 0;
    std::size_t answered_ = 0;
};

void durable_insert(benchmark::State& state, Way way) {
    for (auto _ : state) {
        state.PauseTiming();
        auto home = std::make_unique<Home>();
        state.ResumeTiming();
        Load(*home, way).run();
        state.PauseTiming();
        home.reset();
        state.ResumeTiming();
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(kInserts) * state.iterations());
}
BENCHMARK_CAPTURE(durable_insert, alone, Way::kNone)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(durable_insert, with_entry_in_transaction, Way::kTransaction)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(durable_insert, with_entry_in_spool, Way::kSpool)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(durable_insert, with_head_in_transaction, Way::kHead)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace zona::audit
