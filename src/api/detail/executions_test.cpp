#include "api/detail/executions.h"

#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"

namespace zona::api {
namespace {

using core::Code;
using core::Error;
using core::Result;
using process::Callback;
using process::OperationResult;
using process::Progress;

/// A change that does what a test tells it to.
struct FakeChange {
    Progress progress;
    Callback<void> ended;

    Executions::Change take() {
        return [this](Progress told, Callback<void> done) {
            progress = std::move(told);
            ended = std::move(done);
        };
    }
    void finish(std::uint32_t pm_id, std::optional<Error> error = {}) {
        progress.finished({.pm_id = pm_id,
                           .name = "api",
                           .process = process::ProcessView(),
                           .outcome = {},
                           .error = std::move(error)});
    }
};

class ExecutionsTest : public testing::Test {
  protected:
    std::shared_ptr<Executions> make(Executions::Limits limits = {}) {
        return std::make_shared<Executions>(clock_, random_, metrics_, limits);
    }
    /// Begins `change`; its answer stands in `answer_` as soon as there is one.
    void begin(Executions& executions, FakeChange& change) {
        answer_.reset();
        executions.begin({.operation = "startProcesses",
                          .action = "start",
                          .correlation_id = "c",
                          .warnings = {"odd"}},
                         change.take(),
                         [this](Result<ExecutionPtr> answer) { answer_ = std::move(answer); });
    }
    /// One of `results` processes that has ended.
    core::Uuid ended(Executions& executions, std::uint32_t results = 1) {
        FakeChange change;
        begin(executions, change);
        change.progress.accepted(results);
        for (std::uint32_t i = 0; i < results; ++i)
            change.finish(i);
        change.ended(Result<void>());
        return (*answer_)->get()->id();
    }

    core::FakeClock clock_;
    core::SeededRandom random_{7};
    core::MetricRegistry metrics_;
    std::optional<Result<ExecutionPtr>> answer_;
};

TEST_F(ExecutionsTest, AnswersWhenTheChangeIsOnTheDiskAndTellsHowItComesAlong) {
    const auto executions = make();
    FakeChange change;
    begin(*executions, change);
    change.finish(3);  // at once, before the commit
    EXPECT_FALSE(answer_.has_value());
    EXPECT_TRUE(executions->list().empty());

    change.progress.accepted(2);

    ASSERT_TRUE(answer_.has_value());
    const ExecutionPtr execution = answer_->value();
    EXPECT_EQ(executions->find(execution->id()), execution);
    ExecutionView view = execution->view();
    EXPECT_EQ(view.status, ExecutionStatus::kRunning);
    EXPECT_EQ(view.processes, 2U);
    EXPECT_EQ(view.finished, 1U);
    EXPECT_EQ(view.warnings, std::vector<std::string>{"odd"});

    change.finish(4);
    clock_.advance(std::chrono::seconds(2));
    change.ended(Result<void>());

    view = execution->view();
    EXPECT_EQ(view.status, ExecutionStatus::kSuccess);
    EXPECT_EQ(view.ended_at, view.started_at + std::chrono::seconds(2));
    const auto results = execution->results(1);
    ASSERT_EQ(results.size(), 1U);
    EXPECT_EQ(results[0].pm_id, 4U);
    EXPECT_FALSE(results[0].process.has_value()) << "it has a resource of its own";
}

TEST_F(ExecutionsTest, RefusedChangeIsAnsweredAndLeavesNothing) {
    const auto executions = make({.running = 1});
    for (int i = 0; i < 3; ++i) {  // each time there is room again
        FakeChange change;
        begin(*executions, change);
        change.ended(Error(Code::kConflict, "no"));

        ASSERT_TRUE(answer_.has_value());
        EXPECT_EQ(answer_->error().code(), Code::kConflict);
    }
    EXPECT_TRUE(executions->list().empty());
}

TEST_F(ExecutionsTest, IsAFailureIfAnyPartOfItFailed) {
    const auto executions = make();
    for (const bool as_a_whole : {false, true}) {
        FakeChange change;
        begin(*executions, change);
        change.progress.accepted(1);
        change.finish(0, as_a_whole ? std::nullopt : std::optional(Error(Code::kConflict, "runs")));
        change.ended(as_a_whole ? Result<void>(Error(Code::kUnavailable, "zona is stopping"))
                                : Result<void>());

        const ExecutionView view = answer_->value()->view();
        EXPECT_EQ(view.status, ExecutionStatus::kFailure);
        EXPECT_EQ(view.failed, as_a_whole ? 0U : 1U);
        EXPECT_EQ(view.error.has_value(), as_a_whole);
    }
}

TEST_F(ExecutionsTest, OutcomeOtherThanReadyIsAFailure) {
    const auto executions = make();
    FakeChange change;
    begin(*executions, change);
    change.progress.accepted(1);
    change.progress.finished({.pm_id = 0,
                              .name = "api",
                              .process = {},
                              .outcome = process::Outcome{.kind = process::Outcome::Kind::kExited},
                              .error = {}});
    change.ended(Result<void>());

    EXPECT_EQ(answer_->value()->view().status, ExecutionStatus::kFailure);
}

TEST_F(ExecutionsTest, TooManyAtOnceAreRefused) {
    const auto executions = make({.running = 2});
    std::array<FakeChange, 2> changes;
    for (FakeChange& change : changes)
        begin(*executions, change);
    FakeChange third;

    begin(*executions, third);

    ASSERT_TRUE(answer_.has_value());
    EXPECT_EQ(answer_->error().code(), Code::kTooManyRequests);
    EXPECT_EQ(third.ended, nullptr) << "it was not begun";
    changes[0].progress.accepted(0);
    changes[0].ended(Result<void>());
    begin(*executions, third);
    EXPECT_NE(third.ended, nullptr);
}

TEST_F(ExecutionsTest, OldestThatEndedAreForgottenAndNoneThatRuns) {
    const auto executions = make({.ended = 2, .results = 100});
    FakeChange running;
    begin(*executions, running);
    running.progress.accepted(1);
    const core::Uuid runs = answer_->value()->id();
    std::vector<core::Uuid> ids;
    for (int i = 0; i < 3; ++i)
        ids.push_back(ended(*executions));

    EXPECT_NE(executions->find(runs), nullptr);
    EXPECT_EQ(executions->find(ids[0]), nullptr);
    EXPECT_NE(executions->find(ids[1]), nullptr);
    EXPECT_EQ(executions->list().at(0)->id(), ids[2]) << "the latest first";
}

TEST_F(ExecutionsTest, KeepsOnlySoManyResultsButAlwaysTheLatest) {
    const auto executions = make({.ended = 10, .results = 5});
    const core::Uuid first = ended(*executions, 3);
    const core::Uuid second = ended(*executions, 3);
    EXPECT_EQ(executions->find(first), nullptr);

    const core::Uuid giant = ended(*executions, 50);

    EXPECT_EQ(executions->find(second), nullptr);
    EXPECT_NE(executions->find(giant), nullptr);
}

}  // namespace
}  // namespace zona::api
