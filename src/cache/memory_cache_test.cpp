#include "cache/memory_cache.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include "core/testing/fake_clock.h"

namespace zona::cache {
namespace {

using namespace std::chrono_literals;

Found value_of(std::string bytes, std::int64_t version = 0) {
    return std::make_shared<const Value>(Value{std::move(bytes), version});
}

class MemoryCacheTest : public testing::Test {
  protected:
    MemoryCache make(MemoryOptions options = {}) { return MemoryCache(options, clock_, meter_); }
    static bool put(MemoryCache& cache, const Key& key, std::string bytes, std::int64_t version = 0,
                    const std::vector<std::string>& tags = {}) {
        return cache.put(key, value_of(std::move(bytes), version), tags, cache.stamp());
    }
    static std::string read(MemoryCache& cache, const Key& key) {
        const Found found = cache.find(key);
        return found ? found->bytes : "-";
    }

    core::FakeClock clock_;
    core::MetricRegistry metrics_;
    Meter meter_{metrics_};
    const Key key_{"acme", "apps", "1"};
};

TEST_F(MemoryCacheTest, GivesWhatWasPut) {
    MemoryCache cache = make();
    EXPECT_EQ(read(cache, key_), "-");
    EXPECT_TRUE(put(cache, key_, "one"));
    EXPECT_EQ(read(cache, key_), "one");
}

// CACHE-01
TEST_F(MemoryCacheTest, ForgetsAfterFiveMinutes) {
    MemoryCache cache = make();
    put(cache, key_, "one");
    clock_.advance(300s - 1ns);
    EXPECT_EQ(read(cache, key_), "one");
    clock_.advance(1ns);
    EXPECT_EQ(read(cache, key_), "-");
    EXPECT_EQ(cache.use().entries, 0U);
}

// TEN-45
TEST_F(MemoryCacheTest, TenantsWithTheSameIdsShareNothing) {
    MemoryCache cache = make();
    put(cache, Key("a", "b/c", "1"), "of a");
    put(cache, Key("a/b", "c", "1"), "of a/b");
    EXPECT_EQ(read(cache, Key("a", "b/c", "1")), "of a");
    EXPECT_EQ(read(cache, Key("a/b", "c", "1")), "of a/b");
    cache.invalidate_tenant("a");
    EXPECT_EQ(read(cache, Key("a", "b/c", "1")), "-");
    EXPECT_EQ(read(cache, Key("a/b", "c", "1")), "of a/b");
}

// CACHE-18
TEST_F(MemoryCacheTest, LateOlderVersionDoesNotReplaceANewerOne) {
    MemoryCache cache = make();
    EXPECT_TRUE(put(cache, key_, "second", 2));
    EXPECT_FALSE(put(cache, key_, "first", 1));
    EXPECT_EQ(read(cache, key_), "second");
    EXPECT_TRUE(put(cache, key_, "third", 3));
    EXPECT_EQ(read(cache, key_), "third");
}

// CACHE-18
TEST_F(MemoryCacheTest, LateOlderVersionDoesNotComeBackAfterARemoval) {
    MemoryCache cache = make();
    put(cache, key_, "second", 2);
    cache.remove(key_, 3);
    EXPECT_EQ(read(cache, key_), "-");
    EXPECT_FALSE(put(cache, key_, "second", 2));
    EXPECT_TRUE(put(cache, key_, "third", 3));
}

TEST_F(MemoryCacheTest, FloorOfARemovedKeyGoesAfterAWhile) {
    MemoryCache cache = make();
    cache.remove(key_, 3);
    clock_.advance(1min);
    EXPECT_TRUE(put(cache, key_, "made anew", 1));
}

// CACHE-18
TEST_F(MemoryCacheTest, LoadThatBeganBeforeAnInvalidationIsNotKept) {
    MemoryCache cache = make();
    const auto refused = [&](auto invalidate) {
        const Stamp began = cache.stamp();
        EXPECT_TRUE(cache.is_current(key_, began));
        invalidate();
        const std::vector<std::string> tags{"t"};
        return !cache.put(key_, value_of("old"), tags, began) && read(cache, key_) == "-";
    };
    EXPECT_TRUE(refused([&] { cache.remove(key_); }));
    EXPECT_TRUE(refused([&] { cache.outdate(key_, 7); }));
    EXPECT_TRUE(refused([&] { cache.invalidate_tag("acme", "t"); }));
    EXPECT_TRUE(refused([&] { cache.invalidate_tenant("acme"); }));
    EXPECT_TRUE(refused([&] { cache.invalidate_all(); }));
    EXPECT_TRUE(refused([&] { cache.invalidate({.tenant = "acme"}); }));
    EXPECT_TRUE(refused([&] { clock_.advance(1min); }));
    EXPECT_TRUE(put(cache, key_, "new"));
}

TEST_F(MemoryCacheTest, WriteReplacesWhatIsOlderAndRefusesLoadsFromBefore) {
    MemoryCache cache = make();
    const Stamp began = cache.stamp();
    cache.write(key_, value_of("second", 2), {});
    EXPECT_FALSE(cache.put(key_, value_of("first", 1), {}, began));
    cache.write(key_, value_of("first", 1), {});
    EXPECT_EQ(read(cache, key_), "second");
    cache.write(key_, value_of("without a version"), {});
    EXPECT_EQ(read(cache, key_), "-");
}

// CACHE-13
TEST_F(MemoryCacheTest, TagsForgetAGroup) {
    MemoryCache cache = make();
    const Key other("acme", "apps", "2");
    const Key foreign("evil", "apps", "1");
    put(cache, key_, "one", 0, {"red", "large"});
    put(cache, other, "two", 0, {"blue"});
    put(cache, foreign, "three", 0, {"red"});
    cache.invalidate_tag("acme", "red");
    EXPECT_EQ(read(cache, key_), "-");
    EXPECT_EQ(read(cache, other), "two");
    EXPECT_EQ(read(cache, foreign), "three");
    EXPECT_TRUE(put(cache, key_, "one", 0, {"red"}));
    EXPECT_EQ(read(cache, key_), "one");
}

// CACHE-08, CACHE-13
TEST_F(MemoryCacheTest, PatternsForgetWhatTheyMean) {
    MemoryCache cache = make();
    put(cache, Key("acme", "apps", "list/1"), "a", 4);
    put(cache, Key("acme", "apps", "list/2"), "b", 5);
    put(cache, Key("acme", "users", "list/1"), "c", 4);
    put(cache, Key("evil", "apps", "list/1"), "d", 4);
    EXPECT_EQ(
        cache.invalidate({.tenant = "acme", .entity = "apps", .id = "list/*", .below_version = 5}),
        1U);
    EXPECT_EQ(read(cache, Key("acme", "apps", "list/1")), "-");
    EXPECT_EQ(read(cache, Key("acme", "apps", "list/2")), "b");
    EXPECT_EQ(cache.invalidate({.tenant = "acme"}), 2U);
    EXPECT_EQ(read(cache, Key("evil", "apps", "list/1")), "d");
}

// CACHE-18
TEST_F(MemoryCacheTest, WhatNobodyConfirmsIsBelievedForTheBoundOnly) {
    MemoryCache cache = make({.staleness = 10s});
    put(cache, key_, "one");
    clock_.advance(9s);
    EXPECT_EQ(read(cache, key_), "one");
    cache.confirm(clock_.steady());
    clock_.advance(9s);
    EXPECT_EQ(read(cache, key_), "one");
    clock_.advance(1s);
    EXPECT_EQ(read(cache, key_), "-");
}

// CACHE-11
TEST_F(MemoryCacheTest, StaysWithinItsBytesUnderChurn) {
    constexpr std::size_t kMost = 4U << 20U;
    MemoryCache cache = make({.bytes = kMost, .shards = 4});
    for (int i = 0; i < 50'000; ++i) {
        put(cache, Key("acme", "apps", std::to_string(i)),
            std::string(static_cast<std::size_t>(i % 2000), 'x'), 0, {"t"});
        if (i % 7 == 0) cache.remove(Key("acme", "apps", std::to_string(i - 3)), 1);
        ASSERT_LE(cache.use().bytes, kMost);
    }
    EXPECT_GT(cache.use().bytes, kMost * 8 / 10);
    EXPECT_GT(meter_.of("acme").evictions.value(), 10'000U);
}

// CACHE-11
TEST_F(MemoryCacheTest, CountsAllThatItTakes) {
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    GTEST_SKIP() << "the sanitizer has an allocator of its own";
#endif
#endif
    MemoryCache cache = make({.bytes = 64U << 20U});
    meter_.of("acme");
    const std::uint64_t counted = cache.use().bytes;
    const std::size_t taken = mallinfo2().uordblks;
    for (int i = 0; i < 20'000; ++i) {
        put(cache, Key("acme", "applications", fmt::format("document-{:08}", i)),
            std::string(static_cast<std::size_t>(i % 500), 'x'), 1, {"t", "u"});
    }
    const auto grown = static_cast<double>(mallinfo2().uordblks - taken);
    const auto said = static_cast<double>(cache.use().bytes - counted);
    EXPECT_GE(said, grown * 0.97);
    EXPECT_LE(said, grown * 1.15);
}

// CACHE-11
TEST_F(MemoryCacheTest, KeepsWhatIsReadAndDropsWhatIsNot) {
    MemoryCache cache = make({.bytes = 100'000, .shards = 1});
    for (int i = 0; i < 10; ++i)
        put(cache, Key("acme", "hot", std::to_string(i)), std::string(500, 'h'));
    for (int i = 0; i < 2000; ++i) {
        put(cache, Key("acme", "cold", std::to_string(i)), std::string(500, 'c'));
        read(cache, Key("acme", "hot", std::to_string(i % 10)));
    }
    for (int i = 0; i < 10; ++i)
        EXPECT_NE(read(cache, Key("acme", "hot", std::to_string(i))), "-") << i;
    EXPECT_EQ(read(cache, Key("acme", "cold", "0")), "-");
    EXPECT_NE(read(cache, Key("acme", "cold", "1999")), "-");
}

TEST_F(MemoryCacheTest, WhatIsTooLargeIsNotKeptAndTakesNothingElseAway) {
    MemoryCache cache = make({.bytes = 100'000, .shards = 1});
    put(cache, key_, "one");
    EXPECT_FALSE(put(cache, Key("acme", "apps", "2"), std::string(50'000, 'x')));
    EXPECT_EQ(read(cache, key_), "one");
}

// CACHE-20
TEST_F(MemoryCacheTest, CountsHitsMissesAndBytesByTenant) {
    MemoryCache cache = make();
    read(cache, key_);
    put(cache, key_, "one");
    read(cache, key_);
    read(cache, key_);
    const Numbers numbers = meter_.numbers().at(0);
    EXPECT_EQ(numbers.tenant, "acme");
    EXPECT_EQ(numbers.memory_hits, 2U);
    EXPECT_EQ(numbers.memory_misses, 1U);
    EXPECT_EQ(numbers.entries, 1U);
    EXPECT_GT(numbers.bytes, 0U);
    cache.remove(key_);
    EXPECT_EQ(meter_.numbers().at(0).bytes, 0U);
}

// CACHE-20
TEST_F(MemoryCacheTest, EachTenantsNumbersAreItsOwnHoweverManyThereAre) {
    MemoryCache cache = make();
    for (std::size_t i = 0; i < Meter::kMostTenants + 100; ++i) {
        const Key key(fmt::format("tenant-{}", i), "apps", "1");
        put(cache, key, "one");
        read(cache, key);
    }
    const std::vector<Numbers> all = meter_.numbers();
    EXPECT_EQ(all.size(), Meter::kMostTenants + 1);
    for (const Numbers& one : all)
        EXPECT_EQ(one.memory_hits, one.tenant == "other" ? 100U : 1U) << one.tenant;
}

// Threads that write rising versions and read: nobody sees a version go back.
TEST_F(MemoryCacheTest, VersionsNeverGoBackUnderThreads) {
    MemoryCache cache = make({.bytes = 200'000, .shards = 2});
    std::atomic<std::int64_t> database{1};
    std::atomic<bool> went_back{false};
    const auto work = [&](int seed) {
        std::int64_t seen = 0;
        for (int i = 0; i < 20'000; ++i) {
            const Stamp began = cache.stamp();
            const std::int64_t acknowledged = database.load();
            if ((i + seed) % 16 == 0) {
                const std::int64_t version = database.load() + 1;
                std::int64_t expected = version - 1;
                if (database.compare_exchange_strong(expected, version))
                    cache.remove(key_, version);
            }
            if (const Found found = cache.find(key_)) {
                if (found->version < seen) went_back = true;
                seen = found->version;
            } else {
                cache.put(key_, value_of("x", acknowledged), {}, began);
            }
        }
    };
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back(work, i);
    threads.clear();
    EXPECT_FALSE(went_back);
}

}  // namespace
}  // namespace zona::cache
