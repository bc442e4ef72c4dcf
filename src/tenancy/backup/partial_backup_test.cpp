// Whole backups made while the documents of one tenant cannot be read.
#include "jobs/testing/scheduler_fixture.h"
#include "store/mongo/testing/mongo_server.h"
#include "tenancy/backup/backup_jobs.h"
#include "tenancy/core_collections.h"
#include "tenancy/testing/platform.h"

namespace zona::tenancy {
namespace {

using std::chrono::hours;
using testing::ElementsAre;
using testing::Field;

/// acme, whose file can be damaged and mended, and globex.
class PartialBackupTest : public OperationsTest {
  protected:
    void SetUp() override { fill(); }
    void damage() {
        platform_.close();
        for (const auto& one :
             fs::recursive_directory_iterator(platform_.state() + "/tenants/acme"))
            if (one.path().filename() == "data.db") file_ = one.path();
        fs::rename(file_, file_.string() + ".good");
        fs::remove(file_.string() + "-wal");
        std::ofstream(file_) << std::string(40'960, 'x');
        ASSERT_TRUE(platform_.open().has_value());
    }
    void mend() {
        platform_.close();
        fs::rename(file_.string() + ".good", file_);
        ASSERT_TRUE(platform_.open().has_value());
    }
    WholeBackup back_up() {
        platform_.clock.advance(hours(1));
        auto made = operations().back_up_all();
        EXPECT_TRUE(made.has_value()) << made.error().message();
        return made.value_or(WholeBackup());
    }
    std::vector<core::Uuid> kept() {
        std::vector<core::Uuid> out;
        for (const WholeBackup& one : operations().whole_backups().value())
            out.push_back(one.uuid);
        return out;
    }
    /// In a fresh home.
    Result<WholeList> restore_to(Platform& fresh, const WholeBackup& whole,
                                 std::optional<core::SystemTime> at = {}) {
        const std::string key = fresh.folder() + "/root-key";
        fs::copy(platform_.folder() + "/root-key", key);
        return restore_whole({.backup = whole.directory,
                              .state = fresh.state(),
                              .root_keys = *fresh.root_keys,
                              .clock = platform_.clock,
                              .random = fresh.random,
                              .log = {},
                              .at = at},
                             {});
    }

    fs::path file_;
};

// REL-07, TEN-41
TEST_P(PartialBackupTest, AllOthersAreInItAndItIsKnownWhoIsNot) {
    damage();

    const WholeBackup whole = back_up();

    const auto misses_acme = ElementsAre(Field(&MissingTenant::tenant, "acme"));
    ASSERT_THAT(whole.missing, misses_acme);
    EXPECT_FALSE(whole.missing.front().reason.empty());
    EXPECT_EQ(whole.tenants, 2U);
    EXPECT_FALSE(fs::exists(whole.directory + "/acme.zbk"));
    EXPECT_THAT(operations().whole_backups()->front().missing, misses_acme);
    EXPECT_THAT(operations().verify_all(whole.uuid.to_string())->missing, misses_acme);
    EXPECT_THAT((*operations().check_restore())->missing, misses_acme);
    Platform fresh(make_folder(), GetParam());
    const auto restored = restore_to(fresh, whole);
    ASSERT_TRUE(restored.has_value()) << restored.error().message();
    EXPECT_THAT(restored->whole.missing, misses_acme);
    ASSERT_TRUE(fresh.open().has_value());
    EXPECT_EQ(fresh.texts("globex"), std::vector<std::string>{"secret of globex"});
    EXPECT_TRUE(fresh.texts("acme").empty());
    fresh.close();
    fs::remove_all(fresh.folder());
}

// REL-07
TEST_P(PartialBackupTest, ItsLogBeginsWhenTheTenantCanBeReadAgain) {
    const WholeBackup before = back_up();
    damage();
    const WholeBackup whole = back_up();
    const core::SystemTime gap = platform_.clock.system();
    platform_.clock.advance(hours(1));
    EXPECT_FALSE(operations().log_changes().has_value());
    mend();
    platform_.clock.advance(hours(1));

    const auto logged = operations().log_changes();

    ASSERT_TRUE(logged.has_value()) << logged.error().message();
    EXPECT_EQ(logged->begun, 1U);
    platform_.clock.advance(hours(1));
    const core::SystemTime then = platform_.clock.system();
    platform_.clock.advance(hours(1));
    ASSERT_TRUE(platform_.put("acme", 1, "too late").has_value());
    ASSERT_TRUE(operations().log_changes().has_value());
    Platform fresh(make_folder(), GetParam());
    const auto restored = restore_to(fresh, whole, then);
    ASSERT_TRUE(restored.has_value()) << restored.error().message();
    EXPECT_TRUE(restored->whole.missing.empty());
    ASSERT_TRUE(fresh.open().has_value());
    EXPECT_EQ(fresh.texts("acme"), as_filled());
    fresh.close();
    fs::remove_all(fresh.folder());
    // Nobody knows what it had when it could not be read.
    RestoreRequest request{
        .tenant = "acme", .backup = {}, .existing = Existing::kReplace, .of = {}, .at = gap};
    EXPECT_EQ(operations().restore(request).error().code(), Code::kConflict);
    request.at = then;
    ASSERT_TRUE(operations().restore(request).has_value());
    EXPECT_EQ(platform_.texts("acme"), as_filled());
}

// REL-07, TEN-41
TEST_P(PartialBackupTest, LastBackupThatHasItStaysUntilAnotherHasIt) {
    platform_.keep = 2;
    ASSERT_TRUE(platform_.open().has_value());
    (void)back_up();
    const WholeBackup complete = back_up();
    damage();
    (void)back_up();
    const WholeBackup second = back_up();
    const WholeBackup third = back_up();
    EXPECT_THAT(kept(), ElementsAre(third.uuid, second.uuid, complete.uuid));

    mend();
    const WholeBackup last = back_up();

    EXPECT_THAT(kept(), ElementsAre(last.uuid, third.uuid));
}

// REL-07, BG-09
TEST_P(PartialBackupTest, ScheduledRunHasFailedAndIsNotDoneAgainAtOnce) {
    damage();
    core::MetricRegistry metrics;
    std::shared_ptr<store::Database> core = platform_.tenants().core();
    BackupJobsOptions options{.schedule = core::CronExpression::parse("@daily").value(),
                              .directory = platform_.folder() + "/backups"};
    {
        jobs::Node node(platform_.clock, *core, "a",
                        backup_jobs(options, {.tenants = platform_.tenants(),
                                              .operations = operations(),
                                              .copies = nullptr,
                                              .clock = platform_.clock,
                                              .metrics = metrics}));
        ASSERT_TRUE(node.run_now("backup").has_value());
        const auto job = Platform::wait<jobs::JobView>(
            [&](auto done) { node.scheduler.find("backup", std::move(done)); });
        EXPECT_EQ(job->last->outcome, jobs::Outcome::kFailed);
        EXPECT_THAT(job->last->error, HasSubstr("has all but 1 of 3 tenants: acme: "));
        EXPECT_EQ(job->last->counters.at("missing"), 1);
        EXPECT_GT(*job->due, platform_.clock.system() + hours(1));
    }
    const std::string shown = metrics.render_prometheus();
    EXPECT_THAT(shown, HasSubstr("\nzona_backup_missing_tenants 1\n"));
    EXPECT_FALSE(shown.contains("zona_backup_last_success_timestamp_seconds"));
    EXPECT_EQ(kept().size(), 1U);
    core.reset();
}

// TEN-41, REL-07
TEST_P(PartialBackupTest, WhatIsInTheWayOfATenantsScheduleIsNotTakenForAnotherOperation) {
    TenantChange change;
    change.compliance_settings =
        std::make_shared<const store::Document>(json::object{{"backup_schedule", "0 * * * *"}});
    ASSERT_TRUE(Platform::wait<Tenant>([&](auto done) {
                    platform_.tenants().update("acme", std::move(change), std::move(done));
                }).has_value());
    fs::create_directories(platform_.folder() + "/backups");
    std::ofstream(platform_.folder() + "/backups/acme") << "no directory";
    platform_.clock.advance(hours(2));
    core::MetricRegistry metrics;
    std::shared_ptr<store::Database> core = platform_.tenants().core();
    {
        jobs::Node node(platform_.clock, *core, "a",
                        backup_jobs({.directory = platform_.folder() + "/backups"},
                                    {.tenants = platform_.tenants(),
                                     .operations = operations(),
                                     .copies = nullptr,
                                     .clock = platform_.clock,
                                     .metrics = metrics}));

        ASSERT_TRUE(node.run_now("backup-tenants").has_value());

        const auto job = Platform::wait<jobs::JobView>(
            [&](auto done) { node.scheduler.find("backup-tenants", std::move(done)); });
        EXPECT_EQ(job->last->outcome, jobs::Outcome::kFailed);
        EXPECT_THAT(job->last->error, testing::MatchesRegex("acme: .*/acme is not a directory"));
    }
    core.reset();
}

// REL-07, TEN-12
TEST_P(PartialBackupTest, ServerThatIsAwayHoldsUpNobodyElse) {
    const auto own = store::MongoServer::own_ferretdb();
    if (own->uri().empty()) GTEST_SKIP() << own->why_not();
    const std::string name = store::MongoServer::new_database_name();
    ASSERT_TRUE(operations()
                    .move({.tenant = "acme", .to = {.host = own->uri(), .name = name}})
                    .has_value());
    own->kill();

    const WholeBackup away = back_up();

    EXPECT_THAT(away.missing, ElementsAre(Field(&MissingTenant::tenant, "acme")));
    EXPECT_EQ(away.tenants, 2U);
    own->start_again();
    EXPECT_TRUE(back_up().missing.empty());
}

/// In both modes.
class LostFileTest : public PartialBackupTest {
  protected:
    void SetUp() override {
        PartialBackupTest::SetUp();
        whole_ = back_up();
        ASSERT_TRUE(platform_.put("globex", 1, "changed").has_value());
        platform_.clock.advance(hours(1));
        ASSERT_TRUE(operations().log_changes().has_value());
        ASSERT_GT(operations().whole_backups()->front().until, whole_.made_at);
    }
    ~LostFileTest() override {
        fresh_.close();
        fs::remove_all(fresh_.folder());
    }

