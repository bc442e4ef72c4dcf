#include "os/cgroup.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "os/child.h"
#include "os/testing/fork_tree.h"

namespace zona::os {
namespace {

namespace fs = std::filesystem;
using testing::ForkTree;
using testing::Shape;

ProcFs fixture_proc(const std::string& name) {
    return *ProcFs::open(ZONA_SOURCE_DIR "/tests/fixtures/proc/" + name);
}

/// A copy of a fixture tree that a test may write to.
class TreeCopy {
  public:
    explicit TreeCopy(const std::string& name)
        : path_(fs::temp_directory_path() /
                fmt::format("zona-cgroup-test-{}-{}", ::getpid(), name)) {
        fs::remove_all(path_);
        fs::copy(ZONA_SOURCE_DIR "/tests/fixtures/cgroup/" + name, path_,
                 fs::copy_options::recursive);
    }
    TreeCopy(const TreeCopy&) = delete;
    TreeCopy& operator=(const TreeCopy&) = delete;
    ~TreeCopy() { fs::remove_all(path_); }
    std::string path() const { return path_.string(); }
    std::string read(const std::string& file) const {
        std::ifstream in(path_ / file);
        return {std::istreambuf_iterator<char>(in), {}};
    }

  private:
    fs::path path_;
};

TEST(CgroupMounts, ReadsBothVersionsAndEscapedPaths) {
    const auto mounts = parse_cgroup_mounts(
        "36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "41 31 0:38 /a\\040b /mnt/with\\040space rw shared:3 master:1 - cgroup2 cgroup2 rw\n"
        "50 31 0:39 / /tmp rw - tmpfs tmpfs rw\n"
        "garbage\n"
        "1 2 3 4 5 6 - cgroup2\n");

    ASSERT_EQ(mounts.size(), 2U);
    EXPECT_EQ(mounts[0].version, CgroupVersion::kV1);
    EXPECT_EQ(mounts[0].controllers, (std::vector<std::string>{"rw", "cpu", "cpuacct"}));
    EXPECT_EQ(mounts[1], (CgroupMount{CgroupVersion::kV2, {}, "/a b", "/mnt/with space"}));
}

TEST(CgroupDiscovery, FindsOurGroupOnAUnifiedHost) {
    const CgroupHost host = discover_cgroups(fixture_proc("unified"), "/fixture");

    ASSERT_TRUE(host.unified);
    EXPECT_EQ(host.unified->mount_point, "/fixture");
    EXPECT_EQ(host.unified->own_path, "/system.slice/zona.service");
    EXPECT_EQ(host.unified->own_directory, "/fixture/system.slice/zona.service");
    EXPECT_EQ(host.freezer.error().code(), core::Code::kNotFound);
}

TEST(CgroupDiscovery, FindsEachHierarchyOfAHybridHost) {
    const CgroupHost host = discover_cgroups(fixture_proc("hybrid"), "/fixture");

    ASSERT_TRUE(host.unified && host.freezer && host.memory);
    EXPECT_EQ(host.unified->own_directory, "/fixture/unified");
    EXPECT_EQ(host.freezer->own_directory, "/fixture/freezer");
    EXPECT_EQ(host.freezer->version, CgroupVersion::kV1);
    EXPECT_EQ(host.memory->own_directory, "/fixture/memory/process/1");
    EXPECT_FALSE(host.pids);
}

TEST(CgroupDiscovery, TakesTheMountsRootOffOurPathInAContainer) {
    const CgroupHost host = discover_cgroups(fixture_proc("container"), "/fixture");

    ASSERT_TRUE(host.unified);
    EXPECT_EQ(host.unified->own_directory, "/fixture");
}

TEST(CgroupDiscovery, SaysWhenOurGroupIsOutsideOfTheMount) {
    const CgroupHost host = discover_cgroups(fixture_proc("container_outside"));

    ASSERT_FALSE(host.unified);
    EXPECT_EQ(host.unified.error().code(), core::Code::kUnsupported);
    EXPECT_NE(host.unified.error().message().find("/user.slice/session-3.scope"),
              std::string::npos);
}

TEST(CgroupDiscovery, SaysNotMountedWhereThereIsNothing) {
    EXPECT_EQ(discover_cgroups(fixture_proc("no_cgroups")).unified.error().code(),
              core::Code::kNotFound);
    EXPECT_EQ(discover_cgroups(fixture_proc("odd")).unified.error().code(), core::Code::kNotFound);
}

TEST(CgroupDir, ListsMembersOfAllGroupsBelowOnceAndSorted) {
    const TreeCopy tree("unified");
    const CgroupHost host = discover_cgroups(fixture_proc("unified"), tree.path());

    auto group = *CgroupDir::create(*host.unified, "zona-home/3-6f1c");

    EXPECT_EQ(group.path(), "/system.slice/zona.service/zona-home/3-6f1c");
    EXPECT_EQ(*group.members(), (std::vector<pid_t>{200, 201, 202, 203}));
    EXPECT_TRUE(*group.populated());
    EXPECT_EQ(group.oom_counter()->kills(), 2U);
    EXPECT_EQ(group.children(), (std::vector<std::string>{"inner"}));
}

TEST(CgroupDir, IsNotPopulatedWhenTheKernelSaysSo) {
    const TreeCopy tree("unified");
    const CgroupHost host = discover_cgroups(fixture_proc("unified"), tree.path());

    auto group = *CgroupDir::find(*host.unified, "/system.slice/zona.service/zona-home/4-7a2b");

    ASSERT_TRUE(group);
    EXPECT_FALSE(*group->populated());
    EXPECT_TRUE(group->kill_step(fixture_proc("odd"))->empty);
}

TEST(CgroupDir, ThawsAGroupThatADeadDaemonLeftFrozen) {
    const TreeCopy tree("hybrid");
    const CgroupHost host = discover_cgroups(fixture_proc("hybrid"), tree.path());

    const auto group = CgroupDir::create(*host.freezer, "zona-home/3-6f1c");

    ASSERT_TRUE(group);
    EXPECT_EQ(*group->members(), (std::vector<pid_t>{300, 302}));
    EXPECT_EQ(tree.read("freezer/zona-home/3-6f1c/freezer.state").substr(0, 6), "THAWED");
}

TEST(CgroupDir, IsNotFoundWhereThereIsNone) {
    const TreeCopy tree("unified");
    const CgroupHost host = discover_cgroups(fixture_proc("unified"), tree.path());

    EXPECT_FALSE(*CgroupDir::find(*host.unified, "/system.slice/zona.service/zona-home/9-none"));
}

TEST(CgroupSearch, FindsANameAnywhereInTheHierarchy) {
    const TreeCopy tree("unified");
    const CgroupHost host = discover_cgroups(fixture_proc("unified"), tree.path());

    auto found = find_cgroups(*host.unified, "zona-home", "");

    std::ranges::sort(found);
    EXPECT_EQ(found, (std::vector<std::string>{"/system.slice/zona.service/zona-home",
                                               "/user.slice/zona-home"}));
}

TEST(CgroupSearch, DoesNotEnterClosedGroups) {
    const TreeCopy tree("unified");
    const CgroupHost host = discover_cgroups(fixture_proc("unified"), tree.path());

    EXPECT_EQ(find_cgroups(*host.unified, "inner", "").size(), 1U);
    EXPECT_TRUE(find_cgroups(*host.unified, "inner", "zona-").empty());
    EXPECT_EQ(find_cgroups(*host.unified, "zona-home", "zona-").size(), 2U);
}

TEST(CgroupOom, CountsKillsOfBothVersions) {
    const std::string root = ZONA_SOURCE_DIR "/tests/fixtures/cgroup/";

    EXPECT_EQ(OomCounter::open(root + "hybrid/memory/process/1", CgroupVersion::kV1)->kills(), 5U);
    EXPECT_EQ(
        OomCounter::open(root + "unified/system.slice/zona.service", CgroupVersion::kV2)->kills(),
        1U);
    EXPECT_FALSE(OomCounter::open(root + "hybrid/freezer", CgroupVersion::kV1));
}

/// Real groups, on hosts that let this user make them.
class RealCgroup : public ::testing::TestWithParam<CgroupVersion> {
  protected:
    void SetUp() override {
        const CgroupHost host = discover_cgroups(proc_);
        const auto& hierarchy = v2() ? host.unified : host.freezer;
        if (!hierarchy) GTEST_SKIP() << hierarchy.error().message();
        const auto features = probe_cgroup(*hierarchy);
        if (!features) GTEST_SKIP() << features.error().message();
        hierarchy_ = *hierarchy;
        features_ = *features;
        auto group = CgroupDir::create(hierarchy_, fmt::format("zona-test-{}", ::getpid()));
        ASSERT_TRUE(group) << group.error().message();
        group_.emplace(std::move(*group));
    }
    void TearDown() override {
        if (!group_) return;
        ASSERT_TRUE(kill_all());
        for (int i = 0; i < 50 && !group_->remove(); ++i)
            ::usleep(1000);
        EXPECT_FALSE(fs::exists(group_->directory()));
    }
    bool v2() const { return GetParam() == CgroupVersion::kV2; }

