// Several hosts on one core database in MongoDB, through the driver as the product has it.
#include <filesystem>
#include <fstream>
#include <future>
#include <set>
#include <thread>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"
#include "core/testing/memory_log.h"
#include "core/testing/temporary_directory.h"
#include "jobs/lease.h"
#include "store/blocking.h"
#include "store/mongo/testing/mongo_server.h"
#include "tenancy/core_collections.h"
#include "tenancy/keys/encrypted_files.h"
#include "tenancy/keys/key_rotation.h"
#include "tenancy/keys/shared_ring.h"
#include "tenancy/operations/tenant_operations.h"
#include "tenancy/tenants.h"
#include "vault/key_ring.h"
#include "vault/root_key.h"

namespace zona::tenancy {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using core::Code;
using core::Result;
using store::MongoServer;
using store::Record;
using store::Writer;
using testing::HasSubstr;

const store::CollectionSpec& events() {
    return *tenant_collections().at(3);
}

/// What all hosts have in common.
struct Common {
    core::TemporaryDirectory directory;
    core::FakeClock clock;
    core::SystemRandom random;
    store::MongoOptions core;
    BuildType build_type = BuildType::kMssp;
};

/// One host, without a thread that follows the others: a test says when it looks.
class Host {
  public:
    Host(Common& common, const std::string& name) : common_(common), name_(name) {}
    ~Host() { close(); }
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    Result<void> open() {
        close();
        store::MongoOptions mongo = common_.core;
        mongo.uri.clear();
        tenants_.emplace(
            TenantsOptions{.directory = state(),
                           .build_type = common_.build_type,
                           .mongo = std::move(mongo),
                           .core = common_.core,
                           .instance = name_,
                           .others_time = std::chrono::milliseconds(1)},
            TenantsDeps{
                .clock = common_.clock,
                .random = common_.random,
                .log = log_.logger("tenancy"),
                .open_files = [this] { return open_files(); },
                .run_blocking = [this](auto work) { asio::post(blocking_, std::move(work)); },
                .hook = {}});
        operations_.emplace(
            OperationsOptions{.backups = common_.directory.path() + "/backups-" + name_,
                              .zona = "0.1"},
            OperationsDeps{
                .tenants = *tenants_, .clock = common_.clock, .random = common_.random, .log = {}});
        return tenants_->open();
    }
    void close() {
        operations_.reset();
        tenants_.reset();
    }
    Tenants& tenants() { return *tenants_; }
    TenantOperations& operations() { return *operations_; }
    vault::KeyRing& ring() { return tenants_->files()->key_ring(); }
    std::string state() const { return common_.directory.path() + "/" + name_; }
    /// Looks what the others have done, and waits for what has to be probed then.
    Result<void> follow() {
        auto followed = tenants_->follow();
        for (int thread = 0; thread < 2; ++thread) {
            std::promise<void> done;
            asio::post(blocking_, [&done] { done.set_value(); });
            done.get_future().wait();
        }
        return followed;
    }

    template <class T, class Ask>
    static Result<T> wait(Ask ask) {
        std::promise<Result<T>> answer;
        auto future = answer.get_future();
        ask(store::Callback<T>([&](Result<T> result) { answer.set_value(std::move(result)); }));
        return future.get();
    }
    Result<Tenant> create(NewTenant wanted) {
        return wait<Tenant>(
            [&](auto done) { tenants_->create(std::move(wanted), std::move(done)); });
    }
    Result<Tenant> set_status(const std::string& code, TenantStatus status) {
        return wait<Tenant>(
            [&](auto done) { tenants_->set_status(code, status, std::move(done)); });
    }
    Result<TenantData> data_of(const std::string& code) {
        return wait<TenantData>([&](auto done) { tenants_->data_of(code, std::move(done)); });
    }
    Result<Record> put(const std::string& code, const std::string& text) {
        ZONA_TRY(const TenantData data, data_of(code));
        const boost::json::object document = {{"text", text}};
        return wait<Record>([&](auto done) {
            data.write(
                [&](Writer& w) { return w.upsert(data.collection(events()), text, document); },
                std::move(done));
        });
    }
    Result<Rotated> rotate(const std::string& owner) {
        KeyRotation rotation({.tenants = *tenants_, .clock = common_.clock, .log = {}});
        ZONA_TRY(const KeyRotation::Turn turn, rotation.begin());
        return turn.rotate(owner, {.age = std::chrono::minutes(1)});
    }

