#include "tenancy/audit_retention.h"

#include "audit/verify.h"
#include "core/testing/memory_log.h"
#include "jobs/scheduler.h"
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
    void keep(const char* code, int number) {
        const auto settings = std::make_shared<const json::object>(
            json::object{{"retention_days", json::object{{"audit_log", number}}}});
        const auto done = Platform::wait<Tenant>([&](auto answer) {
            platform_.tenants().update(code, {.compliance_settings = settings}, std::move(answer));
        });
        ASSERT_TRUE(done) << done.error().message();
    }
    /// Runs the job to its end.
    jobs::RunView run() {
        std::optional<jobs::RunView> out;
        jobs::Scheduler scheduler({.instance = "a", .most_running = 1, .keep_runs = 5},
                                  {.clock = platform_.clock,
                                   .random = platform_.random,
                                   .log = {},
                                   .metrics = platform_.metrics,
                                   .tenants = [this] { return platform_.tenants().active(); },
                                   .run = [](auto work) { work(); }},
                                  {audit_retention(directory(), deps())});
        EXPECT_TRUE(scheduler.open(platform_.tenants().core()));
        std::promise<Result<jobs::RunView>> begun;
        scheduler.run_now("audit-retention",
                          [&](auto answer) { begun.set_value(std::move(answer)); });
        scheduler.turn();
        EXPECT_TRUE(begun.get_future().get());
        scheduler.turn();
        std::promise<Result<jobs::RunPage>> runs;
        scheduler.runs("audit-retention", {.limit = 1},
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
                .clock = platform_.clock,
                .random = platform_.random};
    }

    AuditBooks books_{platform_.tenants(), {}};
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
    const auto read =
        read_stored_archive(directory(), "acme", "000000000001-000000000005.zaa", deps());
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(read->entries.size(), 5U);
    EXPECT_EQ(run().outcome, jobs::Outcome::kSucceeded);
    EXPECT_EQ(check("acme").first, 6) << "what is younger stays";
}

INSTANTIATE_TEST_SUITE_P(Modes, AuditRetentionTest,
                         testing::Values(BuildType::kMssp, BuildType::kSingleTenant));

}  // namespace
}  // namespace zona::tenancy
