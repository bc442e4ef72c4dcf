#include "cli/detail/session.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "cli/testing/fakes.h"
#include "core/testing/fake_clock.h"

namespace zona::cli {
namespace {

using core::Code;

constexpr const char* kEmpty = R"({"success":true,"data":[]})";

class SessionTest : public testing::Test {
  protected:
    Session session(DaemonNeed need) {
        return Session({api_, starter_, console_, clock_, interrupts_}, need, std::nullopt);
    }

    FakeApi api_;
    FakeStarter starter_;
    RecordingConsole console_;
    core::FakeClock clock_;
    FakeInterrupts interrupts_;
};

TEST_F(SessionTest, AnswerHasItsData) {
    api_.will_answer(R"({"success":true,"data":{"n":1}})");

    const auto answer = session(DaemonNeed::kNeverStarts).ask(get("/api/v1/ping"));

    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->data()->as_object().at("n"), 1);
}

TEST_F(SessionTest, ReadsNeverStartADaemon) {
    api_.will_fail(Code::kNotFound);

    const auto answer = session(DaemonNeed::kNeverStarts).ask(get("/api/v1/processes"));

    ASSERT_FALSE(answer.has_value());
    EXPECT_TRUE(Session::says_not_running(answer.error()));
    EXPECT_EQ(core::info(answer.error().code()).exit_status, 6);
    EXPECT_EQ(starter_.starts, 0);
}

TEST_F(SessionTest, ReadsStartADaemonForProcessesThatLostTheirs) {
    starter_.orphans = true;
    api_.will_fail(Code::kNotFound);
    api_.will_answer(kEmpty);

    EXPECT_TRUE(session(DaemonNeed::kNeverStarts).ask(get("/api/v1/processes")).has_value());
    EXPECT_EQ(starter_.starts, 1);
}

// PM-57
// ARCH-06: starter, API and clock are fakes that the composition root replaces.
TEST_F(SessionTest, ChangesStartTheDaemonAndAskAgain) {
    api_.will_fail(Code::kNotFound);
    api_.will_answer(kEmpty);
    Session session = this->session(DaemonNeed::kStartsIt);

    EXPECT_TRUE(session.ask(resurrect()).has_value());

    EXPECT_EQ(starter_.starts, 1);
    EXPECT_TRUE(session.started_daemon());
    EXPECT_EQ(api_.requests.size(), 2U);
}

TEST_F(SessionTest, DaemonOfSomebodyElseIsUsedButNotOurs) {
    api_.will_fail(Code::kNotFound);
    api_.will_answer(kEmpty);
    starter_.result = DaemonStart::kAlreadyRunning;
    Session session = this->session(DaemonNeed::kStartsIt);

    EXPECT_TRUE(session.ask(resurrect()).has_value());
    EXPECT_FALSE(session.started_daemon());
}

TEST_F(SessionTest, DaemonOfSomebodyElseMayStillBeComingUp) {
    for (int i = 0; i < 3; ++i)
        api_.will_fail(Code::kNotFound);
    api_.will_answer(kEmpty);
    starter_.result = DaemonStart::kAlreadyRunning;

    EXPECT_TRUE(session(DaemonNeed::kStartsIt).ask(resurrect()).has_value());
    EXPECT_EQ(starter_.starts, 1);
}

TEST_F(SessionTest, DaemonIsStartedOnceOnly) {
    api_.will_fail(Code::kNotFound);
    api_.will_fail(Code::kNotFound);

    EXPECT_FALSE(session(DaemonNeed::kStartsIt).ask(resurrect()).has_value());
    EXPECT_EQ(starter_.starts, 1);
}

TEST_F(SessionTest, DaemonThatSomebodyEndedMeanwhileIsNotStartedAgain) {
    api_.will_answer(kEmpty);
    api_.will_fail(Code::kNotFound);
    Session session = this->session(DaemonNeed::kStartsIt);

    EXPECT_TRUE(session.ask(get("/api/v1/processes")).has_value());
    EXPECT_TRUE(Session::says_not_running(session.ask(resurrect()).error()));
    EXPECT_EQ(starter_.starts, 0);
}

TEST_F(SessionTest, FailedStartIsTheError) {
    api_.will_fail(Code::kNotFound);
    starter_.error = core::Error(Code::kForbidden, "not yours");

    const auto answer = session(DaemonNeed::kStartsIt).ask(resurrect());

    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().message(), "not yours");
}

