#include "os/spawn.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/child.h"
#include "os/fd.h"

namespace zona::os {
namespace {

struct Finished {
    SpawnOutcome outcome;
    ChildExit exit;
    std::string out;
};

/// Spawns, reads what the child writes to stdout, waits for its end.
Finished run(SpawnPlan plan) {
    Finished result;
    auto pipe = make_pipe();
    std::int32_t slot = 0;
    plan.stdout_fd = pipe->write.get();
    result.outcome = spawn(plan, &slot);
    EXPECT_EQ(slot, result.outcome.pid);
    pipe->write.reset();
    std::byte buffer[4096];
    for (;;) {
        auto n = read_some(pipe->read.get(), buffer);
        if (!n || n->value_or(0) == 0) break;
        result.out.append(reinterpret_cast<const char*>(buffer), **n);
    }
    while (true) {
        if (auto ended = peek_exited_child(result.outcome.pid)) {
            result.exit = *ended;
            break;
        }
        ::usleep(200);
    }
    reap_child(result.outcome.pid);
    return result;
}

SpawnPlan shell(const std::string& script) {
    SpawnPlan plan;
    plan.executable = "/bin/sh";
    plan.arguments = {"sh", "-c", script};
    plan.environment = {"PATH=/usr/bin:/bin", "GREETING=hello"};
    return plan;
}

TEST(Spawn, ChildHasItsStreamsAndNothingElseWhereverTheyWere) {
    for (const bool reserved : {false, true}) {
        if (reserved) ASSERT_TRUE(reserve_spawn_descriptors().has_value());
        std::vector<UniqueFd> many;
        for (int i = 0; i < 200; ++i)
            many.push_back(*open_file("/dev/null", O_RDONLY));
        const int leaked = ::dup(many.back().get());  // no O_CLOEXEC

        const Finished result = run(shell("ls /proc/$$/fd; readlink /proc/$$/fd/1"));

        ::close(leaked);
        EXPECT_TRUE(result.outcome.started());
        EXPECT_EQ(result.out.substr(0, 11), "0\n1\n2\npipe:");
        EXPECT_GE(::fcntl(many.back().get(), F_GETFD), 0) << "the parent keeps its own";
    }
}

TEST(Spawn, LetsGoOfTheStreamsOnceTheChildHasThem) {
    ASSERT_TRUE(reserve_spawn_descriptors().has_value());

    const Finished result = run(shell("echo said"));  // reads until the last writer has left

    EXPECT_EQ(result.out, "said\n");
}

// PM-02, PM-13
TEST(Spawn, GivesExactlyTheEnvironmentOfThePlan) {
    const Finished result =
        run(shell("env | grep -v '^PWD=' | grep -v '^_=' | grep -v SHLVL | sort"));

    EXPECT_TRUE(result.outcome.started());
    EXPECT_EQ(result.out, "GREETING=hello\nPATH=/usr/bin:/bin\n");
    EXPECT_EQ(result.exit.how, CLD_EXITED);
    EXPECT_EQ(result.exit.status, 0);
}

// PM-14
TEST(Spawn, EntersTheWorkingDirectory) {
    SpawnPlan plan = shell("pwd");
    plan.directory = "/usr/bin";

    EXPECT_EQ(run(plan).out, "/usr/bin\n");
}

// PM-14
TEST(Spawn, ReportsTheStepThatFailedAndItsErrno) {
    SpawnPlan plan = shell("true");
    plan.directory = "/does/not/exist";

    const Finished result = run(plan);

    EXPECT_EQ(result.outcome.failed_step, SpawnStep::kDirectory);
    EXPECT_EQ(result.outcome.error_number, ENOENT);
    EXPECT_EQ(result.exit.status, 127);
}

TEST(Spawn, ReportsAProgramThatCannotBeExecuted) {
    SpawnPlan plan = shell("true");
    plan.executable = "/etc/hostname-that-is-not-there";

    const Finished result = run(plan);

    EXPECT_EQ(result.outcome.failed_step, SpawnStep::kExec);
    EXPECT_EQ(result.outcome.error_number, ENOENT);
}

TEST(Spawn, MakesTheChildASessionLeaderWithDefaultSignalsAndNoStrayDescriptors) {
    ::signal(SIGPIPE, SIG_IGN);
    auto stray = open_file("/dev/null", O_RDONLY);
    ::fcntl(stray->get(), F_SETFD, 0);

    const Finished result = run(shell(
        "test $$ = $(cut -d' ' -f6 /proc/$$/stat) && echo leader; ls /proc/self/fd | tr '\\n' ' ';"
        "grep -E 'SigIgn|SigBlk' /proc/$$/status | tr '\\t\\n' '  '"));

    EXPECT_EQ(result.out, "leader\n0 1 2 3 SigBlk: 0000000000000000 SigIgn: 0000000000000000 ");
}

// PM-66
TEST(Spawn, RunsAsTheGivenUserWithItsGroupsOnly) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to change the user";
    SpawnPlan plan = shell("id -u; id -g; id -G");
    plan.credentials = find_credentials("daemon", "").value();

    EXPECT_EQ(run(plan).out, "1\n1\n1\n");
}

TEST(Spawn, SetsUmaskNiceAndLimits) {
    SpawnPlan plan = shell("umask; nice; ulimit -n");
    plan.umask = 027;
    plan.nice = 5;
    plan.limits = {{RLIMIT_NOFILE, 77, 77}};

    EXPECT_EQ(run(plan).out, "0027\n5\n77\n");
}

TEST(Spawn, NamesAUserThatDoesNotExist) {
    const auto who = find_credentials("nobody-knows-me", "");

    ASSERT_FALSE(who.has_value());
    EXPECT_EQ(who.error().code(), core::Code::kNotFound);
    EXPECT_NE(who.error().message().find("nobody-knows-me"), std::string::npos);
}

TEST(ChildExit, TellsSignalAndUsageBeforeTheZombieIsConsumed) {
    const Finished result = run(shell("kill -SEGV $$"));

    EXPECT_NE(result.exit.how, CLD_EXITED);
    EXPECT_EQ(result.exit.status, SIGSEGV);
    EXPECT_GT(result.exit.max_rss_kb, 0);
}

TEST(SignalNames, AcceptNamesWithAndWithoutPrefixAndNumbers) {
    EXPECT_EQ(signal_number("TERM"), SIGTERM);
    EXPECT_EQ(signal_number("sigusr1"), SIGUSR1);
    EXPECT_EQ(signal_number("9"), SIGKILL);
    EXPECT_EQ(signal_number("NOPE"), std::nullopt);
    EXPECT_EQ(signal_number("0"), std::nullopt);
    EXPECT_EQ(signal_name(SIGHUP), "SIGHUP");
}

}  // namespace
}  // namespace zona::os
