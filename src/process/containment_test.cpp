#include "process/containment.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "os/cgroup.h"
#include "os/child.h"
#include "os/signal_target.h"
#include "os/testing/fork_tree.h"
#include "process/detail/containment_host.h"

namespace zona::process {
namespace {

using os::testing::ForkTree;
using os::testing::Shape;

TEST(ContainmentNames, RoundTrip) {
    const TreeId id{.slot = 17, .uuid = "6f1c2d3e-0000-4000-8000-0123456789ab"};

    const auto parsed = detail::parse_group_name(detail::group_name(id));

    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->slot, id.slot);
    EXPECT_EQ(parsed->uuid, id.uuid);
}

TEST(ContainmentNames, RefuseWhatIsNotOurs) {
    EXPECT_FALSE(detail::parse_group_name(""));
    EXPECT_FALSE(detail::parse_group_name("session-3.scope"));
    EXPECT_FALSE(detail::parse_group_name("17"));
    EXPECT_FALSE(detail::parse_group_name("17-"));
    EXPECT_FALSE(detail::parse_group_name("17-../../etc"));
    EXPECT_FALSE(detail::parse_group_name("99999999999999999999-ab"));
}

TEST(ContainmentNames, TakeNoUuidThatWouldLeaveTheDirectory) {
    const auto containment = Containment::open({.tier = TierChoice::kSweep, .home = "/h"});
    ASSERT_TRUE(containment);

    EXPECT_EQ((*containment)->prepare({.slot = 1, .uuid = "../x"}).error().code(),
              core::Code::kInvalidArgument);
    EXPECT_EQ((*containment)->adopt({.slot = 1, .uuid = ""}, {}).error().code(),
              core::Code::kInvalidArgument);
}

TEST(ContainmentMark, TellsItsOwnFromOthersAndFromForeignLimits) {
    const detail::Mark mine(0x1234);
    const detail::Mark other(0x1235);

    EXPECT_EQ(mine.match(mine.value()), detail::Mark::Match::kOurs);
    EXPECT_EQ(mine.match(other.value()), detail::Mark::Match::kOther);
    EXPECT_EQ(mine.match(RLIM_INFINITY), detail::Mark::Match::kNone);
    EXPECT_EQ(mine.match(0x1234), detail::Mark::Match::kNone);
}

TEST(TierChoice, IsReadAndPrinted) {
    EXPECT_EQ(*parse_tier_choice("auto"), TierChoice::kAuto);
    EXPECT_EQ(*parse_tier_choice("cgroup1"), TierChoice::kCgroup1);
    EXPECT_NE(parse_tier_choice("pidns").error().message().find("cgroup2"), std::string::npos);
    EXPECT_EQ(to_string(Tier::kCgroup2), "cgroup2");
    EXPECT_EQ(to_string(Tier::kSweep), "sweep");
}

ContainmentOptions on_host(const std::string& name, TierChoice tier) {
    return {.tier = tier,
            .home = "/h",
            .proc_root = ZONA_SOURCE_DIR "/tests/fixtures/proc/" + name,
            .cgroup_root = "/nonexistent"};
}

TEST(ContainmentChoice, FallsBackToTheSweepAndSaysWhy) {
    const auto containment = Containment::open(on_host("no_cgroups", TierChoice::kAuto));

    ASSERT_TRUE(containment);
    EXPECT_EQ((*containment)->tier(), Tier::kSweep);
    EXPECT_FALSE((*containment)->guaranteed());
    const std::string& why = (*containment)->why_not_more();
    EXPECT_NE(why.find("cgroup2: cgroup v2 is not mounted"), std::string::npos) << why;
    EXPECT_NE(why.find("cgroup1: the cgroup v1 controller 'freezer' is not mounted"),
              std::string::npos)
        << why;
    EXPECT_NE(why.find("mount -t cgroup2"), std::string::npos) << why;
}

TEST(ContainmentChoice, RefusesATierThatCannotBeHad) {
    const auto containment = Containment::open(on_host("container_outside", TierChoice::kCgroup2));

    ASSERT_FALSE(containment);
    EXPECT_EQ(containment.error().code(), core::Code::kUnsupported);
    EXPECT_NE(containment.error().message().find("not visible"), std::string::npos);
}

/// What every tier promises, on the real kernel. This process is the keeper: orphans come to it.
class RealTier : public ::testing::TestWithParam<TierChoice> {
  protected:
    void SetUp() override {
        ASSERT_TRUE(os::become_subreaper());
        auto opened = open(GetParam());
        if (!opened) GTEST_SKIP() << opened.error().message();
        containment_ = std::move(*opened);
        tree_ = *containment_->prepare(id_);
        ASSERT_EQ(to_string(tree_->tier()), to_string(containment_->tier()));
    }
    void TearDown() override {
        if (!tree_) return;
        EXPECT_TRUE(stop(*tree_));
        for (int i = 0; i < 50 && !tree_->release(); ++i)
            ::usleep(1000);
        EXPECT_TRUE(tree_->release());
        tree_.reset();
        containment_.reset();
        EXPECT_TRUE(groups().empty());
    }

