/// @file
/// A platform of real files in a folder of its own, and the fixture that has one: for tests of
/// operations on whole tenants.
#pragma once

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <set>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "core/testing/fake_clock.h"
#include "store/blocking.h"
#include "tenancy/backup/backup_copies.h"
#include "tenancy/backup/whole_backup.h"
#include "tenancy/detail/wait.h"
#include "tenancy/keys/encrypted_files.h"
#include "tenancy/operations/tenant_operations.h"
#include "tenancy/tenant_registry.h"
#include "vault/field_sealer.h"
#include "vault/key_ring.h"
#include "vault/key_shares.h"
#include "vault/root_key.h"

namespace zona::tenancy {

namespace asio = boost::asio;
namespace json = boost::json;
namespace fs = std::filesystem;
using core::Code;
using core::Result;
using store::Reader;
using store::Record;
using store::Writer;
using testing::HasSubstr;

inline const store::CollectionSpec& events() {
    return *tenant_collections().at(3);
}

inline std::string content_of(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// A platform in a folder.
class Platform {
  public:
    Platform(std::string folder, BuildType type) : folder_(std::move(folder)), type_(type) {}
    ~Platform() { close(); }
    Platform(const Platform&) = delete;
    Platform& operator=(const Platform&) = delete;

    Result<void> open() {
        close();
        tenants_.emplace(
            TenantsOptions{.directory = state(),
                           .build_type = type_,
                           .mongo = {.page_token_key = core::Secret(std::string(32, 'k')),
                                     .connect_timeout = std::chrono::milliseconds(500),
                                     .selection_timeout = std::chrono::milliseconds(500)},
                           .placement = placement},
            TenantsDeps{
                .clock = clock,
                .random = random,
                .log = {},
                .open_files =
                    [this](RingPlace) {
                        return EncryptedFiles::open(
                            {.ring = state() + "/keys.json",
                             .root_keys = *root_keys,
                             .clock = clock,
                             .random = random,
                             .log = {},
                             .page_token_key = core::Secret(std::string(32, 'k'))});
                    },
                .run_blocking = [this](auto work) { asio::post(blocking_, std::move(work)); },
                .hook = {},
                .metrics = &metrics});
        copy.from = folder_ + "/backups";
        copy.state = state();
        ZONA_TRY(copies_,
                 BackupCopies::open(
                     copy, {.clock = clock, .helpers = helpers_, .log = {}, .changed = [this] {
                                ++copies_told;
                            }}));
        operations_.emplace(
            OperationsOptions{.backups = folder_ + "/backups", .zona = "0.1", .keep = keep},
            OperationsDeps{.tenants = *tenants_,
                           .clock = clock,
                           .random = random,
                           .log = {},
                           .copies = copies_.get()});
        if (stop_at_open) tenants_->stop();
        ZONA_TRY_VOID(tenants_->open());
        return operations_->resume();
    }
    void close() {
        operations_.reset();
        tenants_.reset();
    }
    /// With the next open().
    void set_type(BuildType type) { type_ = type; }
    Tenants& tenants() { return *tenants_; }
    TenantOperations& operations() { return *operations_; }
    BackupCopies& copies() { return *copies_; }
    std::atomic<int> copies_told = 0;  ///< how often there was news for the copies
    std::string state() const { return folder_ + "/state"; }
    const std::string& folder() const { return folder_; }

    template <class T, class Ask>
    static Result<T> wait(Ask ask) {
        return detail::wait_for<T>(std::move(ask));
    }
    Result<Tenant> create(const std::string& code) {
        return wait<Tenant>([&](auto done) {
            tenants_->create(
                {.code = code, .name = "Name of " + code, .contact_email = code + "@example.org"},
                std::move(done));
        });
    }
    Result<TenantData> data_of(const std::string& code) {
        return wait<TenantData>([&](auto done) { tenants_->data_of(code, std::move(done)); });
    }
    Result<Record> put(const std::string& code, std::int64_t id, const std::string& text) {
        ZONA_TRY(const TenantData data, data_of(code));
        return put(data, id, text);
    }
    static Result<Record> put(const TenantData& data, std::int64_t id, const std::string& text) {
        const json::object document = {{"text", text}};
        return wait<Record>([&](auto done) {
            data.write([&](Writer& w) { return w.upsert(data.collection(events()), id, document); },
                       std::move(done));
        });
    }
    Result<std::vector<Record>> records(const std::string& code) {
        ZONA_TRY(const TenantData data, data_of(code));
        return wait<std::vector<Record>>([&](auto done) {
            data.read(
                [&](Reader& r) -> Result<std::vector<Record>> {
                    const store::Query all{.filter = {}, .sort = {}, .walk = store::Walk::kAllow};
                    ZONA_TRY(store::Page page,
                             r.find_page(data.collection(events()), all, {.limit = 1000}));
                    return std::move(page.records);
                },
                std::move(done));
        });
    }
    std::vector<std::string> texts(const std::string& code) {
        std::vector<std::string> out;
        const auto found = records(code);
        if (!found) return {found.error().message()};
        for (const Record& record : *found)
            out.emplace_back(record.document->at("text").get_string());
        return out;
    }
    /// Files below the folder in which `text` stands.
    std::set<std::string> files_with(const std::string& text) const {
        std::set<std::string> out;
        for (const auto& file : fs::recursive_directory_iterator(folder_)) {
            if (file.is_regular_file() && content_of(file.path()).find(text) != std::string::npos)
                out.insert(fs::relative(file.path(), folder_));
        }
        return out;
    }
    /// Without the sockets and the like that are no matter of tenants.
    std::set<std::string> files() const {
        std::set<std::string> out;
        for (const auto& file : fs::recursive_directory_iterator(folder_)) {
            if (file.is_regular_file()) out.insert(fs::relative(file.path(), folder_));
        }
        return out;
    }

    core::FakeClock clock;
    core::SystemRandom random;
    core::MetricRegistry metrics;
    std::size_t keep = 0;
    bool stop_at_open = false;
    Placement placement;
    CopyOptions copy;  ///< of the next open()

  private:
    std::string folder_;
    BuildType type_;
    asio::thread_pool blocking_{2};

  public:
    std::unique_ptr<vault::RootKeyProvider> root_keys =
        vault::make_file_provider(folder_ + "/root-key", random);

  private:
    std::optional<Tenants> tenants_;
    os::Helpers helpers_;
    std::unique_ptr<BackupCopies> copies_;
    std::optional<TenantOperations> operations_;
};

inline std::string make_folder() {
    std::string name = "/tmp/zona-operations-XXXXXX";
    return ::mkdtemp(name.data());
}

class OperationsTest : public testing::TestWithParam<BuildType> {
  protected:
    OperationsTest() { EXPECT_TRUE(platform_.open().has_value()); }
    ~OperationsTest() override {
        platform_.close();
        fs::remove_all(platform_.folder());
    }

    /// acme with some documents, one of which was changed, and globex with one.
    void fill() {
        for (const char* code : {"acme", "globex"})
            ASSERT_TRUE(platform_.create(code).has_value());
        for (int i = 1; i <= 3; ++i) {
            platform_.clock.advance(std::chrono::milliseconds(1));
            ASSERT_TRUE(platform_.put("acme", i, "secret of acme " + std::to_string(i)));
        }
        platform_.clock.advance(std::chrono::milliseconds(1));
        ASSERT_TRUE(platform_.put("acme", 1, "secret of acme 1 changed").has_value());
        ASSERT_TRUE(platform_.put("globex", 1, "secret of globex").has_value());
    }
    TenantOperations& operations() { return platform_.operations(); }
    std::string path_of(const BackupRecord& record) const {
        return platform_.folder() + "/backups/" + record.file;
    }
    Result<BackupSummary> restore(const std::string& backup, Existing existing) {
        return operations().restore({.tenant = "acme", .backup = backup, .existing = existing});
    }
    static const std::vector<std::string>& as_filled() {
        static const std::vector<std::string> kTexts = {"secret of acme 1 changed",
                                                        "secret of acme 2", "secret of acme 3"};
        return kTexts;
    }

    Platform platform_{make_folder(), GetParam()};
};

}  // namespace zona::tenancy
