// Reads that Redis answers, so many at a time, through both levels, with nothing kept in memory.
// ZONA_BENCH_REDIS says where it is: `bench/run cache` starts one.
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "cache/cache.h"

namespace zona::cache {
namespace {

constexpr std::int64_t kReads = 200'000;

/// A cache whose first level forgets at once.
struct Bench {
    explicit Bench(const redis::Endpoint& redis) {
        CacheOptions options;
        options.memory.ttl = std::chrono::nanoseconds(0);
        options.redis = redis::ClientOptions{.addresses = {redis}};
        cache = Cache::open(options, {clock, random, core::Logger(), metrics, &key}).value();
        cache->start();
    }
    void write(const Key& name) {
        std::promise<void> written;
        cache->write(
            name,
            [](Callback<Loaded> done) {
                done(Loaded{.bytes = std::string(1000, 'x'), .version = 1});
            },
            [&](const core::Result<Found>&) { written.set_value(); });
        written.get_future().wait();
    }

    core::RealClock clock;
    core::SystemRandom random;
    core::MetricRegistry metrics;
    crypto::Key key = crypto::Key::random(random);
    std::unique_ptr<Cache> cache;
};

/// Readers that ask again as soon as they are answered, each for a key of its own: readers of one
/// key would share an answer.
class Readers {
  public:
    Readers(Bench& bench, std::size_t count) : bench_(bench), running_(count) {
        for (std::size_t i = 0; i < count; ++i) {
            keys_.emplace_back("acme", "apps", std::to_string(i));
            bench.write(keys_.back());
        }
    }
    void run() {
        for (const Key& key : keys_)
            read(key);
        ended_.get_future().wait();
    }

  private:
    void read(const Key& key) {
        if (left_.fetch_sub(1) <= 0) {
            if (running_.fetch_sub(1) == 1) ended_.set_value();
            return;
        }
        bench_.cache->read(
            key, [](const auto&) { std::abort(); },
            [this, &key](const core::Result<Found>&) { read(key); });
    }

    Bench& bench_;
    std::vector<Key> keys_;
    std::atomic<std::int64_t> left_{kReads};
    std::atomic<std::size_t> running_;
    std::promise<void> ended_;
};

void hit_in_redis(benchmark::State& state) {
    const char* place = std::getenv("ZONA_BENCH_REDIS");
    const auto redis = redis::Endpoint::parse(place == nullptr ? "" : place);
    if (!redis) return state.SkipWithError("ZONA_BENCH_REDIS=HOST:PORT is not given");
    Bench bench(*redis);
    for (auto _ : state) {
        Readers readers(bench, static_cast<std::size_t>(state.range(0)));
        const auto begun = std::chrono::steady_clock::now();
        readers.run();
        state.SetIterationTime(
            std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
    }
    state.counters["per_s"] = benchmark::Counter(static_cast<double>(kReads),
                                                 benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(hit_in_redis)->Arg(1)->Arg(16)->Arg(64)->UseManualTime()->Iterations(1);

}  // namespace
}  // namespace zona::cache
