#include "os/proc.h"

#include <algorithm>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "os/signal_target.h"
#include "os/testing/fork_tree.h"

namespace zona::os {
namespace {

ProcFs odd() {
    return *ProcFs::open(ZONA_SOURCE_DIR "/tests/fixtures/proc/odd");
}

TEST(ParseStat, ReadsTheFieldsOfAnOrdinaryProcess) {
    const auto stat = odd().stat(40);

    ASSERT_TRUE(stat && *stat);
    EXPECT_EQ((*stat)->name, "two words");
    EXPECT_EQ((*stat)->state, 'S');
    EXPECT_EQ((*stat)->parent, 1);
    EXPECT_EQ((*stat)->group, 40);
    EXPECT_EQ((*stat)->session, 40);
    EXPECT_EQ((*stat)->threads, 1);
    EXPECT_EQ((*stat)->start_ticks, 500U);
    EXPECT_EQ((*stat)->user_ticks, 1234U);
    EXPECT_EQ((*stat)->system_ticks, 56U);
    EXPECT_EQ((*stat)->resident_pages, 777);
}

TEST(ParseStat, TakesANameWithParenthesesAndNewlinesToTheLastParenthesis) {
    const auto brackets = odd().stat(41);
    const auto newline = odd().stat(42);

    ASSERT_TRUE(brackets && *brackets && newline && *newline);
    EXPECT_EQ((*brackets)->name, ") R 1 (x");
    EXPECT_EQ((*brackets)->parent, 40);
    EXPECT_EQ((*newline)->name, "line\nbreak");
    EXPECT_EQ((*newline)->start_ticks, 502U);
}

TEST(ParseStat, RefusesWhatIsCutOffOrGarbage) {
    const std::string whole = *odd().text("40/stat");
    const std::size_t last_used = whole.find(" 777") + 4;

    ASSERT_TRUE(parse_stat(whole.substr(0, last_used)));
    EXPECT_FALSE(parse_stat(""));
    EXPECT_FALSE(parse_stat("40 (x"));
    EXPECT_FALSE(parse_stat("40 )x( S 1 1 1"));
    EXPECT_FALSE(parse_stat("-4 (x) S 1 1 1 0 0 0 0 0 0 0 0 0 0 0 20 0 1 0 5 6 7"));
    for (std::size_t cut = 0; cut < last_used - 3; ++cut)
        EXPECT_FALSE(parse_stat(whole.substr(0, cut))) << cut;
}

TEST(ProcFs, TellsHowAZombieEndedThatSomebodyElseWillReap) {
    const ProcFs proc = *ProcFs::open();
    for (const int signal : {0, SIGKILL}) {
        const pid_t child = ::fork();
        if (child == 0) {
            if (signal != 0) ::raise(signal);
            ::_exit(7);
        }
        siginfo_t info;
        ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
        const auto entry = proc.stat(child);
        ASSERT_TRUE(entry && *entry);

        const auto ended = proc.exit_of_zombie((*entry)->ref());
        const auto other = proc.exit_of_zombie({child, (*entry)->start_ticks + 1});
        ::waitpid(child, nullptr, 0);
        const auto reaped = proc.exit_of_zombie((*entry)->ref());

        ASSERT_TRUE(ended && *ended);
        EXPECT_EQ((*ended)->how, signal == 0 ? CLD_EXITED : CLD_KILLED);
        EXPECT_EQ((*ended)->status, signal == 0 ? 7 : signal);
        EXPECT_TRUE(other && !*other) << "the pid alone is not enough";
        EXPECT_TRUE(reaped && !*reaped);
    }
}

TEST(ParseStat, TellsAZombieFromALeaderWhoseThreadsRunOn) {
    EXPECT_TRUE((*odd().stat(46))->is_dead());
    EXPECT_FALSE((*odd().stat(47))->is_dead());
    EXPECT_FALSE((*odd().stat(40))->is_dead());
}

TEST(ProcFs, AnswersEmptyForAProcessThatIsNotThere) {
    const ProcFs proc = odd();

    EXPECT_FALSE(*proc.stat(7777));
    EXPECT_FALSE(*proc.stat(45));
    EXPECT_FALSE(*proc.variable(7777, "PATH"));
    EXPECT_FALSE(*proc.real_uid(7777));
    EXPECT_TRUE(proc.memberships(7777)->empty());
    EXPECT_TRUE(proc.children(7777)->empty());
}

TEST(ProcFs, DoesNotTakeAReusedPidForTheSameProcess) {
    EXPECT_TRUE(*odd().stat(ProcessRef{40, 500}));
    EXPECT_FALSE(*odd().stat(ProcessRef{40, 499}));
}

TEST(ProcFs, ReportsAStatLineThatItCannotRead) {
    const auto cut = odd().stat(43);

    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().code(), core::Code::kInternal);
}

TEST(ProcFs, ScansEverythingReadableInOrder) {
    ProcessSnapshot snapshot;
    ASSERT_TRUE(odd().scan(snapshot));

    std::vector<pid_t> pids;
    for (const ProcStat& entry : snapshot.all())
        pids.push_back(entry.pid);
    EXPECT_EQ(pids, (std::vector<pid_t>{1, 30, 40, 41, 42, 46, 47}));
    EXPECT_EQ(snapshot.find(42)->name, "line\nbreak");
    EXPECT_EQ(snapshot.find(43), nullptr);
}

TEST(ProcessSnapshot, FindsDescendantsWhosePidsAreLowerThanTheirParents) {
    ProcessSnapshot snapshot;
    ASSERT_TRUE(odd().scan(snapshot));
    std::vector<pid_t> tree = {40};

    snapshot.add_descendants(tree);

    EXPECT_EQ(tree, (std::vector<pid_t>{30, 40, 41, 42}));
}

TEST(ProcessSnapshot, LeavesOutTheBarredAndWhatDescendsFromThemAlone) {
    ProcessSnapshot snapshot;
    ASSERT_TRUE(odd().scan(snapshot));
    std::vector<pid_t> tree = {40};
    const std::vector<pid_t> barred = {42};

    snapshot.add_descendants(tree, barred);

    EXPECT_EQ(tree, (std::vector<pid_t>{40, 41}));
}

TEST(ProcFs, FindsAVariableByItsWholeNameAndTakesTheFirst) {
    const ProcFs proc = odd();

    EXPECT_EQ(*proc.variable(40, "ZONA_PROCESS"), "6f1c2d");
    EXPECT_EQ(*proc.variable(40, "EMPTY"), "");
    EXPECT_FALSE(*proc.variable(40, "NOEQUALS"));
    EXPECT_FALSE(*proc.variable(40, "ZONA"));
}

TEST(ProcFs, ReadsUidLimitsChildrenAndGroups) {
    const ProcFs proc = odd();

    EXPECT_EQ(*proc.real_uid(40), 1000U);
    const auto files = *proc.limit(40, "Max open files");
    EXPECT_EQ(files->soft, 1024U);
    EXPECT_EQ(files->hard, 1048576U);
    const auto locks = *proc.limit(40, "Max file locks");
    EXPECT_EQ(locks->soft, 1873779234095595520U);
    EXPECT_EQ(locks->hard, std::nullopt);
    EXPECT_FALSE(*proc.limit(40, "Max dreams"));
    EXPECT_EQ(*proc.children(40), (std::vector<pid_t>{41, 43}));
    const auto groups = *proc.memberships(40);
    ASSERT_EQ(groups.size(), 4U);
    EXPECT_EQ(groups[0].controllers, "cpu,cpuacct");
    EXPECT_EQ(groups[0].path, "/a:b/c");
    EXPECT_EQ(groups[3].controllers, "");
    EXPECT_EQ(groups[3].path, "/system.slice/zona.service");
}

TEST(ProcFs, ReadsFactsOfTheHost) {
    const ProcFs proc = odd();

    EXPECT_EQ(*proc.boot_id(), "1f9bd7a8-2b69-4d3c-9d0a-5a2f1e6c7b10");
    EXPECT_EQ(proc.uptime()->count(), 350735470);
    EXPECT_EQ(**proc.oom_kills(), 3U);
    EXPECT_EQ(*proc.forks(), 4711U);
    EXPECT_EQ(*proc.number("sys/kernel/pid_max"), 4194304U);
    EXPECT_EQ(proc.number("sys/kernel/hostname").error().code(), core::Code::kInternal);
    EXPECT_EQ(proc.text("sys/none").error().code(), core::Code::kNotFound);
}

TEST(ProcFs, NamesTheRootThatCannotBeOpened) {
    const auto proc = ProcFs::open("/nonexistent/proc");

    ASSERT_FALSE(proc);
    EXPECT_NE(proc.error().message().find("/nonexistent/proc"), std::string::npos);
}

TEST(ProcFs, SeesThisProcessInTheRealProc) {
    const ProcFs proc = *ProcFs::open();
    std::vector<pid_t> pids;
    ASSERT_TRUE(proc.list(pids));

    EXPECT_TRUE(std::ranges::is_sorted(pids));
    EXPECT_TRUE(std::ranges::binary_search(pids, ::getpid()));
    EXPECT_EQ((*proc.stat(::getpid()))->parent, ::getppid());
    EXPECT_EQ(*proc.real_uid(::getpid()), ::getuid());
    EXPECT_FALSE(proc.boot_id()->empty());
    EXPECT_GT(proc.uptime()->count(), 0);
    EXPECT_TRUE(*resource_limit(::getpid(), RLIMIT_NOFILE));
}

// PM-03
TEST(SignalTarget, HitsNobodyWhenThePidBelongsToAnotherProcess) {
    const ProcFs proc = *ProcFs::open();
    testing::ForkTree tree(testing::Shape::kSleeper);
    ASSERT_TRUE(tree.wait_ready());
    ProcessRef other = (*proc.stat(tree.main()))->ref();
    other.start_ticks -= 1;

    EXPECT_EQ(*signal_process(proc, other, SIGKILL), SignalOutcome::kGone);
    EXPECT_EQ(*signal_process_group(proc, other, SIGKILL), SignalOutcome::kGone);

    EXPECT_TRUE(tree.any_alive());
}

// PM-17
TEST(SignalTarget, ReachesAProcessAndItsWholeGroup) {
    const ProcFs proc = *ProcFs::open();
    testing::ForkTree one(testing::Shape::kSleeper);
    testing::ForkTree group(testing::Shape::kGroup);
    ASSERT_TRUE(one.wait_ready() && group.wait_ready());

    EXPECT_EQ(*signal_process(proc, (*proc.stat(one.main()))->ref(), SIGTERM),
              SignalOutcome::kSent);
    EXPECT_EQ(*signal_process_group(proc, (*proc.stat(group.main()))->ref(), SIGTERM),
              SignalOutcome::kSent);

    EXPECT_TRUE(one.wait_all_dead());
    EXPECT_TRUE(group.wait_all_dead());
}

TEST(SignalTarget, SaysGoneForAReapedProcess) {
    const ProcFs proc = *ProcFs::open();
    testing::ForkTree tree(testing::Shape::kSleeper);
    ASSERT_TRUE(tree.wait_ready());
    const ProcessRef main = (*proc.stat(tree.main()))->ref();
    ASSERT_TRUE(signal_process(proc, main, SIGKILL));
    ASSERT_TRUE(tree.wait_all_dead());
    tree.wait_main_zombie();
    tree.reap();

    EXPECT_EQ(*signal_process(proc, main, SIGTERM), SignalOutcome::kGone);
    EXPECT_FALSE(*proc.stat(main));
}

}  // namespace
}  // namespace zona::os
