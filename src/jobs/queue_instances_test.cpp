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

/// Two daemons on one core database.
class QueueInstancesTest : public QueueFixture {
  protected:
    static QueueOptions shared(std::string instance) {
        return {.instance = std::move(instance), .most_running = 1, .look_around = 5s};
    }
    std::unique_ptr<QueueNode> a_ = node({noting()}, shared("a"));
    std::unique_ptr<QueueNode> b_ = node({noting()}, shared("b"));
};

// ARCH-10, BG-12
TEST_F(QueueInstancesTest, EachTaskIsDoneByOneOfThem) {
    for (int i = 0; i < 3; ++i) {
        ask(*a_, "acme", std::to_string(i)).value();
        ask(*a_, "blue", std::to_string(i)).value();
    }
    a_->queue.turn();
    b_->queue.turn();
    EXPECT_EQ(a_->waiting.size(), 1U);
    EXPECT_EQ(b_->waiting.size(), 1U);
    a_->settle();
    b_->settle();
    EXPECT_EQ(done_.size(), 6U);
}

// ARCH-10
TEST_F(QueueInstancesTest, AnotherDoesWhatOneWasAskedFor) {
    const core::Uuid id = ask(*a_, "acme", "x")->id;
    const auto next = b_->queue.turn();
    b_->settle();
    EXPECT_LE(next, clock_.steady() + 5s);
    EXPECT_EQ(find(*a_, id).instance, "b");
    EXPECT_EQ(find(*a_, id).state, TaskState::kSucceeded);
}

// ARCH-10
TEST_F(QueueInstancesTest, WhatIsAboutOneHostsFilesIsDoneThere) {
    const core::Uuid id =
        ask(*a_, {.kind = "note", .tenant = "acme", .input = input("x"), .place = Place::kHere})
            ->id;
    b_->settle();
    EXPECT_TRUE(done_.empty());
    a_->settle();
    EXPECT_EQ(find(*b_, id).instance, "a");
    EXPECT_EQ(done_, Texts{"acme:x"});
}

// ARCH-10, BG-12
TEST_F(QueueInstancesTest, OneThatDiedIsTakenOverFromWhenItsLeaseHasNotMoved) {
    const core::Uuid id = ask(*a_, "acme", "x")->id;
    a_->queue.turn();
    ASSERT_EQ(a_->waiting.size(), 1U);
    a_->kill();
    b_->settle();
    EXPECT_TRUE(done_.empty());  // it could be alive
    for (auto waited = 0s; waited < kLeaseTime; waited += 5s) {
        clock_.advance(5s);
        b_->settle();
    }
    EXPECT_EQ(done_, Texts{"acme:x"});
    EXPECT_EQ(find(*b_, id).state, TaskState::kSucceeded);
    EXPECT_EQ(find(*b_, id).attempt, 2);
}

// ARCH-10, BG-12
TEST_F(QueueInstancesTest, NobodyTakesATaskWhoseLeaseMoves) {
    ask(*a_, "acme", "x").value();
    a_->queue.turn();
    for (int i = 0; i < 12; ++i) {
        b_->settle();
        clock_.advance(kBeatTime);
        a_->queue.turn();
    }
    EXPECT_TRUE(done_.empty());
    a_->settle();
    EXPECT_EQ(done_.size(), 1U);
}

// ARCH-10, BG-12
TEST_F(QueueInstancesTest, OneThatWasStoppedForLongChangesNothing) {
    const core::Uuid id = ask(*a_, "acme", "x")->id;
    a_->queue.turn();
    for (auto waited = 0s; waited <= kLeaseTime; waited += 5s) {  // a sleeps
        b_->settle();
        clock_.advance(5s);
    }
    ASSERT_EQ(done_.size(), 1U);
    const Task by_b = find(*b_, id);
    a_->settle();  // it wakes up, and works
    EXPECT_EQ(done_.size(), 2U);
    const Task after = find(*b_, id);
    EXPECT_EQ(after.instance, "b");
    EXPECT_EQ(after.outcome->at("n"), by_b.outcome->at("n"));
}

// ARCH-10
TEST_F(QueueInstancesTest, ATaskIsCancelledWhereverItRuns) {
    bool told = false;
    TaskKind slow = noting("slow");
    slow.work = [&](const TaskContext& context) -> Result<Document> {
        told = context.stop_token().stop_requested();
        if (told) return Error(Code::kCancelled, "as asked");
        return Document();
    };
    const auto c = node({slow}, shared("c"));
    const auto d = node({slow}, shared("d"));
    const core::Uuid id = ask(*c, "acme", "0", "slow")->id;
    c->queue.turn();
    ASSERT_EQ(c->waiting.size(), 1U);
    ASSERT_TRUE(cancel(*d, id));
    clock_.advance(kBeatTime);
    c->queue.turn();  // it beats, and is told
    c->settle();
    EXPECT_TRUE(told);
    EXPECT_EQ(find(*d, id).state, TaskState::kCancelled);
}

// ARCH-10
TEST_F(QueueInstancesTest, OthersSeeHowFarItIs) {
    TaskKind telling = noting("tell");
    std::unique_ptr<QueueNode> c;
    telling.work = [&](const TaskContext& context) {
        context.progress()({.step = "copy", .done = 3, .total = 4, .unit = "documents"});
        EXPECT_EQ(find(*c, context.id()).progress->done, 3U);  // known here
        EXPECT_FALSE(find(*b_, context.id()).progress);        // not yet elsewhere
        clock_.advance(kBeatTime);
        c->queue.turn();  // beats, beside the work
        EXPECT_EQ(find(*b_, context.id()).progress->done, 3U);
        return Result<Document>(Document());
    };
    c = node({telling}, shared("c"));
    const core::Uuid id = ask(*c, "acme", "0", "tell")->id;
    c->settle();
    EXPECT_EQ(find(*b_, id).state, TaskState::kSucceeded);
}

// ARCH-10
TEST_F(QueueInstancesTest, TasksOfTheInstallationThatThisIsACopyOfAreNotDone) {
    const core::Uuid here = ask(*a_, {.kind = "note", .tenant = "acme", .place = Place::kHere})->id;
    const core::Uuid running = ask(*b_, "acme", "x")->id;
    b_->queue.turn();
    ASSERT_EQ(b_->waiting.size(), 1U);
    b_->kill();
    a_->kill();
    const auto copy = node({noting()}, {.instance = "copy"});
    copy->settle();
    EXPECT_TRUE(done_.empty());
    for (const core::Uuid& id : {here, running}) {
        EXPECT_EQ(find(*copy, id).state, TaskState::kFailed);
        EXPECT_EQ(find(*copy, id).error->code(), Code::kCancelled);
    }
}

}  // namespace
}  // namespace zona::jobs
