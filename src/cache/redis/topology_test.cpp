// Several servers: partitions, sentinels, a cluster.
#include <algorithm>

#include <gtest/gtest.h>

#include "cache/redis/slots.h"
#include "cache/testing/redis_server.h"

namespace zona::cache::redis {
namespace {

// CACHE-15
TEST(PartitionTest, ServersShareTheKeysAndEachTagIsOnOne) {
    const RedisServer first;
    const RedisServer second;
    RedisHome home;
    const auto client = home.open({.addresses = {first.endpoint(), second.endpoint()}});
    for (int i = 0; i < 100; ++i) {
        const std::string tag = fmt::format("t{}", i);
        EXPECT_EQ(text_of(ask(*client, tag, {"SET", "{" + tag + "}a", "v"})), "OK");
        EXPECT_EQ(text_of(ask(*client, tag, {"GET", "{" + tag + "}a"})), "v");
    }
    const int on_first = std::stoi(first.run("DBSIZE"));
    EXPECT_GT(on_first, 10);
    EXPECT_EQ(on_first + std::stoi(second.run("DBSIZE")), 100);
}

// CACHE-19, GAP-61
TEST(SentinelTest, GoesOnWithTheNewMasterWhenTheOldOneIsKilled) {
    RedisSentinels redis;
    RedisHome home;
    ClientOptions of_another = redis.options();
    of_another.master_name = "other";
    EXPECT_TRUE(text_of(ask(*home.open(of_another), "t", {"PING"})).contains("no master 'other'"));
    const auto client = home.open(redis.options());
    EXPECT_EQ(text_of(ask(*client, "t", {"SET", "k", "before"})), "OK");
    ASSERT_TRUE(wait_until([&] { return redis.replica.run("GET k") == "before"; }));
    redis.master.program().kill();
    EXPECT_TRUE(
        wait_until([&] { return text_of(ask(*client, "t", {"SET", "k", "after"})) == "OK"; }));
    EXPECT_EQ(redis.replica.run("GET k"), "after");
    EXPECT_EQ(text_of(ask(*client, "t", {"GET", "k"})), "after");
}

// CACHE-19
TEST(SentinelTest, GoesOnWhenTheMasterIsDemotedWhileItLives) {
    RedisSentinels redis;
    RedisHome home;
    const auto client = home.open(redis.options());
    EXPECT_EQ(text_of(ask(*client, "t", {"SET", "k", "before"})), "OK");
    const redis::ClientOptions options = redis.options();
    const auto sentinel = home.open({.addresses = {options.addresses.front()}});
    EXPECT_EQ(text_of(ask(*sentinel, "", {"SENTINEL", "FAILOVER", "zona"})), "OK");
    EXPECT_TRUE(wait_until([&] {
        return redis.replica.run("ROLE").starts_with("master") &&
               text_of(ask(*client, "t", {"SET", "k", "after"})) == "OK" &&
               redis.replica.run("GET k") == "after";
    }));
}

// CACHE-15, CACHE-19, GAP-61
TEST(ClusterTest, FindsEachTagsServerAndFollowsSlotsThatMove) {
    const RedisCluster redis;
    RedisHome home;
    const auto client = home.open(redis.options());
    for (int i = 0; i < 100; ++i) {
        const std::string tag = fmt::format("t{}", i);
        ASSERT_EQ(text_of(ask(*client, tag, {"SET", "{" + tag + "}a", "v"})), "OK");
    }
    for (const auto& server : redis.servers)
        EXPECT_GT(std::stoi(server->run("DBSIZE")), 10);
    // One slot moves: first both know of it (ASK), then it is there (MOVED).
    const auto id_of = [](const RedisServer& server) { return server.run("CLUSTER MYID"); };
    const std::string tag = "t0";
    const int slot = slot_of(tag);
    const auto has = [&](const std::unique_ptr<RedisServer>& server) {
        return server->run(fmt::format("CLUSTER COUNTKEYSINSLOT {}", slot)) != "0";
    };
    const auto from = std::ranges::find_if(redis.servers, has);
    ASSERT_NE(from, redis.servers.end());
    const auto to = from == redis.servers.begin() ? std::next(from) : redis.servers.begin();
    (*to)->run(fmt::format("CLUSTER SETSLOT {} IMPORTING {}", slot, id_of(**from)));
    (*from)->run(fmt::format("CLUSTER SETSLOT {} MIGRATING {}", slot, id_of(**to)));
    (*from)->run(fmt::format("MIGRATE 127.0.0.1 {} '{{{}}}a' 0 1000", (*to)->port(), tag));
    EXPECT_EQ(text_of(ask(*client, tag, {"GET", "{" + tag + "}a"})), "v");
    for (const auto* server : {&*from, &*to})
        (*server)->run(fmt::format("CLUSTER SETSLOT {} NODE {}", slot, id_of(**to)));
    EXPECT_EQ(text_of(ask(*client, tag, {"GET", "{" + tag + "}a"})), "v");
    // Scripts over several keys of one tag work, for they lie on one server.
    EXPECT_EQ(text_of(ask(*client, tag,
                          {"EVAL", "return redis.call('GET', KEYS[1]) .. #KEYS", "2",
                           "{" + tag + "}a", "{" + tag + "}b"})),
              "v2");
}

// CACHE-15
TEST(ClusterTest, AsksServersThatNobodyNamed) {
    const RedisCluster redis;
    RedisHome home;
    ClientOptions options = redis.options();
    options.addresses.resize(1);
    const auto client = home.open(options);
    EXPECT_TRUE(wait_until([&] {
        auto answered = std::make_shared<std::promise<std::size_t>>();
        client->execute_everywhere(command({"PING"}), [answered](const auto& replies) {
            answered->set_value(replies ? replies->size() : 0);
        });
        return answered->get_future().get() == 3;
    }));
}

// CACHE-19
TEST(ClusterTest, OtherServersGoOnWhenOneIsGone) {
    RedisCluster redis;
    RedisHome home;
    const auto client = home.open(redis.options());
    const auto set = [&](int i) {
        const std::string tag = fmt::format("t{}", i);
        return text_of(ask(*client, tag, {"SET", "{" + tag + "}a", "v"})) == "OK";
    };
    for (int i = 0; i < 30; ++i)
        ASSERT_TRUE(set(i));
    redis.servers[0]->program().kill();
    int served = 0;
    for (int i = 0; i < 30; ++i)
        served += set(i) ? 1 : 0;
    EXPECT_GE(served, 10);
    EXPECT_LT(served, 30);
    redis.servers[0]->program().start();
    EXPECT_TRUE(wait_until([&] {
        for (int i = 0; i < 30; ++i) {
            if (!set(i)) return false;
        }
        return true;
    }));
}

}  // namespace
}  // namespace zona::cache::redis
