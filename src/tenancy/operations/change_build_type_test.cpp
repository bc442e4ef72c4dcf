// Another build type: what tenants have goes from a database of each to one of all, and back.
#include "tenancy/operations/change_build_type.h"

#include "store/testing/child_process.h"
#include "tenancy/testing/platform.h"

namespace zona::tenancy {
namespace {

using testing::ElementsAre;

constexpr const char* kHome = "ZONA_TEST_BUILD_TYPE";
constexpr const char* kTo = "ZONA_TEST_BUILD_TYPE_TO";

BuildType other(BuildType type) {
    return type == BuildType::kMssp ? BuildType::kSingleTenant : BuildType::kMssp;
}

class ChangeBuildType : public OperationsTest {
  protected:
    Result<void> open_as(BuildType type) {
        platform_.set_type(type);
        return platform_.open();
    }
    Result<BuildTypeRecord> ask(BuildType type) { return operations().ask_for(type); }
    /// What the tenants have, whoever keeps it.
    void expect_filled(Platform& platform) {
        EXPECT_EQ(platform.texts("acme"), as_filled());
        EXPECT_THAT(platform.texts("globex"), ElementsAre("secret of globex"));
    }
    bool has_files_of(BuildType type) const {
        const std::string folder = platform_.state() + "/tenants/";
        return type == BuildType::kMssp ? fs::exists(folder + "acme")
                                        : fs::exists(folder + "shared.db");
    }
    const BuildType from_ = GetParam();
    const BuildType to_ = other(GetParam());
};

// TEN-01
TEST_P(ChangeBuildType, ASettingAloneMovesNothing) {
    fill();

    const auto refused = open_as(to_);

    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), Code::kConflict);
    ASSERT_FALSE(refused.error().details().empty());
    EXPECT_THAT(refused.error().details().front().hint, HasSubstr("zona store migrate"));
    ASSERT_TRUE(open_as(from_).has_value());
    expect_filled(platform_);
}

// TEN-01, TEN-41
TEST_P(ChangeBuildType, TakesAllThatTenantsHaveThereAndBack) {
    fill();
    ASSERT_TRUE(platform_.create("suspended").has_value());
    ASSERT_TRUE(platform_.put("suspended", 1, "kept").has_value());
    ASSERT_TRUE(Platform::wait<Tenant>([&](auto done) {
                    platform_.tenants().set_status("suspended", TenantStatus::kSuspended,
                                                   std::move(done));
                }).has_value());
    ASSERT_TRUE(platform_.create("gone").has_value());
    ASSERT_TRUE(platform_.put("gone", 1, "erased").has_value());
    ASSERT_TRUE(operations().erase("gone", Backups::kErase).has_value());
    const std::vector<Record> before = platform_.records("acme").value();

    const auto asked = ask(to_);
    ASSERT_TRUE(asked.has_value());
    EXPECT_EQ(asked->asked, to_);
    const auto changed = open_as(to_);

    ASSERT_TRUE(changed.has_value()) << changed.error().message();
    expect_filled(platform_);
    const std::vector<Record> after = platform_.records("acme").value();
    ASSERT_EQ(after.size(), before.size());
    for (std::size_t i = 0; i < after.size(); ++i) {
        EXPECT_EQ(after[i].version, before[i].version);
        EXPECT_EQ(after[i].created, before[i].created);
    }
    EXPECT_TRUE(has_files_of(to_));
    EXPECT_FALSE(has_files_of(from_)) << "what was left of the former type";
    EXPECT_TRUE(platform_.files_with("secret of acme").empty());
    ASSERT_TRUE(platform_.put("acme", 4, "later").has_value());
    ASSERT_TRUE(Platform::wait<Tenant>([&](auto done) {
                    platform_.tenants().set_status("suspended", TenantStatus::kActive,
                                                   std::move(done));
                }).has_value());
    EXPECT_THAT(platform_.texts("suspended"), ElementsAre("kept"));

    ASSERT_TRUE(open_as(to_).has_value()) << "again, as ever";
    ASSERT_TRUE(ask(from_).has_value());
    ASSERT_TRUE(open_as(from_).has_value());
    EXPECT_EQ(platform_.texts("acme").size(), 4U);
    EXPECT_FALSE(has_files_of(to_));
}

