#include "net/broadcast.h"

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include "core/clock.h"

namespace zona::net {
namespace {

using namespace std::chrono_literals;
using core::Code;
using core::Deadline;

/// What one subscriber got.
struct Got {
    std::vector<BroadcastMessage> messages;
    std::optional<core::Error> error;
};

asio::awaitable<void> take_all(Subscription subscription, Got& got,
                               std::atomic<std::uint64_t>& taken) {
    while (true) {
        auto message = co_await subscription.next(Deadline::never());
        if (!message.has_value()) {
            got.error = message.error();
            co_return;
        }
        got.messages.push_back(std::move(*message));
        ++taken;
    }
}

asio::awaitable<void> take_one(Subscription& subscription, Deadline deadline,
                               core::Result<BroadcastMessage>& out) {
    out = co_await subscription.next(deadline);
}

class BroadcastTest : public testing::Test {
  protected:
    Broadcast& hub(BroadcastOptions options = {}) {
        hub_ = std::make_unique<Broadcast>(options, "test", metrics_);
        return *hub_;
    }
    Subscription subscribe(std::optional<std::uint64_t> after = std::nullopt) {
        return hub_->subscribe(context_.get_executor(), after);
    }
    /// What waits, or the end; kTimeout for nothing.
    core::Result<BroadcastMessage> next(Subscription& subscription) {
        core::Result<BroadcastMessage> out =
            core::Error(Code::kInternal, "nothing has come out of next()");
        asio::co_spawn(context_, take_one(subscription, Deadline::at(core::SteadyTime::min()), out),
                       asio::detached);
        context_.run();
        context_.restart();
        return out;
    }
    std::string texts(Subscription& subscription) {
        std::string out;
        while (true) {
            const auto message = next(subscription);
            if (!message.has_value()) return out;
            out += *message->text + " ";
        }
    }
    std::uint64_t counter(std::string_view name) {
        return metrics_.counter(name, "help", {{"hub", "test"}}).value();
    }

