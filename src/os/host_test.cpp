#include "os/host.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace zona::os {
namespace {

TEST(KernelVersion, IsReadFromTheFormsOfDistributions) {
    EXPECT_EQ(parse_kernel_version("6.1.0-18-amd64").major, 6);
    EXPECT_EQ(parse_kernel_version("6.1.0-18-amd64").minor, 1);
    EXPECT_EQ(parse_kernel_version("5.15.153.1-microsoft-standard-WSL2").minor, 15);
    EXPECT_EQ(parse_kernel_version("6.12-rc3").minor, 12);
}

TEST(KernelVersion, IsZeroForWhatIsNoVersion) {
    EXPECT_EQ(parse_kernel_version("").major, 0);
    EXPECT_EQ(parse_kernel_version("linux").major, 0);
    EXPECT_EQ(parse_kernel_version("6").major, 0);
}

TEST(KernelVersion, ComparesNumbersNotText) {
    EXPECT_LT(parse_kernel_version("5.9"), parse_kernel_version("5.10"));
    EXPECT_LT(parse_kernel_version("5.19"), parse_kernel_version("6.1"));
}

TEST(HostSupport, FindsWhatEverySupportedKernelHas) {
    EXPECT_EQ(pidfd_support(), Support::kPresent);
    EXPECT_EQ(subreaper_support(), Support::kPresent);
    EXPECT_GE(kernel_version().major, 5);
}

TEST(HostSupport, LeavesNoChildBehindAfterTryingNamespaces) {
    (void)user_namespace_support();
    (void)pid_namespace_support();
    (void)seccomp_support();

    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG | __WALL), -1);
}

TEST(FileSystemFacts, AreThoseOfThePath) {
    const auto proc = file_system_facts("/proc/self");
    const auto missing = file_system_facts("/nonexistent/x");

    ASSERT_TRUE(proc);
    EXPECT_EQ(proc->type, "0x9fa0");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code(), core::Code::kNotFound);
}

TEST(HostState, IsThatOfThisHost) {
    const auto proc = ProcFs::open();
    ASSERT_TRUE(proc.has_value());

    const auto state = host_state(*proc);

    ASSERT_TRUE(state.has_value()) << state.error().message();
    EXPECT_GT(state->uptime.count(), 0);
    EXPECT_GE(state->load[0], 0);
    EXPECT_GE(state->memory_total, state->memory_available);
    EXPECT_GT(state->memory_available.bytes(), 0);
}

TEST(HostState, IsNotMadeUpWhereProcSaysLess) {
    const auto proc = ProcFs::open(ZONA_SOURCE_DIR "/tests/fixtures/proc/odd");
    ASSERT_TRUE(proc.has_value());

    EXPECT_FALSE(host_state(*proc).has_value());
}

TEST(ParseNumbers, StopsAtWhatIsNone) {
    EXPECT_EQ(parse_numbers("0.12 0.30 7 2/345 99", 5), (std::vector<double>{0.12, 0.3, 7, 2}));
    EXPECT_TRUE(parse_numbers("none", 3).empty());
    EXPECT_TRUE(parse_numbers("", 3).empty());
}

TEST(OwnLimit, TellsANumberFromUnlimited) {
    const SoftAndHard files = own_limit(RLIMIT_NOFILE);

    ASSERT_TRUE(files.soft);
    EXPECT_GT(*files.soft, 0U);
    EXPECT_LE(*files.soft, files.hard.value_or(~0ULL));
}

TEST(FindInPath, TakesTheFirstThatCanBeExecuted) {
    EXPECT_EQ(find_in_path("sh", "/nonexistent:/bin:/usr/bin"), "/bin/sh");
    EXPECT_EQ(find_in_path("passwd", "/etc"), std::nullopt);
    EXPECT_EQ(find_in_path("etc", "/"), std::nullopt);
    EXPECT_EQ(find_in_path("no-such-program", "/bin:/usr/bin"), std::nullopt);
}

}  // namespace
}  // namespace zona::os