    static core::Result<std::unique_ptr<Containment>> open(TierChoice tier) {
        return Containment::open({.tier = tier, .home = home(), .keeper = ::getpid()});
    }
    static std::string home() { return fmt::format("/test/home/{}", ::getpid()); }
    /// What this home has left in the control groups of the host.
    static std::vector<std::string> groups() {
        const auto proc = os::ProcFs::open();
        const os::CgroupHost host = os::discover_cgroups(*proc);
        const std::string name = fmt::format("zona-{:016x}", detail::stable_hash(home()));
        std::vector<std::string> out;
        for (const auto* hierarchy : {&host.unified, &host.freezer}) {
            if (!*hierarchy) continue;
            const auto found = os::find_cgroups(**hierarchy, name, "zona-");
            out.insert(out.end(), found.begin(), found.end());
        }
        return out;
    }

    std::function<void(os::SpawnPlan&)> inside() {
        return [this](os::SpawnPlan& plan) {
            const auto placement = tree_->placement();
            ASSERT_TRUE(placement) << placement.error().message();
            placement->add_to(plan);
        };
    }
    /// Drives the steps as the event loop does. False: it was not empty after 5 s.
    static bool stop(Tree& tree) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
        while (std::chrono::steady_clock::now() < end) {
            const auto step = tree.kill_step();
            if (!step) return false;
            if (step->empty) return true;
            while (const auto ended = os::peek_exited_child())
                os::reap_child(ended->pid);
            ::poll(nullptr, 0, static_cast<int>(step->retry_after.count()));
        }
        return false;
    }

    const TreeId id_{.slot = 3, .uuid = "6f1c2d3e-0000-4000-8000-0123456789ab"};
    std::unique_ptr<Containment> containment_;
    std::unique_ptr<Tree> tree_;
};

std::string tier_name(const ::testing::TestParamInfo<TierChoice>& info) {
    switch (info.param) {
        case TierChoice::kCgroup2:
            return "Cgroup2";
        case TierChoice::kCgroup1:
            return "Cgroup1";
        default:
            return "Sweep";
    }
}
INSTANTIATE_TEST_SUITE_P(Tiers, RealTier,
                         ::testing::Values(TierChoice::kCgroup2, TierChoice::kCgroup1,
                                           TierChoice::kSweep),
                         tier_name);
class GuaranteedTier : public RealTier {};
INSTANTIATE_TEST_SUITE_P(Tiers, GuaranteedTier,
                         ::testing::Values(TierChoice::kCgroup2, TierChoice::kCgroup1), tier_name);
