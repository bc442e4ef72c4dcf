// A process that writes, logs and restores dies at any moment: each link is whole, and holds what
// was acknowledged before its moment and nothing of what came after.
#include <thread>

#include "core/time_format.h"
#include "store/testing/child_process.h"
#include "tenancy/detail/whole_parts.h"
#include "tenancy/testing/platform.h"

namespace zona::tenancy {
namespace {

constexpr const char* kHome = "ZONA_TEST_LOG_KILL";
constexpr const char* kStart = "ZONA_TEST_LOG_START";
constexpr const char* kMode = "ZONA_TEST_LOG_MODE";

/// Where the child says what was acknowledged: the number, and the moment before and after.
std::string acknowledged_file(const std::string& folder) {
    return folder + "/acknowledged";
}

struct Acknowledged {
    std::int64_t number = 0;
    std::int64_t before = 0;  ///< nanoseconds
    std::int64_t after = 0;
};

std::vector<Acknowledged> acknowledged_in(const std::string& folder) {
    std::ifstream in(acknowledged_file(folder));
    std::vector<Acknowledged> out;
    Acknowledged one;
    while (in >> one.number >> one.before >> one.after)
        out.push_back(one);
    return out;
}

std::int64_t nanoseconds(core::SystemTime time) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

class LogKill : public OperationsTest {
  protected:
    /// The highest number that acme has.
    std::int64_t last_of_acme() {
        std::int64_t last = 0;
        for (const std::string& text : platform_.texts("acme")) {
            if (!text.starts_with("secret")) last = std::max<std::int64_t>(last, std::stoll(text));
        }
        return last;
    }
};

class LogKilled : public testing::Test {};

ZONA_CHILD_TEST(LogKilled, ChildWritesAndLogs) {
    Platform platform(std::getenv(kHome), parse_build_type(std::getenv(kMode)).value());
    // Time goes on where the one before has died.
    const std::chrono::nanoseconds start(std::stoll(std::getenv(kStart)));
    platform.clock.set_system(core::SystemTime(start));
    ASSERT_TRUE(platform.open().has_value());
    std::ofstream told(acknowledged_file(platform.folder()), std::ios::app);
    std::int64_t number = static_cast<std::int64_t>(acknowledged_in(platform.folder()).size());
    std::atomic<bool> stop = false;
    std::thread logging([&] {
        while (!stop) {
            (void)platform.operations().log_changes();
        }
    });
    for (;; ++number) {
        platform.clock.advance(std::chrono::milliseconds(1));
        const auto before = nanoseconds(platform.clock.system());
        const auto put = platform.put("acme", number % 200, std::to_string(number));
        if (!put) continue;
        const auto after = nanoseconds(platform.clock.system());
        platform.clock.advance(std::chrono::milliseconds(1));
        told << number << ' ' << before << ' ' << after << std::endl;
        if (number % 60 == 59) {
            (void)platform.operations().restore({.tenant = number % 120 == 59 ? "acme" : "globex",
                                                 .backup = {},
                                                 .existing = Existing::kReplace,
                                                 .at = platform.clock.system()});
        }
    }
}

// REL-07, REL-16
TEST_P(LogKill, EachLinkHasWhatWasAcknowledgedBeforeItAndNothingLater) {
    fill();
    const WholeBackup whole = operations().back_up_all().value();
    ASSERT_TRUE(operations().log_changes().has_value());
    const std::string image =
        whole.directory + "/" +
        (GetParam() == BuildType::kMssp ? "acme" : std::string(kSharedImage)) + ".zbk";
    platform_.close();
    std::int64_t start = nanoseconds(platform_.clock.system());
    for (std::size_t round = 0; round < 4; ++round) {
        const std::size_t known = acknowledged_in(platform_.folder()).size();
        const store::ChildProcess child(
            "LogKilled.ChildWritesAndLogs",
            {std::string(kHome) + "=" + platform_.folder(),
             std::string(kMode) + "=" + std::string(to_string(GetParam())),
             std::string(kStart) + "=" + std::to_string(start)});
        // Into the middle of whatever it does then.
        std::size_t wanted = known + 70 + 13 * round;
        // Or while acme is restored itself.
        if (round % 2 == 1) wanted += (180 - wanted % 120) % 120;
        ASSERT_TRUE(
            child.run_until([&] { return acknowledged_in(platform_.folder()).size() >= wanted; }));
        child.kill();
        (void)child.wait();
        start = acknowledged_in(platform_.folder()).back().after + 1'000'000'000;
    }
    platform_.clock.set_system(core::SystemTime(std::chrono::nanoseconds(start)));
    ASSERT_TRUE(platform_.open().has_value());
    ASSERT_TRUE(operations().log_changes().has_value());
    ASSERT_TRUE(operations().verify_all(whole.uuid.to_string()).has_value());
    const auto told = acknowledged_in(platform_.folder());
    const auto links = log_files(image).value();
    ASSERT_GT(links.size(), 4U);
    for (std::size_t i = 0; i < links.size(); i += std::max<std::size_t>(links.size() / 8, 1)) {
        const auto restored = operations().restore({.tenant = "acme",
                                                    .backup = {},
                                                    .existing = Existing::kReplace,
                                                    .at = links[i].moment});
        ASSERT_TRUE(restored.has_value()) << restored.error().message();
        const std::int64_t moment = nanoseconds(links[i].moment);
        std::int64_t least = 0;
        std::int64_t most = 0;
        for (const Acknowledged& one : told) {
            if (one.after < moment) least = one.number;
            if (one.before <= moment) most = one.number + 1;
        }
        const std::int64_t last = last_of_acme();
        EXPECT_GE(last, least) << "link " << links[i].number;
        EXPECT_LE(last, most) << "link " << links[i].number;
    }
}

INSTANTIATE_TEST_SUITE_P(BothModes, LogKill,
                         testing::Values(BuildType::kMssp, BuildType::kSingleTenant),
                         [](const auto& info) { return std::string(to_string(info.param)); });

}  // namespace
}  // namespace zona::tenancy
