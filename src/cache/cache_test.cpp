// The first level alone: the paths of § 8.9, single flight, failures of the database.
#include "cache/cache.h"

#include <utility>
#include <vector>

#include "cache/testing/cache_instances.h"

namespace zona::cache {
namespace {

const Key kKey("acme", "apps", "1");

// CACHE-05
TEST(CacheTest, ReadsFromTheDatabaseOnceThenFromMemory) {
    Instance one;
    TestDatabase database;
    EXPECT_EQ(one.read(kKey, database), "-");
    EXPECT_EQ(one.read(kKey, database), "-");
    EXPECT_EQ(database.loads, 2);
    database.set(kKey, "v");
    EXPECT_EQ(one.read(kKey, database), "v");
    EXPECT_EQ(one.read(kKey, database), "v");
    EXPECT_EQ(database.loads, 3);
    EXPECT_EQ(one.cache->mode(), Mode::kMemory);
}

// CACHE-06, HTTP-08
TEST(CacheTest, AWriteThatTheDatabaseRefusesLeavesTheCache) {
    Instance one;
    TestDatabase database;
    EXPECT_TRUE(one.write(kKey, "first", database));
    EXPECT_EQ(one.here(kKey), "first");
    database.is_broken = true;
    EXPECT_FALSE(one.write(kKey, "second", database));
    EXPECT_EQ(one.here(kKey), "first");
    EXPECT_FALSE(one.remove(kKey, database));
    EXPECT_EQ(one.here(kKey), "first");
}

// CACHE-07
TEST(CacheTest, ARemovalForgets) {
    Instance one;
    TestDatabase database;
    one.write(kKey, "first", database);
    EXPECT_TRUE(one.remove(kKey, database));
    EXPECT_EQ(one.here(kKey), "-");
    EXPECT_EQ(one.read(kKey, database), "-");
}

TEST(CacheTest, AnErrorOfTheDatabaseIsNotKept) {
    Instance one;
    TestDatabase database;
    database.set(kKey, "v");
    database.is_broken = true;
    EXPECT_EQ(one.read(kKey, database), "!");
    database.is_broken = false;
    EXPECT_EQ(one.read(kKey, database), "v");
}

/// Loads that end when the test says so.
struct HeldLoads {
    HeldLoads() = default;
    HeldLoads(const HeldLoads&) = delete;
    HeldLoads& operator=(const HeldLoads&) = delete;
    ~HeldLoads() {
        for (std::size_t i = 0; i < held.size(); ++i)
            end(i, std::nullopt);
    }
    void end(std::size_t load, std::optional<Loaded> answer) {
        if (auto done = std::exchange(held[load], nullptr)) done(std::move(answer));
    }
    Loader loader() {
        return [this](Callback<std::optional<Loaded>> done) { held.push_back(std::move(done)); };
    }
    std::vector<Callback<std::optional<Loaded>>> held;
};

// CACHE-04
TEST(CacheTest, ReadersOfOneKeyShareOneLoad) {
    Instance one;
    std::vector<std::string> got;
    const auto take = [&](const core::Result<Found>& found) {
        got.push_back(*found ? (*found)->bytes : "-");
    };
    HeldLoads loads;
    for (int i = 0; i < 3; ++i)
        one.cache->read(kKey, loads.loader(), take);
    ASSERT_EQ(loads.held.size(), 1U);
    loads.end(0, Loaded{"v", 1});
    EXPECT_EQ(got, (std::vector<std::string>{"v", "v", "v"}));
}

// CACHE-18
TEST(CacheTest, WhoReadsAfterAChangeDoesNotGetALoadFromBefore) {
    Instance one;
    std::vector<std::string> got;
    const auto take = [&](const core::Result<Found>& found) {
        got.push_back(*found ? (*found)->bytes : "-");
    };
    HeldLoads loads;
    one.cache->read(kKey, loads.loader(), take);
    EXPECT_TRUE(Instance::done([&](auto end) { one.cache->invalidate(kKey, std::move(end)); }));
    one.cache->read(kKey, loads.loader(), take);
    ASSERT_EQ(loads.held.size(), 2U);
    loads.end(1, Loaded{"new", 2});
    loads.end(0, Loaded{"old", 1});
    EXPECT_EQ(got, (std::vector<std::string>{"new", "old"}));
    EXPECT_EQ(one.here(kKey), "new");
}

// CACHE-08, CACHE-13
TEST(CacheTest, ForgetsGroups) {
    Instance one;
    TestDatabase database;
    const Key other("acme", "users", "1");
    const Key foreign("evil", "apps", "1");
    const auto fill = [&] {
        one.write(kKey, "app", database, {"red"});
        one.write(other, "user", database);
        one.write(foreign, "foreign", database, {"red"});
    };
    Cache& cache = *one.cache;
    fill();
    EXPECT_TRUE(
        Instance::done([&](auto end) { cache.invalidate_tag("acme", "red", std::move(end)); }));
    EXPECT_EQ(one.here(kKey) + one.here(other) + one.here(foreign), "-userforeign");
    fill();
    const Pattern apps{.tenant = "acme", .entity = "apps"};
    EXPECT_TRUE(Instance::done([&](auto end) { cache.invalidate(apps, std::move(end)); }));
    EXPECT_EQ(one.here(kKey) + one.here(other) + one.here(foreign), "-userforeign");
    fill();
    EXPECT_TRUE(Instance::done([&](auto end) { cache.invalidate_tenant("acme", std::move(end)); }));
    EXPECT_EQ(one.here(kKey) + one.here(other) + one.here(foreign), "--foreign");
    EXPECT_TRUE(Instance::done([&](auto end) { cache.invalidate_all(std::move(end)); }));
    EXPECT_EQ(one.here(foreign), "-");
}

// CACHE-14
TEST(CacheTest, WarmsAtTheBeginningAndAfterAFlush) {
    Instance one;
    TestDatabase database;
    database.set(kKey, "v");
    std::vector<std::string> warmed;
    one.cache->add_warmer([&](std::string_view tenant) {
        warmed.emplace_back(tenant);
        one.cache->read(kKey, database.loader(kKey), [](const core::Result<Found>&) {});
    });
    EXPECT_EQ(one.here(kKey), "v");
    EXPECT_TRUE(
        Instance::done([&](auto end) { one.cache->invalidate_tenant("acme", std::move(end)); }));
    EXPECT_EQ(one.here(kKey), "v");
    EXPECT_TRUE(Instance::done([&](auto end) { one.cache->invalidate_all(std::move(end)); }));
    EXPECT_EQ(one.here(kKey), "v");
    EXPECT_EQ(warmed, (std::vector<std::string>{"", "acme", ""}));
}

// CACHE-20
TEST(CacheTest, ReportsWhatItHolds) {
    Instance one;
    TestDatabase database;
    one.write(kKey, std::string(1000, 'x'), database);
    one.read(kKey, database);
    const Report report = one.cache->report();
    EXPECT_EQ(report.entries, 1U);
    EXPECT_GT(report.memory_bytes, 1000U);
    EXPECT_EQ(report.tenants.at(0).memory_hits, 1U);
    EXPECT_TRUE(one.metrics.render_prometheus().contains(
        R"(zona_cache_hits_total{level="memory",tenant="acme"} 1)"));
}

TEST(CacheTest, RefusesARedisWithoutAKeyToSealWith) {
    core::RealClock clock;
    core::SystemRandom random;
    core::MetricRegistry metrics;
    CacheOptions options;
    options.redis = redis::ClientOptions{.addresses = {{.host = "127.0.0.1"}}};
    EXPECT_FALSE(Cache::open(options, {clock, random, core::Logger(), metrics}));
}

}  // namespace
}  // namespace zona::cache
