#include "tenancy/audit_retention.h"

#include <algorithm>

#include "audit/report.h"
#include "audit/verify.h"
#include "core/testing/memory_log.h"
#include "jobs/scheduler.h"
#include "tenancy/keys/key_rotation.h"
#include "tenancy/overdue.h"
#include "tenancy/tenant_jobs.h"
#include "tenancy/testing/platform.h"

namespace zona::tenancy {
namespace {

using audit::Entry;
using std::chrono::days;
using store::Scope;

class AuditRetentionTest : public OperationsTest {
  protected:
    AuditRetentionTest() {
        recorder_.start(books_,
                        [] { return Result<std::optional<audit::Permit>>(audit::Permit()); }, {});
    }

    void record(const char* code, int count) {
        for (int i = 0; i < count; ++i) {
            Entry entry = recorder_.begin();
            entry.action = "do";
            recorder_.record(code, entry);
        }
        ASSERT_TRUE(recorder_.settle(Scope::tenant(code).value()));
    }
    void keep(const char* code, int number, const char* collection = "audit_log") {
        const auto settings = std::make_shared<const json::object>(
            json::object{{"retention_days", json::object{{collection, number}}}});
        const auto done = Platform::wait<Tenant>([&](auto answer) {
            platform_.tenants().update(code, {.compliance_settings = settings}, std::move(answer));
        });
        ASSERT_TRUE(done) << done.error().message();
    }
    /// Runs the job to its end.
    jobs::RunView run() { return run(audit_retention(deps())); }
    jobs::RunView run(const jobs::Definition& job) {
        std::optional<jobs::RunView> out;
        jobs::Scheduler scheduler({.instance = "a", .most_running = 1, .keep_runs = 5},
                                  {.clock = platform_.clock,
                                   .random = platform_.random,
                                   .log = {},
                                   .metrics = platform_.metrics,
                                   .tenants = [this] { return platform_.tenants().active(); },
                                   .run = [](auto work) { work(); }},
                                  {job});
        EXPECT_TRUE(scheduler.open(platform_.tenants().core()));
        std::promise<Result<jobs::RunView>> begun;
        scheduler.run_now(job.name, [&](auto answer) { begun.set_value(std::move(answer)); });
        scheduler.turn();
        EXPECT_TRUE(begun.get_future().get());
        scheduler.turn();
        std::promise<Result<jobs::RunPage>> runs;
        scheduler.runs(job.name, {.limit = 1},
                       [&](auto answer) { runs.set_value(std::move(answer)); });
        const auto page = runs.get_future().get();
        EXPECT_TRUE(page && !page->runs.empty());
        out = page->runs.front();
        scheduler.stop();
        return *out;
    }
    audit::Verification check(const char* code) {
        return audit::verify(books_, Scope::tenant(code).value(),
                             audit::public_keys(books_).value())
            .value();
    }
    std::string directory() const { return platform_.state() + "/audit"; }
    AuditRetentionDeps deps() {
        return {.tenants = platform_.tenants(),
                .books = books_,
                .recorder = recorder_,
                .random = platform_.random,
                .archives = archives()};
    }
    AuditArchives archives() { return {directory(), platform_.tenants(), platform_.random}; }
    jobs::Definition purge() {
        const auto all = tenant_jobs({}, {.tenants = platform_.tenants(),
                                          .clock = platform_.clock,
                                          .metrics = platform_.metrics,
                                          .rotation = rotation_,
                                          .recorder = recorder_});
        return *std::ranges::find(all, "purge", &jobs::Definition::name);
    }
    std::vector<audit::ArchivedSpan> spans(const char* code) {
        std::vector<audit::ArchivedSpan> out;
        EXPECT_TRUE(books_.read(Scope::core(), [&](Reader& core) -> Result<void> {
            ZONA_TRY(out, audit::archived_spans(core, Scope::tenant(code).value(), 0, 10));
            return {};
        }));
        return out;
    }
    Result<audit::Archive> read(const audit::ArchivedSpan& span) {
        return archives().read(span, audit::public_keys(books_).value());
    }
    audit::RetentionReport report(const char* code) {
        EXPECT_TRUE(recorder_.settle(Scope::tenant(code).value()));
        return audit::make_report(books_, Scope::tenant(code).value(), {},
                                  platform_.clock.system() + days(1))
            .value()
            .retention;
    }
    std::vector<Overdue> overdue(const char* code) {
        return find_overdue(platform_.tenants(), books_, Scope::tenant(code).value(),
                            platform_.clock.system())
            .value();
    }
    /// Entries 1 to 5 of acme are in an archive, two and that it was made are not.
    audit::ArchivedSpan archive_some() {
        fill();
        record("acme", 5);
        keep("acme", 30);
        platform_.clock.advance(days(31));
        record("acme", 2);
        EXPECT_EQ(run().outcome, jobs::Outcome::kSucceeded);
        return spans("acme").at(0);
    }
    fs::path file_of(const audit::ArchivedSpan& span) const {
        return fs::path(directory()) / span.scope / span.file;
    }

