// The jobs on backups, by a clock that moves when the test says so.
#include "tenancy/backup/backup_jobs.h"

#include "jobs/testing/scheduler_fixture.h"
#include "tenancy/core_collections.h"
#include "tenancy/testing/platform.h"

namespace zona::tenancy {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

class BackupJobsTest : public OperationsTest {
  protected:
    BackupJobsTest() { begin({}); }
    ~BackupJobsTest() override { node_.reset(); }

    void begin(BackupJobsOptions options) {
        node_.reset();
        core_ = platform_.tenants().core();
        options.directory = platform_.folder() + "/backups";
        node_ = std::make_unique<jobs::Node>(platform_.clock, *core_, "a",
                                             backup_jobs(options, {.tenants = platform_.tenants(),
                                                                   .operations = operations(),
                                                                   .copies = &platform_.copies(),
                                                                   .clock = platform_.clock,
                                                                   .metrics = metrics_}));
    }
    void end() {
        node_.reset();
        core_.reset();
    }
    Result<Tenant> change_schedule(const std::string& code, const std::string& schedule) {
        TenantChange change;
        change.compliance_settings =
            std::make_shared<const store::Document>(json::object{{"backup_schedule", schedule}});
        return Platform::wait<Tenant>([&](auto done) {
            platform_.tenants().update(code, std::move(change), std::move(done));
        });
    }
    void set_schedule(const std::string& code, const std::string& schedule) {
        const auto changed = change_schedule(code, schedule);
        ASSERT_TRUE(changed.has_value()) << changed.error().message();
        node_->scheduler.poke();
        node_->settle();
    }
    bool has_run(const std::string& job) {
        return Platform::wait<jobs::JobView>(
                   [&](auto done) { node_->scheduler.find(job, std::move(done)); })
            ->last.has_value();
    }
    void pass(std::chrono::nanoseconds time) {
        platform_.clock.advance(time);
        node_->settle();
    }
    jobs::RunView run(const std::string& job) {
        const Result<jobs::RunView> begun = node_->run_now(job);
        EXPECT_TRUE(begun) << (begun ? "" : begun.error().message());
        return last_run(job);
    }
    jobs::RunView last_run(const std::string& job) {
        return *Platform::wait<jobs::JobView>([&](auto done) {
                    node_->scheduler.find(job, std::move(done));
                })->last;
    }
    std::size_t backups(const std::string& code) { return operations().backups(code)->size(); }
    bool shows(const std::string& line) {
        return ("\n" + metrics_.render_prometheus()).contains("\n" + line);
    }
    /// "NAME seconds since 1970", as a metric has the moment.
    static std::string at(const std::string& name, core::SystemTime time) {
        core::MetricRegistry other;
        other.gauge(name, "A moment.")
            .set(std::chrono::duration<double>(time.time_since_epoch()).count());
        const std::string text = other.render_prometheus();
        return text.substr(text.rfind(name));
    }

