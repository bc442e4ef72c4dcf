#include "net/detail/deadline_queue.h"

#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"

namespace zona::net::detail {
namespace {

using namespace std::chrono_literals;

class Waiter final : public DeadlineQueue::Entry {
  public:
    explicit Waiter(std::shared_ptr<DeadlineQueue> queue) : Entry(std::move(queue)) {}
    using Entry::kNone;
    using Entry::set_deadline;
    int calls = 0;
    core::SteadyTime again = kNone;

  private:
    void on_deadline() override {
        ++calls;
        set_deadline(again);
    }
};

class DeadlineQueueTest : public testing::Test {
  protected:
    asio::io_context context_;
    core::FakeClock clock_;
    std::shared_ptr<DeadlineQueue> queue_ =
        std::make_shared<DeadlineQueue>(context_.get_executor(), clock_);
};

TEST_F(DeadlineQueueTest, CallsWhatIsDueOnce) {
    Waiter early(queue_);
    Waiter late(queue_);
    early.set_deadline(clock_.steady() + 1s);
    late.set_deadline(clock_.steady() + 2s);

    queue_->expire();
    EXPECT_EQ(early.calls, 0);
    clock_.advance(1s);
    queue_->expire();
    queue_->expire();

    EXPECT_EQ(early.calls, 1);
    EXPECT_EQ(late.calls, 0);
}

TEST_F(DeadlineQueueTest, TakesTheLastWordOfEachEntry) {
    Waiter moved(queue_);
    moved.set_deadline(clock_.steady() + 1s);
    moved.set_deadline(clock_.steady() + 5s);
    Waiter taken_back(queue_);
    taken_back.set_deadline(clock_.steady() + 1s);
    taken_back.set_deadline(Waiter::kNone);

    clock_.advance(2s);
    queue_->expire();
    EXPECT_EQ(moved.calls, 0);
    clock_.advance(3s);
    queue_->expire();

    EXPECT_EQ(moved.calls, 1);
    EXPECT_EQ(taken_back.calls, 0);
}

TEST_F(DeadlineQueueTest, LetsAnEntrySetItselfAgain) {
    Waiter waiter(queue_);
    waiter.again = clock_.steady() + 3s;
    waiter.set_deadline(clock_.steady() + 1s);

    clock_.advance(1s);
    queue_->expire();
    clock_.advance(2s);
    queue_->expire();

    EXPECT_EQ(waiter.calls, 2);
}

TEST_F(DeadlineQueueTest, IsDisarmedWhenTheLastEntryLeaves) {
    EXPECT_TRUE(queue_->usable().has_value());
    EXPECT_FALSE(queue_->armed());
    {
        Waiter waiter(queue_);
        waiter.set_deadline(clock_.steady() + 1h);
        EXPECT_TRUE(queue_->armed());
    }

    EXPECT_FALSE(queue_->armed());
    EXPECT_EQ(context_.run(), 1U) << "the cancelled wait, and nothing is left to wait for";
}

TEST_F(DeadlineQueueTest, IsNotSetAgainWhileNobodyWaits) {
    Waiter waiter(queue_);
    waiter.set_deadline(clock_.steady());
    waiter.set_deadline(Waiter::kNone);

    context_.run_one();

    EXPECT_EQ(waiter.calls, 0);
    EXPECT_FALSE(queue_->armed());
    EXPECT_EQ(context_.run(), 0U);
}

TEST_F(DeadlineQueueTest, NoticesADeadlineNearerThanTheTimer) {
    Waiter late(queue_);
    late.set_deadline(clock_.steady() + 1h);
    Waiter soon(queue_);
    soon.set_deadline(clock_.steady());

    context_.run_one();

    EXPECT_EQ(soon.calls, 1);
    EXPECT_EQ(late.calls, 0);
    EXPECT_TRUE(queue_->armed());
}

TEST_F(DeadlineQueueTest, WakesUpByItself) {
    Waiter waiter(queue_);
    waiter.set_deadline(clock_.steady() + 3ms);
    clock_.advance(3ms);

    context_.run_one();

    EXPECT_EQ(waiter.calls, 1);
}

TEST_F(DeadlineQueueTest, OutlivesItsOwnerForItsEntries) {
    auto waiter = std::make_unique<Waiter>(queue_);
    waiter->set_deadline(clock_.steady() + 1s);
    queue_.reset();

    waiter.reset();

    EXPECT_EQ(context_.run(), 1U);
}

}  // namespace
}  // namespace zona::net::detail
