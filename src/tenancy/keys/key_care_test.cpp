#include "tenancy/keys/key_care.h"

#include <filesystem>
#include <future>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"
#include "core/testing/temporary_directory.h"
#include "tenancy/keys/encrypted_files.h"
#include "tenancy/tenants.h"
#include "vault/root_key.h"

namespace zona::tenancy {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using core::Code;
using core::Result;
using store::Reader;
using store::Record;
using store::Writer;
using testing::HasSubstr;
using vault::KeyOwner;

class KeyCareTest : public testing::TestWithParam<BuildType> {
  protected:
    KeyCareTest() { start(); }

    void start() {
        tenants_.reset();
        tenants_ = std::make_unique<Tenants>(
            TenantsOptions{.directory = folder_.path() + "/state", .build_type = GetParam()},
            TenantsDeps{
                .clock = clock_,
                .random = random_,
                .log = {},
                .open_files = [this] { return open_files(); },
                .run_blocking = [this](auto work) { asio::post(blocking_, std::move(work)); },
                .hook = {}});
        EXPECT_TRUE(tenants_->open());
    }
    Result<std::unique_ptr<EncryptedFiles>> open_files() {
        return EncryptedFiles::open({.ring = folder_.path() + "/keys.json",
                                     .root_keys = *root_keys_,
                                     .clock = clock_,
                                     .random = random_,
                                     .log = {},
                                     .page_token_key = core::Secret(std::string(32, 'k'))});
    }
    KeyCare care() { return {*tenants_, {}}; }
    template <class T, class Ask>
    static Result<T> wait(Ask ask) {
        std::promise<Result<T>> answer;
        auto future = answer.get_future();
        ask(store::Callback<T>([&](Result<T> result) { answer.set_value(std::move(result)); }));
        return future.get();
    }
    Result<KeyReport> report() {
        return wait<KeyReport>([&](auto done) { care().report(std::move(done)); });
    }
    Result<KeyOwner> revoke(const std::string& owner) {
        return wait<KeyOwner>([&](auto done) { care().revoke(owner, std::move(done)); });
    }
    Result<Tenant> create(const std::string& code) {
        return wait<Tenant>([&](auto done) { tenants_->create({.code = code}, std::move(done)); });
    }
    Result<TenantData> data_of(const std::string& code) {
        return wait<TenantData>([&](auto done) { tenants_->data_of(code, std::move(done)); });
    }
    static const store::CollectionSpec& integrations() { return *tenant_collections().at(0); }
    void store_secret(const std::string& code) {
        const TenantData data = data_of(code).value();
        const json::object document = {{"secret_fields", {{"token", "correct-horse"}}}};
        for (std::int64_t id = 1; id <= 5; ++id) {
            ASSERT_TRUE(wait<Record>([&](auto done) {
                data.write(
                    [&](Writer& w) {
                        return w.insert(data.collection(integrations()), id, document);
                    },
                    std::move(done));
            }));
        }
    }
    Result<std::optional<Record>> secret_of(const std::string& code) {
        ZONA_TRY(const TenantData data, data_of(code));
        return wait<std::optional<Record>>([&](auto done) {
            data.read([&](Reader& r) { return r.find(data.collection(integrations()), 1); },
                      std::move(done));
        });
    }

    core::TemporaryDirectory folder_;
    core::FakeClock clock_;
    core::SystemRandom random_;
    asio::thread_pool blocking_{2};
    std::unique_ptr<vault::RootKeyProvider> root_keys_ =
        vault::make_file_provider(folder_.path() + "/root-key", random_);
    std::unique_ptr<Tenants> tenants_;
};

INSTANTIATE_TEST_SUITE_P(BothModes, KeyCareTest,
                         testing::Values(BuildType::kMssp, BuildType::kSingleTenant),
                         [](const auto& info) {
                             return info.param == BuildType::kMssp ? "Mssp" : "SingleTenant";
                         });

// SEC-07
TEST_P(KeyCareTest, RootKeyIsRotatedAndTheReportSaysWhetherItIsThere) {
    ASSERT_TRUE(create("acme"));
    store_secret("acme");
    const KeyReport before = report().value();
    EXPECT_FALSE(before.problem);
    EXPECT_THAT(before.provider, HasSubstr("/root-key"));

    const auto after = wait<KeyReport>([&](auto done) { care().rewrap(std::move(done)); });

    EXPECT_NE(after->root, before.root);
    EXPECT_FALSE(after->problem);
    start();
    EXPECT_TRUE(secret_of("acme").value());
    std::filesystem::remove(folder_.path() + "/root-key");
    EXPECT_EQ(report()->problem->code(), Code::kNotFound);
    EXPECT_TRUE(secret_of("acme").value()) << "what is open goes on";
}

// SEC-07
TEST_P(KeyCareTest, RevokedTenantIsReadByNobodyAndOthersAre) {
    for (const char* code : {"acme", "globex"}) {
        ASSERT_TRUE(create(code));
        store_secret(code);
    }
    const TenantData held = data_of("acme").value();

    const KeyOwner revoked = revoke("ACME").value();

    EXPECT_EQ(revoked.tenant, "acme");
    EXPECT_TRUE(revoked.keys.empty());
    EXPECT_TRUE(revoked.erased_at);
    EXPECT_EQ(secret_of("acme").error().code(), Code::kForbidden);
    const auto by_held = wait<std::optional<Record>>([&](auto done) {
        held.read([&](Reader& r) { return r.find(held.collection(integrations()), 1); },
                  std::move(done));
    });
    EXPECT_FALSE(by_held.has_value()) << "what was given out before does not read it either";
    EXPECT_TRUE(wait<Tenant>(
        [&](auto done) { tenants_->set_status("acme", TenantStatus::kActive, std::move(done)); }));
    EXPECT_FALSE(secret_of("acme")) << "and it does not come back";
    EXPECT_TRUE(secret_of("globex").value());
    EXPECT_TRUE(revoke("acme")) << "again is the same";
    EXPECT_EQ(revoke("core").error().code(), Code::kInvalidArgument);
    EXPECT_EQ(revoke("nobody").error().code(), Code::kNotFound);
}

}  // namespace
}  // namespace zona::tenancy
