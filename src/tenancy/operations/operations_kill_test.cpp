// What a death in the middle of an operation on a whole tenant leaves: the old, or the new.
#include "store/testing/child_process.h"
#include "tenancy/testing/platform.h"

namespace zona::tenancy {
namespace {

constexpr const char* kHome = "ZONA_TEST_OPERATIONS";
constexpr const char* kWhat = "ZONA_TEST_OPERATION";

/// A process that does one operation and is killed at a labelled moment.
class OperationsKill : public OperationsTest {
  protected:
    /// A copy of the platform's folder, in which the child died. Whether it did.
    bool die(const std::string& operation, const std::string& fault, const std::string& folder) {
        fs::remove_all(folder);
        fs::copy(platform_.folder(), folder, fs::copy_options::recursive);
        const std::string type(to_string(GetParam()));
        const store::ChildProcess child(
            "OperationsKilled.ChildDoesOneOperation",
            {std::string(kHome) + "=" + folder, std::string(kWhat) + "=" + type + " " + operation,
             "ZONA_FAULT=" + fault});
        const int status = child.wait();
        const bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        EXPECT_TRUE(died || status == 0) << operation << " " << fault << " " << status;
        return died;
    }
    std::string prepare() {
        fill();
        std::string backup = operations().back_up_tenant("acme").value().uuid.to_string();
        EXPECT_TRUE(platform_.put("acme", 2, "written later").has_value());
        platform_.close();
        return backup;
    }
    static const std::vector<std::string>& as_written_later() {
        static const std::vector<std::string> kTexts = {"secret of acme 1 changed", "written later",
                                                        "secret of acme 3"};
        return kTexts;
    }
    const std::string copied_ = make_folder();
    ~OperationsKill() override { fs::remove_all(copied_); }
};

class OperationsKilled : public testing::Test {};

ZONA_CHILD_TEST(OperationsKilled, ChildDoesOneOperation) {
    const std::string what = std::getenv(kWhat);
    const auto word = what.find(' ');
    Platform platform(std::getenv(kHome), parse_build_type(what.substr(0, word)).value());
    ASSERT_TRUE(platform.open().has_value());
    const std::string operation = what.substr(word + 1);
    if (operation == "backup") {
        ASSERT_TRUE(platform.operations().back_up_tenant("acme").has_value());
    } else if (operation == "whole") {
        ASSERT_TRUE(platform.operations().back_up_all().has_value());
    } else if (operation == "erase") {
        ASSERT_TRUE(platform.operations().erase("acme", Backups::kErase).has_value());
    } else {
        ASSERT_TRUE(
            platform.operations()
                .restore({.tenant = "acme", .backup = operation, .existing = Existing::kReplace})
                .has_value());
    }
}

// TEN-41, REL-16
TEST_P(OperationsKill, RestoreLeavesTheOldOrTheNew) {
    const std::string backup = prepare();
    const bool own = GetParam() == BuildType::kMssp;
    const std::vector<std::pair<std::string, bool>> faults =
        own ? std::vector<std::pair<std::string, bool>>{{"tenancy.restore_filled:1", false},
                                                        {"tenancy.restore_switched:1", true},
                                                        {"tenancy.old_removed:1", true}}
            : std::vector<std::pair<std::string, bool>>{{"tenancy.restore_shared:1", false}};
    for (const auto& [fault, is_new] : faults) {
        ASSERT_TRUE(die(backup, fault, copied_)) << fault;

        Platform after(copied_, GetParam());
        const auto opened = after.open();
        ASSERT_TRUE(opened.has_value()) << fault << opened.error().message();

        EXPECT_EQ(after.texts("acme"), is_new ? as_filled() : as_written_later()) << fault;
        EXPECT_EQ(after.texts("globex"), std::vector<std::string>{"secret of globex"});
        EXPECT_TRUE(after.operations().check()->findings.empty());
        const auto again = after.operations().restore(
            {.tenant = "acme", .backup = backup, .existing = Existing::kReplace});
        EXPECT_TRUE(again.has_value()) << again.error().message();
        EXPECT_EQ(after.texts("acme"), as_filled());
        if (!own) continue;
        std::size_t databases = 0;
        for (const std::string& file : after.files()) {
            if (file.starts_with("state/tenants/acme/") && file.ends_with("data.db")) ++databases;
        }
        EXPECT_EQ(databases, 1U) << fault;
    }
}

// TEN-41
TEST_P(OperationsKill, BackupIsWholeOrIsNone) {
    prepare();
    for (const std::string operation : {"backup", "whole"}) {
        for (const std::string fault : {"tenancy.backup_written:1", "tenancy.backup_named:1",
                                        "tenancy.backup_written:3", "tenancy.whole_written:1"}) {
            const bool dies = die(operation, fault, copied_);
            Platform after(copied_, GetParam());
            ASSERT_TRUE(after.open().has_value());

            for (const BackupRecord& record : after.operations().backups("acme").value()) {
                EXPECT_TRUE(after.operations().verify("acme", record.uuid.to_string()).has_value());
            }
            if (dies) {
                EXPECT_TRUE(after.operations().whole_backups()->empty()) << fault;
            }
            for (const std::string& file : after.files())
                EXPECT_EQ(file.find(".tmp"), std::string::npos) << fault << " " << file;
        }
    }
}

// TEN-11
TEST_P(OperationsKill, EraseGoesOnWhereItWas) {
    prepare();
    std::vector<std::string> faults = {"tenancy.erase_begun:1", "tenancy.erase_documents:1",
                                       "tenancy.erase_backups:1", "tenancy.erase_forgotten:1"};
    if (GetParam() == BuildType::kSingleTenant) faults.emplace_back("tenancy.some_removed:1");
    for (const std::string& fault : faults) {
        ASSERT_TRUE(die("erase", fault, copied_)) << fault;

        Platform after(copied_, GetParam());
        ASSERT_TRUE(after.open().has_value()) << fault;

        const auto record = Platform::wait<Tenant>(
            [&](auto done) { after.tenants().find("acme", std::move(done)); });
        EXPECT_TRUE(record->erased_at.has_value()) << fault;
        EXPECT_FALSE(after.tenants().parts()->files->find_keys("acme").has_value()) << fault;
        for (const std::string& file : after.files())
            EXPECT_EQ(file.find("acme"), std::string::npos) << fault << " " << file;
        EXPECT_EQ(after.texts("globex"), std::vector<std::string>{"secret of globex"});
    }
}

INSTANTIATE_TEST_SUITE_P(BothModes, OperationsKill,
                         testing::Values(BuildType::kMssp, BuildType::kSingleTenant),
                         [](const auto& info) { return std::string(to_string(info.param)); });

}  // namespace
}  // namespace zona::tenancy
