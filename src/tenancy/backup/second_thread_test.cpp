#include "tenancy/detail/second_thread.h"

#include <atomic>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace zona::tenancy::detail {
namespace {

using core::Code;
using core::Error;
using core::Result;

constexpr std::size_t kMany = 1000;

/// A piece of a length of its own, which says which one it is.
std::vector<std::byte> piece(std::size_t number) {
    return std::vector<std::byte>(1 + number % 97, static_cast<std::byte>(number));
}

/// Adds pieces until one is refused or all are in.
Result<void> add_many(SecondThread& second, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
        ZONA_TRY_VOID(second.add(piece(i)));
    return {};
}

TEST(SecondThread, TakesAllPiecesInOrderOnAnotherThread) {
    std::vector<std::vector<std::byte>> taken;
    std::thread::id by;
    SecondThread second([&](std::span<const std::byte> bytes) -> Result<void> {
        by = std::this_thread::get_id();
        taken.emplace_back(bytes.begin(), bytes.end());
        return {};
    });
    ASSERT_TRUE(add_many(second, kMany));
    ASSERT_TRUE(second.finish());
    ASSERT_EQ(taken.size(), kMany);
    for (std::size_t i = 0; i < kMany; ++i)
        EXPECT_EQ(taken[i], piece(i)) << i;
    EXPECT_NE(by, std::this_thread::get_id());
}

TEST(SecondThread, FinishesWithoutAPiece) {
    SecondThread second([](std::span<const std::byte>) -> Result<void> { return {}; });
    EXPECT_TRUE(second.finish());
}

TEST(SecondThread, AnErrorEndsTheAddingAndTheTaking) {
    std::size_t calls = 0;
    SecondThread second([&](std::span<const std::byte>) -> Result<void> {
        if (++calls < 3) return {};
        return Error(Code::kResourceExhausted, "the disk is full");
    });
    const auto added = add_many(second, kMany);
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().code(), Code::kResourceExhausted);
    const auto finished = second.finish();
    ASSERT_FALSE(finished);
    EXPECT_EQ(finished.error().code(), Code::kResourceExhausted);
    EXPECT_EQ(calls, 3U);
}

TEST(SecondThread, AnErrorOfTheLastPieceShowsAtTheEnd) {
    SecondThread second([](std::span<const std::byte>) -> Result<void> {
        return Error(Code::kResourceExhausted, "the disk is full");
    });
    ASSERT_TRUE(second.add(piece(1)));
    EXPECT_FALSE(second.finish());
}

TEST(SecondThread, WaitsWhileAllRoomIsInUse) {
    std::promise<void> go_on;
    auto may = go_on.get_future();
    std::atomic<std::size_t> calls = 0;
    SecondThread second([&](std::span<const std::byte>) -> Result<void> {
        if (++calls == 1) may.wait();
        return {};
    });
    std::atomic<std::size_t> added = 0;
    auto adding = std::async(std::launch::async, [&]() -> Result<void> {
        for (std::size_t i = 0; i < 10; ++i, ++added)
            ZONA_TRY_VOID(second.add(piece(i)));
        return {};
    });
    while (added < 3)
        std::this_thread::yield();
    // The first one is taken, at the latest now, and two lie behind it: the fourth has no room.
    EXPECT_LE(calls, 1U);
    EXPECT_EQ(added, 3U);
    go_on.set_value();
    EXPECT_TRUE(adding.get());
    EXPECT_TRUE(second.finish());
    EXPECT_EQ(calls, 10U);
}

TEST(SecondThread, EndsWhenItIsLeftWithPiecesThatWait) {
    std::promise<void> begun;
    std::promise<void> go_on;
    auto may = go_on.get_future();
    std::size_t calls = 0;
    {
        SecondThread second([&](std::span<const std::byte>) -> Result<void> {
            if (++calls > 1) return {};
            begun.set_value();
            may.wait();
            return {};
        });
        ASSERT_TRUE(add_many(second, 3));
        begun.get_future().wait();
        go_on.set_value();
    }
    EXPECT_LE(calls, 3U);
}

}  // namespace
}  // namespace zona::tenancy::detail
