// A hit of the first level, by threads.
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "cache/memory_cache.h"

namespace zona::cache {
namespace {

struct Filled {
    Filled() {
        const auto value = std::make_shared<const Value>(Value{std::string(1000, 'x'), 1});
        for (int i = 0; i < 10'000; ++i) {
            keys.emplace_back("tenant-" + std::to_string(i % 100), "apps", std::to_string(i));
            cache.put(keys.back(), std::make_shared<const Value>(*value), {}, cache.stamp());
        }
    }
    core::RealClock clock;
    core::MetricRegistry metrics;
    Meter meter{metrics};
    MemoryCache cache{{}, clock, meter};
    std::vector<Key> keys;
};

void hit_in_memory(benchmark::State& state) {
    static Filled filled;
    std::size_t at = static_cast<std::size_t>(state.thread_index()) * 4999;
    for (auto _ : state) {
        at = (at + 7919) % filled.keys.size();
        benchmark::DoNotOptimize(filled.cache.find(filled.keys[at]));
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(hit_in_memory)->ThreadRange(1, 4)->UseRealTime();

void make_a_key(benchmark::State& state) {
    for (auto _ : state)
        benchmark::DoNotOptimize(Key("acme", "apps", "0123456789abcdef"));
}
BENCHMARK(make_a_key);

}  // namespace
}  // namespace zona::cache
