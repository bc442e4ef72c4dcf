#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "jobs/testing/scheduler_fixture.h"

namespace zona::jobs {
namespace {

using namespace std::chrono;
using core::Code;
using core::Result;
using Texts = std::vector<std::string>;

/// Two daemons on one core database.
class InstancesTest : public SchedulerFixture {
  protected:
    Definition saving() {
        Definition tick = counting("tick", Schedule::every(24h, 0));
        tick.work = [this](Context& context) -> Result<void> {
            ++runs_;
            last_save_ = context.save({{"run", runs_}});
            return last_save_;
        };
        return tick;
    }
    void settle() {
        a_->settle();
        b_->settle();
    }

    Result<void> last_save_;  // outlives the nodes, which do what waits when they end
    std::unique_ptr<Node> a_ = node({saving()}, "a");
    std::unique_ptr<Node> b_ = node({saving()}, "b");
};

// BG-12
TEST_F(InstancesTest, OneOfThemRunsASingleton) {
    for (int day = 1; day <= 4; ++day) {
        clock_.advance(24h);
        day % 2 == 0 ? a_->settle() : b_->settle();
        settle();
        EXPECT_EQ(runs_, day);
    }
    EXPECT_EQ(history(*a_, "tick").size(), 4U);
    EXPECT_EQ(history(*b_, "tick"), history(*a_, "tick"));
}

// BG-12
TEST_F(InstancesTest, NobodyTakesALeaseThatMoves) {
    clock_.advance(24h);
    a_->scheduler.turn();
    ASSERT_EQ(a_->waiting.size(), 1U);
    for (int i = 0; i < 12; ++i) {
        b_->settle();
        clock_.advance(kBeatTime);
        a_->scheduler.turn();
    }
    EXPECT_EQ(runs_, 0);
    settle();
    EXPECT_EQ(runs_, 1);
    EXPECT_EQ(history(*b_, "tick"), Texts{"succeeded schedule"});
}

// BG-12
TEST_F(InstancesTest, AnotherTakesOverFromOneThatDied) {
    clock_.advance(24h);
    a_->scheduler.turn();
    ASSERT_EQ(a_->waiting.size(), 1U);
    a_->kill();
    b_->settle();
    EXPECT_EQ(runs_, 0);  // it could be alive
    clock_.advance(kLeaseTime);
    b_->settle();
    EXPECT_EQ(runs_, 1);
    EXPECT_EQ(history(*b_, "tick"), (Texts{"succeeded interrupted", "interrupted schedule"}));
    const auto next = b_->scheduler.turn();
    EXPECT_GT(next, clock_.steady() + 23h);
}

// BG-12
TEST_F(InstancesTest, OneThatWasStoppedForLongFindsOutAndChangesNothing) {
    clock_.advance(24h);
    a_->scheduler.turn();
    b_->settle();
    clock_.advance(kLeaseTime);
    b_->settle();  // a sleeps
    ASSERT_EQ(runs_, 1);
    a_->do_waiting();  // the work wakes up first
    EXPECT_EQ(runs_, 2);
    EXPECT_EQ(last_save_.error().code(), Code::kConflict);
    a_->settle();
    EXPECT_EQ(history(*a_, "tick"), (Texts{"succeeded interrupted", "interrupted schedule"}));
    EXPECT_EQ(view(*b_, "tick").last->instance, "b");
}

// BG-12
TEST_F(InstancesTest, WorkOfALostLeaseIsToldToEnd) {
    bool told = false;
    Definition watching = saving();
    watching.work = [&](Context& context) {
        told = !context.go_on();
        return context.go_on();
    };
    a_ = node({watching}, "a");
    clock_.advance(24h);
    a_->scheduler.turn();
    b_->settle();
    clock_.advance(kLeaseTime);
    b_->settle();
    a_->scheduler.turn();  // beats, in vain
    a_->do_waiting();
    EXPECT_TRUE(told);
}

// BG-12
TEST_F(InstancesTest, OneThatCannotBeatGivesUpByItself) {
    bool told = false;
    Definition watching = saving();
    watching.work = [&](Context& context) {
        told = !context.go_on();
        return context.go_on();
    };
    a_ = node({watching}, "a");
    clock_.advance(24h);
    a_->scheduler.turn();
    a_->database->cut();
    for (int i = 0; i < 3; ++i) {
        clock_.advance(kBeatTime);
        a_->scheduler.turn();
    }
    a_->do_waiting();
    EXPECT_TRUE(told);
}

// BG-12
TEST_F(InstancesTest, ClocksThatDifferAndJumpChangeNothing) {
    clock_.advance(24h);
    a_->scheduler.turn();
    ASSERT_EQ(a_->waiting.size(), 1U);
    b_->settle();
    clock_.set_system(clock_.system() + hours(24 * 365));
    b_->settle();
    EXPECT_EQ(runs_, 0);
    clock_.set_system(clock_.system() - hours(24 * 700));
    b_->settle();
    EXPECT_EQ(runs_, 0);
    clock_.set_system(clock_.system() + hours(24 * 335));
    a_->settle();
    EXPECT_EQ(runs_, 1);
}

// BG-09
TEST_F(InstancesTest, CancelsARunOfAnother) {
    bool told = false;
    Definition watching = saving();
    watching.work = [&](Context& context) {
        told = !context.go_on();
        return context.go_on();
    };
    a_ = node({watching}, "a");
    clock_.advance(24h);
    a_->scheduler.turn();
    const auto run =
        ask<RunView>(*b_, [&](auto done) { b_->scheduler.run_now("tick", std::move(done)); });
    EXPECT_EQ(run.error().code(), Code::kConflict);
    ASSERT_TRUE(
        ask<JobView>(*b_, [&](auto done) { b_->scheduler.cancel("tick", std::move(done)); }));
    clock_.advance(kBeatTime);
    a_->scheduler.turn();
    a_->settle();
    EXPECT_TRUE(told);
    EXPECT_EQ(history(*b_, "tick"), Texts{"cancelled schedule"});
}

TEST_F(InstancesTest, EachRunsWhatIsForEach) {
    Definition own = counting("own", Schedule::every(1h, 0));
    own.instances = Instances::kEach;
    const auto a = node({own}, "a");
    const auto b = node({own}, "b");
    clock_.advance(1h);
    a->settle();
    b->settle();
    EXPECT_EQ(runs_, 2);
    EXPECT_EQ(history(*a, "own").size(), 1U);
    EXPECT_EQ(view(*b, "own").last->instance, "b");
}

}  // namespace
}  // namespace zona::jobs
