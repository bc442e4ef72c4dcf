#include "jobs/queue.h"

#include <future>
#include <thread>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "jobs/testing/queue_fixture.h"

namespace zona::jobs {
namespace {

using namespace std::chrono;
using core::Code;
using core::Error;
using core::Result;
using store::Document;
using Texts = std::vector<std::string>;

class QueueTest : public QueueFixture {};

/// Fails with `code` until it was tried `times` times.
TaskKind failing(Code code, int times, Retries retries) {
    return {.name = "fail",
            .retries = retries,
            .work = [code, times](const TaskContext& context) -> Result<Document> {
                if (context.attempt() <= times) return Error(code, "not yet");
                return Document{{"attempt", context.attempt()}};
            }};
}

// ARCH-10
TEST_F(QueueTest, WhatIsAskedForIsDoneAndItsOutcomeKept) {
    const auto a = node({noting()});
    const auto asked =
        ask(*a, {.kind = "note", .tenant = "acme", .input = input("x"), .correlation_id = "c-1"});
    ASSERT_TRUE(asked);
    EXPECT_EQ(asked->state, TaskState::kWaiting);
    a->settle();
    EXPECT_EQ(done_, Texts{"acme:x"});
    const Task ended = find(*a, asked->id);
    EXPECT_EQ(ended.state, TaskState::kSucceeded);
    EXPECT_EQ(ended.correlation_id, "c-1");
    EXPECT_EQ(ended.attempt, 1);
    EXPECT_EQ(ended.instance, "a");
    EXPECT_TRUE(ended.ended_at);
    ASSERT_TRUE(ended.outcome);
    EXPECT_EQ(*ended.outcome, (Document{{"n", 1}}));
    EXPECT_EQ(a->queue.turn(), core::SteadyTime::max());  // nothing wakes it up
}

// ARCH-10
TEST_F(QueueTest, WhatWaitsOutlivesItsDaemon) {
    core::Uuid id;
    {
        const auto a = node({noting()});
        id = ask(*a, "acme", "x")->id;
    }
    EXPECT_TRUE(done_.empty());
    const auto again = node({noting()});
    again->settle();
    EXPECT_EQ(done_, Texts{"acme:x"});
    EXPECT_EQ(find(*again, id).state, TaskState::kSucceeded);
}

// ARCH-10, REL-12
TEST_F(QueueTest, WhatWasUnderWayWhenTheDaemonDiedIsBegunAgain) {
    core::Uuid id;
    {
        const auto a = node({noting()});
        id = ask(*a, "acme", "x")->id;
        a->queue.turn();
        ASSERT_EQ(a->waiting.size(), 1U);
        a->kill();
        a->settle();  // its end reaches nobody
        EXPECT_EQ(done_.size(), 1U);
    }
    const auto again = node({noting()});
    EXPECT_EQ(find(*again, id).state, TaskState::kRunning);
    again->settle();
    EXPECT_EQ(done_, (Texts{"acme:x", "acme:x"}));
    EXPECT_EQ(find(*again, id).state, TaskState::kSucceeded);
    EXPECT_EQ(find(*again, id).attempt, 2);
}

// ARCH-10
TEST_F(QueueTest, WhatMayNotBeDoneTwiceHasFailedWhenItsDaemonDied) {
    TaskKind once = noting();
    once.interrupted = Interrupted::kFails;
    core::Uuid id;
    {
        const auto a = node({once});
        id = ask(*a, "acme", "x")->id;
        a->queue.turn();
        a->kill();
    }
    done_.clear();
    const auto again = node({once});
    again->settle();
    EXPECT_TRUE(done_.empty());
    const Task failed = find(*again, id);
    EXPECT_EQ(failed.state, TaskState::kFailed);
    ASSERT_TRUE(failed.error);
    EXPECT_EQ(failed.error->code(), Code::kCancelled);
    EXPECT_FALSE(failed.error->details().at(0).hint.empty());
}

// ARCH-10
TEST_F(QueueTest, OneThatTakesItsDaemonWithItEachTimeIsNotBegunForever) {
    std::optional<core::Uuid> id;
    for (int i = 0; i < kMostInterruptions; ++i) {
        const auto a = node({noting()});
        if (!id) id = ask(*a, "acme", "x")->id;
        a->queue.turn();
        ASSERT_EQ(a->waiting.size(), 1U) << i;
        a->kill();
    }
    const auto last = node({noting()});
    last->queue.turn();
    EXPECT_TRUE(last->waiting.empty());
    const Task given_up = find(*last, *id);
    EXPECT_EQ(given_up.state, TaskState::kFailed);
    ASSERT_TRUE(given_up.error);
    EXPECT_EQ(given_up.error->code(), Code::kInternal);
    ASSERT_TRUE(retry(*last, *id));
    last->settle();
    EXPECT_EQ(find(*last, *id).state, TaskState::kSucceeded);
}

// ARCH-10
TEST_F(QueueTest, AnErrorThatMayPassIsTriedAgainAfterAPauseAndAnotherIsNot) {
    const auto a = node({failing(Code::kUnavailable, 1, {.attempts = 2, .first = 10s})});
    const core::Uuid id = ask(*a, "acme", "x", "fail")->id;
    a->settle();
    EXPECT_EQ(find(*a, id).state, TaskState::kDelayed);
    EXPECT_EQ(find(*a, id).error->code(), Code::kUnavailable);
    const auto next = a->queue.turn();
    EXPECT_GT(next, clock_.steady());
    EXPECT_LE(next, clock_.steady() + 10s);
    clock_.advance(10s);
    a->settle();
    EXPECT_EQ(find(*a, id).state, TaskState::kSucceeded);
    EXPECT_FALSE(find(*a, id).error);

    const auto b = node({failing(Code::kConflict, 1, {.attempts = 2, .first = 10s})});
    const core::Uuid refused = ask(*b, "acme", "x", "fail")->id;
    b->settle();
    EXPECT_EQ(find(*b, refused).state, TaskState::kFailed);
}

// ARCH-10
TEST_F(QueueTest, WhatHasFailedForGoodStaysAndIsBegunOnceMoreWhenSomebodyAsks) {
    const auto a = node({failing(Code::kUnavailable, 2, {.attempts = 1, .first = 1s})});
    const core::Uuid id = ask(*a, "acme", "x", "fail")->id;
    a->settle();
    clock_.advance(1s);
    a->settle();
    EXPECT_EQ(find(*a, id).state, TaskState::kFailed);
    clock_.advance(24h);
    a->settle();
    EXPECT_EQ(find(*a, id).state, TaskState::kFailed);
    ASSERT_TRUE(retry(*a, id));
    EXPECT_EQ(retry(*a, id).error().code(), Code::kConflict);  // it waits
    a->settle();
    EXPECT_EQ(find(*a, id).state, TaskState::kSucceeded);
    EXPECT_EQ(retry(*a, id).error().code(), Code::kConflict);
}

// ARCH-10
TEST_F(QueueTest, ATaskThatIsAskedForTwiceWithOneKeyIsOne) {
    const auto a = node({noting()});
    const NewTask wanted{.kind = "note", .tenant = "acme", .input = input("x"), .key = "k"};
    const auto first = ask(*a, wanted);
    a->settle();
    const auto again = ask(*a, wanted);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->id, first->id);
    EXPECT_EQ(again->state, TaskState::kSucceeded);
    a->settle();
    EXPECT_EQ(done_.size(), 1U);