  private:
    Result<std::unique_ptr<EncryptedFiles>> open_files() {
        std::unique_ptr<vault::RingStorage> ring;
        if (!common_.core.uri.empty()) {
            ZONA_TRY(ring, open_shared_ring(common_.core, common_.clock, {}));
        }
        return EncryptedFiles::open({.ring = state() + "/keys.json",
                                     .root_keys = *root_keys_,
                                     .clock = common_.clock,
                                     .random = common_.random,
                                     .log = {},
                                     .page_token_key = core::Secret(std::string(32, 'k')),
                                     .shared_ring = std::move(ring)});
    }

    Common& common_;
    const std::string name_;
    core::MemoryLog log_;
    // Each has its own provider of the same key.
    std::unique_ptr<vault::RootKeyProvider> root_keys_ =
        vault::make_file_provider(common_.directory.path() + "/root-key", common_.random);
    asio::thread_pool blocking_{1};
    std::optional<Tenants> tenants_;
    std::optional<TenantOperations> operations_;
};

class SeveralHosts : public testing::Test {
  protected:
    void SetUp() override {
        if (server_.uri().empty()) GTEST_SKIP() << server_.why_not();
        common_.clock.advance(std::chrono::hours(1));
        common_.core = {.uri = server_.uri(),
                        .database = new_database(),
                        .page_token_key = core::Secret(std::string(32, 'k')),
                        .connect_timeout = std::chrono::milliseconds(500),
                        .selection_timeout = std::chrono::milliseconds(500)};
    }
    ~SeveralHosts() override {
        a_.close();
        b_.close();
        for (const std::string& database : databases_)
            server_.drop(database);
    }

    std::string new_database() {
        databases_.push_back(MongoServer::new_database_name());
        return databases_.back();
    }
    void open_both() {
        for (Host* host : {&a_, &b_}) {
            const auto opened = host->open();
            ASSERT_TRUE(opened.has_value()) << opened.error().message();
        }
    }
    NewTenant tenant(const std::string& code) {
        return {.code = code,
                .name = {},
                .database = {
                    .host = server_.uri(), .name = new_database(), .username = "", .password = {}}};
    }