    /// In the group as a spawn does it.
    std::function<void(SpawnPlan&)> inside() {
        return [this](SpawnPlan& plan) {
            if (features_.birth) {
                if (!group_->pristine()) ASSERT_TRUE(group_->renew());
                plan.cgroup2_fd = *group_->directory_fd();
            } else {
                join_ = *group_->join_fd();
                plan.cgroup_procs_fds = {join_.get()};
            }
        };
    }
    bool kill_all() {
        for (int step = 0; step < 200; ++step) {
            const auto result = group_->kill_step(proc_);
            if (!result) return false;
            if (result->empty) return true;
            ::poll(nullptr, 0, static_cast<int>(result->retry_after.count()));
        }
        return false;
    }

    ProcFs proc_ = *ProcFs::open();
    CgroupHierarchy hierarchy_;
    CgroupFeatures features_;
    std::optional<CgroupDir> group_;
    UniqueFd join_;
};

class RealCgroup1 : public RealCgroup {};
class RealCgroup2 : public RealCgroup {};
INSTANTIATE_TEST_SUITE_P(Only, RealCgroup1, ::testing::Values(CgroupVersion::kV1));
INSTANTIATE_TEST_SUITE_P(Only, RealCgroup2, ::testing::Values(CgroupVersion::kV2));
INSTANTIATE_TEST_SUITE_P(Versions, RealCgroup,
                         ::testing::Values(CgroupVersion::kV2, CgroupVersion::kV1),
                         [](const auto& info) {
                             return info.param == CgroupVersion::kV2 ? "V2" : "V1";
                         });

TEST_P(RealCgroup, LeavesNothingBehindAfterAProbe) {
    EXPECT_FALSE(fs::exists(fmt::format("{}/zona-probe-{}", hierarchy_.own_directory, ::getpid())));
    EXPECT_TRUE(features_.kill || features_.freeze);
}

TEST_P(RealCgroup, HoldsAChildFromItsFirstInstruction) {
    ForkTree tree(Shape::kGroup, inside());
    ASSERT_TRUE(tree.wait_ready());

    EXPECT_EQ(group_->members()->size(), 3U);
    EXPECT_TRUE(*group_->contains(proc_, tree.main()));
    EXPECT_FALSE(*group_->contains(proc_, ::getpid()));
    EXPECT_TRUE(*group_->populated());
}

TEST_P(RealCgroup, DoesNotCountAZombie) {
    ForkTree tree(Shape::kSleeper, inside());
    ASSERT_TRUE(tree.wait_ready());
    ASSERT_TRUE(send_signal(tree.main(), SIGKILL));
    tree.wait_main_zombie();

    for (int i = 0; i < 100 && *group_->populated(); ++i)
        ::usleep(1000);
    EXPECT_FALSE(*group_->populated());
    EXPECT_TRUE(group_->members()->empty());
}

// PM-17
TEST_P(RealCgroup, SignalsEveryMemberWhateverItsSession) {
    ForkTree tree(Shape::kDaemon, inside());
    ASSERT_TRUE(tree.wait_ready());

    EXPECT_EQ(*group_->signal(proc_, SIGUSR1), 2U);

    EXPECT_TRUE(tree.wait_all_dead());
}

// PM-03
TEST_P(RealCgroup, EndsEveryShapeOfTree) {
    for (const Shape shape :
         {Shape::kDaemon, Shape::kScrubbed, Shape::kErased, Shape::kChain, Shape::kStorm}) {
        ForkTree tree(shape, inside());
        ASSERT_TRUE(tree.wait_ready());

        EXPECT_TRUE(kill_all()) << static_cast<int>(shape);
        EXPECT_TRUE(tree.wait_all_dead(std::chrono::seconds(1))) << static_cast<int>(shape);
        EXPECT_FALSE(*group_->populated());
    }
}

// PM-03
TEST_P(RealCgroup, EndsProcessesInGroupsThatTheyMadeThemselves) {
    auto inner = CgroupDir::create(hierarchy_, fmt::format("zona-test-{}/inner", ::getpid()));
    ASSERT_TRUE(inner);
    ForkTree tree(Shape::kDaemon, inside());
    ASSERT_TRUE(tree.wait_ready());
    ASSERT_TRUE(move_to_cgroup(inner->directory(), tree.second()));

    EXPECT_EQ(group_->members()->size(), 2U);
    EXPECT_TRUE(*group_->contains(proc_, tree.second()));
    EXPECT_TRUE(kill_all());

    EXPECT_TRUE(tree.wait_all_dead(std::chrono::seconds(1)));
}

// PM-04
TEST_P(RealCgroup, TakesTheNextRunAfterAKill) {
    for (int run = 0; run < 3; ++run) {
        ForkTree tree(Shape::kDaemon, inside());
        ASSERT_TRUE(tree.wait_ready()) << run;
        EXPECT_TRUE(*group_->contains(proc_, tree.main()));
        ASSERT_TRUE(kill_all());
        ASSERT_TRUE(tree.wait_all_dead());
    }
}

TEST_P(RealCgroup2, IsNotPristineOnceItWasFoundOrKilled) {
    EXPECT_TRUE(group_->pristine());
    EXPECT_FALSE(
        CgroupDir::create(hierarchy_, fmt::format("zona-test-{}", ::getpid()))->pristine());
    ForkTree tree(Shape::kSleeper, inside());
    ASSERT_TRUE(tree.wait_ready());
    EXPECT_EQ(group_->renew().error().code(), core::Code::kConflict);

    ASSERT_TRUE(kill_all());

    EXPECT_FALSE(group_->pristine());
    EXPECT_TRUE(group_->renew());
    EXPECT_TRUE(group_->pristine());
}

TEST_P(RealCgroup, RefusesToRemoveAGroupThatIsInUse) {
    ForkTree tree(Shape::kSleeper, inside());
    ASSERT_TRUE(tree.wait_ready());

    const auto removed = group_->remove();

    ASSERT_FALSE(removed);
    EXPECT_EQ(removed.error().code(), core::Code::kConflict);
}

TEST_P(RealCgroup, KeepsNothingOpenBetweenRuns) {
    const auto open_files = [] {
        return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
    };
    group_->close_directory();
    join_.reset();
    const auto before = open_files();
    {
        ForkTree tree(Shape::kSleeper, inside());
        ASSERT_TRUE(tree.wait_ready());
        ASSERT_TRUE(*group_->populated());
        ASSERT_FALSE(group_->members()->empty());
        EXPECT_TRUE(kill_all());
    }
    const auto again = CgroupDir::find(hierarchy_, group_->path());
    ASSERT_TRUE(again && *again);
    EXPECT_FALSE(*(*again)->populated());

    group_->close_directory();
    join_.reset();
    EXPECT_EQ(open_files(), before);
}

// PM-03
TEST_P(RealCgroup1, NeverLeavesAGroupFrozen) {
    ForkTree tree(Shape::kStorm, inside());
    ASSERT_TRUE(tree.wait_ready());
    {
        auto other = CgroupDir::find(hierarchy_, group_->path());
        ASSERT_TRUE(other && *other);
        ASSERT_TRUE((*other)->kill_step(proc_));
    }
    EXPECT_EQ(read_file(group_->directory() + "/freezer.state")->substr(0, 6), "THAWED");
    EXPECT_TRUE(kill_all());
}

TEST_P(RealCgroup, IsEmptyWhenSomebodyElseRemovedIt) {
    ASSERT_FALSE(*group_->populated());
    fs::remove(group_->directory());

    EXPECT_FALSE(*group_->populated());
    EXPECT_TRUE(group_->members()->empty());
    EXPECT_TRUE(group_->remove());
}

}  // namespace
}  // namespace zona::os