    WholeBackup whole_;
    Platform fresh_{make_folder(), GetParam()};
};

// REL-07, REL-08
TEST_P(LostFileTest, TenantWhoseFileIsGoneIsNamedAndNotCounted) {
    fs::remove(whole_.directory + "/acme.zbk");

    const auto restored = restore_to(fresh_, whole_);

    ASSERT_TRUE(restored.has_value()) << restored.error().message();
    EXPECT_THAT(restored->whole.missing,
                ElementsAre(MissingTenant{.tenant = "acme",
                                          .reason = "its file is not in the backup any more"}));
    EXPECT_EQ(restored->whole.tenants, 2U);
    EXPECT_EQ(restored->whole.documents, whole_.documents - 3);
    // Up to the end of the log all of a shared database comes from that.
    if (GetParam() == BuildType::kSingleTenant) return;
    const auto checked = operations().check_restore();
    ASSERT_FALSE(checked.has_value());
    EXPECT_EQ(checked.error().code(), Code::kConflict);
    EXPECT_THAT(checked.error().message(), HasSubstr("acme: its file is not in the backup"));
}

// REL-07, TEN-11
TEST_P(LostFileTest, ErasedTenantIsMissedByNobody) {
    ASSERT_TRUE(operations().erase("acme", Backups::kErase).has_value());

    const auto checked = operations().check_restore();
    const auto restored = restore_to(fresh_, whole_);

    ASSERT_TRUE(checked.has_value()) << checked.error().message();
    EXPECT_TRUE((*checked)->missing.empty());
    ASSERT_TRUE(restored.has_value()) << restored.error().message();
    EXPECT_TRUE(restored->whole.missing.empty());
    EXPECT_EQ(restored->whole.tenants, 2U);
    EXPECT_FALSE(fs::exists(whole_.directory + "/keys.json.previous"));
    // The image that all shared went with its log.
    const bool is_shared = GetParam() == BuildType::kSingleTenant;
    EXPECT_EQ(operations().whole_backups()->front().until == whole_.made_at, is_shared);
}

INSTANTIATE_TEST_SUITE_P(BothModes, LostFileTest,
                         testing::Values(BuildType::kMssp, BuildType::kSingleTenant),
                         [](const auto& info) { return std::string(to_string(info.param)); });
INSTANTIATE_TEST_SUITE_P(Separate, PartialBackupTest, testing::Values(BuildType::kMssp));

}  // namespace
}  // namespace zona::tenancy