class SweepTier : public RealTier {};
INSTANTIATE_TEST_SUITE_P(Tiers, SweepTier, ::testing::Values(TierChoice::kSweep), tier_name);

TEST_P(RealTier, IsEmptyBeforeAnythingIsStarted) {
    EXPECT_TRUE(*tree_->is_empty());
    EXPECT_TRUE(tree_->members()->empty());
    EXPECT_TRUE(tree_->kill_step()->empty);
}

TEST_P(RealTier, ListsTheWholeTreeWithStartTimes) {
    ForkTree tree(Shape::kGroup, inside());
    ASSERT_TRUE(tree.wait_ready());
    const auto main = tree_->started(tree.main());
    ASSERT_TRUE(main);

    const auto members = *tree_->members();

    EXPECT_EQ(members.size(), 3U);
    EXPECT_NE(std::ranges::find(members, *main), members.end());
    EXPECT_FALSE(*tree_->is_empty());
}

TEST_P(RealTier, IsEmptyWhileTheMainIsAZombieAndNothingElseIsLeft) {
    ForkTree tree(Shape::kSleeper, inside());
    ASSERT_TRUE(tree.wait_ready());
    ASSERT_TRUE(tree_->started(tree.main()));
    ASSERT_EQ(*tree_->signal(SIGKILL, Target::kProcess), 1U);
    tree.wait_main_zombie();

    EXPECT_TRUE(*tree_->is_empty());
    EXPECT_TRUE(tree_->members()->empty());
}

// PM-03, PM-08
TEST_P(RealTier, FindsWhatACrashedProcessLeftBehind) {
    for (const Shape shape : {Shape::kDaemon, Shape::kScrubbed}) {
        ForkTree tree(shape, inside());
        ASSERT_TRUE(tree.wait_ready());
        ASSERT_TRUE(tree_->started(tree.main()));
        ASSERT_EQ(*tree_->signal(SIGKILL, Target::kProcess), 1U);
        tree.wait_main_zombie();

        EXPECT_FALSE(*tree_->is_empty());
        const auto left = *tree_->members();
        ASSERT_EQ(left.size(), 1U);
        EXPECT_EQ(left[0].pid, tree.second());
        EXPECT_TRUE(stop(*tree_));
        EXPECT_TRUE(tree.wait_all_dead(std::chrono::seconds(1)));
    }
}

// PM-03
TEST_P(RealTier, StopsDaemonsThatIgnoreSigtermAndScrubTheirEnvironment) {
    for (const Shape shape : {Shape::kDaemon, Shape::kScrubbed, Shape::kGroup}) {
        ForkTree tree(shape, inside());
        ASSERT_TRUE(tree.wait_ready());
        ASSERT_TRUE(tree_->started(tree.main()));

        EXPECT_TRUE(stop(*tree_));

        EXPECT_TRUE(tree.wait_all_dead(std::chrono::seconds(1))) << static_cast<int>(shape);
    }
}

// PM-03
TEST_P(RealTier, StopsAProcessThatReplacesItselfEveryMillisecond) {
    ForkTree tree(Shape::kChain, inside());
    ASSERT_TRUE(tree.wait_ready());
    ASSERT_TRUE(tree_->started(tree.main()));

    EXPECT_TRUE(stop(*tree_));

    EXPECT_TRUE(tree.wait_all_dead(std::chrono::seconds(1)));
}

// PM-03
TEST_P(GuaranteedTier, StopsStormsAndWhatErasesEveryTraceAndWhatForksWithoutAPause) {
    for (const Shape shape : {Shape::kStorm, Shape::kErased, Shape::kTight}) {
        ForkTree tree(shape, inside());
        ASSERT_TRUE(tree.wait_ready());
        ASSERT_TRUE(tree_->started(tree.main()));

        EXPECT_TRUE(stop(*tree_));

        EXPECT_TRUE(tree.wait_all_dead(std::chrono::seconds(1))) << static_cast<int>(shape);
    }
}