TEST_F(SessionTest, BrokenReadIsTriedAgain) {
    api_.will_fail(Code::kUnavailable);
    api_.will_fail(Code::kUnavailable);
    api_.will_answer(kEmpty);

    EXPECT_TRUE(session(DaemonNeed::kNeverStarts).ask(get("/api/v1/processes")).has_value());
    EXPECT_EQ(api_.requests.size(), 3U);
}

TEST_F(SessionTest, BrokenChangeIsNotRepeatedAndItsOutcomeUnknown) {
    api_.will_fail(Code::kUnavailable);

    const auto answer = session(DaemonNeed::kStartsIt).ask(resurrect());

    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().code(), Code::kUnavailable);
    EXPECT_EQ(answer.error().details().at(0).problem, "whether it was done is unknown");
    EXPECT_EQ(answer.error().details().at(0).hint, "`zona list` shows what runs");
    EXPECT_EQ(api_.requests.size(), 1U);
}

TEST_F(SessionTest, ChangeThatNobodyReadIsSentAgain) {
    api_.will_lose_unread();
    api_.will_fail(Code::kNotFound);
    api_.will_answer(kEmpty);

    EXPECT_TRUE(session(DaemonNeed::kStartsIt).ask(resurrect()).has_value());
    EXPECT_EQ(api_.requests.size(), 3U);
    EXPECT_EQ(starter_.starts, 1);
}

TEST_F(SessionTest, ErrorOfTheApiIsDecoded) {
    api_.will_refuse(404,
                     R"({"success":false,"error":{"code":"NOT_FOUND","message":"no process 'x'",)"
                     R"("details":[{"where":"","problem":"","hint":"did you mean 'y'?"}],)"
                     R"("correlation_id":"1"}})");

    const auto answer = session(DaemonNeed::kNeverStarts).ask(get("/api/v1/processes"));

    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().code(), Code::kNotFound);
    EXPECT_EQ(answer.error().message(), "no process 'x'");
    EXPECT_EQ(answer.error().details().at(0).hint, "did you mean 'y'?");
}

TEST_F(SessionTest, AnswerThatIsNoJsonIsAnError) {
    api_.will_refuse(502, "<html>");
    EXPECT_EQ(session(DaemonNeed::kNeverStarts).ask(get("/x")).error().code(), Code::kInternal);

    api_.will_answer("not json");
    const auto answer = session(DaemonNeed::kNeverStarts).ask(get("/x"));
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->data().error().code(), Code::kInternal);
}

// What was never sent has no unknown outcome, and a host that is not there is not waited for.
TEST_F(SessionTest, HostThatCannotBeReachedIsToldAtOnce) {
    for (const Code code : {Code::kUnavailable, Code::kTimeout, Code::kUnauthenticated}) {
        api_.unreachable = core::Error(code, "no way");
        for (const ApiRequest& request : {get("/api/v1/processes"), shut_down()}) {
            const auto answer = session(DaemonNeed::kStartsIt).ask(request);

            ASSERT_FALSE(answer.has_value());
            EXPECT_EQ(answer.error().code(), code);
            EXPECT_TRUE(answer.error().details().empty());
        }
    }
    EXPECT_TRUE(api_.requests.empty());
    EXPECT_EQ(starter_.starts, 0);
}

}  // namespace
}  // namespace zona::cli