    core::MetricRegistry metrics_;
    asio::io_context context_{1};
    std::unique_ptr<Broadcast> hub_;
};

// PM-69
TEST_F(BroadcastTest, GivesEverySubscriberTheSameBufferInOrder) {
    Broadcast& all = hub();
    Subscription one = subscribe();
    Subscription two = subscribe();
    const SharedText text = share("hello");
    EXPECT_EQ(all.publish(text), 1U);
    EXPECT_EQ(all.publish(share("world")), 2U);

    for (Subscription* subscription : {&one, &two}) {
        const auto first = next(*subscription);
        EXPECT_EQ(first->text.get(), text.get()) << "one serialisation";
        EXPECT_EQ(first->sequence, 1U);
        EXPECT_EQ(texts(*subscription), "world ");
    }
    EXPECT_EQ(counter("zona_broadcast_published_total"), 2U);
}

TEST_F(BroadcastTest, WaitsUntilTheDeadlineAndGoesOn) {
    Broadcast& all = hub();
    Subscription one = subscribe();
    EXPECT_EQ(next(one).error().code(), Code::kTimeout);
    all.publish(share("late"));
    EXPECT_EQ(texts(one), "late ");
}

asio::awaitable<void> take_or_give_up(Subscription& subscription, int& gave_up) {
    using namespace asio::experimental::awaitable_operators;
    asio::steady_timer soon(co_await asio::this_coro::executor, 0ms);
    auto taking = subscription.next(Deadline::never());
    auto waiting = soon.async_wait(asio::use_awaitable);
    auto either = std::move(taking) || std::move(waiting);
    const auto outcome = co_await std::move(either);
    if (outcome.index() == 1) ++gave_up;
}

TEST_F(BroadcastTest, ACancelledWaitTakesNothing) {
    Broadcast& all = hub();
    Subscription one = subscribe();
    int gave_up = 0;
    asio::co_spawn(context_, take_or_give_up(one, gave_up), asio::detached);
    context_.run();
    context_.restart();
    EXPECT_EQ(gave_up, 1);

    all.publish(share("a"));
    EXPECT_EQ(texts(one), "a ");
}

// PM-55
TEST_F(BroadcastTest, AFullQueueKeepsTheNewestOfEachKey) {
    BroadcastOptions options;
    options.queue_messages = 3;
    Broadcast& all = hub(options);
    Subscription slow = subscribe();
    all.publish(share("a1"), "a");
    all.publish(share("b1"), "b");
    all.publish(share("a2"), "a");
    EXPECT_EQ(counter("zona_broadcast_coalesced_total"), 0U) << "there is room";

    all.publish(share("b2"), "b");
    all.publish(share("event"));

    const auto first = next(slow);
    EXPECT_EQ(*first->text, "a2");
    EXPECT_EQ(first->sequence, 3U);
    EXPECT_EQ(first->coalesced, 2U) << "a1 and b1";
    EXPECT_EQ(texts(slow), "b2 event ");
    EXPECT_EQ(counter("zona_broadcast_coalesced_total"), 2U);
    EXPECT_EQ(counter("zona_broadcast_dropped_total"), 0U);
}

TEST_F(BroadcastTest, TellsAllThatWasCoalescedWhateverTheOrder) {
    BroadcastOptions options;
    options.queue_messages = 4;
    Broadcast& all = hub(options);
    Subscription slow = subscribe();
    std::uint64_t published = 0;
    for (int round = 0; round < 50; ++round) {
        for (const char* key : {"a", "b", "a", "c", "c"}) {
            all.publish(share(key), key);
            ++published;
        }
    }
    std::uint64_t told = 0;
    std::uint64_t last = 0;
    for (auto message = next(slow); message.has_value(); message = next(slow)) {
        EXPECT_EQ(message->sequence, last + message->coalesced + 1);
        last = message->sequence;
        told += message->coalesced + 1;
    }
    EXPECT_EQ(told, published);
    EXPECT_EQ(last, published);
}

// PM-55
TEST_F(BroadcastTest, DropsASubscriberWhoseQueueIsFullOfDifferentThings) {
    BroadcastOptions options;
    options.queue_messages = 2;
    Broadcast& all = hub(options);
    Subscription slow = subscribe();
    for (const char* text : {"one", "two", "three", "four"})
        all.publish(share(text));

    const auto end = next(slow);
    ASSERT_FALSE(end.has_value());
    EXPECT_EQ(end.error().code(), Code::kTooManyRequests);
    EXPECT_EQ(end.error().message(),
              "too slow: more than 2 messages or 1048576 bytes were waiting");
    EXPECT_EQ(next(slow).error().code(), Code::kTooManyRequests);
    EXPECT_EQ(counter("zona_broadcast_dropped_total"), 1U);
    EXPECT_EQ(all.subscribers(), 0U);
}

TEST_F(BroadcastTest, BoundsTheBytesOfAQueueButTakesOneLargeMessage) {
    BroadcastOptions options;
    options.queue_bytes = core::ByteCount(10);
    Broadcast& all = hub(options);
    Subscription slow = subscribe();
    all.publish(share(std::string(100, 'x')), "state");
    all.publish(share(std::string(90, 'y')), "state");
    EXPECT_EQ(texts(slow), std::string(90, 'y') + " ");

    all.publish(share(std::string(6, 'x')));
    all.publish(share(std::string(6, 'x')));
    EXPECT_EQ(next(slow).error().code(), Code::kTooManyRequests);
}

TEST_F(BroadcastTest, ResumesBehindASequenceNumber) {
    Broadcast& all = hub();
    for (const char* text : {"one", "two", "three"})
        all.publish(share(text));
    Subscription resumed = subscribe(1);
    Subscription fresh = subscribe();
    Subscription up_to_date = subscribe(3);
    all.publish(share("four"));

    EXPECT_EQ(resumed.lost(), 0U);
    EXPECT_EQ(texts(resumed), "two three four ");
    EXPECT_EQ(texts(fresh), "four ");
    EXPECT_EQ(texts(up_to_date), "four ");
}

TEST_F(BroadcastTest, TellsHowManyHaveLeftTheRing) {
    BroadcastOptions options;
    options.ring_messages = 2;
    options.ring_bytes = core::ByteCount(8);
    Broadcast& all = hub(options);
    for (const char* text : {"1", "2", "3", "4", "5"})
        all.publish(share(text));
    Subscription resumed = subscribe(1);
    EXPECT_EQ(resumed.lost(), 2U);
    EXPECT_EQ(texts(resumed), "4 5 ");
    EXPECT_EQ(subscribe(3).lost(), 0U);

    all.publish(share("123456789"));
    EXPECT_EQ(subscribe(5).lost(), 1U) << "too large for the ring";
    EXPECT_EQ(subscribe(6).lost(), 0U);
}

TEST_F(BroadcastTest, KnowsANumberThatItHasNotGiven) {
    Broadcast& all = hub();
    all.publish(share("one"));
    Subscription stranger = subscribe(77);
    EXPECT_EQ(stranger.lost(), std::nullopt);
    EXPECT_EQ(texts(stranger), "one ");
}

TEST_F(BroadcastTest, WhatTheRingGivesDoesNotCountAgainstTheQueue) {
    BroadcastOptions options;
    options.queue_messages = 1;
    Broadcast& all = hub(options);
    for (const char* text : {"one", "two", "three"})
        all.publish(share(text));
    Subscription resumed = subscribe(0);
    all.publish(share("four"));
    EXPECT_EQ(texts(resumed), "one two three four ");
}

TEST_F(BroadcastTest, ACloseEndsTheSubscriptionsBehindWhatWaits) {
    Broadcast& all = hub();
    Subscription one = subscribe();
    Got got;
    std::atomic<std::uint64_t> taken = 0;
    asio::co_spawn(context_, take_all(subscribe(), got, taken), asio::detached);
    context_.poll();
    all.publish(share("last"));

    all.close();

    EXPECT_EQ(all.publish(share("never")), 0U);
    context_.run();
    context_.restart();
    EXPECT_EQ(got.messages.size(), 1U);
    EXPECT_EQ(got.error->code(), Code::kUnavailable);
    Subscription late = subscribe();
    hub_.reset();
    EXPECT_EQ(texts(one), "last ");
    EXPECT_EQ(next(one).error().code(), Code::kUnavailable) << "the hub may die first";
    EXPECT_EQ(next(late).error().code(), Code::kUnavailable);
}

TEST_F(BroadcastTest, ForgetsASubscriberThatIsGone) {
    Broadcast& all = hub();
    {
        Subscription first = subscribe();
        Subscription second = std::move(first);
        first = subscribe();
        EXPECT_EQ(all.subscribers(), 2U);
    }
    EXPECT_EQ(all.subscribers(), 0U);
    EXPECT_EQ(metrics_.gauge("zona_broadcast_subscribers", "help", {{"hub", "test"}}).value(), 0);
    all.publish(share("to nobody"));
}

/// Subscribers on threads of their own.
class Readers {
  public:
    Readers() : work_(context_.get_executor()) {}
    void add(Broadcast& hub, Got& got, std::atomic<std::uint64_t>& taken) {
        asio::co_spawn(context_, take_all(hub.subscribe(context_.get_executor()), got, taken),
                       asio::detached);
    }
    void start() {
        thread_ = std::thread([this] { context_.run(); });
    }
    void join() {
        work_.reset();
        thread_.join();
    }