// PM-03
TEST_P(SweepTier, StopsStormsAndWhatForksWithoutAPauseIfItMayRunFirst) {
    if (!os::UrgentThread().raised()) GTEST_SKIP() << "this user may not use real-time scheduling";
    for (const Shape shape : {Shape::kStorm, Shape::kTight}) {
        ForkTree tree(shape, inside());
        ASSERT_TRUE(tree.wait_ready());
        ASSERT_TRUE(tree_->started(tree.main()));

        EXPECT_TRUE(stop(*tree_));

        EXPECT_TRUE(tree.wait_all_dead(std::chrono::seconds(1))) << static_cast<int>(shape);
    }
}

// PM-03
TEST_P(SweepTier, ListsAsSuspectedWhatErasedEveryTrace) {
    ForkTree tree(Shape::kErased, inside());
    ASSERT_TRUE(tree.wait_ready());
    ASSERT_TRUE(tree_->started(tree.main()));
    // Until it has executed, its environment is the one it was started with.
    while ((*containment_->proc().stat(tree.second()))->name != "sleep")
        ::poll(nullptr, 0, 1);

    EXPECT_TRUE(stop(*tree_));
    EXPECT_TRUE(tree.any_alive());

    const auto survivors = *tree_->survivors();
    ASSERT_EQ(survivors.size(), 1U);
    EXPECT_EQ(survivors[0].process.pid, tree.second());
    EXPECT_EQ(survivors[0].name, "sleep");
    EXPECT_EQ(survivors[0].certainty, Survivor::Certainty::kSuspected);
}

TEST_P(SweepTier, DoesNotSuspectTheProcessesOfAnotherTree) {
    const TreeId other_id{.slot = 4, .uuid = "aaaaaaaa-0000-4000-8000-0123456789ab"};
    const auto other = *containment_->prepare(other_id);
    ForkTree mine(Shape::kSleeper, inside());
    ForkTree others(Shape::kScrubbed,
                    [&](os::SpawnPlan& plan) { other->placement()->add_to(plan); });
    ASSERT_TRUE(mine.wait_ready() && others.wait_ready());
    ASSERT_TRUE(tree_->started(mine.main()));
    ASSERT_TRUE(other->started(others.main()));

    EXPECT_TRUE(stop(*tree_));

    EXPECT_TRUE(tree_->survivors()->empty());
    EXPECT_TRUE(others.any_alive());
    EXPECT_EQ(other->members()->size(), 2U);
    EXPECT_TRUE(stop(*other));
    EXPECT_TRUE(others.wait_all_dead());
}

// PM-17
TEST_P(RealTier, SignalsTheProcessItsGroupOrTheTree) {
    ForkTree group(Shape::kGroup, inside());
    ASSERT_TRUE(group.wait_ready());
    ASSERT_TRUE(tree_->started(group.main()));
    EXPECT_EQ(*tree_->signal(SIGUSR1, Target::kGroup), 1U);
    EXPECT_TRUE(group.wait_all_dead());
    group.reap();

    ForkTree daemon(Shape::kDaemon, inside());
    ASSERT_TRUE(daemon.wait_ready());
    ASSERT_TRUE(tree_->started(daemon.main()));
    EXPECT_EQ(*tree_->signal(SIGTERM, Target::kGroup), 1U);
    daemon.wait_main_zombie();
    EXPECT_TRUE(daemon.any_alive());
    EXPECT_EQ(*tree_->signal(SIGUSR1, Target::kTree), 1U);
    EXPECT_TRUE(daemon.wait_all_dead());
}