    core::MetricRegistry metrics_;
    std::shared_ptr<store::Database> core_;
    std::unique_ptr<jobs::Node> node_;
};

// TEN-41, TEN-03, REL-07
TEST_P(BackupJobsTest, TenantIsBackedUpAtTheTimesOfItsOwnSchedule) {
    fill();
    set_schedule("acme", "30 2 * * *");
    pass(hours(2) + minutes(28));
    EXPECT_EQ(backups("acme"), 0U);
    pass(minutes(3));
    ASSERT_EQ(backups("acme"), 1U);
    EXPECT_EQ(last_run("backup-tenants").counters.at("backups"), 1);
    EXPECT_EQ(operations().backups("acme")->front().made_at, platform_.clock.system());
    // Once for each time, and for nobody else.
    for (int i = 0; i < 5; ++i)
        pass(hours(4));
    EXPECT_EQ(backups("acme"), 1U);
    pass(hours(5));
    EXPECT_EQ(backups("acme"), 2U);
    EXPECT_EQ(backups("globex"), 0U);
    set_schedule("acme", "");
    pass(hours(48));
    EXPECT_EQ(backups("acme"), 2U);
    end();
}

// TEN-41
TEST_P(BackupJobsTest, ScheduleThatIsNoneIsNamedAndHoldsUpNobodyElse) {
    fill();
    const auto refused = change_schedule("acme", "every now and then");
    ASSERT_FALSE(refused.has_value());
    EXPECT_THAT(refused.error().message(), HasSubstr("backup_schedule is no schedule"));
    // As somebody else has written it.
    ASSERT_TRUE(change_schedule("acme", "0 * * * *").has_value());
    ASSERT_TRUE(store::write_and_wait(*core_, [](store::Writer& w) {
                    return w.modify({tenants_spec(), store::Scope::core()}, "acme",
                                    store::Update().set({"compliance_settings", "backup_schedule"},
                                                        "every now and then"));
                }).has_value());
    set_schedule("globex", "0 * * * *");
    pass(hours(1) + minutes(1));
    EXPECT_EQ(backups("globex"), 1U);
    const jobs::RunView failed = last_run("backup-tenants");
    EXPECT_EQ(failed.outcome, jobs::Outcome::kFailed);
    EXPECT_THAT(failed.error,
                HasSubstr("acme: compliance_settings.backup_schedule is no schedule"));
    end();
}

// BG-09
TEST_P(BackupJobsTest, NothingIsBegunWhereNothingHappens) {
    begin({.log_interval = minutes(1)});
    const auto passes = [this](std::chrono::minutes time) {
        const auto before = has_run("backup-log") ? last_run("backup-log").number : 0;
        for (; time.count() > 0; --time)
            pass(minutes(1));
        return has_run("backup-log") && last_run("backup-log").number != before;
    };
    passes(minutes(2));
    EXPECT_FALSE(passes(minutes(55)));
    EXPECT_TRUE(passes(minutes(10)));
    fill();
    EXPECT_TRUE(passes(minutes(2)));
    EXPECT_FALSE(passes(minutes(55)));
    ASSERT_TRUE(platform_.put("acme", 9, "one more").has_value());
    EXPECT_TRUE(passes(minutes(2)));
    EXPECT_FALSE(has_run("backup-tenants"));
    end();
}

// REL-07, BG-09
TEST_P(BackupJobsTest, WhatWasSkippedIsLoggedWithTheNextMinute) {
    fill();
    ASSERT_TRUE(operations().back_up_all().has_value());
    begin({.log_interval = minutes(1)});
    pass(minutes(2));
    ASSERT_TRUE(platform_.put("acme", 9, "while it is busy").has_value());
    std::promise<void> begun;
    std::promise<void> go_on;
    std::thread other([this, &begun, &go_on, is_first = true]() mutable {
        const auto made = operations().back_up_tenant("acme", [&](const core::Progress&) {
            if (!std::exchange(is_first, false)) return;
            begun.set_value();
            go_on.get_future().wait();
        });
        EXPECT_TRUE(made.has_value()) << made.error().message();
    });
    begun.get_future().wait();
    pass(minutes(2));
    const auto skipped = last_run("backup-log").number;
    go_on.set_value();
    other.join();

    pass(minutes(2));

    // What all share is logged though one of them is busy.
    EXPECT_EQ(last_run("backup-log").number > skipped, GetParam() == BuildType::kMssp);
    // And then it rests.
    const auto logged = last_run("backup-log").number;
    pass(minutes(2));
    EXPECT_EQ(last_run("backup-log").number, logged);
    end();
}

// REL-07, BG-09
TEST_P(BackupJobsTest, CopiesRestWhileNoBackupComesOrGoes) {
    const std::string away = make_folder();
    end();
    platform_.copy.to = away;
    ASSERT_TRUE(platform_.open().has_value());
    begin({});
    fill();
    const auto passes = [this](std::chrono::minutes time) {
        const auto before = has_run("backup-copy") ? last_run("backup-copy").number : 0;
        for (; time.count() > 0; --time)
            pass(minutes(1));
        return has_run("backup-copy") && last_run("backup-copy").number != before;
    };
    EXPECT_TRUE(passes(minutes(2)));
    EXPECT_FALSE(passes(minutes(25)));
    EXPECT_TRUE(passes(minutes(10)));

    const BackupRecord made = operations().back_up_tenant("acme").value();
    EXPECT_TRUE(passes(minutes(2)));
    EXPECT_TRUE(fs::exists(away + "/" + made.file));
    EXPECT_FALSE(passes(minutes(25)));
    ASSERT_TRUE(operations().remove_backup("acme", made.uuid.to_string()).has_value());
    EXPECT_TRUE(passes(minutes(2)));
    EXPECT_FALSE(fs::exists(away + "/" + made.file));
    ASSERT_TRUE(operations().back_up_all().has_value());
    EXPECT_TRUE(passes(minutes(2)));

    // What has failed is tried again at once.
    fs::rename(away, away + ".away");
    ASSERT_TRUE(operations().log_changes().has_value());
    EXPECT_TRUE(passes(minutes(2)));
    EXPECT_EQ(last_run("backup-copy").outcome, jobs::Outcome::kFailed);
    fs::rename(away + ".away", away);
    EXPECT_TRUE(passes(minutes(2)));
    EXPECT_EQ(last_run("backup-copy").outcome, jobs::Outcome::kSucceeded);
    end();
    fs::remove_all(away);
}

// REL-07, OBS-02
TEST_P(BackupJobsTest, MetricsTellTheLastBackupAndWhetherItCanBeRestored) {
    const std::string away = make_folder();
    end();
    platform_.copy.to = away;
    ASSERT_TRUE(platform_.open().has_value());
    begin({.log_interval = minutes(1)});
    fill();
    const auto now = platform_.clock.system();
    run("backup");
    EXPECT_TRUE(shows(at("zona_backup_last_success_timestamp_seconds", now)));
    const auto whole = operations().whole_backups().value().at(0);
    EXPECT_TRUE(shows("zona_backup_bytes "));
    EXPECT_FALSE(shows("zona_backup_bytes 0\n"));
    EXPECT_TRUE(shows("zona_backup_duration_seconds "));

    pass(minutes(1));
    run("backup-log");
    EXPECT_TRUE(shows("zona_backup_restorable_timestamp_seconds{owner=\"core\"} "));
    run("backup-copy");
    EXPECT_TRUE(shows(at("zona_backup_copy_timestamp_seconds", platform_.clock.system())));

    run("restore-check");
    EXPECT_TRUE(shows("zona_restore_check_failed 0\n"));
    const std::string proven = at("zona_restore_check_timestamp_seconds", platform_.clock.system());
    EXPECT_TRUE(shows(proven));
    fs::remove(whole.directory + "/core.zbk");
    pass(minutes(1));
    run("restore-check");
    EXPECT_TRUE(shows("zona_restore_check_failed 1\n"));
    EXPECT_TRUE(shows(proven));
    end();
    fs::remove_all(away);
}

INSTANTIATE_TEST_SUITE_P(BothModes, BackupJobsTest,
                         testing::Values(BuildType::kMssp, BuildType::kSingleTenant),
                         [](const auto& info) { return std::string(to_string(info.param)); });

}  // namespace
}  // namespace zona::tenancy