// TEN-01
TEST_P(ChangeBuildType, AWishIsTakenBack) {
    fill();
    ASSERT_TRUE(ask(to_).has_value());

    const auto back = ask(from_);

    ASSERT_TRUE(back.has_value());
    EXPECT_FALSE(back->asked.has_value());
    EXPECT_EQ(open_as(to_).error().code(), Code::kConflict);
    ASSERT_TRUE(open_as(from_).has_value());
    expect_filled(platform_);
}

// TEN-01, TEN-11
TEST_P(ChangeBuildType, BackupsOfBeforeAreRestoredAfterIt) {
    fill();
    const std::string backup = operations().back_up_tenant("acme").value().uuid.to_string();
    ASSERT_TRUE(ask(to_).has_value());
    ASSERT_TRUE(open_as(to_).has_value());
    ASSERT_TRUE(platform_.put("acme", 1, "changed since").has_value());

    const auto restored = restore(backup, Existing::kReplace);

    ASSERT_TRUE(restored.has_value()) << restored.error().message();
    expect_filled(platform_);
}

TEST_P(ChangeBuildType, EndsSoonWhenZonaStops) {
    fill();
    ASSERT_TRUE(ask(to_).has_value());
    platform_.set_type(to_);
    platform_.stop_at_open = true;

    EXPECT_EQ(platform_.open().error().code(), Code::kCancelled);

    platform_.stop_at_open = false;
    ASSERT_TRUE(open_as(from_).has_value());
    expect_filled(platform_);
}

class ChangeBuildTypeKilled : public testing::Test {};

ZONA_CHILD_TEST(ChangeBuildTypeKilled, ChildChangesIt) {
    Platform platform(std::getenv(kHome), parse_build_type(std::getenv(kTo)).value());
    ASSERT_TRUE(platform.open().has_value());
}

// TEN-01, REL-20
TEST_P(ChangeBuildType, WhoeverDiesLeavesTheOldOrTheNewAndTheNextGoesOn) {
    fill();
    ASSERT_TRUE(ask(to_).has_value());
    platform_.close();
    std::size_t deaths = 0;
    // Default, acme and globex; with a file of all the former one is removed at once.
    for (const char* fault : {"tenancy.build_type_copied:1", "tenancy.build_type_copied:3",
                              "tenancy.build_type_noted:1", "tenancy.build_type_removed:1",
                              "tenancy.build_type_removed:3"}) {
        const std::string copied = make_folder();
        fs::remove_all(copied);
        fs::copy(platform_.folder(), copied, fs::copy_options::recursive);
        const store::ChildProcess child("ChangeBuildTypeKilled.ChildChangesIt",
                                        {std::string(kHome) + "=" + copied,
                                         std::string(kTo) + "=" + std::string(to_string(to_)),
                                         std::string("ZONA_FAULT=") + fault});
        const int status = child.wait();
        const bool died = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        EXPECT_TRUE(died || status == 0) << fault << " " << status;
        if (died) ++deaths;
        {
            Platform after(copied, to_);
            const auto opened = after.open();
            EXPECT_TRUE(opened.has_value()) << fault << opened.error().message();
            if (opened) expect_filled(after);
            const std::string former =
                from_ == BuildType::kMssp ? "/tenants/acme" : "/tenants/shared.db";
            EXPECT_FALSE(fs::exists(after.state() + former)) << fault;
        }
        fs::remove_all(copied);
    }
    EXPECT_GE(deaths, 3U);
}

INSTANTIATE_TEST_SUITE_P(From, ChangeBuildType,
                         testing::Values(BuildType::kMssp, BuildType::kSingleTenant),
                         [](const auto& info) { return std::string(to_string(info.param)); });

}  // namespace
}  // namespace zona::tenancy