// PM-17
TEST_P(RealTier, SignalsWhatIsLeftOfTheGroupWhenItsLeaderWasReaped) {
    ForkTree group(Shape::kGroup, inside());
    ASSERT_TRUE(group.wait_ready());
    ASSERT_TRUE(tree_->started(group.main()));
    ASSERT_EQ(*tree_->signal(SIGKILL, Target::kProcess), 1U);
    group.wait_main_zombie();
    group.reap();
    EXPECT_EQ(*tree_->signal(SIGUSR1, Target::kProcess), 0U);

    EXPECT_EQ(*tree_->signal(SIGUSR1, Target::kGroup), 2U);

    EXPECT_TRUE(group.wait_all_dead());
}

// PM-04
TEST_P(RealTier, TakesTheNextRunOfTheSameProcess) {
    for (int run = 0; run < 3; ++run) {
        ForkTree tree(Shape::kDaemon, inside());
        ASSERT_TRUE(tree.wait_ready()) << run;
        ASSERT_TRUE(tree_->started(tree.main()));
        EXPECT_EQ(tree_->members()->size(), 2U);
        EXPECT_TRUE(stop(*tree_));
        EXPECT_TRUE(tree.wait_all_dead());
    }
}

// REL-20, PM-03
TEST_P(RealTier, AdoptsTheTreeOfAnEarlierDaemonWhateverTierItHasItself) {
    ForkTree tree(Shape::kScrubbed, inside());
    ASSERT_TRUE(tree.wait_ready());
    const os::ProcessRef main = *tree_->started(tree.main());
    const auto successor = open(TierChoice::kSweep);
    ASSERT_TRUE(successor);

    const auto adopted = *(*successor)->adopt(id_, main);

    EXPECT_EQ(to_string(adopted->tier()), to_string(tree_->tier()));
    EXPECT_EQ(adopted->main(), main);
    EXPECT_EQ(adopted->members()->size(), 2U);
    EXPECT_TRUE(stop(*adopted));
    EXPECT_TRUE(tree.wait_all_dead());
}

// REL-20, PM-03
TEST_P(RealTier, AdoptsWhatIsLeftWhenTheProcessItselfHasGone) {
    ForkTree tree(Shape::kDaemon, inside());
    ASSERT_TRUE(tree.wait_ready());
    const os::ProcessRef main = *tree_->started(tree.main());
    ASSERT_EQ(*tree_->signal(SIGKILL, Target::kProcess), 1U);
    tree.wait_main_zombie();
    tree.reap();
    const auto successor = open(GetParam());
    ASSERT_TRUE(successor);

    const auto adopted = *(*successor)->adopt(id_, main);

    EXPECT_FALSE(*adopted->is_empty());
    EXPECT_TRUE(stop(*adopted));
    EXPECT_TRUE(tree.wait_all_dead());
}

TEST_P(GuaranteedTier, TakesStraysAndRemovesEmptyGroups) {
    const TreeId stray_id{.slot = 8, .uuid = "bbbbbbbb-0000-4000-8000-0123456789ab"};
    const TreeId empty_id{.slot = 9, .uuid = "cccccccc-0000-4000-8000-0123456789ab"};
    auto stray = *containment_->prepare(stray_id);
    ASSERT_TRUE(containment_->prepare(empty_id));
    ForkTree tree(Shape::kDaemon, [&](os::SpawnPlan& plan) { stray->placement()->add_to(plan); });
    ASSERT_TRUE(tree.wait_ready());
    stray.reset();

    auto strays = *containment_->take_strays({id_});

    ASSERT_EQ(strays.size(), 1U);
    EXPECT_EQ(strays[0]->members()->size(), 2U);
    EXPECT_TRUE(stop(*strays[0]));
    EXPECT_TRUE(tree.wait_all_dead());
    EXPECT_TRUE(strays[0]->release());
    EXPECT_TRUE(containment_->take_strays({id_})->empty());
}

