#include "tenancy/keys/key_care.h"

#include "tenancy/testing/platform.h"

namespace zona::tenancy {
namespace {

using vault::KeyOwner;

class KeyCareTest : public OperationsTest {
  protected:
    KeyCare care() { return {platform_.tenants(), {}}; }
    Result<KeyReport> report() {
        return Platform::wait<KeyReport>([&](auto done) { care().report(std::move(done)); });
    }
    Result<KeyOwner> revoke(const std::string& owner) {
        return Platform::wait<KeyOwner>([&](auto done) { care().revoke(owner, std::move(done)); });
    }
    static const store::CollectionSpec& integrations() { return *tenant_collections().at(0); }
    void store_secret(const std::string& code) {
        const TenantData data = platform_.data_of(code).value();
        const json::object document = {{"secret_fields", {{"token", "correct-horse"}}}};
        for (std::int64_t id = 1; id <= 5; ++id) {
            ASSERT_TRUE(Platform::wait<Record>([&](auto done) {
                data.write(
                    [&](Writer& w) {
                        return w.insert(data.collection(integrations()), id, document);
                    },
                    std::move(done));
            }));
        }
    }
    Result<std::optional<Record>> secret_of(const std::string& code) {
        ZONA_TRY(const TenantData data, platform_.data_of(code));
        return Platform::wait<std::optional<Record>>([&](auto done) {
            data.read([&](Reader& r) { return r.find(data.collection(integrations()), 1); },
                      std::move(done));
        });
    }
};

INSTANTIATE_TEST_SUITE_P(BothModes, KeyCareTest,
                         testing::Values(BuildType::kMssp, BuildType::kSingleTenant),
                         [](const auto& info) {
                             return info.param == BuildType::kMssp ? "Mssp" : "SingleTenant";
                         });

// SEC-07
TEST_P(KeyCareTest, RootKeyIsRotatedAndTheReportSaysWhetherItIsThere) {
    ASSERT_TRUE(platform_.create("acme"));
    store_secret("acme");
    const KeyReport before = report().value();
    EXPECT_FALSE(before.problem);
    EXPECT_THAT(before.provider, HasSubstr("/root-key"));

    const auto after =
        Platform::wait<KeyReport>([&](auto done) { care().rewrap(std::move(done)); });

    EXPECT_NE(after->root, before.root);
    EXPECT_FALSE(after->problem);
    ASSERT_TRUE(platform_.open());
    EXPECT_TRUE(secret_of("acme").value());
    fs::remove(platform_.folder() + "/root-key");
    EXPECT_EQ(report()->problem->code(), Code::kNotFound);
    EXPECT_TRUE(secret_of("acme").value()) << "what is open goes on";
}

// SEC-07
TEST_P(KeyCareTest, RevokedTenantIsReadByNobodyAndOthersAre) {
    for (const char* code : {"acme", "globex"}) {
        ASSERT_TRUE(platform_.create(code));
        store_secret(code);
    }
    const TenantData held = platform_.data_of("acme").value();

    const KeyOwner revoked = revoke("ACME").value();

    EXPECT_EQ(revoked.tenant, "acme");
    EXPECT_TRUE(revoked.keys.empty());
    EXPECT_TRUE(revoked.erased_at);
    EXPECT_EQ(secret_of("acme").error().code(), Code::kTenantInactive);
    const auto by_held = Platform::wait<std::optional<Record>>([&](auto done) {
        held.read([&](Reader& r) { return r.find(held.collection(integrations()), 1); },
                  std::move(done));
    });
    EXPECT_FALSE(by_held.has_value()) << "what was given out before does not read it either";
    EXPECT_TRUE(Platform::wait<Tenant>([&](auto done) {
        platform_.tenants().set_status("acme", TenantStatus::kActive, std::move(done));
    }));
    EXPECT_FALSE(secret_of("acme")) << "and it does not come back";
    EXPECT_TRUE(secret_of("globex").value());
    EXPECT_TRUE(revoke("acme")) << "again is the same";
    EXPECT_EQ(revoke("core").error().code(), Code::kInvalidArgument);
    EXPECT_EQ(revoke("nobody").error().code(), Code::kNotFound);
}

}  // namespace
}  // namespace zona::tenancy
