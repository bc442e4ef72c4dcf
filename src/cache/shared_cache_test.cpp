// Several instances on one Redis: what they share, hear of each other, and seal.
#include <thread>

#include "cache/detail/sealer.h"
#include "cache/testing/cache_instances.h"

namespace zona::cache {
namespace {

using namespace std::chrono_literals;

const Key kKey("acme", "apps", "1");

/// Most tests need no server of their own.
class SharedCacheTest : public testing::Test {
  protected:
    SharedCacheTest() { redis_.run("FLUSHALL"); }
    static redis::ClientOptions options() { return redis_.options(); }
    /// Until the instance hears what others do: what it has is confirmed then.
    static void hears(Instance& instance, TestDatabase& database) {
        const Key probe("acme", "probe", "1");
        EXPECT_TRUE(wait_until([&] {
            return redis_.run("PUBSUB NUMSUB zona:news").ends_with("1") ||
                   redis_.run("PUBSUB NUMSUB zona:news").ends_with("2");
        }));
        database.set(probe, "p");
        EXPECT_TRUE(wait_until([&] {
            instance.read(probe, database);
            return instance.here(probe) == "p";
        }));
    }
    static constexpr auto kBound = 1s;
    /// Whether a value stays in memory for longer than the bound. Tried again, where this machine
    /// was so busy that even the comparing came too late.
    static bool outlives_the_bound(Instance& instance, TestDatabase& database) {
        return wait_until([&] {
            instance.read(kKey, database);
            const Found before = instance.cache->find(kKey);
            std::this_thread::sleep_for(2 * kBound);
            return before && instance.cache->find(kKey) == before;
        });
    }
    static inline RedisServer redis_;
};

// CACHE-04
TEST_F(SharedCacheTest, WhatOneHasLoadedTheOtherReadsFromRedis) {
    Instance a(options());
    Instance b(options());
    TestDatabase database;
    database.set(kKey, "v");
    EXPECT_EQ(a.read(kKey, database), "v");
    EXPECT_TRUE(wait_until([&] { return redis_.run("EXISTS '{zona:acme}/apps/1'") == "1"; }));
    EXPECT_EQ(b.read(kKey, database), "v");
    EXPECT_EQ(database.loads, 1);
    EXPECT_EQ(b.here(kKey), "v");
    EXPECT_EQ(b.numbers("acme").shared_hits, 1U);
    EXPECT_EQ(a.numbers("acme").shared_misses, 1U);
    EXPECT_EQ(a.cache->mode(), Mode::kShared);
}

// CACHE-02, CACHE-10
TEST_F(SharedCacheTest, KeepsAnHourUnderTenantEntityAndId) {
    Instance a(options());
    TestDatabase database;
    a.write(kKey, "v", database);
    const int ttl = std::stoi(redis_.run("TTL '{zona:acme}/apps/1'"));
    EXPECT_GT(ttl, 3500);
    EXPECT_LE(ttl, 3600);
}

// CACHE-12, ARCH-09
TEST_F(SharedCacheTest, OthersHearOfAWriteAndARemoval) {
    Instance a(options(), 60s);
    Instance b(options(), 60s);
    TestDatabase database;
    hears(a, database);
    hears(b, database);
    a.write(kKey, "first", database);
    EXPECT_EQ(b.read(kKey, database), "first");
    a.write(kKey, "second", database);
    EXPECT_TRUE(wait_until([&] { return b.read(kKey, database) == "second"; }));
    a.remove(kKey, database);
    EXPECT_TRUE(wait_until([&] { return b.read(kKey, database) == "-"; }));
}

// CACHE-18
TEST_F(SharedCacheTest, ALateOlderVersionDoesNotReplaceANewerOneInRedis) {
    Instance a(options());
    TestDatabase database;
    a.write(kKey, "first", database);
    // Written in the database, and slow on its way to Redis.
    const Loaded late = *database.find(kKey);
    a.write(kKey, "second", database);
    Instance b(options());
    auto end = std::make_shared<std::promise<void>>();
    b.cache->write(
        kKey, [&](Callback<Loaded> done) { done(late); },
        [end](const core::Result<Found>&) { end->set_value(); });
    end->get_future().wait();
    Instance c(options());
    EXPECT_EQ(c.read(kKey, database), "second");
    EXPECT_EQ(database.loads, 0);
}

// CACHE-18
TEST_F(SharedCacheTest, ALoadFromBeforeARemovalDoesNotReachRedis) {
    Instance a(options());
    Instance b(options());
    TestDatabase database;
    database.set(kKey, "old");
    // b has read the old state when a removes it, and stores it afterwards.
    std::promise<Callback<std::optional<Loaded>>> loading;
    std::promise<void> read;
    b.cache->read(
        kKey, [&](Callback<std::optional<Loaded>> done) { loading.set_value(std::move(done)); },
        [&](const core::Result<Found>&) { read.set_value(); });
    Callback<std::optional<Loaded>> done = loading.get_future().get();
    const std::optional<Loaded> old = database.find(kKey);
    a.remove(kKey, database);
    done(old);
    read.get_future().wait();
    EXPECT_EQ(a.read(kKey, database), "-");
    Instance c(options());
    EXPECT_EQ(c.read(kKey, database), "-");
}

// CACHE-08, CACHE-13
TEST_F(SharedCacheTest, GroupsAreForgottenEverywhere) {
    Instance a(options(), 60s);
    Instance b(options(), 60s);
    TestDatabase database;
    const Key user("acme", "users", "1");
    const Key foreign("evil", "apps", "1");
    hears(b, database);
    const auto fill = [&] {
        a.write(kKey, "app", database, {"red"});
        a.write(user, "user", database);
        a.write(foreign, "foreign", database, {"red"});
        for (const Key& key : {kKey, user, foreign})
            b.read(key, database);
        database.loads = 0;
    };
    const auto in_redis = [&] {
        return redis_.run("EXISTS '{zona:acme}/apps/1'") +
               redis_.run("EXISTS '{zona:acme}/users/1'") +
               redis_.run("EXISTS '{zona:evil}/apps/1'");
    };
    const auto here = [&] { return b.here(kKey) + " " + b.here(user) + " " + b.here(foreign); };
    fill();
    EXPECT_EQ(in_redis(), "111");
    EXPECT_TRUE(
        Instance::done([&](auto end) { a.cache->invalidate_tag("acme", "red", std::move(end)); }));
    EXPECT_TRUE(wait_until([&] { return here() == "- user foreign"; })) << here();
    Instance fresh(options());
    for (const Key& key : {kKey, user, foreign})
        fresh.read(key, database);
    EXPECT_EQ(database.loads, 1);
    fill();
    const Pattern apps{.tenant = "acme", .entity = "apps", .id = "?"};
    EXPECT_TRUE(Instance::done([&](auto end) { a.cache->invalidate(apps, std::move(end)); }));
    EXPECT_EQ(in_redis(), "011");
    EXPECT_TRUE(wait_until([&] { return here() == "- user foreign"; })) << here();
    fill();
    EXPECT_TRUE(
        Instance::done([&](auto end) { a.cache->invalidate_tenant("acme", std::move(end)); }));
    EXPECT_EQ(in_redis(), "001");
    EXPECT_TRUE(wait_until([&] { return here() == "- - foreign"; })) << here();
    EXPECT_TRUE(Instance::done([&](auto end) { a.cache->invalidate_all(std::move(end)); }));
    EXPECT_EQ(in_redis(), "000");
    EXPECT_TRUE(wait_until([&] { return here() == "- - -"; })) << here();
}

// CACHE-13, CACHE-18
TEST_F(SharedCacheTest, ATagIsForgottenWhateverRedisHasThrownAway) {
    Instance a(options(), 60s);
    TestDatabase database;
    a.write(kKey, "first", database, {"red"});
    EXPECT_EQ(Instance(options()).read(kKey, database), "first");
    EXPECT_EQ(database.loads, 0);
    database.set(kKey, "second");
    // Redis makes room: all but the value goes.
    redis_.run("COPY '{zona:acme}/apps/1' '{zona:acme}/apps/1' DB 1");
    redis_.run("FLUSHDB");
    redis_.run("-n 1 MOVE '{zona:acme}/apps/1' 0");
    EXPECT_EQ(redis_.run("DBSIZE"), "1");
    EXPECT_TRUE(
        Instance::done([&](auto end) { a.cache->invalidate_tag("acme", "red", std::move(end)); }));
    Instance c(options());
    EXPECT_EQ(c.read(kKey, database), "second");
    // Now what the tag has left behind goes.
    a.write(kKey, "third", database, {"red"});
    database.set(kKey, "fourth");
    EXPECT_TRUE(
        Instance::done([&](auto end) { a.cache->invalidate_tag("acme", "red", std::move(end)); }));
    redis_.run("DEL '{zona:acme}:state'");
    Instance d(options());
    EXPECT_EQ(d.read(kKey, database), "fourth");
}

// TEN-45
TEST_F(SharedCacheTest, TenantsWithTheSameIdsShareNothing) {
    Instance a(options());
    TestDatabase database;
    a.write(Key("a", "b/c", "1"), "of a", database);
    a.write(Key("a/b", "c", "1"), "of a/b", database);
    a.write(Key("a}/b", "c", "1"), "of a}/b", database);
    Instance b(options());
    EXPECT_EQ(b.read(Key("a", "b/c", "1"), database), "of a");
    EXPECT_EQ(b.read(Key("a/b", "c", "1"), database), "of a/b");
    EXPECT_EQ(b.read(Key("a}/b", "c", "1"), database), "of a}/b");
}

// TEN-45
TEST_F(SharedCacheTest, InstallationsWhosePrefixesBeginAlikeShareNothing) {
    CacheOptions one;
    one.redis = options();
    one.prefix = "zona:a";
    Instance a(one);
    TestDatabase of_a;
    a.write(Key("acme", "apps", "1"), "of a", of_a);
    Instance b(options());
    TestDatabase of_b;
    EXPECT_EQ(b.read(Key("a:acme", "apps", "1"), of_b), "-");
}

// CACHE-21
TEST_F(SharedCacheTest, NothingInRedisIsInClearOrOpensElsewhere) {
    Instance a(options());
    TestDatabase database;
    a.write(kKey, "the-secret-of-acme", database);
    a.write(Key("evil", "apps", "1"), "of evil", database);
    const std::string kept = redis_.run("GET '{zona:acme}/apps/1'");
    EXPECT_TRUE(kept.size() > 40) << kept;
    EXPECT_FALSE(kept.contains("secret"));
    // Put where it does not belong, it is not believed.
    redis_.run("COPY '{zona:acme}/apps/1' '{zona:evil}/apps/1' REPLACE");
    Instance b(options());
    EXPECT_EQ(b.read(Key("evil", "apps", "1"), database), "of evil");
    EXPECT_EQ(database.loads, 1);
    EXPECT_TRUE(b.log.has("is not what zona put there"));
}

// CACHE-12, CACHE-18
TEST_F(SharedCacheTest, LostNewsAreFoundByTheirNumbers) {
    Instance a(options(), 60s);
    Instance b(options(), 60s);
    TestDatabase database;
    hears(b, database);
    a.write(kKey, "first", database);
    const Key other("acme", "apps", "2");
    EXPECT_TRUE(
        wait_until([&] { return b.read(kKey, database) == "first" && b.here(kKey) == "first"; }));
    // A change whose news never came, and then one that comes: the gap tells.
    database.set(kKey, "second");
    redis_.run("DEL '{zona:acme}/apps/1'");
    redis_.run("HINCRBY '{zona:acme}:state' s 1");
    a.write(other, "other", database);
    EXPECT_TRUE(wait_until([&] { return b.here(kKey) == "-"; }));
    EXPECT_EQ(b.read(kKey, database), "second");
}

// CACHE-12, CACHE-18
TEST_F(SharedCacheTest, NewsThatAreLostAtTheEndAreFoundByComparing) {
    Instance b(options(), kBound);
    TestDatabase database;
    database.set(kKey, "first");
    EXPECT_TRUE(outlives_the_bound(b, database));
    database.set(kKey, "second");
    redis_.run("DEL '{zona:acme}/apps/1'");
    redis_.run("HINCRBY '{zona:acme}:state' s 1");
    EXPECT_TRUE(wait_until([&] { return b.read(kKey, database) == "second"; }));
}

// CACHE-18
TEST_F(SharedCacheTest, AConfirmedValueOutlivesTheBound) {
    Instance b(options(), kBound);
    TestDatabase database;
    database.set(kKey, "v");
    EXPECT_TRUE(outlives_the_bound(b, database));
}

// CACHE-18
TEST_F(SharedCacheTest, RedisWithLessThanThisProcessKnowsIsNotBelieved) {
    Instance a(options(), 60s);
    TestDatabase database;
    hears(a, database);
    a.write(kKey, "first", database);
    redis_.run("COPY '{zona:acme}/apps/1' '{zona:acme}/kept'");
    EXPECT_TRUE(a.remove(kKey, database));
    // As after a failover to a replica that had not got the removal.
    redis_.run("COPY '{zona:acme}/kept' '{zona:acme}/apps/1' REPLACE");
    EXPECT_EQ(a.read(kKey, database), "-");
}

TEST_F(SharedCacheTest, WorksWithTheRightsThatTheGuideNames) {
    const RedisServer redis({"--user", "zona", "on", ">secret", "~{zona:*", "&zona:news", "+@all",
                             "-@admin", "-@dangerous", "+role", "--user", "default", "on", "nopass",
                             "~*", "&*", "+@all"});
    redis::ClientOptions options = redis.options();
    options.node.login = {.user = "zona", .password = core::Secret("secret")};
    Instance a(options, 60s);
    Instance b(options, 60s);
    TestDatabase database;
    EXPECT_TRUE(a.write(kKey, "v", database, {"red"}));
    EXPECT_EQ(b.read(kKey, database), "v");
    EXPECT_EQ(database.loads, 0);
    a.cache->invalidate_tag("acme", "red", [](const core::Result<void>&) {});
    EXPECT_TRUE(Instance::done([&](auto end) { a.cache->invalidate_all(std::move(end)); }));
    EXPECT_EQ(redis.run("EXISTS '{zona:acme}/apps/1'"), "0");
    EXPECT_TRUE(wait_until([&] { return a.cache->mode() == Mode::kShared; }));
    EXPECT_EQ(a.cache->report().undelivered, 0U);
}

/// Of an instance that Redis lets do all but some commands.
redis::ClientOptions limited(const RedisServer& redis, const std::string& forbidden) {
    redis.run("ACL SETUSER limited on '>secret' '~*' '&*' +@all " + forbidden);
    redis::ClientOptions out = redis.options();
    out.node.login = {.user = "limited", .password = core::Secret("secret")};
    return out;
}

// CACHE-08
TEST_F(SharedCacheTest, AFlushThatRedisDoesInPartIsToldAndDoneLater) {
    Instance a(limited(redis_, "-unlink"), 200ms);
    TestDatabase database;
    EXPECT_TRUE(a.write(kKey, "v", database));
    EXPECT_FALSE(
        Instance::done([&](auto end) { a.cache->invalidate({.tenant = "acme"}, std::move(end)); }));
    EXPECT_EQ(a.cache->report().undelivered, 1U);
    redis_.run("ACL SETUSER limited +unlink");
    EXPECT_TRUE(wait_until([&] { return a.cache->report().undelivered == 0; }));
    EXPECT_EQ(redis_.run("EXISTS '{zona:acme}/apps/1'"), "0");
}

// CACHE-09
TEST_F(SharedCacheTest, ARedisThatAnswersAndRefusesIsSaid) {
    CacheOptions options;
    options.redis = limited(redis_, "-eval -evalsha");
    options.staleness = 200ms;
    Instance a(options);
    TestDatabase database;
    EXPECT_TRUE(wait_until([&] {
        EXPECT_TRUE(a.write(kKey, "v", database));
        EXPECT_EQ(a.read(kKey, database), "v");
        return a.cache->mode() == Mode::kDatabaseOnly &&
               a.cache->report().problem.contains("NOPERM");
    }));
    a.cache->check_health();
    EXPECT_TRUE(wait_until([&] { return a.log.has("NOPERM"); }));
    redis_.run("ACL SETUSER limited +@all");
    EXPECT_TRUE(wait_until([&] {
        a.cache->check_health();
        return a.cache->report().undelivered == 0 && a.cache->mode() == Mode::kShared;
    }));
}

// CACHE-18
TEST_F(SharedCacheTest, VersionsNeverGoBackInAnyInstance) {
    Instance a(options());
    Instance b(options());
    TestDatabase database;
    database.set(kKey, "0");
    std::atomic<int> wrong{0};
    const auto work = [&](Instance& mine) {
        std::int64_t seen = 0;
        for (int i = 0; i < 300; ++i) {
            std::promise<std::int64_t> version;
            const auto take = [&](const core::Result<Found>& found) {
                version.set_value((*found)->version);
            };
            const bool is_write = i % 10 == 0;
            if (is_write) {
                mine.cache->write(kKey, database.writer(kKey, std::to_string(i)), take);
            } else {
                mine.cache->read(kKey, database.loader(kKey), take);
            }
            const std::int64_t now = version.get_future().get();
            if (now < seen) ++wrong;
            seen = now;
        }
    };
    std::jthread first([&] { work(a); });
    std::jthread second([&] { work(b); });
    first.join();
    second.join();
    EXPECT_EQ(wrong, 0);
}

TEST(SealerTest, OpensUnderItsNameAndVersionAlone) {
    core::SystemRandom random;
    const crypto::Key key = crypto::Key::random(random);
    detail::Sealer sealer(key, random);
    std::string sealed = sealer.seal("name", {.bytes = "text", .version = 7, .tags = {"a", ""}});
    const auto opened = sealer.open("name", sealed);
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->bytes, "text");
    EXPECT_EQ(opened->version, 7);
    EXPECT_EQ(opened->tags, (std::vector<std::string>{"a", ""}));
    EXPECT_FALSE(sealer.open("other", sealed));
    EXPECT_FALSE(sealer.open("name", sealed.substr(0, 40)));
    EXPECT_FALSE(sealer.open("name", ""));
    for (const std::size_t at : {std::size_t{19}, std::size_t{25}, sealed.size() - 1}) {
        std::string changed = sealed;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        EXPECT_FALSE(sealer.open("name", changed)) << at;
    }
}

}  // namespace
}  // namespace zona::cache