  private:
    asio::io_context context_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    std::thread thread_;
};

// PM-55
TEST_F(BroadcastTest, AStalledSubscriberCostsTheOthersNothing) {
    constexpr std::size_t kReaders = 200;
    constexpr std::uint64_t kBatch = 32;
    constexpr std::uint64_t kMessages = 20 * kBatch;
    BroadcastOptions options;
    options.queue_messages = kBatch;
    Broadcast& all = hub(options);
    Subscription stalled = subscribe();
    std::atomic<std::uint64_t> taken = 0;
    std::vector<Got> got(kReaders);
    std::array<Readers, 2> threads;
    for (std::size_t i = 0; i < kReaders; ++i)
        threads.at(i % 2).add(all, got[i], taken);
    for (Readers& readers : threads)
        readers.start();

    for (std::uint64_t sent = 0; sent < kMessages;) {
        // From two threads at once.
        std::thread other([&] {
            for (std::uint64_t i = 0; i < kBatch / 2; ++i)
                all.publish(share("other"), "other");
        });
        for (std::uint64_t i = 0; i < kBatch / 2; ++i)
            all.publish(share("mine"), "mine");
        other.join();
        sent += kBatch;
        // The readers are no faster than the machine; the stalled one is waited for by nobody.
        while (taken < sent * kReaders)
            std::this_thread::yield();
    }
    all.close();
    for (Readers& readers : threads)
        readers.join();

    for (const Got& one : got) {
        ASSERT_EQ(one.messages.size(), kMessages) << "every reading one gets every message";
        EXPECT_EQ(one.messages.back().sequence, kMessages);
        EXPECT_EQ(one.error->code(), Code::kUnavailable);
    }
    EXPECT_EQ(counter("zona_broadcast_dropped_total"), 0U);
    EXPECT_EQ(counter("zona_broadcast_coalesced_total"), kMessages - kBatch);
    std::uint64_t last = 0;
    for (auto message = next(stalled); message.has_value(); message = next(stalled))
        last = message->sequence;
    EXPECT_EQ(last, kMessages) << "it has the newest";
}

}  // namespace
}  // namespace zona::net
