/// @file
/// Several hosts on one core database in MongoDB, through the driver as the product has it.
#pragma once

#include <filesystem>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"
#include "core/testing/memory_log.h"
#include "core/testing/temporary_directory.h"
#include "store/blocking.h"
#include "store/mongo/testing/mongo_server.h"
#include "tenancy/backup/backup_records.h"
#include "tenancy/core_collections.h"
#include "tenancy/detail/wait.h"
#include "tenancy/keys/encrypted_files.h"
#include "tenancy/keys/key_rotation.h"
#include "tenancy/keys/shared_ring.h"
#include "tenancy/operations/tenant_operations.h"
#include "tenancy/tenants.h"
#include "vault/key_ring.h"
#include "vault/root_key.h"

namespace zona::tenancy {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using core::Code;
using core::Result;
using store::MongoServer;
using store::Record;
using store::Writer;
using testing::HasSubstr;

inline const store::CollectionSpec& events() {
    return *tenant_collections().at(3);
}

inline store::Collection in_core(const store::CollectionSpec& spec) {
    return {spec, store::Scope::core()};
}

/// What all hosts have in common.
struct Common {
    core::TemporaryDirectory directory;
    core::FakeClock clock;
    core::SystemRandom random;
    store::MongoOptions core;
    LicenseKeys license_keys;
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
                           .license_keys = common_.license_keys,
                           .others_time = std::chrono::milliseconds(1)},
            TenantsDeps{
                .clock = common_.clock,
                .random = common_.random,
                .log = log_.logger("tenancy"),
                .open_files = [this](RingPlace ring) { return open_files(ring); },
                .run_blocking = [this](auto work) { asio::post(blocking_, std::move(work)); },
                .hook = {},
                .tenant_changed =
                    [this](const Tenant&) {
                        if (hears) hears();
                    }});
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
    const std::string& name() const { return name_; }
    std::string state() const { return common_.directory.path() + "/" + name_; }
    std::function<void()> hears;  ///< called with each tenant that it hears of; set before open()
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
        return detail::wait_for<T>(std::move(ask));
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
    Result<std::unique_ptr<EncryptedFiles>> open_files(RingPlace place) {
        std::unique_ptr<vault::RingStorage> ring;
        if (place == RingPlace::kCoreDatabase) {
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

    DatabaseAddress another_place() {
        return {.host = server_.uri(), .name = new_database(), .username = "", .password = {}};
    }
    BackupRecords records(Host& host) const { return {host.tenants().core(), common_.clock}; }
    static TenantWork move_of(const Host& host) {
        return {.tenant = "acme", .kind = TenantWork::Kind::kMove, .instance = host.name()};
    }

    MongoServer& server_ = MongoServer::shared();
    std::vector<std::string> databases_;
    Common common_;
    Host a_{common_, "a"};
    Host b_{common_, "b"};
};

}  // namespace zona::tenancy
