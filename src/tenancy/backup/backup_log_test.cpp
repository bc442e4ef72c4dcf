// The log beside a whole backup, and restores to a moment by it.
#include <sys/stat.h>

#include "core/time_format.h"
#include "tenancy/detail/whole_parts.h"
#include "tenancy/testing/platform.h"

namespace zona::tenancy {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

class LogTest : public OperationsTest {
  protected:
    /// A whole backup, then a minute's change and a link, twice; the moments after each.
    void fill_and_log() {
        fill();
        whole_ = operations().back_up_all().value();
        pass();
        for (const char* text : {"first minute", "second minute"}) {
            ASSERT_TRUE(platform_.put("acme", 1, text).has_value());
            ASSERT_TRUE(platform_.put("acme", 10 + static_cast<int>(moments_.size()), text));
            pass();
            const auto logged = operations().log_changes();
            ASSERT_TRUE(logged.has_value()) << logged.error().message();
            moments_.push_back(platform_.clock.system());
            pass();
        }
        ASSERT_TRUE(platform_.put("acme", 1, "never logged").has_value());
    }
    void pass() { platform_.clock.advance(minutes(1)); }
    Result<BackupSummary> restore_at(core::SystemTime at, const std::string& backup = {}) {
        return operations().restore(
            {.tenant = "acme", .backup = backup, .existing = Existing::kReplace, .at = at});
    }
    std::string name() const {
        return GetParam() == BuildType::kMssp ? "acme" : std::string(kSharedImage);
    }
    std::string image() const { return whole_.directory + "/" + name() + ".zbk"; }
    std::string first_text() { return platform_.texts("acme").at(0); }

