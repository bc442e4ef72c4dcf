// Redis gone, slow, flushed, failing over, under a cache: docs/outages.md.
#include <thread>

#include "cache/testing/cache_instances.h"

namespace zona::cache {
namespace {

using namespace std::chrono_literals;

const Key kKey("acme", "apps", "1");

redis::ClientOptions quick(redis::ClientOptions options) {
    options.node.timeout = 100ms;
    options.node.connect_timeout = 200ms;
    options.node.most_pause = 200ms;
    return options;
}

// CACHE-09
TEST(OutageTest, WithoutRedisEverythingComesFromTheDatabaseAndNothingOldIsUsed) {
    RedisServer redis;
    CacheOptions options;
    options.redis = quick(redis.options());
    options.staleness = 300ms;
    Instance a(options);
    TestDatabase database;
    a.write(kKey, "first", database);
    // It is in memory, and goes on to be confirmed there.
    EXPECT_TRUE(wait_until([&] {
        a.read(kKey, database);
        std::this_thread::sleep_for(2 * options.staleness);
        return a.here(kKey) == "first" && a.cache->mode() == Mode::kShared;
    }));
    redis.program().kill();
    EXPECT_TRUE(wait_until([&] { return a.cache->mode() == Mode::kDatabaseOnly; }));
    a.cache->check_health();
    EXPECT_TRUE(wait_until([&] { return a.log.has("everything is read from the database"); }));
    EXPECT_FALSE(a.cache->report().problem.empty());
    // Somebody else changes it, whom we cannot hear.
    database.set(kKey, "second");
    EXPECT_TRUE(wait_until([&] { return a.read(kKey, database) == "second"; }));
    EXPECT_TRUE(a.write(kKey, "third", database));
    EXPECT_EQ(a.read(kKey, database), "third");
    redis.restart();
    EXPECT_TRUE(wait_until([&] { return a.cache->mode() == Mode::kShared; }));
    EXPECT_TRUE(wait_until([&] { return a.cache->report().undelivered == 0; }));
    EXPECT_EQ(a.read(kKey, database), "third");
}

// CACHE-09
TEST(OutageTest, WhatNobodyCouldBeToldOfIsNotKept) {
    CacheOptions options;
    options.redis = quick(
        {.addresses = {{.host = "127.0.0.1", .port = static_cast<std::uint16_t>(free_port())}}});
    Instance a(options);
    TestDatabase database;
    EXPECT_TRUE(a.write(kKey, "v", database));
    EXPECT_EQ(a.here(kKey), "-");
    EXPECT_EQ(a.read(kKey, database), "v");
    EXPECT_EQ(a.here(kKey), "-");
    EXPECT_TRUE(a.remove(kKey, database));
    EXPECT_EQ(a.read(kKey, database), "-");
}

// CACHE-09, CACHE-18
TEST(OutageTest, WhatWasWrittenWhileRedisWasAwayIsToldWhenItIsBack) {
    RedisServer redis;
    CacheOptions options;
    options.redis = quick(redis.options());
    options.staleness = 300ms;
    TestDatabase database;
    Instance a(options);
    a.write(kKey, "first", database);
    // As if a alone were cut off: Redis keeps what it has.
    redis.program().freeze();
    EXPECT_TRUE(a.write(kKey, "second", database));
    EXPECT_EQ(a.read(kKey, database), "second");
    EXPECT_GT(a.cache->report().undelivered, 0U);
    redis.program().thaw();
    EXPECT_TRUE(wait_until([&] { return a.cache->report().undelivered == 0; }));
    Instance b(options);
    EXPECT_EQ(b.read(kKey, database), "second");
}

// CACHE-09
TEST(OutageTest, AFlushedRedisIsFilledAgain) {
    RedisServer redis;
    CacheOptions options;
    options.redis = quick(redis.options());
    options.staleness = 300ms;
    TestDatabase database;
    Instance a(options);
    Instance b(options);
    a.write(kKey, "first", database);
    EXPECT_EQ(b.read(kKey, database), "first");
    redis.run("FLUSHALL");
    a.write(kKey, "second", database);
    EXPECT_TRUE(wait_until([&] { return b.read(kKey, database) == "second"; }));
    // Loaded values reach it again, too.
    const Key other("acme", "apps", "2");
    database.set(other, "other");
    EXPECT_TRUE(wait_until([&] {
        Instance fresh(options);
        const int before = database.loads;
        return fresh.read(other, database) == "other" && database.loads == before;
    }));
}

// CACHE-19
TEST(OutageTest, AFailoverOfTheMasterIsSurvived) {
    RedisSentinels redis;
    CacheOptions options;
    options.redis = quick(redis.options());
    options.staleness = 500ms;
    TestDatabase database;
    Instance a(options);
    Instance b(options);
    a.write(kKey, "before", database);
    EXPECT_EQ(b.read(kKey, database), "before");
    redis.master.program().kill();
    // Not one read or write fails meanwhile.
    int writes = 0;
    EXPECT_TRUE(wait_until([&] {
        EXPECT_TRUE(a.write(kKey, std::to_string(++writes), database));
        EXPECT_NE(b.read(kKey, database), "!");
        return redis.replica.run("EXISTS '{zona:acme}/apps/1'") == "1" &&
               redis.replica.run("ROLE").starts_with("master") &&
               a.cache->report().undelivered == 0;
    }));
    EXPECT_TRUE(wait_until([&] { return b.read(kKey, database) == std::to_string(writes); }));
}

// CACHE-15, GAP-61
TEST(OutageTest, TheCacheWorksOnAClusterAndOnPartitions) {
    const RedisCluster cluster;
    const RedisServer other;
    const RedisServer second;
    const redis::ClientOptions partitions{.addresses = {other.endpoint(), second.endpoint()}};
    for (const redis::ClientOptions& redis : {cluster.options(), partitions}) {
        TestDatabase database;
        Instance a(redis, 60s);
        Instance b(redis, 60s);
        for (int i = 0; i < 20; ++i) {
            const Key key(fmt::format("tenant-{}", i), "apps", "1");
            EXPECT_TRUE(a.write(key, "first", database, {"t"}));
            EXPECT_EQ(b.read(key, database), "first");
        }
        EXPECT_EQ(database.loads, 0);
        EXPECT_TRUE(wait_until([&] {
            const Key key("tenant-1", "apps", "1");
            a.write(key, "second", database);
            return b.read(key, database) == "second" && b.here(key) == "second";
        }));
        EXPECT_TRUE(Instance::done([&](auto end) { a.cache->invalidate_all(std::move(end)); }));
        const Key key("tenant-7", "apps", "1");
        EXPECT_EQ(Instance(redis, 60s).read(key, database), "first");
        EXPECT_EQ(database.loads, 1);
    }
}

}  // namespace
}  // namespace zona::cache
