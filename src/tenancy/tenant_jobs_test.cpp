#include "tenancy/tenant_jobs.h"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "core/testing/temporary_directory.h"
#include "jobs/testing/scheduler_fixture.h"
#include "tenancy/detail/purge.h"
#include "tenancy/detail/wait.h"
#include "tenancy/keys/encrypted_files.h"
#include "tenancy/keys/key_rotation.h"
#include "tenancy/tenants.h"
#include "vault/key_ring.h"
#include "vault/root_key.h"

namespace zona::tenancy {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using namespace std::chrono;
using core::Code;
using core::Error;
using core::Result;
using detail::wait_for;
using jobs::Outcome;
using store::Reader;
using store::Writer;
using vault::KeyId;
using Counters = std::map<std::string, std::int64_t>;

const store::CollectionSpec& events() {
    return *tenant_collections().at(3);
}

/// Real files, in either mode, and a scheduler that takes turns.
class TenantJobsTest : public testing::TestWithParam<BuildType> {
  protected:
    ~TenantJobsTest() override { close(); }

    void open() {
        close();
        tenants_ = std::make_unique<Tenants>(
            TenantsOptions{.directory = folder_.path() + "/state", .build_type = GetParam()},
            TenantsDeps{
                .clock = clock_,
                .random = random_,
                .log = {},
                .open_files =
                    [this](RingPlace) {
                        return EncryptedFiles::open(
                            {.ring = folder_.path() + "/keys.json",
                             .root_keys = *root_keys_,
                             .clock = clock_,
                             .random = random_,
                             .log = {},
                             .page_token_key = core::Secret(std::string(32, 'k'))});
                    },
                .run_blocking = [this](auto work) { asio::post(blocking_, std::move(work)); },
                .hook = {},
                .changed = [this] { ++changes_; }});
        ASSERT_TRUE(tenants_->open());
        core_ = tenants_->core();
        rotation_ = std::make_unique<KeyRotation>(
            KeyRotationDeps{.tenants = *tenants_,
                            .clock = clock_,
                            .log = {},
                            .needs_key = [this](const std::string&, KeyId) { return needed_; }});
        node_ = std::make_unique<jobs::Node>(clock_, *core_, "a",
                                             tenant_jobs({}, {.tenants = *tenants_,
                                                              .clock = clock_,
                                                              .metrics = metrics_,
                                                              .rotation = *rotation_,
                                                              .recorder = recorder_}));
    }
    void close() {
        node_.reset();
        rotation_.reset();
        core_.reset();
        tenants_.reset();
    }
    void create(NewTenant wanted) {
        ASSERT_TRUE(wait_for<Tenant>(
            [&](auto done) { tenants_->create(std::move(wanted), std::move(done)); }));
    }
    TenantData data(const std::string& code) {
        return wait_for<TenantData>([&](auto done) { tenants_->data_of(code, std::move(done)); })
            .value();
    }
    static Result<store::Record> insert(const TenantData& data, std::int64_t id) {
        const json::object document = {{"text", std::string(500, 'x')}};
        return wait_for<store::Record>([&](auto done) {
            data.write([&](Writer& w) { return w.insert(data.collection(events()), id, document); },
                       std::move(done));
        });
    }
    static std::uint64_t count(const TenantData& data) {
        return wait_for<std::uint64_t>([&](auto done) {
                   data.read(
                       [&](Reader& r) {
                           return r.count(data.collection(events()),
                                          {.filter = {}, .walk = store::Walk::kAllow});
                       },
                       std::move(done));
               })
            .value();
    }
    jobs::RunView run(const std::string& job) {
        const Result<jobs::RunView> begun = node_->run_now(job);
        EXPECT_TRUE(begun) << (begun ? "" : begun.error().message());
        return last_run(job);
    }
    jobs::JobView view(const std::string& job) {
        return wait_for<jobs::JobView>(
                   [&](auto done) { node_->scheduler.find(job, std::move(done)); })
            .value();
    }
    jobs::RunView last_run(const std::string& job) { return *view(job).last; }
    std::vector<vault::DataKeyInfo> keys(const std::string& owner) {
        return tenants_->files()->key_ring().keys(owner).value();
    }
    std::vector<std::string> owners() {
        if (GetParam() == BuildType::kSingleTenant) return {"core"};
        return {"core", "acme"};
    }