TEST_P(GuaranteedTier, StartsBesideWhatCouldNotBeKilled) {
    ForkTree first(Shape::kSleeper, inside());
    ASSERT_TRUE(first.wait_ready());
    const auto again = *containment_->prepare(id_);

    ForkTree second(Shape::kSleeper,
                    [&](os::SpawnPlan& plan) { again->placement()->add_to(plan); });

    ASSERT_TRUE(second.wait_ready());
    EXPECT_EQ(again->members()->size(), 2U);
    EXPECT_TRUE(stop(*again));
}

/// What happens when a managed process runs `zona` and no daemon is there.
TEST_P(GuaranteedTier, LeavesTheGroupOfOneOfItsOwnProcesses) {
    const os::CgroupHost host = os::discover_cgroups(containment_->proc());
    const auto& hierarchy = GetParam() == TierChoice::kCgroup2 ? host.unified : host.freezer;
    const std::string group = fmt::format("{}/zona-{:016x}/{}", hierarchy->own_directory,
                                          detail::stable_hash(home()), detail::group_name(id_));
    ASSERT_TRUE(os::move_to_cgroup(group, 0));
    ASSERT_FALSE(*tree_->is_empty());

    const auto inner = open(GetParam());

    EXPECT_TRUE(*tree_->is_empty());
    const os::CgroupHost now = os::discover_cgroups(containment_->proc());
    EXPECT_EQ((GetParam() == TierChoice::kCgroup2 ? now.unified : now.freezer)->own_path,
              hierarchy->own_path);
    if (!inner) ASSERT_TRUE(os::move_to_cgroup(hierarchy->own_directory, 0));
    ASSERT_TRUE(inner) << inner.error().message();
    EXPECT_EQ(groups().size(), 1U);
}

TEST_P(GuaranteedTier, LeavesOnlyGroupsWithProcessesBehind) {
    ASSERT_TRUE(containment_->prepare({.slot = 5, .uuid = "dddddddd"}));
    ForkTree tree(Shape::kSleeper, inside());
    ASSERT_TRUE(tree.wait_ready());
    const os::ProcessRef main = *tree_->started(tree.main());
    tree_.reset();
    containment_.reset();

    ASSERT_EQ(groups().size(), 1U);
    containment_ = *open(GetParam());
    tree_ = *containment_->adopt(id_, main);
    EXPECT_EQ(tree_->members()->size(), 1U);
    EXPECT_TRUE(tree.any_alive());
    EXPECT_TRUE(stop(*tree_));
}

TEST_P(GuaranteedTier, RefusesToReleaseATreeThatRuns) {
    ForkTree tree(Shape::kSleeper, inside());
    ASSERT_TRUE(tree.wait_ready());

    const auto released = tree_->release();

    ASSERT_FALSE(released);
    EXPECT_EQ(released.error().code(), core::Code::kConflict);
}

TEST_P(RealTier, CountsOutOfMemoryKillsWhereTheHostDoes) {
    const auto before = tree_->oom_kills();
    ASSERT_TRUE(before);
    ForkTree tree(Shape::kSleeper, inside());
    ASSERT_TRUE(tree.wait_ready());
    ASSERT_TRUE(tree_->started(tree.main()));
    ASSERT_TRUE(stop(*tree_));

    EXPECT_EQ(tree_->oom_kills()->count, before->count);
    EXPECT_EQ(tree_->oom_kills()->scope, before->scope);
}

TEST_P(SweepTier, NeverTouchesTheKeeperEvenWhenItDescendsFromTheTree) {
    ForkTree tree(Shape::kDaemon, inside());
    ASSERT_TRUE(tree.wait_ready());
    ASSERT_TRUE(tree_->started(tree.main()));
    containment_->set_keeper(tree.second());

    EXPECT_EQ(tree_->members()->size(), 1U);
    EXPECT_TRUE(stop(*tree_));
    EXPECT_TRUE(tree.any_alive());

    containment_->set_keeper(::getpid());
    EXPECT_TRUE(stop(*tree_));
    EXPECT_TRUE(tree.wait_all_dead());
}

}  // namespace
}  // namespace zona::process
