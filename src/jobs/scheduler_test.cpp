#include "jobs/scheduler.h"

#include <condition_variable>
#include <stdexcept>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "jobs/testing/scheduler_fixture.h"

namespace zona::jobs {
namespace {

using namespace std::chrono;
using core::Code;
using core::Error;
using core::Result;
using Texts = std::vector<std::string>;

class SchedulerTest : public SchedulerFixture {
  protected:
    Result<JobView> pause(Node& node, const std::string& name) {
        return ask<JobView>(node, [&](auto done) { node.scheduler.pause(name, std::move(done)); });
    }
    Result<JobView> resume(Node& node, const std::string& name) {
        return ask<JobView>(node, [&](auto done) { node.scheduler.resume(name, std::move(done)); });
    }
    Result<JobView> cancel(Node& node, const std::string& name) {
        return ask<JobView>(node, [&](auto done) { node.scheduler.cancel(name, std::move(done)); });
    }
    Result<RunView> run_now(Node& node, const std::string& name) {
        return ask<RunView>(node,
                            [&](auto done) { node.scheduler.run_now(name, std::move(done)); });
    }
};

// BG-05, BG-09
TEST_F(SchedulerTest, RunsAJobEachTimeThatItIsDueAndSleepsInBetween) {
    const auto a = node({counting("tick", Schedule::every(1h, 0))});
    a->settle();
    EXPECT_EQ(runs_, 0);
    EXPECT_EQ(a->scheduler.turn(), clock_.steady() + 1h);
    for (int i = 1; i <= 3; ++i) {
        clock_.advance(1h);
        a->settle();
        EXPECT_EQ(runs_, i);
        EXPECT_EQ(a->scheduler.turn(), clock_.steady() + 1h);
    }
    const JobView seen = view(*a, "tick");
    EXPECT_EQ(seen.due, clock_.system() + 1h);
    EXPECT_EQ(seen.last_success, clock_.system());
    EXPECT_FALSE(seen.running);
    EXPECT_EQ(seen.last->outcome, Outcome::kSucceeded);
    EXPECT_EQ(history(*a, "tick"),
              (Texts{"succeeded schedule", "succeeded schedule", "succeeded schedule"}));
    const std::string metrics = a->metrics.render_prometheus();
    EXPECT_NE(metrics.find("zona_job_runs_total{job=\"tick\"} 3"), std::string::npos);
    EXPECT_NE(metrics.find("zona_job_failures_total{job=\"tick\"} 0"), std::string::npos);
}

TEST_F(SchedulerTest, SleepsForEverWhenNothingIsPlanned) {
    const auto a = node({counting("asked", Schedule::when_asked())});
    EXPECT_EQ(a->scheduler.turn(), core::SteadyTime::max());
    EXPECT_EQ(view(*a, "asked").due, std::nullopt);
}

// BG-05
TEST_F(SchedulerTest, RunsOnceWhatWasMissedHoweverOften) {
    node({counting("tick", Schedule::every(1h, 0))});
    clock_.advance(10h);
    const auto a = node({counting("tick", Schedule::every(1h, 0))});
    a->settle();
    EXPECT_EQ(runs_, 1);
    EXPECT_EQ(history(*a, "tick"), Texts{"succeeded missed"});
    EXPECT_EQ(a->scheduler.turn(), clock_.steady() + 1h);
}

TEST_F(SchedulerTest, SkipsWhatWasMissedIfItShall) {
    Definition skipping = counting("tick", Schedule::every(1h, 0));
    skipping.missed = Missed::kSkip;
    node({skipping});
    clock_.advance(10h);
    const auto a = node({skipping});
    a->settle();
    EXPECT_EQ(runs_, 0);
    EXPECT_EQ(a->scheduler.turn(), clock_.steady() + 1h);
}

TEST_F(SchedulerTest, PlansAnewWhenTheScheduleChanges) {
    node({counting("tick", Schedule::every(24h, 0))});
    const auto a = node({counting("tick", Schedule::every(1h, 0))});
    EXPECT_EQ(a->scheduler.turn(), clock_.steady() + 1h);
}

TEST_F(SchedulerTest, IsNotHeldUpByAClockThatIsSetBack) {
    const auto a = node({counting("tick", Schedule::every(1h, 0))});
    a->settle();
    clock_.set_system(clock_.system() - hours(24 * 365));
    for (int i = 0; i < 3; ++i) {
        clock_.advance(1h);
        a->settle();
    }
    EXPECT_GE(runs_, 2);
    EXPECT_LE(runs_, 4);
}

// BG-07, REL-12
TEST_F(SchedulerTest, TriesAFailedRunAgainAfterPausesAndGoesOnWithTheOthers) {
    Definition failing = counting("failing", Schedule::every(24h, 0));
    failing.retries = {.attempts = 2, .first = 10s, .longest = 1h};
    int tries = 0;
    failing.work = [&](Context&) -> Result<void> {
        if (++tries == 2) throw std::runtime_error("out of order");
        return Error(Code::kUnavailable, "nobody there");
    };
    const auto a = node({failing, counting("tick", Schedule::every(24h, 0))});
    clock_.advance(24h);
    a->settle();
    EXPECT_EQ(tries, 1);
    EXPECT_EQ(runs_, 1);
    EXPECT_EQ(view(*a, "failing").attempt, 1);
    clock_.advance(10s);
    a->settle();
    clock_.advance(20s);
    a->settle();
    EXPECT_EQ(tries, 3);
    EXPECT_EQ(history(*a, "failing"), (Texts{"failed retry", "failed retry", "failed schedule"}));
    // No more of them: the next comes by the schedule.
    EXPECT_GT(a->scheduler.turn(), clock_.steady() + 23h);
    EXPECT_NE(a->metrics.render_prometheus().find("zona_job_failures_total{job=\"failing\"} 3"),
              std::string::npos);
}

// BG-07
TEST_F(SchedulerTest, KeepsWhatAThrowSaid) {
    Definition failing = counting("failing", Schedule::when_asked());
    failing.work = [](Context&) -> Result<void> { throw std::runtime_error("out of order"); };
    const auto a = node({failing});
    ASSERT_TRUE(run_now(*a, "failing"));
    a->settle();
    EXPECT_EQ(view(*a, "failing").last->error, "the job threw: out of order");
}

// BG-09
TEST_F(SchedulerTest, PausesAndResumes) {
    const auto a = node({counting("tick", Schedule::every(1h, 0))});
    EXPECT_TRUE(pause(*a, "tick")->paused);
    clock_.advance(3h);
    a->settle();
    EXPECT_EQ(runs_, 0);
    EXPECT_GT(a->scheduler.turn(), clock_.steady());
    EXPECT_FALSE(resume(*a, "tick")->paused);
    a->settle();
    EXPECT_EQ(runs_, 1);
    EXPECT_EQ(history(*a, "tick"), Texts{"succeeded missed"});
}

// BG-09
TEST_F(SchedulerTest, RunsAPausedJobWhenAskedAndOnlyOnceAtATime) {
    const auto a = node({counting("tick", Schedule::every(1h, 0))});
    ASSERT_TRUE(pause(*a, "tick"));
    const auto begun = run_now(*a, "tick");
    ASSERT_TRUE(begun);
    EXPECT_EQ(begun->outcome, Outcome::kRunning);
    EXPECT_EQ(begun->trigger, Trigger::kManual);
    EXPECT_TRUE(view(*a, "tick").running);
    EXPECT_EQ(run_now(*a, "tick").error().code(), Code::kConflict);
    a->settle();
    EXPECT_EQ(runs_, 1);
    EXPECT_EQ(history(*a, "tick"), Texts{"succeeded manual"});
}

// BG-08
TEST_F(SchedulerTest, RunsNoMoreAtOnceThanItMay) {
    const auto a =
        node({counting("x", Schedule::every(1h, 0)), counting("y", Schedule::every(1h, 0)),
              counting("z", Schedule::every(1h, 0))});
    clock_.advance(1h);
    a->scheduler.turn();
    EXPECT_EQ(a->waiting.size(), 2U);
    EXPECT_EQ(run_now(*a, "z").error().code(), Code::kTooManyRequests);
    a->settle();
    EXPECT_EQ(runs_, 3);
}

// BG-09
TEST_F(SchedulerTest, CancelsARun) {
    Definition patient = counting("patient", Schedule::when_asked());
    patient.work = [](Context& context) { return context.go_on(); };
    const auto a = node({patient});
    EXPECT_EQ(cancel(*a, "patient").error().code(), Code::kConflict);
    ASSERT_TRUE(run_now(*a, "patient"));
    ASSERT_TRUE(cancel(*a, "patient"));
    a->settle();
    EXPECT_EQ(history(*a, "patient"), Texts{"cancelled manual"});
    EXPECT_EQ(view(*a, "patient").attempt, 0);
}

TEST_F(SchedulerTest, TellsARunThatTakesTooLongToEnd) {
    Definition slow = counting("slow", Schedule::when_asked());
    slow.time_limit = 5s;
    slow.work = [](Context& context) { return context.go_on(); };
    const auto a = node({slow});
    ASSERT_TRUE(run_now(*a, "slow"));
    EXPECT_EQ(a->scheduler.turn(), clock_.steady() + 5s);
    clock_.advance(5s);
    a->scheduler.turn();
    a->settle();
    EXPECT_EQ(history(*a, "slow"), Texts{"timed_out manual"});
    EXPECT_EQ(view(*a, "slow").attempt, 1);
}

// BG-09
TEST_F(SchedulerTest, MarksWhatAKilledDaemonLeftAndTriesItAgain) {
    Definition tick = counting("tick", Schedule::every(24h, 0));
    tick.retries.first = 10s;
    tick.work = [this](Context& context) -> Result<void> {
        ++runs_;
        return context.checkpoint() ? Result<void>() : context.save({{"at", 7}});
    };
    {
        const auto killed = node({tick});
        clock_.advance(24h);
        killed->scheduler.turn();
        ASSERT_EQ(killed->waiting.size(), 1U);
        killed->do_waiting();  // saves
        killed->kill();
    }
    const auto a = node({tick});
    EXPECT_EQ(history(*a, "tick"), Texts{"interrupted schedule"});
    a->settle();
    EXPECT_EQ(runs_, 1);  // not at once
    clock_.advance(10s);
    a->settle();
    EXPECT_EQ(runs_, 2);
    EXPECT_EQ(history(*a, "tick"), (Texts{"succeeded retry", "interrupted schedule"}));
}

TEST_F(SchedulerTest, GivesUpWhatKillsItsDaemonEachTime) {
    Definition deadly = counting("deadly", Schedule::every(24h, 0));
    deadly.retries = {.attempts = 2, .first = 10s, .longest = 10s};
    clock_.advance(1s);
    node({deadly});
    clock_.advance(24h);
    for (int i = 0; i < 4; ++i) {
        const auto killed = node({deadly});
        killed->scheduler.turn();
        killed->kill();
        clock_.advance(10s);
    }
    const auto a = node({deadly});
    a->settle();
    EXPECT_EQ(history(*a, "deadly").size(), 3U);
}

TEST_F(SchedulerTest, GoesOnAtTheNextStartWithWhatAStopInterrupted) {
    Definition patient = counting("patient", Schedule::every(24h, 0));
    patient.work = [](Context& context) {
        while (context.go_on())
            std::this_thread::yield();
        return context.go_on();
    };
    {
        const auto stopped = node({patient});
        clock_.advance(24h);
        stopped->scheduler.turn();
        std::thread stop([&] { stopped->scheduler.stop(); });
        stopped->do_waiting();
        stop.join();
    }
    const auto a = node({counting("patient", Schedule::every(24h, 0))});
    EXPECT_EQ(history(*a, "patient"), Texts{"interrupted schedule"});
    a->settle();
    EXPECT_EQ(runs_, 1);
    EXPECT_EQ(view(*a, "patient").last->outcome, Outcome::kSucceeded);
}

TEST_F(SchedulerTest, KeepsANumberOfRunsOfEachJob) {
    const auto a = node({counting("tick", Schedule::every(1h, 0))});
    for (int i = 0; i < 8; ++i) {
        clock_.advance(1h);
        a->settle();
    }
    EXPECT_EQ(runs_, 8);
    EXPECT_EQ(history(*a, "tick").size(), 5U);
    const auto last =
        ask<RunView>(*a, [&](auto done) { a->scheduler.run("tick", 8, std::move(done)); });
    EXPECT_EQ(last->number, 8);
    const auto first =
        ask<RunView>(*a, [&](auto done) { a->scheduler.run("tick", 1, std::move(done)); });
    EXPECT_EQ(first.error().code(), Code::kNotFound);
}

// BG-07
TEST_F(SchedulerTest, DoesEachTenantWhateverHappensToOne) {
    Texts done;
    Definition each = counting("each", Schedule::when_asked());
    each.coverage = Coverage::kEachTenant;
    each.work = [&](Context& context) -> Result<void> {
        done.push_back(context.tenant());
        context.count("documents", 2);
        if (context.tenant() == "blue") return Error(Code::kUnavailable, "gone");
        return {};
    };
    const auto a = node({each});
    ASSERT_TRUE(run_now(*a, "each"));
    a->settle();
    EXPECT_EQ(done, (Texts{"acme", "blue", "cyan"}));
    const RunView last = *view(*a, "each").last;
    EXPECT_EQ(last.outcome, Outcome::kFailed);
    EXPECT_EQ(last.error, "1 of 3 failed: blue: gone");
    EXPECT_EQ(last.counters,
              (std::map<std::string, std::int64_t>{{"documents", 6}, {"done", 2}, {"failed", 1}}));
}

TEST_F(SchedulerTest, GoesOnBehindTheLastTenantThatWasKept) {
    Texts done;
    Definition each = counting("each", Schedule::when_asked());
    each.coverage = Coverage::kEachTenant;
    each.work = [&](Context& context) -> Result<void> {
        done.push_back(context.tenant());
        clock_.advance(6s);
        if (done.size() == 2) return Error(Code::kUnavailable, "gone");
        return {};
    };
    each.retries.first = 1s;
    const auto a = node({each});
    ASSERT_TRUE(run_now(*a, "each"));
    a->settle();
    EXPECT_EQ(done, (Texts{"acme", "blue", "cyan"}));
    clock_.advance(1s);
    a->settle();
    EXPECT_EQ(done, (Texts{"acme", "blue", "cyan", "blue", "cyan"}));
}

TEST_F(SchedulerTest, AsksTheHookWhenAJobIsDue) {
    std::optional<core::SystemTime> due;
    Definition watched = counting("watched", Schedule::when_asked());
    watched.due = [&](auto) { return due; };
    const auto a = node({watched});
    a->settle();
    EXPECT_EQ(a->scheduler.turn(), core::SteadyTime::max());
    due = clock_.system() + 5s;
    EXPECT_EQ(a->scheduler.turn(), clock_.steady() + 5s);
    clock_.advance(5s);
    a->scheduler.turn();
    due = std::nullopt;
    a->settle();
    EXPECT_EQ(runs_, 1);
}

TEST_F(SchedulerTest, KeepsTheEndOfARunWhenTheDatabaseIsBack) {
    const auto a = node({counting("tick", Schedule::when_asked())});
    ASSERT_TRUE(run_now(*a, "tick"));
    a->database->cut();
    a->do_waiting();
    const core::SteadyTime again = a->scheduler.turn();
    EXPECT_GT(again, clock_.steady());
    a->database->mend();
    clock_.advance(again - clock_.steady());
    a->settle();
    EXPECT_EQ(runs_, 1);
    EXPECT_EQ(history(*a, "tick"), Texts{"succeeded manual"});
}

TEST_F(SchedulerTest, SaysWhatIsNotThere) {
    const auto a = node({counting("tick", Schedule::when_asked())});
    EXPECT_EQ(run_now(*a, "tock").error().code(), Code::kNotFound);
    a->scheduler.stop();
    EXPECT_EQ(run_now(*a, "tick").error().code(), Code::kUnavailable);
    EXPECT_THROW(node({counting("Tick!", Schedule::when_asked())}), std::invalid_argument);
    EXPECT_THROW(
        node({counting("t", Schedule::when_asked()), counting("t", Schedule::when_asked())}),
        std::invalid_argument);
}

/// With its own threads and the host's clock.
TEST_F(SchedulerTest, RunsByItselfOnThreadsOfItsOwn) {
    core::RealClock clock;
    core::SystemRandom random;
    core::MetricRegistry metrics;
    std::mutex mutex;
    std::condition_variable changed;
    int runs = 0;
    Definition tick = counting("tick", Schedule::every(1ms));
    tick.work = [&](Context&) {
        const std::lock_guard lock(mutex);
        ++runs;
        changed.notify_all();
        return Result<void>();
    };
    auto all = core_collections();
    all.push_back(&store::counters_spec());
    const auto core =
        std::make_shared<store::MemoryDatabase>(all, core::Secret(std::string(32, 'k')), clock);
    Scheduler scheduler(
        {.instance = "a"},
        {.clock = clock, .random = random, .log = {}, .metrics = metrics, .tenants = {}}, {tick});
    scheduler.start(core);
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return runs >= 3; });
    lock.unlock();
    scheduler.stop();
    const int at_the_end = runs;
    scheduler.poke();
    EXPECT_EQ(runs, at_the_end);
}

}  // namespace
}  // namespace zona::jobs