    core::TemporaryDirectory folder_;
    core::FakeClock clock_;
    core::SystemRandom random_;
    core::MetricRegistry metrics_;
    audit::Recorder recorder_{
        audit::Spool::open({.directory = folder_.path() + "/spool"}, random_, {}).value(),
        {.clock = clock_, .random = random_, .log = {}, .metrics = metrics_}};
    asio::thread_pool blocking_{2};
    std::unique_ptr<vault::RootKeyProvider> root_keys_ =
        vault::make_file_provider(folder_.path() + "/root-key", random_);
    std::unique_ptr<Tenants> tenants_;
    std::unique_ptr<KeyRotation> rotation_;
    std::shared_ptr<store::Database> core_;
    std::unique_ptr<jobs::Node> node_;
    std::atomic<int> changes_ = 0;
    Result<bool> needed_ = false;
};
class SeparateTenantJobsTest : public TenantJobsTest {};

// SEC-06
TEST_P(TenantJobsTest, RotationUnderLoadLeavesOneNewKeyAndLosesNothing) {
    open();
    create({.code = "acme"});
    std::optional<TenantData> acme = data("acme");
    for (std::int64_t id = 1; id <= 300; ++id)
        ASSERT_TRUE(insert(*acme, id));
    // What was in the log alone is in the file now.
    acme.reset();
    open();
    acme = data("acme");
    std::map<std::string, KeyId> before;
    for (const std::string& owner : owners())
        before[owner] = keys(owner).front().id;
    std::atomic<bool> stop = false;
    std::atomic<std::uint64_t> written = 300;
    std::thread writer([&] {
        while (!stop)
            if (insert(*acme, static_cast<std::int64_t>(written) + 1)) ++written;
    });

    const jobs::RunView rotated = run("key-rotation");
    stop = true;
    writer.join();

    EXPECT_EQ(rotated.outcome, Outcome::kSucceeded) << rotated.error;
    for (const std::string& owner : owners()) {
        ASSERT_EQ(keys(owner).size(), 1U) << owner;
        EXPECT_NE(keys(owner).front().id, before[owner]) << owner;
    }
    EXPECT_EQ(count(*acme), written);
    acme.reset();
    open();
    EXPECT_EQ(count(data("acme")), written);
}

// SEC-06
TEST_P(TenantJobsTest, KeysAreChangedWhenTheyAreOldAndNotBefore) {
    open();
    create({.code = "acme"});
    const KeyId before = keys("core").front().id;
    clock_.advance(days(80));
    node_->settle();
    EXPECT_EQ(last_run("key-rotation").outcome, Outcome::kSucceeded);
    EXPECT_EQ(keys("core").front().id, before);
    clock_.advance(days(11));
    node_->settle();
    for (const std::string& owner : owners())
        EXPECT_EQ(keys(owner).size(), 1U);
    EXPECT_NE(keys("core").front().id, before);
    EXPECT_GE(last_run("key-rotation").counters.at("rotated"), 1);
}

// SEC-06
TEST_P(TenantJobsTest, RotationThatWasInterruptedIsFinishedAndNotBegunAnew) {
    open();
    create({.code = "acme"});
    needed_ = Error(Code::kUnavailable, "ask later");
    EXPECT_EQ(run("key-rotation").outcome, Outcome::kFailed);
    const auto begun = keys("core");
    ASSERT_EQ(begun.size(), 2U);
    open();
    needed_ = false;
    clock_.advance(hours(1));
    node_->settle();
    EXPECT_EQ(last_run("key-rotation").outcome, Outcome::kSucceeded)
        << last_run("key-rotation").error;
    ASSERT_EQ(keys("core").size(), 1U);
    EXPECT_EQ(keys("core").front().id, begun.back().id);
    EXPECT_FALSE(last_run("key-rotation").counters.contains("rotated"));
}

// SEC-02, SEC-06
TEST_P(TenantJobsTest, NoSealedFieldIsUnderAKeyThatIsForgotten) {
    open();
    create({.code = "acme"});
    const store::CollectionSpec& integrations = *tenant_collections().front();
    const json::object secret = {{"secret_fields", {{"token", "correct horse"}}}};
    const auto read = [&] {
        const TenantData acme = data("acme");
        return wait_for<std::optional<store::Record>>([&](auto done) {
            acme.read([&](Reader& r) { return r.find(acme.collection(integrations), 7); },
                      std::move(done));
        });
    };
    {
        const TenantData acme = data("acme");
        ASSERT_TRUE(wait_for<store::Record>([&](auto done) {
            acme.write(
                [&](Writer& w) { return w.insert(acme.collection(integrations), 7, secret); },
                std::move(done));
        }));
    }
    const KeyId before = keys("acme").back().id;

    const jobs::RunView rotated = run("key-rotation");

    EXPECT_EQ(rotated.outcome, Outcome::kSucceeded) << rotated.error;
    ASSERT_EQ(keys("acme").size(), 1U);
    EXPECT_NE(keys("acme").back().id, before);
    open();
    const auto found = read();
    ASSERT_TRUE(found.has_value()) << found.error().message();
    EXPECT_EQ(*found->value().document, secret);
}

// SEC-06
TEST_P(TenantJobsTest, RotationWaitsForTheOneThatSomebodyHasBegun) {
    open();
    {
        const auto turn = rotation_->begin();
        const jobs::RunView refused = run("key-rotation");
        EXPECT_EQ(refused.outcome, Outcome::kFailed);
        EXPECT_EQ(refused.error, "the keys are being changed already");
    }
    clock_.advance(hours(1));
    node_->settle();
    EXPECT_EQ(last_run("key-rotation").outcome, Outcome::kSucceeded);
}

// SEC-06
TEST_P(TenantJobsTest, KeyThatSomethingElseNeedsIsKept) {
    open();
    needed_ = true;
    const jobs::RunView rotated = run("key-rotation");
    EXPECT_EQ(rotated.outcome, Outcome::kSucceeded);
    EXPECT_GE(rotated.counters.at("waiting"), 1);
    EXPECT_EQ(keys("core").size(), 2U);
}

// SEC-02, SEC-06
TEST_P(SeparateTenantJobsTest, PasswordsAreSealedAnew) {
    open();
    NewTenant far{.code = "far"};
    far.database = {.host = "db.example",
                    .name = "zona",
                    .username = "zona",
                    .password = core::Secret("correct horse")};
    create(std::move(far));
    const jobs::RunView rotated = run("key-rotation");
    EXPECT_EQ(rotated.outcome, Outcome::kSucceeded) << rotated.error;
    EXPECT_GE(rotated.counters.at("passwords"), 1);
    EXPECT_EQ(keys("core").size(), 1U);
    const auto found = wait_for<Tenant>([&](auto done) { tenants_->find("far", std::move(done)); });
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_EQ(found->database.password.reveal(), "correct horse");
}

// BG-11
TEST_P(TenantJobsTest, CheckLooksAtEachFile) {
    open();
    create({.code = "acme"});
    const jobs::RunView checked = run("store-check");
    EXPECT_EQ(checked.outcome, Outcome::kSucceeded) << checked.error;
    const bool is_shared = GetParam() == BuildType::kSingleTenant;
    EXPECT_EQ(checked.counters.at("files"), is_shared ? 2 : 3);
}

// BG-11
TEST_P(SeparateTenantJobsTest, CheckFindsADamagedFile) {
    open();
    create({.code = "acme"});
    {
        const TenantData acme = data("acme");
        for (std::int64_t id = 1; id <= 300; ++id)
            ASSERT_TRUE(insert(acme, id));
    }
    close();
    const std::string file = folder_.path() + "/state/tenants/acme/data.db";
    {
        std::fstream damage(file, std::ios::binary | std::ios::in | std::ios::out);
        damage.seekp(-2000, std::ios::end);
        damage << "damage";
    }
    open();
    const jobs::RunView checked = run("store-check");
    EXPECT_EQ(checked.outcome, Outcome::kFailed);
    EXPECT_NE(checked.error.find("1 of 3 failed: acme"), std::string::npos) << checked.error;
}

// BG-11, DATA-45
TEST_P(TenantJobsTest, PurgeRemovesTheHistoryOfJobsThatIsTooOld) {
    open();
    run("store-check");
    const std::int64_t old = last_run("store-check").number;
    clock_.advance(days(91));
    const jobs::RunView purged = run("purge");
    EXPECT_EQ(purged.outcome, Outcome::kSucceeded) << purged.error;
    EXPECT_GE(purged.counters.at("documents"), 1);
    const auto found = wait_for<jobs::RunView>(
        [&](auto done) { node_->scheduler.run("store-check", old, std::move(done)); });
    EXPECT_EQ(found.error().code(), Code::kNotFound);
}

// TEN-39, DATA-45
TEST_P(TenantJobsTest, TenantsOwnRetentionIsAppliedAndFollowsItsChange) {
    open();
    const json::object week = {{"retention_days", {{"events", 7}}}};
    create({.code = "acme", .compliance_settings = std::make_shared<json::object>(week)});
    create({.code = "globex"});
    for (const char* code : {"acme", "globex"})
        ASSERT_TRUE(insert(data(code), 1));
    const auto left_after = [&](int days_later) {
        clock_.advance(days(days_later));
        EXPECT_EQ(run("purge").outcome, Outcome::kSucceeded) << last_run("purge").error;
        return std::vector{count(data("acme")), count(data("globex"))};
    };

    EXPECT_EQ(left_after(6), (std::vector<std::uint64_t>{1, 1}));
    const json::object month = {{"retention_days", {{"events", 30}}}};
    ASSERT_TRUE(wait_for<Tenant>([&](auto done) {
        tenants_->update("acme", {.compliance_settings = std::make_shared<json::object>(month)},
                         std::move(done));
    }));
    EXPECT_EQ(left_after(23), (std::vector<std::uint64_t>{1, 1}));
    EXPECT_EQ(left_after(1), (std::vector<std::uint64_t>{0, 1}));
}

// TEN-24, BG-10
TEST_P(TenantJobsTest, OpenDatabasesAreTriedAndOthersLeftAlone) {
    open();
    create({.code = "acme"});
    open();
    EXPECT_EQ(view("pool-health").due, std::nullopt);
    const int before = changes_;
    const TenantData acme = data("acme");
    EXPECT_GT(changes_, before);
    EXPECT_TRUE(view("pool-health").due.has_value());
    clock_.advance(minutes(1));
    node_->settle();
    EXPECT_EQ(last_run("pool-health").counters, (Counters{{"answered", 1}}));
    const std::string metrics = metrics_.render_prometheus();
    EXPECT_NE(metrics.find("zona_tenant_connected{tenant=\"acme\"} 1"), std::string::npos);
    EXPECT_NE(metrics.find("zona_tenant_response_seconds{tenant=\"acme\"}"), std::string::npos);
    EXPECT_EQ(metrics.find("tenant=\"default\""), std::string::npos);
}

// TEN-20
TEST_P(SeparateTenantJobsTest, UnreachableTenantIsTriedAgainWhenItsTimeComes) {
    open();
    create({.code = "acme"});
    close();
    const std::string file = folder_.path() + "/state/tenants/acme/data.db";
    std::filesystem::rename(file, file + ".good");
    std::ofstream(file, std::ios::binary) << std::string(100000, 'x');
    open();
    EXPECT_EQ(view("tenant-retry").due, std::nullopt);
    const auto refused =
        wait_for<TenantData>([&](auto done) { tenants_->data_of("acme", std::move(done)); });
    EXPECT_FALSE(refused);
    EXPECT_GT(changes_, 0);
    EXPECT_EQ(view("tenant-retry").due, tenants_->next_retry());
    std::filesystem::rename(file + ".good", file);
    node_->settle();
    EXPECT_EQ(tenants_->report().outages.size(), 1U);
    clock_.advance(seconds(1));
    node_->settle();
    EXPECT_TRUE(tenants_->report().outages.empty());
    EXPECT_EQ(last_run("tenant-retry").counters, (Counters{{"back", 1}, {"unreachable", 0}}));
    EXPECT_EQ(view("tenant-retry").due, std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(OneMode, SeparateTenantJobsTest, testing::Values(BuildType::kMssp));
INSTANTIATE_TEST_SUITE_P(BothModes, TenantJobsTest,
                         testing::Values(BuildType::kMssp, BuildType::kSingleTenant),
                         [](const auto& info) { return std::string(to_string(info.param)); });

/// A collection that is kept for a day.
class PurgeTest : public jobs::SchedulerFixture {
  protected:
    Result<void> insert(int first, int last) {
        for (int id = first; id <= last; ++id) {
            auto stored = store::write_and_wait(
                tenant_, [&](Writer& w) { return w.insert(notes_, id, json::object{{"n", id}}); });
            if (!stored) return stored.take_error();
        }
        return {};
    }
    std::unique_ptr<jobs::Node> purging() {
        jobs::Definition purge = counting("purge", jobs::Schedule::every(hours(1), 0));
        purge.work = [this](jobs::Context& context) {
            return detail::purge_collection(
                context, notes_,
                [&](Writer& w, const store::Collection&, std::uint64_t) {
                    return context.fence().admit(w, fences_);
                },
                [this](auto body) {
                    ++transactions_;
                    if (interrupt_) interrupt_();
                    return store::write_and_wait(tenant_, std::move(body));
                });
        };
        return node({purge});
    }
    std::uint64_t left() {
        return store::read_and_wait(tenant_,
                                    [&](Reader& r) {
                                        return r.count(notes_,
                                                       {.filter = {}, .walk = store::Walk::kAllow});
                                    })
            .value();
    }

    const store::CollectionSpec spec_{.name = "notes",
                                      .indexes = {{.name = "by_created"}},
                                      .retention = store::Retention{.keep = hours(24)}};
    store::MemoryDatabase tenant_{
        {&spec_, &jobs::job_fences_spec()}, core::Secret(std::string(32, 'k')), clock_};
    const store::Scope acme_ = store::Scope::tenant("acme").value();
    const store::Collection notes_{spec_, acme_};
    const store::Collection fences_{jobs::job_fences_spec(), acme_};
    int transactions_ = 0;
    std::function<void()> interrupt_;
};

// DATA-45
TEST_F(PurgeTest, RemovesWhatIsTooOldInSmallTransactionsAndNothingElse) {
    const auto a = purging();
    ASSERT_TRUE(insert(1, 500));
    clock_.advance(hours(23));
    ASSERT_TRUE(insert(501, 600));
    a->settle();
    EXPECT_EQ(left(), 600U);
    clock_.advance(hours(1) + seconds(1));
    transactions_ = 0;
    a->settle();
    EXPECT_EQ(left(), 100U);
    EXPECT_EQ(transactions_, 3);
    EXPECT_EQ(view(*a, "purge").last->counters.at("documents"), 500);
}

// BG-12, DATA-45
TEST_F(PurgeTest, RemovesNothingOnceAnotherHasTakenOver) {
    const auto a = purging();
    ASSERT_TRUE(insert(1, 500));
    clock_.advance(hours(25));
    interrupt_ = [this] {
        if (transactions_ != 2) return;
        // The lease's next number has been here.
        const auto admitted = store::write_and_wait(tenant_, [&](Writer& w) -> Result<bool> {
            ZONA_TRY(const auto mine, w.find(fences_, "purge"));
            json::object next = *mine->document;
            next["fence"] = 99;
            ZONA_TRY(const auto stored, w.upsert(fences_, "purge", next));
            return true;
        });
        EXPECT_TRUE(admitted);
    };
    a->settle();
    EXPECT_EQ(left(), 500U - detail::kPurgedAtOnce);
    EXPECT_EQ(view(*a, "purge").last->outcome, Outcome::kFailed);
}

}  // namespace
}  // namespace zona::tenancy
