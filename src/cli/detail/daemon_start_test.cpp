#include "cli/detail/daemon_start.h"

#include <array>

#include <gtest/gtest.h>

namespace zona::cli {
namespace {

using Entries = std::vector<std::string>;

TEST(DaemonEnvironment, KeepsWhatADaemonNeedsAndNothingElse) {
    const std::array given = {std::string("PATH=/bin"),        std::string("HOME=/h"),
                              std::string("SECRET=x"),         std::string("LC_TIME=C"),
                              std::string("LANG=C"),           std::string("TZ=UTC"),
                              std::string("USER=u"),           std::string("ZONA_PROFILE=staging"),
                              std::string("SSH_AUTH_SOCK=/s"), std::string("LANGUAGE=de"),
                              std::string("LD_PRELOAD=/x.so"), std::string("nonsense")};

    EXPECT_EQ(daemon_environment(given), (Entries{"PATH=/bin", "HOME=/h", "LC_TIME=C", "LANG=C",
                                                  "TZ=UTC", "USER=u", "ZONA_PROFILE=staging"}));
}

TEST(DaemonEnvironment, HasAPathInAnyCase) {
    EXPECT_EQ(daemon_environment({}),
              Entries{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"});
}

TEST(ReadyLine, OkIsStarted) {
    EXPECT_EQ(read_ready_line("ok", "/h").value(), DaemonStart::kStarted);
}

TEST(ReadyLine, ConflictMeansThatAnotherRuns) {
    EXPECT_EQ(read_ready_line(R"({"code":"CONFLICT","message":"already running"})", "/h").value(),
              DaemonStart::kAlreadyRunning);
}

TEST(ReadyLine, ErrorIsPassedOnWithItsHint) {
    const auto result = read_ready_line(
        R"({"code":"FORBIDDEN","message":"/h belongs to root","hint":"use --home"})", "/h");

    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code(), core::Code::kForbidden);
    EXPECT_EQ(result.error().message(), "/h belongs to root");
    EXPECT_EQ(result.error().details().at(0).hint, "use --home");
}

TEST(ReadyLine, NoneMeansThatTheKeeperDied) {
    const auto result = read_ready_line("", "/h");

    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code(), core::Code::kUnavailable);
    EXPECT_EQ(result.error().message(),
              "zona-keeper ended before it was ready, see /h/logs/keeper.log");
}

TEST(ReadyLine, NonsenseIsABug) {
    EXPECT_EQ(read_ready_line("hello", "/h").error().code(), core::Code::kInternal);
}

TEST(FindKeeper, NamesBothPlacesWhenItIsInNone) {
    const auto found = find_keeper("/nonexistent/bin/zona");

    ASSERT_FALSE(found.has_value());
    EXPECT_EQ(found.error().details().at(0).problem,
              "looked for /nonexistent/bin/zona-keeper and "
              "/nonexistent/bin/../libexec/zona/zona-keeper");
}

}  // namespace
}  // namespace zona::cli