    AuditBooks books_{platform_.tenants(), {}};
    KeyRotation rotation_{
        {.tenants = platform_.tenants(), .clock = platform_.clock, .log = {}, .needs_key = {}}};
    audit::Recorder recorder_{
        audit::Spool::open({.directory = platform_.folder() + "/spool"}, platform_.random, {})
            .value(),
        {.clock = platform_.clock,
         .random = platform_.random,
         .log = {},
         .metrics = platform_.metrics}};
};

// AUDIT-10, AUDIT-11
TEST_P(AuditRetentionTest, WhatIsOlderThanATenantKeepsItIsArchivedForThatTenantAlone) {
    fill();
    record("acme", 5);
    record("globex", 4);
    keep("acme", 30);
    platform_.clock.advance(days(31));
    record("acme", 2);
    const jobs::RunView done = run();
    EXPECT_EQ(done.outcome, jobs::Outcome::kSucceeded) << done.error;
    ASSERT_TRUE(recorder_.settle(Scope::tenant("acme").value()));
    const audit::Verification acme = check("acme");
    EXPECT_EQ(acme.flaw, std::nullopt) << acme.flaw->problem;
    EXPECT_EQ(acme.first, 6);
    EXPECT_EQ(acme.last, 8) << "that it was archived is on record";
    EXPECT_EQ(check("globex").first, 1);
    EXPECT_EQ(check("globex").entries, 4U);
    const auto archive = read(spans("acme").at(0));
    ASSERT_TRUE(archive) << archive.error().message();
    EXPECT_EQ(archive->entries.size(), 5U);
    EXPECT_EQ(run().outcome, jobs::Outcome::kSucceeded);
    EXPECT_EQ(check("acme").first, 6) << "what is younger stays";
}

// AUDIT-12
TEST_P(AuditRetentionTest, ReportOfATenantTellsWhatWasArchivedAndPurged) {
    archive_some();
    keep("acme", 30, "events");
    ASSERT_TRUE(platform_.put("acme", 900, "younger"));
    EXPECT_EQ(run(purge()).outcome, jobs::Outcome::kSucceeded);
    const audit::RetentionReport done = report("acme");
    EXPECT_EQ(done.archives, 1U);
    EXPECT_EQ(done.archived, 5U);
    ASSERT_EQ(done.purged.size(), 1U);
    EXPECT_GT(done.purged.at("events"), 0U);
    EXPECT_EQ(done.failed, 0U);
    EXPECT_TRUE(report("globex").purged.empty()) << "its own documents are kept";
    EXPECT_EQ(report("globex").archives, 0U);
    EXPECT_EQ(run(purge()).outcome, jobs::Outcome::kSucceeded);
    EXPECT_EQ(report("acme").purged, done.purged) << "nothing was removed, nothing is on record";
}

// AUDIT-12
TEST_P(AuditRetentionTest, WhatRetentionCouldNotDoIsInTheReport) {
    fill();
    record("acme", 5);
    keep("acme", 30);
    platform_.clock.advance(days(31));
    std::ofstream(directory()) << "where a directory should be";
    EXPECT_EQ(run().outcome, jobs::Outcome::kFailed);
    const audit::RetentionReport done = report("acme");
    EXPECT_EQ(done.archives, 0U);
    EXPECT_EQ(done.failed, 1U);
    ASSERT_EQ(done.failures.size(), 1U);
    EXPECT_EQ(done.failures.front().action, audit::kArchiveAction);
    EXPECT_THAT(done.failures.front().problem, HasSubstr("000000000001-000000000005.zaa"));
    EXPECT_EQ(done.failures.front().problem.find(platform_.folder()), std::string::npos)
        << "a tenant reads no path of the host";
    EXPECT_EQ(report("globex").failed, 0U);
}

// AUDIT-12
TEST_P(AuditRetentionTest, WhatRetentionIsLateWithIsTold) {
    fill();
    record("acme", 1);
    keep("acme", 30);
    const core::SystemTime made = platform_.clock.system();
    platform_.clock.advance(days(30) + kRetentionGrace - std::chrono::hours(1));
    EXPECT_TRUE(overdue("acme").empty()) << "the job may run once a day";
    platform_.clock.advance(std::chrono::hours(2));
    const std::vector<Overdue> late = overdue("acme");
    ASSERT_EQ(late.size(), 1U);
    EXPECT_EQ(late.front().collection, "audit_log");
    EXPECT_LE(late.front().oldest, made);
    EXPECT_EQ(late.front().due, late.front().oldest + days(30));
    EXPECT_EQ(run().outcome, jobs::Outcome::kSucceeded);
    EXPECT_TRUE(overdue("acme").empty());
    keep("acme", 1, "events");
    EXPECT_EQ(overdue("acme").at(0).collection, "events");
    EXPECT_EQ(run(purge()).outcome, jobs::Outcome::kSucceeded);
    EXPECT_TRUE(overdue("acme").empty());
    EXPECT_TRUE(overdue("globex").empty());
}

// AUDIT-05, SEC-09
TEST_P(AuditRetentionTest, ArchiveThatIsMissingCutOrAnothersIsRefusedByName) {
    const audit::ArchivedSpan span = archive_some();
    const fs::path file = file_of(span);
    const std::string good = content_of(file);
    const auto problem = [&] {
        const auto done = read(span);
        EXPECT_FALSE(done);
        return done ? "" : done.error().message();
    };

    fs::resize_file(file, good.size() - 1);
    EXPECT_THAT(problem(), AllOf(HasSubstr(span.file), HasSubstr("cut")));
    fs::remove(file);
    EXPECT_THAT(problem(), AllOf(HasSubstr(span.file), HasSubstr("bring it back")));

    // Another tenant's of the same name, sealed for that one.
    record("globex", 5);
    keep("globex", 30);
    platform_.clock.advance(days(31));
    ASSERT_EQ(run().outcome, jobs::Outcome::kSucceeded);
    const audit::ArchivedSpan others = spans("globex").at(0);
    ASSERT_TRUE(read(others));
    fs::copy_file(file_of(others), file);
    EXPECT_THAT(problem(), HasSubstr(span.file));

    std::ofstream(file, std::ios::binary | std::ios::trunc) << good;
    EXPECT_TRUE(read(span));
    audit::ArchivedSpan another = span;
    another.hash = "of a record before it was restored";
    const auto taken = read(another);
    ASSERT_FALSE(taken);
    EXPECT_THAT(taken.error().message(), HasSubstr("other entries"));
}

// AUDIT-11, SEC-06
TEST_P(AuditRetentionTest, KeyThatAnArchiveIsSealedUnderIsNeeded) {
    const audit::ArchivedSpan span = archive_some();
    const auto keys = platform_.tenants().files()->keys("acme").value();
    const vault::KeyId used = keys->current().value();
    const vault::KeyId other{static_cast<std::uint32_t>(used) + 1};
    const auto is_needed = [&](const char* code, vault::KeyId key) {
        return archives().needs_key(books_, Scope::tenant(code).value(), key).value();
    };
    EXPECT_TRUE(is_needed("acme", used));
    EXPECT_FALSE(is_needed("acme", other));
    EXPECT_FALSE(is_needed("globex", used));
    EXPECT_FALSE(archives().needs_key(books_, Scope::core(), used).value());
    const fs::path file = file_of(span);
    const std::string good = content_of(file);
    std::ofstream(file) << "damaged";
    EXPECT_FALSE(is_needed("acme", used)) << "no key opens it";
    fs::remove(file);
    EXPECT_TRUE(is_needed("acme", other)) << "it may be elsewhere, under any key";
    std::ofstream(file, std::ios::binary) << good;
    EXPECT_FALSE(is_needed("acme", other));
}

INSTANTIATE_TEST_SUITE_P(Modes, AuditRetentionTest,
                         testing::Values(BuildType::kMssp, BuildType::kSingleTenant));

}  // namespace
}  // namespace zona::tenancy
