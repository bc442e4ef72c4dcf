// Hit ratios of the first level beside plain LRU of the same bytes, on one trace with a fixed seed.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <list>
#include <unordered_map>
#include <vector>

#include <gtest/gtest.h>

#include "cache/memory_cache.h"
#include "core/random.h"
#include "core/testing/fake_clock.h"

namespace zona::cache {
namespace {

constexpr int kObjects = 100'000;
constexpr int kReads = 1'000'000;
constexpr std::size_t kValueBytes = 200;

/// Numbers of objects by how often they are asked for: the r-th in proportion to 1 / r^skew.
class Zipf {
  public:
    explicit Zipf(double skew) {
        double sum = 0;
        for (int rank = 1; rank <= kObjects; ++rank) {
            sum += 1.0 / std::pow(rank, skew);
            sums_.push_back(sum);
        }
    }
    int next(core::Random& random) const {
        const double at = static_cast<double>(random.next() >> 11U) * 0x1.0p-53 * sums_.back();
        return static_cast<int>(std::ranges::lower_bound(sums_, at) - sums_.begin());
    }

  private:
    std::vector<double> sums_;
};

/// What is asked for, in order: by Zipf; `scans` times 20,000 objects once each, as a report does.
std::vector<int> trace_of(double skew, int scans) {
    core::SeededRandom random(42);
    const Zipf zipf(skew);
    std::vector<int> out;
    int scanned = kObjects;
    for (int i = 0; i < kReads; ++i) {
        out.push_back(zipf.next(random));
        if (scans > 0 && i % (kReads / scans) == 0) {
            for (int object = 0; object < 20'000; ++object)
                out.push_back(scanned++);
        }
    }
    return out;
}

Key key_of(int object) {
    return {"acme", "documents", std::to_string(object)};
}

double ratio_of_cache(const std::vector<int>& trace, std::size_t bytes) {
    core::FakeClock clock;
    core::MetricRegistry metrics;
    Meter meter(metrics);
    MemoryCache cache({.bytes = bytes}, clock, meter);
    const auto value = std::make_shared<const Value>(Value{std::string(kValueBytes, 'x')});
    int hits = 0;
    for (const int object : trace) {
        const Key key = key_of(object);
        if (cache.find(key)) {
            ++hits;
        } else {
            cache.put(key, value, {}, cache.stamp());
        }
    }
    return hits / static_cast<double>(trace.size());
}

/// As many entries as the cache holds at its fullest: LRU gets no bytes for ghosts and tables.
double ratio_of_lru(const std::vector<int>& trace, std::size_t entries) {
    std::list<int> order;
    std::unordered_map<int, std::list<int>::iterator> index;
    int hits = 0;
    for (const int object : trace) {
        if (const auto at = index.find(object); at != index.end()) {
            ++hits;
            order.splice(order.begin(), order, at->second);
            continue;
        }
        order.push_front(object);
        index[object] = order.begin();
        if (order.size() > entries) {
            index.erase(order.back());
            order.pop_back();
        }
    }
    return hits / static_cast<double>(trace.size());
}

std::size_t entries_of(std::size_t bytes) {
    core::FakeClock clock;
    core::MetricRegistry metrics;
    Meter meter(metrics);
    MemoryCache cache({.bytes = bytes}, clock, meter);
    const auto value = std::make_shared<const Value>(Value{std::string(kValueBytes, 'x')});
    for (int object = 0; object < kObjects; ++object)
        cache.put(key_of(object), value, {}, cache.stamp());
    return cache.use().entries;
}

// CACHE-11
TEST(EvictionTest, HitsMoreOftenThanLruWithAndWithoutScans) {
    for (const std::size_t bytes : {std::size_t{2} << 20U, std::size_t{8} << 20U}) {
        const std::size_t entries = entries_of(bytes);
        for (const int scans : {0, 10}) {
            const std::vector<int> trace = trace_of(0.9, scans);
            const double cache = ratio_of_cache(trace, bytes);
            const double lru = ratio_of_lru(trace, entries);
            std::printf("%zu of %d objects, %d scans: S3-FIFO %.3f, LRU %.3f\n", entries, kObjects,
                        scans, cache, lru);
            EXPECT_GT(cache, lru);
        }
    }
}

}  // namespace
}  // namespace zona::cache
