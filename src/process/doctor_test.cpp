#include "process/doctor.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

namespace zona::process {
namespace {

namespace fs = std::filesystem;

class DoctorTest : public ::testing::Test {
  protected:
    DoctorTest()
        : directory_(fs::temp_directory_path() / fmt::format("zona-doctor-{}", ::getpid())) {
        fs::create_directories(directory_ / "proc/sys/kernel");
        fs::create_directories(directory_ / "proc/sys/fs/inotify");
        fs::create_directories(directory_ / "proc/self");
        fs::create_directories(directory_ / "bin");
        write("proc/self/mountinfo", "");
        write("proc/self/cgroup", "");
        write("proc/sys/kernel/pid_max", "4194304\n");
        write("proc/sys/fs/pipe-user-pages-soft", "16384\n");
        write("proc/sys/fs/inotify/max_user_instances", "128\n");
        write("proc/sys/fs/inotify/max_user_watches", "65536\n");
    }
    ~DoctorTest() override { fs::remove_all(directory_); }

    void write(const std::string& name, const std::string& text) const {
        std::ofstream(directory_ / name) << text;
    }
    std::vector<HostCheck> examine() const {
        const auto containment = Containment::open(
            {.home = "/h", .proc_root = directory_ / "proc", .cgroup_root = directory_ / "cgroup"});
        return examine_host(**containment, {.home = directory_,
                                            .search_path = directory_ / "bin",
                                            .docker_sockets = {directory_ / "docker.sock"},
                                            .cgroup_root = directory_ / "cgroup"});
    }
    HostCheck find(const std::string& name) const {
        for (const HostCheck& check : examine()) {
            if (check.name == name) return check;
        }
        return {.name = "none"};
    }

    fs::path directory_;
};

TEST_F(DoctorTest, NamesEveryCheckOnceAndGivesACureForWhatIsNotOk) {
    std::set<std::string> names;

    for (const HostCheck& check : examine()) {
        EXPECT_TRUE(names.insert(check.name).second) << check.name;
        EXPECT_FALSE(check.detail.empty()) << check.name;
        EXPECT_EQ(check.cure.empty(), check.status == CheckStatus::kOk) << check.name;
    }

    for (const char* expected : {"kernel",
                                 "pidfd",
                                 "clone3",
                                 "subreaper",
                                 "cgroup v2",
                                 "cgroup v1 freezer",
                                 "containment",
                                 "user namespaces",
                                 "pid namespaces",
                                 "seccomp",
                                 "file descriptors",
                                 "processes",
                                 "pipe buffers",
                                 "inotify",
                                 "home",
                                 "python3",
                                 "node",
                                 "bash",
                                 "docker",
                                 "exit codes of foreign processes"}) {
        EXPECT_TRUE(names.contains(expected)) << expected;
    }
}

TEST_F(DoctorTest, SaysWhyContainmentIsNotGuaranteed) {
    const HostCheck check = find("containment");

    EXPECT_EQ(check.status, CheckStatus::kDegraded);
    EXPECT_NE(check.detail.find("tier sweep"), std::string::npos) << check.detail;
    EXPECT_NE(check.cure.find("cgroup v2 is not mounted"), std::string::npos) << check.cure;
    EXPECT_EQ(find("cgroup v2").status, CheckStatus::kMissing);
}

TEST_F(DoctorTest, FindsAnInterpreterOnlyIfItCanBeExecuted) {
    write("bin/python3", "#!/bin/sh\n");
    write("bin/node", "#!/bin/sh\n");
    fs::permissions(directory_ / "bin/python3", fs::perms::owner_all);

    EXPECT_EQ(find("python3").detail, (directory_ / "bin/python3").string());
    EXPECT_EQ(find("python3").status, CheckStatus::kOk);
    EXPECT_EQ(find("node").status, CheckStatus::kMissing);
    EXPECT_NE(find("node").detail.find((directory_ / "bin").string()), std::string::npos);
}

TEST_F(DoctorTest, TellsADockerSocketFromAFileOfItsName) {
    EXPECT_EQ(find("docker").status, CheckStatus::kMissing);
    write("docker.sock", "no socket");
    EXPECT_EQ(find("docker").status, CheckStatus::kMissing);
    fs::remove(directory_ / "docker.sock");
    ASSERT_EQ(::mknod((directory_ / "docker.sock").c_str(), S_IFSOCK | 0600, 0), 0);

    EXPECT_EQ(find("docker").status, CheckStatus::kOk);
}

TEST_F(DoctorTest, WarnsOfLowLimits) {
    write("proc/sys/kernel/pid_max", "1000\n");
    write("proc/sys/fs/inotify/max_user_watches", "10\n");

    EXPECT_EQ(find("processes").status, CheckStatus::kDegraded);
    EXPECT_NE(find("processes").detail.find("1000"), std::string::npos);
    EXPECT_EQ(find("inotify").status, CheckStatus::kDegraded);
    EXPECT_NE(find("inotify").cure.find("max_user_watches"), std::string::npos);
}

TEST_F(DoctorTest, FindsTheLowestProcessLimitOfTheGroupsAbove) {
    fs::create_directories(directory_ / "cgroup/a/b");
    write("cgroup/a/pids.max", "512\n");
    write("cgroup/a/b/pids.max", "max\n");
    write("proc/self/mountinfo", "25 22 0:22 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    write("proc/self/cgroup", "0::/a/b\n");

    const HostCheck check = find("processes");

    EXPECT_EQ(check.status, CheckStatus::kDegraded);
    EXPECT_NE(check.detail.find("pids.max 512"), std::string::npos) << check.detail;
    EXPECT_NE(check.cure.find("TasksMax"), std::string::npos);
}

TEST_F(DoctorTest, SaysWhatHoldsTheHomeAndWhenItIsNotThere) {
    const HostCheck there = find("home");
    EXPECT_NE(there.detail.find("GiB free"), std::string::npos);

    const auto containment = Containment::open({.tier = TierChoice::kSweep, .home = "/h"});
    const auto checks = examine_host(**containment, {.home = "/nonexistent/home"});
    const auto home = std::ranges::find(checks, std::string("home"), &HostCheck::name);
    EXPECT_EQ(home->status, CheckStatus::kMissing);
    EXPECT_NE(home->detail.find("/nonexistent/home"), std::string::npos);
}

TEST(CheckStatus, HasTheNamesOfTheWire) {
    EXPECT_EQ(to_string(CheckStatus::kOk), "ok");
    EXPECT_EQ(to_string(CheckStatus::kDegraded), "degraded");
    EXPECT_EQ(to_string(CheckStatus::kMissing), "missing");
}

}  // namespace
}  // namespace zona::process