    NewTask other = wanted;
    other.input = input("y");
    EXPECT_EQ(ask(*a, other).error().code(), Code::kConflict);
    other.tenant = "blue";
    EXPECT_TRUE(ask(*a, other));  // its keys are its own
    other.key = std::string(kMostKey + 1, 'k');
    EXPECT_EQ(ask(*a, other).error().code(), Code::kInvalidArgument);
}

// ARCH-10
TEST_F(QueueTest, TenantsTakeTurns) {
    const auto a = node({noting()}, {.most_running = 1});
    for (int i = 0; i < 4; ++i)
        ask(*a, "acme", std::to_string(i)).value();
    a->queue.turn();
    a->do_next();  // acme has been first, and has three more
    ask(*a, "blue", "0").value();
    ask(*a, "cyan", "0").value();
    ask(*a, "blue", "1").value();
    a->settle();
    EXPECT_EQ(done_, (Texts{"acme:0", "acme:1", "blue:0", "cyan:0", "acme:2", "blue:1", "acme:3"}));
}

// ARCH-10
TEST_F(QueueTest, NoMoreRunThanMayAndOfATenantOne) {
    const auto a = node({noting()}, {.most_running = 2});
    for (int i = 0; i < 3; ++i)
        ask(*a, "acme", std::to_string(i)).value();
    a->queue.turn();
    EXPECT_EQ(a->waiting.size(), 1U);
    ask(*a, "blue", "0").value();
    ask(*a, "cyan", "0").value();
    a->queue.turn();
    EXPECT_EQ(a->waiting.size(), 2U);
    a->settle();
    EXPECT_EQ(done_.size(), 5U);

    for (int i = 0; i < 3; ++i)
        ask(*a, "", std::to_string(i)).value();  // of nobody
    a->queue.turn();
    EXPECT_EQ(a->waiting.size(), 2U);
    a->settle();
    EXPECT_EQ(done_.size(), 8U);
}

// ARCH-10
TEST_F(QueueTest, AQueueThatIsFullSaysSo) {
    const auto a = node({noting()}, {.most_waiting = 2});
    EXPECT_TRUE(ask(*a, "acme", "0"));
    EXPECT_TRUE(ask(*a, "blue", "1"));
    const auto refused = ask(*a, "cyan", "2");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Code::kTooManyRequests);
    a->settle();
    EXPECT_TRUE(ask(*a, "cyan", "2"));
}

