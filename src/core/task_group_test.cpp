#include "core/task_group.h"

#include <chrono>
#include <memory>
#include <stdexcept>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include "core/testing/memory_log.h"

namespace zona::core {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

asio::awaitable<void> wait_forever(int& ended) {
    asio::steady_timer timer(co_await asio::this_coro::executor, 24h);
    struct Count {
        int& to;
        ~Count() { ++to; }
    } count{ended};
    co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> throw_soon() {
    throw std::runtime_error("out of luck");
    co_return;
}

asio::awaitable<Result<void>> fail_with(Code code) {
    co_return Error(code, "no more beans");
}

asio::awaitable<void> join_then_note(TaskGroup& group, bool& joined) {
    co_await group.join();
    joined = true;
}

class TaskGroupTest : public ::testing::Test {
  protected:
    asio::io_context context_;
    MemoryLog log_;
    TaskGroup group_{context_.get_executor(), log_.logger("tasks")};
};

TEST_F(TaskGroupTest, JoinWaitsForTheLastTask) {
    int ended = 0;
    bool joined = false;
    group_.spawn("a", wait_forever(ended));
    group_.spawn("b", wait_forever(ended));
    asio::co_spawn(context_, join_then_note(group_, joined), asio::detached);
    context_.poll();
    EXPECT_FALSE(joined);
    EXPECT_EQ(group_.size(), 2U);

    group_.cancel();
    context_.run();

    EXPECT_TRUE(joined);
    EXPECT_EQ(ended, 2);
    EXPECT_EQ(group_.size(), 0U);
    EXPECT_TRUE(log_.lines().empty());
}

TEST_F(TaskGroupTest, JoinOfAnEmptyGroupReturnsAtOnce) {
    bool joined = false;
    asio::co_spawn(context_, join_then_note(group_, joined), asio::detached);
    context_.run();
    EXPECT_TRUE(joined);
}

TEST_F(TaskGroupTest, LogsAnExceptionWithTheNameAndKeepsTheOthers) {
    int ended = 0;
    group_.spawn("lives", wait_forever(ended));
    group_.spawn("unlucky", throw_soon());
    context_.poll();

    EXPECT_EQ(group_.size(), 1U);
    EXPECT_EQ(ended, 0);
    EXPECT_TRUE(log_.has(R"("level":"error","category":"tasks")"));
    EXPECT_TRUE(log_.has(R"("task":"unlucky","error":"out of luck")"));
    group_.cancel();
    context_.run();
}

TEST_F(TaskGroupTest, LogsAFailedResultUnlessItWasCancelled) {
    group_.spawn("poor", fail_with(Code::kResourceExhausted));
    group_.spawn("stopped", fail_with(Code::kCancelled));
    context_.run();
    EXPECT_TRUE(log_.has(R"("level":"warn")"));
    EXPECT_TRUE(log_.has(R"("task":"poor","error":"no more beans")"));
    EXPECT_FALSE(log_.has("stopped"));
}

TEST_F(TaskGroupTest, EndsOneTaskAloneByItsSignal) {
    int ended = 0;
    auto stop = std::make_shared<asio::cancellation_signal>();
    const std::weak_ptr<asio::cancellation_signal> kept = stop;
    group_.spawn("ends", wait_forever(ended), stop);
    group_.spawn("lives", wait_forever(ended));
    stop.reset();
    context_.poll();
    ASSERT_FALSE(kept.expired());

    kept.lock()->emit(asio::cancellation_type::terminal);
    context_.poll();

    EXPECT_EQ(ended, 1);
    EXPECT_EQ(group_.size(), 1U);
    EXPECT_TRUE(kept.expired());
    group_.cancel();
    context_.run();
    EXPECT_EQ(ended, 2);
}

TEST_F(TaskGroupTest, StartsNothingOnceCancelled) {
    int ended = 0;
    group_.cancel();
    group_.spawn("late", wait_forever(ended));
    context_.run();
    EXPECT_EQ(group_.size(), 0U);
    EXPECT_EQ(ended, 0);
}

TEST_F(TaskGroupTest, CancellingTheJoinCancelsTheTasksAndStillWaitsForThem) {
    int ended = 0;
    bool joined = false;
    asio::cancellation_signal stop;
    group_.spawn("a", wait_forever(ended));
    asio::co_spawn(context_, join_then_note(group_, joined),
                   asio::bind_cancellation_slot(stop.slot(), asio::detached));
    context_.poll();
    stop.emit(asio::cancellation_type::terminal);
    context_.run();
    EXPECT_EQ(ended, 1);
    EXPECT_TRUE(joined);
}

asio::awaitable<void> spawn_when_told(TaskGroup& group, asio::steady_timer& told, int& ended) {
    const auto [why] = co_await told.async_wait(asio::as_tuple(asio::use_awaitable));
    if (why) group.spawn("second", wait_forever(ended));
}

TEST_F(TaskGroupTest, JoinWaitsForTasksSpawnedMeanwhile) {
    int ended = 0;
    bool joined = false;
    asio::steady_timer told(context_, 24h);
    group_.spawn("first", spawn_when_told(group_, told, ended));
    asio::co_spawn(context_, join_then_note(group_, joined), asio::detached);
    context_.poll();

    told.cancel();
    context_.poll();
    EXPECT_EQ(group_.size(), 1U);
    EXPECT_FALSE(joined);

    group_.cancel();
    context_.run();
    EXPECT_TRUE(joined);
    EXPECT_EQ(ended, 1);
}

TEST(TaskGroup, NamesTheTasksItDiedBefore) {
    asio::io_context context;
    MemoryLog log;
    int ended = 0;
    {
        TaskGroup group(context.get_executor(), log.logger("tasks"));
        group.spawn("orphan", wait_forever(ended));
        context.poll();
    }
    EXPECT_TRUE(log.has(R"("message":"a task group died before its task","task":"orphan")"));
    context.run();
    EXPECT_EQ(ended, 1);
}

}  // namespace
}  // namespace zona::core
