// Helpers: their ends are never lost, whoever sees them first.
#include "os/helpers.h"

#include <atomic>
#include <csignal>
#include <thread>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/fd.h"

namespace zona::os {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

HelperPlan shell(const std::string& script) {
    return {.words = {"sh", "-c", script},
            .environment = {"PATH=/usr/bin:/bin", "GREETING=hello"},
            .directory = "/",
            .time_limit = hours(1)};
}

// REL-20
TEST(Helpers, OutputAndExitAreToldAndNothingElseIsInherited) {
    Helpers helpers;
    const auto end = helpers.run(shell("echo $GREETING$HOME; echo error >&2; pwd; read x; exit 3"));
    ASSERT_TRUE(end.has_value()) << end.error().message();
    EXPECT_EQ(end->output, "hello\nerror\n/\n");
    EXPECT_EQ(end->exit.status, 3);
    EXPECT_EQ(to_string(*end), "exited 3");
    EXPECT_FALSE(end->is_success());
    EXPECT_TRUE(helpers.run(shell("true"))->is_success());
    EXPECT_EQ(to_string(*helpers.run(shell("kill -9 $$"))), "was ended by SIGKILL");
    EXPECT_EQ(
        helpers.run({.words = {"no-such-program"}, .environment = {"PATH=/bin"}}).error().code(),
        core::Code::kNotFound);
    EXPECT_EQ(helpers.run({.words = {"/etc/passwd"}, .environment = {}}).error().code(),
              core::Code::kForbidden);
    const pid_t last = std::stoi(helpers.run(shell("echo $$"))->output);
    EXPECT_EQ(::waitpid(last, nullptr, WNOHANG), -1) << "it was not reaped";
}

// REL-20
TEST(Helpers, ExitIsKnownThoughAnotherReapsAllChildren) {
    Helpers helpers;
    std::atomic<bool> done = false;
    std::atomic<int> reaped = 0;
    std::thread supervisor([&] {
        while (!done) {
            if (const auto exit = peek_exited_child()) {
                helpers.reap(exit->pid);
                ++reaped;
            }
        }
    });
    std::atomic<int> wrong = 0;
    const auto run_many = [&](int first) {
        for (int i = 0; i < 40; ++i) {
            const int status = first + i;
            const auto end = helpers.run(shell("exit " + std::to_string(status)));
            if (!end || end->exit.how != CLD_EXITED || end->exit.status != status) ++wrong;
        }
    };
    std::thread other(run_many, 100);
    run_many(0);
    other.join();
    done = true;
    supervisor.join();
    EXPECT_EQ(wrong, 0);
    EXPECT_GT(reaped, 0);
}

// REL-20
TEST(Helpers, ChildrenThatAreNoHelpersAreReaped) {
    Helpers helpers;
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    siginfo_t info{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
    helpers.reap(child);
    EXPECT_EQ(::waitpid(child, nullptr, WNOHANG), -1);
}

// REL-20
TEST(Helpers, LimitAndStopEndItWithAllThatItStarted) {
    Helpers helpers;
    HelperPlan plan = shell("sleep 1000 & echo $!; wait");
    plan.time_limit = milliseconds(300);
    const auto late = helpers.run(plan);
    ASSERT_TRUE(late.has_value()) << late.error().message();
    EXPECT_TRUE(late->timed_out);
    EXPECT_EQ(to_string(*late), "did not end in time");
    const pid_t started = std::stoi(late->output);
    // It was killed, and has ended once its pidfd says so, whoever reaps it.
    if (const auto left = open_pidfd(started)) {
        pollfd ended = {left->get(), POLLIN, 0};
        EXPECT_EQ(::poll(&ended, 1, 60'000), 1);
    }

    std::stop_source source;
    source.request_stop();
    EXPECT_EQ(helpers.run(shell("sleep 1000"), source.get_token()).error().code(),
              core::Code::kCancelled);
}

// REL-20
TEST(Helpers, LimitEndsOneThatWritesAsFastAsItIsRead) {
    Helpers helpers;
    HelperPlan plan = shell("yes & yes & yes");
    plan.time_limit = milliseconds(300);
    plan.output_bytes = std::size_t{16} << 20U;  // so much to move that the pipe is never empty
    const auto late = helpers.run(plan);
    ASSERT_TRUE(late.has_value()) << late.error().message();
    EXPECT_TRUE(late->timed_out);
    EXPECT_FALSE(late->output.empty());
}

// REL-20
TEST(Helpers, LastOfALongOutputIsKept) {
    Helpers helpers;
    HelperPlan plan = shell("i=0; while [ $i -lt 20000 ]; do echo line$i; i=$((i+1)); done");
    plan.output_bytes = 100;
    const auto end = helpers.run(plan);
    ASSERT_TRUE(end.has_value());
    EXPECT_TRUE(end->is_success());
    EXPECT_EQ(end->output.size(), 100U);
    EXPECT_TRUE(end->output.ends_with("line19999\n"));
}

}  // namespace
}  // namespace zona::os