// ARCH-10
TEST_F(QueueTest, OneThatWaitsIsCancelledAtOnceAndOneThatRunsIsTold) {
    bool told = false;
    TaskKind slow = noting("slow");
    slow.work = [&](const TaskContext& context) -> Result<Document> {
        told = context.progress().stop_requested();
        if (told) return Error(Code::kCancelled, "as asked");
        return Document();
    };
    const auto a = node({slow}, {.most_running = 1});
    const core::Uuid first = ask(*a, "acme", "0", "slow")->id;
    const core::Uuid second = ask(*a, "acme", "1", "slow")->id;
    a->queue.turn();
    ASSERT_EQ(a->waiting.size(), 1U);
    EXPECT_EQ(cancel(*a, second)->state, TaskState::kCancelled);
    EXPECT_EQ(cancel(*a, first)->state, TaskState::kRunning);
    a->settle();
    EXPECT_TRUE(told);
    EXPECT_EQ(find(*a, first).state, TaskState::kCancelled);
    EXPECT_EQ(cancel(*a, first).error().code(), Code::kConflict);
    EXPECT_EQ(cancel(*a, core::Uuid::v4(random_)).error().code(), Code::kNotFound);
}

// ARCH-10
TEST_F(QueueTest, TheOrderedEndOfADaemonLeavesItsTasksToTheNext) {
    TaskKind slow = noting("slow");
    slow.work = [&](const TaskContext& context) -> Result<Document> {
        if (context.attempt() > 1) return Document();
        std::promise<void> told;
        const std::stop_callback on_stop(context.stop_token(), [&] { told.set_value(); });
        told.get_future().wait();
        return Error(Code::kCancelled, "stopping");
    };
    core::Uuid id;
    {
        const auto a = node({slow});
        id = ask(*a, "acme", "0", "slow")->id;
        a->queue.turn();
        ASSERT_EQ(a->waiting.size(), 1U);
        std::thread working([&] { a->do_waiting(); });
        a->queue.stop();
        working.join();
    }
    const auto again = node({slow});
    EXPECT_EQ(find(*again, id).state, TaskState::kWaiting);
    again->settle();
    EXPECT_EQ(find(*again, id).state, TaskState::kSucceeded);
}

