#include "identity/sessions/token_map.h"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace zona::identity {
namespace {

using namespace std::chrono_literals;
using core::SystemTime;

const SystemTime kNow{std::chrono::seconds(1'767'225'600)};

TokenMap::Known known(std::int64_t user, SystemTime end = kNow + 15min, SystemTime used = kNow) {
    auto who = std::make_shared<Principal>();
    who->kind = Principal::Kind::kUser;
    who->user_id = user;
    return {.who = std::move(who), .end = end, .last_used = used};
}

TokenMap::Key key(int number) {
    return TokenMap::key_of(std::to_string(number));
}

// AUTH-14
TEST(TokenMapTest, WhatIsKeptIsFoundUntilItIsOver) {
    TokenMap map(TokenMapOptions{});
    EXPECT_FALSE(map.use(key(1), kNow));
    ASSERT_TRUE(map.keep(key(1), known(7), kNow, map.epoch()));
    const auto hit = map.use(key(1), kNow + 14min);
    ASSERT_TRUE(hit);
    EXPECT_EQ(hit->who->user_id, 7);
    EXPECT_FALSE(map.use(key(2), kNow));
    EXPECT_FALSE(map.use(key(1), kNow + 15min));
    EXPECT_EQ(map.size(), 0U);
}

// AUTH-23
TEST(TokenMapTest, EachUsePutsTheIdleEndOff) {
    TokenMap map({.idle = 10min});
    ASSERT_TRUE(map.keep(key(1), known(7, kNow + 10h), kNow, map.epoch()));
    EXPECT_TRUE(map.use(key(1), kNow + 9min));
    EXPECT_TRUE(map.use(key(1), kNow + 18min));
    EXPECT_FALSE(map.use(key(1), kNow + 28min));
}

TEST(TokenMapTest, UseIsToBeWrittenDownOnceInAWhile) {
    TokenMap map({.touch = 1min});
    ASSERT_TRUE(map.keep(key(1), known(7), kNow, map.epoch()));
    EXPECT_FALSE(map.use(key(1), kNow + 59s)->touch);
    EXPECT_TRUE(map.use(key(1), kNow + 60s)->touch);
    EXPECT_FALSE(map.use(key(1), kNow + 61s)->touch);
}

// AUTH-19
TEST(TokenMapTest, WhatIsForgottenStaysSo) {
    TokenMap map(TokenMapOptions{});
    const std::uint64_t before = map.epoch();
    for (int i = 0; i < 100; ++i)
        ASSERT_TRUE(map.keep(key(i), known(i % 2), kNow, before));
    EXPECT_EQ(map.forget([](const Principal& who) { return who.user_id == 1; }), 50U);
    EXPECT_EQ(map.size(), 50U);
    EXPECT_FALSE(map.use(key(1), kNow));
    EXPECT_TRUE(map.use(key(2), kNow));
    EXPECT_FALSE(map.keep(key(1), known(1), kNow, before)) << "it was read before it was ended";
    EXPECT_FALSE(map.use(key(1), kNow));
}

// AUTH-20, BG-03
TEST(TokenMapTest, AMillionTokensTakeTheRoomOfItsCapacity) {
    TokenMap map({.capacity = 1024});
    for (int i = 0; i < 1'000'000; ++i) {
        const SystemTime now = kNow + std::chrono::milliseconds(i);
        map.keep(key(i), known(i, now + 1s, now), now, map.epoch());
        ASSERT_LE(map.size(), 1024U);
    }
    const std::size_t size = map.size();
    EXPECT_EQ(map.remove_over(kNow + 1h), size);
    EXPECT_EQ(map.size(), 0U);
}

TEST(TokenMapTest, OverOnesLeaveFirstThenThoseNotUsed) {
    TokenMap map({.capacity = 1});  // of each shard
    std::vector<int> same_shard;
    for (int i = 0; same_shard.size() < 3; ++i) {
        if (std::to_integer<int>(key(i).back()) % 64 == 0) same_shard.push_back(i);
    }
    const auto keep = [&](int i, SystemTime now) {
        return map.keep(key(i), known(i, kNow + 15min, now), now, map.epoch());
    };
    EXPECT_TRUE(keep(same_shard[0], kNow));
    EXPECT_TRUE(keep(same_shard[1], kNow + 1s));
    EXPECT_FALSE(map.use(key(same_shard[0]), kNow + 1s));
    EXPECT_TRUE(map.use(key(same_shard[1]), kNow + 1s));
    EXPECT_EQ(map.size(), 1U);
}

// AUTH-14
TEST(TokenMapTest, ManyThreadsUseKeepAndForget) {
    TokenMap map({.capacity = 256});
    std::vector<std::jthread> threads;
    std::atomic<int> wrong = 0;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&map, &wrong, thread] {
            for (int i = 0; i < 20'000; ++i) {
                const int number = (i * 7 + thread) % 512;
                const auto hit = map.use(key(number), kNow);
                if (hit && hit->who->user_id != number) ++wrong;
                if (!hit) map.keep(key(number), known(number), kNow, map.epoch());
                if (i % 1000 == thread)
                    map.forget([&](const Principal& who) { return who.user_id % 4 == thread; });
                if (i % 5000 == thread) map.remove_over(kNow + 1h);
            }
        });
    }
    threads.clear();
    EXPECT_EQ(wrong, 0);
    EXPECT_LE(map.size(), 256U);
    map.forget([](const Principal&) { return true; });
    EXPECT_EQ(map.size(), 0U);
}

}  // namespace
}  // namespace zona::identity