    WholeBackup whole_;
    std::vector<core::SystemTime> moments_;
};

class SeparateLogTest : public LogTest {};

// REL-07, TEN-41
TEST_P(LogTest, TenantIsRestoredAsItWasAtAChosenMinute) {
    fill_and_log();
    EXPECT_EQ(log_files(image())->size(), 2U);

    const auto second = restore_at(moments_[1]);
    ASSERT_TRUE(second.has_value()) << second.error().message();
    EXPECT_EQ(first_text(), "second minute");
    EXPECT_EQ(second->documents, 5U);
    ASSERT_TRUE(second->restored_to.has_value());
    EXPECT_LE(*second->restored_to, moments_[1]);
    const auto first = restore_at(moments_[0] + milliseconds(1));
    ASSERT_TRUE(first.has_value()) << first.error().message();
    EXPECT_EQ(platform_.texts("acme"),
              (std::vector<std::string>{"first minute", "secret of acme 2", "secret of acme 3",
                                        "first minute"}));
    ASSERT_TRUE(restore_at(whole_.made_at + milliseconds(1)).has_value());
    EXPECT_EQ(platform_.texts("acme"), as_filled());
    EXPECT_EQ(platform_.texts("globex"), std::vector<std::string>{"secret of globex"});
}

// REL-07
TEST_P(LogTest, MomentUntilNowIsLoggedFirst) {
    fill_and_log();
    pass();
    const core::SystemTime now = platform_.clock.system();
    ASSERT_TRUE(platform_.put("acme", 1, "a little later").has_value());

    ASSERT_TRUE(restore_at(now).has_value());

    EXPECT_THAT(first_text(), testing::AnyOf("never logged", "a little later"));
}

// REL-07
TEST_P(LogTest, MomentThatNoLogHasIsRefusedWithTheNearestOnes) {
    fill_and_log();

    const auto before = restore_at(whole_.made_at - minutes(1));
    ASSERT_FALSE(before.has_value());
    EXPECT_THAT(before.error().message(),
                HasSubstr("reach from " + core::to_rfc3339(whole_.made_at)));
    const auto later = restore_at(platform_.clock.system() + minutes(1));
    EXPECT_EQ(later.error().code(), Code::kInvalidArgument);
    EXPECT_EQ(first_text(), "never logged");

    ASSERT_TRUE(operations().remove_whole(whole_.uuid.to_string()).has_value());
    EXPECT_EQ(restore_at(moments_[0]).error().code(), Code::kNotFound);
    EXPECT_FALSE(fs::exists(whole_.directory));
}

// SEC-09, REL-07
TEST_P(LogTest, LinkThatIsMissingOrExchangedIsNamed) {
    fill_and_log();
    const std::string id = whole_.uuid.to_string();
    const std::string first = link_file(image(), 1);
    const std::string second = link_file(image(), 2);
    ASSERT_TRUE(operations().verify_all(id).has_value());

    fs::rename(first, first + ".away");
    EXPECT_THAT(restore_at(moments_[1]).error().message(), HasSubstr("link 1 of a log is missing"));
    EXPECT_FALSE(operations().verify_all(id).has_value());
    // In the place of the other, it is of another number.
    fs::copy_file(second, first);
    EXPECT_THAT(restore_at(moments_[1]).error().message(), HasSubstr("link 1"));
    EXPECT_FALSE(operations().verify_all(id).has_value());
    fs::rename(first + ".away", first);
    fs::rename(second, second + ".away");
    EXPECT_THAT(restore_at(moments_[1]).error().message(), HasSubstr("link 2"));
    EXPECT_FALSE(operations().verify_all(id).has_value());
    std::string bytes = content_of(second + ".away");
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    std::ofstream(second, std::ios::binary) << bytes;
    EXPECT_EQ(restore_at(moments_[1]).error().code(), Code::kConflict);
    EXPECT_EQ(first_text(), "never logged");
    fs::rename(second + ".away", second);

    EXPECT_TRUE(restore_at(moments_[1]).has_value());
    EXPECT_EQ(first_text(), "second minute");
}

// REL-07, REL-16
TEST_P(LogTest, LogGoesOnAfterAStartWithWhatChangedInBetween) {
    fill_and_log();
    platform_.close();
    ASSERT_TRUE(platform_.open().has_value());
    pass();
    const core::SystemTime after_start = platform_.clock.system();
    const auto report = operations().log_changes();
    ASSERT_TRUE(report.has_value()) << report.error().message();
    EXPECT_GE(report->written, 1U);
    pass();
    ASSERT_TRUE(platform_.put("acme", 1, "after the start").has_value());
    pass();
    ASSERT_TRUE(operations().log_changes().has_value());
    pass();

    ASSERT_TRUE(restore_at(after_start).has_value());
    EXPECT_EQ(first_text(), "never logged");
    ASSERT_TRUE(restore_at(platform_.clock.system() - minutes(1)).has_value());
    EXPECT_EQ(first_text(), "after the start");
}

// REL-07
TEST_P(LogTest, OnlyPagesThatWereWrittenAreLogged) {
    fill();
    for (int i = 100; i < 600; ++i)
        ASSERT_TRUE(platform_.put("acme", i, std::string(2000, 'x')).has_value());
    whole_ = operations().back_up_all().value();
    ASSERT_TRUE(operations().log_changes().has_value());
    ASSERT_TRUE(platform_.put("acme", 300, "y").has_value());

    const LogReport report = operations().log_changes().value();

    EXPECT_EQ(report.written, 1U);
    EXPECT_LT(report.bytes, 20U * 4096U);
    EXPECT_EQ(operations().log_changes()->written, 0U);
}

// REL-07, SEC-09
TEST_P(LogTest, EverythingIsRestoredAsItWasIntoAFreshHome) {
    fill_and_log();
    ASSERT_TRUE(platform_.create("late").has_value());
    ASSERT_TRUE(platform_.put("late", 1, "secret of late").has_value());
    ASSERT_TRUE(operations().log_changes().has_value());
    pass();
    const core::SystemTime end = operations().whole_backups()->front().until;
    const std::string text = content_of(platform_.folder() + "/root-key");
    for (const auto& [at, first, late] :
         {std::tuple(moments_[0], "first minute", false), std::tuple(end, "never logged", true)}) {
        Platform fresh(make_folder(), GetParam());
        std::ofstream(fresh.folder() + "/root-key") << text;
        fs::permissions(fresh.folder() + "/root-key",
                        fs::perms::owner_read | fs::perms::owner_write);
        const auto restored = restore_whole({.backup = whole_.directory,
                                             .state = fresh.state(),
                                             .root_keys = *fresh.root_keys,
                                             .clock = fresh.clock,
                                             .random = fresh.random,
                                             .log = {},
                                             .at = at},
                                            {});
        ASSERT_TRUE(restored.has_value()) << restored.error().message();
        EXPECT_TRUE(restored->whole.missing.empty());
        EXPECT_EQ(restored->whole.tenants, late ? 4U : 3U);
        ASSERT_TRUE(fresh.open().has_value());
        EXPECT_EQ(fresh.texts("acme").at(0), first);
        EXPECT_EQ(fresh.texts("globex"), std::vector<std::string>{"secret of globex"});
        EXPECT_EQ(fresh.data_of("late").has_value(), late);
        if (late) {
            EXPECT_EQ(fresh.texts("late"), std::vector<std::string>{"secret of late"});
        }
        fresh.close();
        fs::remove_all(fresh.folder());
    }
}

// REL-08, SEC-09
TEST_P(LogTest, RestoreCheckProvesTheLatestBackupAndLeavesNothing) {
    EXPECT_FALSE(operations().check_restore()->has_value());
    fill_and_log();
    const auto checked = operations().check_restore();
    ASSERT_TRUE(checked.has_value()) << checked.error().message();
    EXPECT_EQ((*checked)->uuid, whole_.uuid);
    EXPECT_TRUE(!fs::exists(platform_.state() + "/scratch") ||
                fs::is_empty(platform_.state() + "/scratch"));

    fs::remove(link_file(image(), 1));
    EXPECT_EQ(operations().check_restore().error().code(), Code::kConflict);
    EXPECT_TRUE(fs::is_empty(platform_.state() + "/scratch"));
}

// TEN-11
TEST_P(LogTest, ErasedTenantIsInNoLogAnyMore) {
    fill_and_log();
    ASSERT_TRUE(operations().erase("acme", Backups::kErase).has_value());

    EXPECT_FALSE(fs::exists(image()));
    EXPECT_FALSE(fs::exists(log_directory(image())));
    EXPECT_TRUE(operations().verify_all(whole_.uuid.to_string()).has_value());
    EXPECT_TRUE(operations().log_changes().has_value());
    ASSERT_TRUE(operations().back_up_all().has_value());
    EXPECT_TRUE(operations().log_changes().has_value());
}

// REL-07
TEST_P(SeparateLogTest, LogGoesOnOverARestoreAndKnowsWhatWasBefore) {
    fill_and_log();
    ASSERT_TRUE(restore_at(moments_[0]).has_value());
    pass();
    const auto logged = operations().log_changes();
    ASSERT_TRUE(logged.has_value()) << logged.error().message();
    EXPECT_GE(log_files(image())->size(), 3U);
    pass();
    const core::SystemTime restored = platform_.clock.system() - minutes(1);

    ASSERT_TRUE(restore_at(moments_[1]).has_value());
    EXPECT_EQ(first_text(), "second minute");
    ASSERT_TRUE(restore_at(restored).has_value());
    EXPECT_EQ(first_text(), "first minute");
}

// SEC-04
TEST_P(SeparateLogTest, LinksAreForTheirOwnerAlone) {
    fill_and_log();
    for (std::uint64_t number : {1U, 2U}) {
        struct stat status{};
        ASSERT_EQ(::stat(link_file(image(), number).c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777U, 0600U);
    }
    EXPECT_TRUE(platform_.files_with("second minute").empty());
}

// SEC-09, REL-07
TEST_P(LogTest, CopyInAnotherPlaceIsRestoredToItsMoment) {
    platform_.copy.to = make_folder();
    ASSERT_TRUE(platform_.open().has_value());
    fill_and_log();
    const auto copied = platform_.copies().pass([] { return Result<void>(); });
    ASSERT_TRUE(copied.has_value()) << copied.error().message();
    fs::remove_all(whole_.directory);

    const std::string away = platform_.copy.to + "/_all/" + whole_.uuid.to_string();
    ASSERT_TRUE(operations().verify_all(away).has_value());
    const auto restored = restore_at(moments_[0], away);
    ASSERT_TRUE(restored.has_value()) << restored.error().message();
    EXPECT_EQ(first_text(), "first minute");
    fs::remove_all(platform_.copy.to);
}

INSTANTIATE_TEST_SUITE_P(OneMode, SeparateLogTest, testing::Values(BuildType::kMssp));
INSTANTIATE_TEST_SUITE_P(BothModes, LogTest,
                         testing::Values(BuildType::kMssp, BuildType::kSingleTenant),
                         [](const auto& info) { return std::string(to_string(info.param)); });

}  // namespace
}  // namespace zona::tenancy