    MongoServer& server_ = MongoServer::shared();
    std::vector<std::string> databases_;
    Common common_;
    Host a_{common_, "a"};
    Host b_{common_, "b"};
};

// TEN-06, TEN-36, BG-12
TEST_F(SeveralHosts, ATenantOfOneIsSoOnTheOther) {
    open_both();
    ASSERT_TRUE(a_.create(tenant("acme")).has_value());
    EXPECT_EQ(b_.data_of("acme").error().code(), Code::kForbidden);
    ASSERT_TRUE(b_.follow().has_value());
    ASSERT_TRUE(b_.put("acme", "by b").has_value());
    ASSERT_TRUE(a_.put("acme", "by a").has_value());
    const TenantData held = b_.data_of("acme").value();

    ASSERT_TRUE(a_.set_status("acme", TenantStatus::kSuspended).has_value());
    ASSERT_TRUE(b_.follow().has_value());

    EXPECT_EQ(b_.data_of("acme").error().code(), Code::kForbidden);
    EXPECT_EQ(Host::wait<bool>([&](auto done) {
                  held.write([](Writer&) { return Result<bool>(true); }, std::move(done));
              })
                  .error()
                  .code(),
              Code::kForbidden)
        << "who has it already, too";
    ASSERT_TRUE(b_.set_status("acme", TenantStatus::kActive).has_value());
    ASSERT_TRUE(a_.follow().has_value());
    EXPECT_TRUE(a_.put("acme", "again").has_value());
    EXPECT_FALSE(fs::exists(a_.state() + "/core.db"));
    EXPECT_FALSE(fs::exists(a_.state() + "/keys.json"));
}

// TEN-36
TEST_F(SeveralHosts, OneThatDoesNotHearOfTheOthersServesNobody) {
    open_both();
    ASSERT_TRUE(b_.create(tenant("acme")).has_value());
    common_.clock.advance(kFollowTrust);
    EXPECT_TRUE(b_.data_of("acme").has_value());

    common_.clock.advance(std::chrono::seconds(1));

    EXPECT_EQ(b_.data_of("acme").error().code(), Code::kUnavailable);
    EXPECT_THAT(b_.tenants().problem().value_or(""), HasSubstr("core database"));
    ASSERT_TRUE(b_.follow().has_value());
    EXPECT_TRUE(b_.data_of("acme").has_value());
    EXPECT_FALSE(b_.tenants().problem());
}

// DATA-26, DATA-27
TEST_F(SeveralHosts, NumbersAreGivenOutOnce) {
    open_both();
    constexpr int kEach = 5;
    for (int i = 0; i < 2 * kEach; ++i)
        new_database();
    std::vector<std::set<std::int64_t>> numbers(2);
    std::vector<std::jthread> hosts;
    for (Host* host : {&a_, &b_}) {
        hosts.emplace_back([this, host, at = hosts.size(), &mine = numbers[hosts.size()]] {
            for (std::size_t i = 0; i < kEach; ++i) {
                const auto& database = databases_[databases_.size() - 1 - at * kEach - i];
                NewTenant wanted{.code = fmt::format("t{}-{}", at, i), .name = {}};
                wanted.database.host = server_.uri();
                wanted.database.name = database;
                auto made = host->create(wanted);
                // A server without transactions, and without atomic updates by condition as
                // FerretDB, refuses the second of two that were given the same number.
                while (!made && made.error().code() == Code::kConflict)
                    made = host->create(wanted);
                ASSERT_TRUE(made.has_value()) << made.error().message();
                mine.insert(made->id);
            }
        });
    }
    hosts.clear();

    std::set<std::int64_t> all = numbers[0];
    all.insert(numbers[1].begin(), numbers[1].end());
    EXPECT_EQ(all.size(), 2U * kEach);
}

// SEC-06, SEC-07
TEST_F(SeveralHosts, PasswordsAreReadUnderKeysThatAnotherHasMade) {
    open_both();
    NewTenant wanted = tenant("acme");
    wanted.database.password = core::Secret("s3cret");
    ASSERT_TRUE(a_.create(std::move(wanted)).has_value());
    const auto password = [](Host& host) {
        const auto found =
            Host::wait<Tenant>([&](auto done) { host.tenants().find("acme", std::move(done)); });
        return found ? std::string(found->database.password.reveal()) : found.error().message();
    };
    EXPECT_EQ(password(b_), "s3cret");
    common_.clock.advance(std::chrono::minutes(2));
    for (Host* host : {&a_, &b_})
        ASSERT_TRUE(host->follow().has_value());
    const auto old = a_.ring().keys(std::string(kCoreOwner)).value();

    const Rotated done = a_.rotate(std::string(kCoreOwner)).value();

    EXPECT_EQ(done.rotated, 1U);
    EXPECT_EQ(done.passwords, 1U);
    EXPECT_EQ(done.retired, 0U) << "the other may still write with the old key";
    EXPECT_EQ(done.waiting, 1U);
    EXPECT_EQ(password(b_), "s3cret");

    common_.clock.advance(vault::kRingSettles);
    for (Host* host : {&a_, &b_})
        ASSERT_TRUE(host->follow().has_value());
    KeyRotation rotation({.tenants = a_.tenants(), .clock = common_.clock, .log = {}});
    const auto turn = rotation.begin().value();
    const Rotated later =
        turn.rotate(std::string(kCoreOwner), {.age = std::chrono::hours(24)}).value();
    EXPECT_EQ(later.rotated, 0U);
    EXPECT_EQ(later.retired, 1U);
    EXPECT_EQ(password(b_), "s3cret");
    EXPECT_EQ(b_.ring().keys(std::string(kCoreOwner)).value().size(), 2U) << "not told yet";
    ASSERT_TRUE(b_.follow().has_value());
    EXPECT_EQ(b_.ring().keys(std::string(kCoreOwner)).value().size(), 1U);
    EXPECT_EQ(old.size(), 1U);
}

// SEC-06, SEC-07
TEST_F(SeveralHosts, RotationsOfTwoAtOnceLoseNoKey) {
    open_both();
    constexpr int kEach = 8;
    std::vector<std::vector<vault::KeyId>> made(2);
    std::vector<std::jthread> hosts;
    for (Host* host : {&a_, &b_}) {
        hosts.emplace_back([host, &mine = made[hosts.size()]] {
            for (int i = 0; i < kEach; ++i)
                mine.push_back(host->ring().rotate(kCoreOwner).value());
        });
    }
    hosts.clear();

    ASSERT_TRUE(b_.open().has_value());
    ASSERT_TRUE(a_.follow().has_value());
    for (Host* host : {&a_, &b_}) {
        const auto keys = host->ring().tenant(kCoreOwner).value();
        for (const auto& mine : made) {
            for (const vault::KeyId id : mine)
                EXPECT_TRUE(keys->get(id).has_value());
        }
        EXPECT_EQ(host->ring().keys(kCoreOwner).value().size(), 2U * kEach + 1);
    }
}

// BG-12
TEST_F(SeveralHosts, WhatAFormerHolderOfALeaseWritesIsRefused) {
    open_both();
    const store::Collection settings(system_config_spec(), store::Scope::core());
    const auto take = [](Host& host, const std::string& name) {
        return store::write_and_wait(*host.tenants().core(), [&](Writer& writer) {
            return jobs::take_lease(writer, "work", {.instance = name, .life = "1"}, "line");
        });
    };
    const auto write = [&](Host& host, const jobs::Fence& fence, const std::string& text) {
        return store::write_and_wait(*host.tenants().core(), [&](Writer& writer) -> Result<Record> {
            ZONA_TRY_VOID(fence.check(writer));
            return writer.upsert(settings, "done", {{"by", text}});
        });
    };
    const jobs::Fence former = take(a_, "a").value();
    ASSERT_TRUE(write(a_, former, "a").has_value());
    const jobs::Fence present = take(b_, "b").value();

    EXPECT_EQ(write(a_, former, "a again").error().code(), Code::kConflict);

    ASSERT_TRUE(write(b_, present, "b").has_value());
    const auto done = store::read_and_wait(
        *a_.tenants().core(), [&](store::Reader& reader) { return reader.find(settings, "done"); });
    EXPECT_EQ((*done)->document->at("by").as_string(), "b");
}

// TEN-02, TEN-12, TEN-41
TEST_F(SeveralHosts, WhatChangesADatabaseAsAWholeWantsATenantThatNobodyServes) {
    open_both();
    ASSERT_TRUE(a_.create(tenant("acme")).has_value());
    ASSERT_TRUE(a_.put("acme", "one").has_value());
    ASSERT_TRUE(b_.follow().has_value());
    const DatabaseAddress to{
        .host = server_.uri(), .name = new_database(), .username = "", .password = {}};

    EXPECT_EQ(a_.operations().move({.tenant = "acme", .to = to}).error().code(), Code::kConflict);
    EXPECT_EQ(a_.operations()
                  .move({.tenant = "acme", .to = {.host = std::string(kEmbedded)}})
                  .error()
                  .code(),
              Code::kInvalidArgument);
    EXPECT_EQ(a_.operations().back_up_all().error().code(), Code::kUnsupported);
    ASSERT_TRUE(a_.set_status("acme", TenantStatus::kSuspended).has_value());
    const auto moved = a_.operations().move({.tenant = "acme", .to = to});
    ASSERT_TRUE(moved.has_value()) << moved.error().message();
    ASSERT_TRUE(a_.set_status("acme", TenantStatus::kActive).has_value());
    ASSERT_TRUE(b_.follow().has_value());
    ASSERT_TRUE(b_.put("acme", "two").has_value());
    const auto backup = b_.operations().back_up_tenant("acme");
    ASSERT_TRUE(backup.has_value()) << backup.error().message();
    EXPECT_EQ(backup->documents, 2U);
}

// TEN-02, TEN-21
TEST_F(SeveralHosts, RefusesFilesOfOneHostAndAnotherPlaceThanBefore) {
    open_both();
    NewTenant file{.code = "file", .name = {}};
    file.database.host = kEmbedded;
    EXPECT_EQ(a_.create(std::move(file)).error().code(), Code::kInvalidArgument);
    NewTenant core = tenant("core2");
    core.database.name = common_.core.database;
    EXPECT_EQ(a_.create(std::move(core)).error().code(), Code::kConflict);

    const std::string uri = std::exchange(common_.core.uri, "");
    const auto back = a_.open();
    EXPECT_EQ(back.error().code(), Code::kConflict);
    EXPECT_THAT(back.error().message(), HasSubstr("tenancy.core_host"));
    Host fresh(common_, "fresh");
    ASSERT_TRUE(fresh.open().has_value()) << "a file, as ever";
    EXPECT_TRUE(fs::exists(fresh.state() + "/core.db"));
    EXPECT_FALSE(fresh.tenants().is_shared());
    common_.core.uri = uri;
    EXPECT_EQ(fresh.open().error().code(), Code::kConflict);
    common_.build_type = BuildType::kSingleTenant;
    Host single(common_, "single");
    EXPECT_EQ(single.open().error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace zona::tenancy