// ARCH-10
TEST_F(QueueTest, WhatThrowsHasFailedAndTheNextIsDone) {
    TaskKind throwing = noting("throw");
    throwing.work = [](const TaskContext&) -> Result<Document> {
        throw std::runtime_error("out of luck");
    };
    const auto a = node({throwing, noting()}, {.most_running = 1});
    const core::Uuid id = ask(*a, "acme", "0", "throw")->id;
    ask(*a, "acme", "1").value();
    a->settle();
    EXPECT_EQ(find(*a, id).error->message(), "the task threw: out of luck");
    EXPECT_EQ(done_, Texts{"acme:1"});
}

// SEC-02
TEST_F(QueueTest, InputsAreNotKeptInClear) {
    const auto a = node({noting()});
    const core::Uuid id = ask(*a, "acme", "a secret word")->id;
    const auto stored = store::read_and_wait(core_, [&](store::Reader& reader) {
        return reader.find(store::Collection(tasks_spec(), store::Scope::core()), id.to_string());
    });
    EXPECT_EQ(boost::json::serialize(*(*stored)->document).find("secret word"), std::string::npos);
    a->settle();
    EXPECT_EQ(done_, Texts{"acme:a secret word"});
}

// ARCH-10
TEST_F(QueueTest, AnOutcomeThatIsTooLargeIsSaidSo) {
    TaskKind large = noting("large");
    large.work = [](const TaskContext&) -> Result<Document> {
        return Document{{"text", std::string(std::size_t{2} << 20U, 'x')}};
    };
    const auto a = node({large});
    const core::Uuid id = ask(*a, "acme", "0", "large")->id;
    a->settle();
    EXPECT_EQ(find(*a, id).state, TaskState::kFailed);
    EXPECT_EQ(find(*a, id).error->code(), Code::kTooLarge);
}

// ARCH-10
TEST_F(QueueTest, AnOutcomeThatNoDocumentCanHoldHoldsUpNobody) {
    TaskKind broken = noting("broken");
    broken.work = [](const TaskContext&) -> Result<Document> {
        return Document{{"text", "\xff\xfe"}};
    };
    const auto a = node({broken, noting()}, {.most_running = 1});
    const core::Uuid id = ask(*a, "acme", "0", "broken")->id;
    ask(*a, "acme", "1").value();
    a->settle();
    EXPECT_EQ(find(*a, id).state, TaskState::kFailed);
    EXPECT_EQ(find(*a, id).error->code(), Code::kInvalidArgument);
    EXPECT_EQ(done_, Texts{"acme:1"});
}

// ARCH-10
TEST_F(QueueTest, OneThatWasCancelledIsNotTriedAgain) {
    TaskKind away = failing(Code::kUnavailable, 9, {.attempts = 3, .first = 1s});
    const auto a = node({away});
    const core::Uuid id = ask(*a, "acme", "0", "fail")->id;
    a->queue.turn();
    ASSERT_TRUE(cancel(*a, id));
    a->settle();
    EXPECT_EQ(find(*a, id).state, TaskState::kCancelled);
}

// ARCH-10
TEST_F(QueueTest, AnEndThatCannotBeKeptIsKeptWhenTheDatabaseIsBack) {
    const auto a = node({noting()});
    const core::Uuid id = ask(*a, "acme", "0")->id;
    a->queue.turn();
    a->database->cut();
    a->do_waiting();
    const auto next = a->queue.turn();
    EXPECT_GT(next, clock_.steady());
    a->database->mend();
    clock_.advance(5s);
    a->settle();
    EXPECT_EQ(find(*a, id).state, TaskState::kSucceeded);
    EXPECT_EQ(done_.size(), 1U);
}

TEST_F(QueueTest, KindsThatAreWrongInThemselvesAreRefused) {
    QueueNode a(clock_, sealer_, {.instance = "a"});
    a.queue.handle(noting());
    EXPECT_THROW(a.queue.handle(noting()), std::invalid_argument);
    EXPECT_THROW(a.queue.handle(noting("no name")), std::invalid_argument);
    EXPECT_THROW(a.queue.handle({.name = "idle"}), std::invalid_argument);
    EXPECT_EQ(ask(a, "acme", "0").error().code(), Code::kUnavailable);  // before start()
    a.open(core_);
    EXPECT_EQ(ask(a, "acme", "0", "unknown").error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace zona::jobs
