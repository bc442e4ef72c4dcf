#include "os/resources.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <stdlib.h>

namespace zona::os {
namespace {

std::string cgroup_with(const std::string& cpu_max) {
    std::string pattern = testing::TempDir() + "zona-cpu-XXXXXX";
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    std::ofstream(pattern + "/cpu.max") << cpu_max;
    return pattern;
}

TEST(UsableCpus, CountTheQuotaRoundedUp) {
    const std::string root = cgroup_with("50000 100000\n");

    EXPECT_EQ(usable_cpus(root), 1);
    std::filesystem::remove_all(root);
}

TEST(UsableCpus, AreThoseOfTheAffinityWithoutAQuota) {
    const std::string root = cgroup_with("max 100000\n");

    EXPECT_EQ(usable_cpus(root), usable_cpus("/nowhere"));
    EXPECT_GE(usable_cpus(root), 1);
    std::filesystem::remove_all(root);
}

}  // namespace
}  // namespace zona::os
