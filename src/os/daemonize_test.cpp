#include "os/daemonize.h"

#include <array>
#include <csignal>
#include <cstdint>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/terminal.h"

namespace zona::os {
namespace {

/// Everything that the daemon writes to its ready pipe, until it closes it.
std::string read_all(const UniqueFd& fd) {
    std::string text;
    std::array<std::byte, 4096> buffer;
    while (true) {
        const auto size = read_some(fd.get(), buffer);
        if (!size || size->value_or(0) == 0) return text;
        text.append(reinterpret_cast<const char*>(buffer.data()), **size);
    }
}

core::Result<UniqueFd> start_shell(const std::string& script) {
    return start_daemon({"/bin/sh", {"sh", "-c", script}, {"ONLY=this"}});
}

// PM-57
TEST(StartDaemon, GivesTheProgramASessionOfItsOwnAndTheRootDirectory) {
    auto ready = start_shell(
        "{ read -r _ _ _ _ pgid sid tty rest < /proc/$$/stat; pwd; umask; "
        "echo $pgid $sid $tty; } >&3");
    ASSERT_TRUE(ready.has_value()) << ready.error().message();

    const std::string told = read_all(*ready);

    EXPECT_EQ(told.substr(0, told.find('\n')), "/");
    EXPECT_NE(told.find("022"), std::string::npos);
    const std::string ids = told.substr(told.rfind('\n', told.size() - 2) + 1);
    const std::string pgid = ids.substr(0, ids.find(' '));
    EXPECT_EQ(ids, pgid + " " + pgid + " 0\n") << "its own group leads its own session, no tty";
    EXPECT_NE(pgid, std::to_string(getpgrp()));
}

TEST(StartDaemon, LeavesNoDescriptorOpenButTheReadyPipe) {
    const auto leaked = open_file("/dev/zero", O_RDONLY);
    const int inheritable = dup(leaked->get());
    ASSERT_GT(inheritable, 2);

    auto ready = start_shell("readlink /proc/$$/fd/0 /proc/$$/fd/2 >&3; exec ls /proc/self/fd >&3");
    close(inheritable);

    ASSERT_TRUE(ready.has_value());
    EXPECT_EQ(read_all(*ready), "/dev/null\n/dev/null\n0\n1\n2\n3\n4\n") << "4 is ls's own";
}

TEST(StartDaemon, GivesDefaultSignalsAndOnlyTheGivenEnvironment) {
    const auto before = signal(SIGHUP, SIG_IGN);
    // One of the two that libc keeps for itself: only the system call can set it.
    constexpr int kLibcSignal = 33;
    constexpr std::array<std::uintptr_t, 4> kIgnored = {1, 0, 0, 0};
    std::array<std::uintptr_t, 4> own = {};
    ASSERT_EQ(syscall(SYS_rt_sigaction, kLibcSignal, kIgnored.data(), own.data(), 8UL), 0);
    auto ready = start_shell("grep -E 'Sig(Blk|Ign)' /proc/self/status >&3; env >&3");
    signal(SIGHUP, before);
    syscall(SYS_rt_sigaction, kLibcSignal, own.data(), nullptr, 8UL);

    ASSERT_TRUE(ready.has_value());
    const std::string told = read_all(*ready);
    EXPECT_NE(told.find("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"),
              std::string::npos)
        << told;
    EXPECT_NE(told.find("ONLY=this\n"), std::string::npos);
    EXPECT_EQ(told.find("HOME="), std::string::npos);
}

TEST(StartDaemon, NamesTheProgramThatCannotBeExecuted) {
    const auto ready = start_daemon({"/nonexistent/zona-keeper", {"zona-keeper"}, {}});

    ASSERT_FALSE(ready.has_value());
    EXPECT_EQ(ready.error().code(), core::Code::kNotFound);
    EXPECT_NE(ready.error().message().find("/nonexistent/zona-keeper"), std::string::npos);
}

TEST(StartDaemon, EndOfFileTellsThatTheProgramDied) {
    auto ready = start_shell("exit 3");

    ASSERT_TRUE(ready.has_value());
    EXPECT_EQ(read_all(*ready), "");
}

}  // namespace
}  // namespace zona::os
