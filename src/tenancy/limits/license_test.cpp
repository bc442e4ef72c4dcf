#include "tenancy/limits/license.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>

#include "core/testing/fake_clock.h"
#include "store/blocking.h"
#include "store/testing/memory_database.h"
#include "tenancy/core_collections.h"
#include "tenancy/detail/wait.h"
#include "tenancy/tenant_registry.h"

namespace zona::tenancy {
namespace {

namespace json = boost::json;
using core::Code;
using core::Result;
using detail::wait_for;
using testing::HasSubstr;

std::shared_ptr<const store::Document> object(json::object fields) {
    return std::make_shared<const json::object>(std::move(fields));
}

class LicenseTest : public testing::Test {
  protected:
    Result<License> put(License license) {
        return wait_for<License>(
            [&](auto done) { licenses_.put(std::move(license), std::move(done)); });
    }
    std::optional<License> governing() {
        return wait_for<std::optional<License>>(
                   [&](auto done) { licenses_.governing(clock_.system(), std::move(done)); })
            .value();
    }
    Result<Tenant> create(const std::string& code) {
        return wait_for<Tenant>(
            [&](auto done) { registry_.create({.code = code, .name = {}}, std::move(done)); });
    }

    core::FakeClock clock_;
    std::shared_ptr<store::Database> core_ = std::make_shared<store::MemoryDatabase>(
        core_collections(), core::Secret(std::string(32, 'k')), clock_);
    LicenseRepository licenses_{core_};
    TenantRegistry registry_{core_, clock_, nullptr};
};

// DATA-08
TEST_F(LicenseTest, AllEightFieldsComeBack) {
    const core::SystemTime expiry = clock_.system() + std::chrono::days(30);
    ASSERT_TRUE(put({.type = LicenseType::kTrial,
                     .details = object({{"holder", "Acme"}}),
                     .max_integrations = 7,
                     .max_tenants = 3,
                     .feature_flags = object({{"saml", true}}),
                     .expiry_date = expiry,
                     .usage_metrics = object({{"runs", 12}}),
                     .compliance_features = object({{"masking", "strict"}})})
                    .has_value());
    const auto found = wait_for<std::optional<License>>(
        [&](auto done) { licenses_.find(LicenseType::kTrial, std::move(done)); });
    ASSERT_TRUE(found.has_value() && found->has_value());
    const License& license = **found;
    EXPECT_EQ(license.type, LicenseType::kTrial);
    EXPECT_EQ(*license.details, (json::object{{"holder", "Acme"}}));
    EXPECT_EQ(license.max_integrations, 7);
    EXPECT_EQ(license.max_tenants, 3);
    EXPECT_EQ(*license.feature_flags, (json::object{{"saml", true}}));
    EXPECT_EQ(license.expiry_date, expiry);
    EXPECT_EQ(*license.usage_metrics, (json::object{{"runs", 12}}));
    EXPECT_EQ(*license.compliance_features, (json::object{{"masking", "strict"}}));

    // By the names of the specification, the type being the key.
    const auto record = store::read_and_wait(*core_, [](store::Reader& r) {
                            return r.find({license_info_spec(), store::Scope::core()}, "trial");
                        }).value();
    for (const char* field :
         {"license_type", "license_details", "max_integrations", "max_tenants", "feature_flags",
          "expiry_date", "usage_metrics", "compliance_features"})
        EXPECT_TRUE(record->document->contains(field)) << field;
}

TEST_F(LicenseTest, OfEachTypeThereIsOneAndItCanBeTakenAway) {
    ASSERT_TRUE(put({.type = LicenseType::kTrial, .max_tenants = 3}).has_value());
    ASSERT_TRUE(put({.type = LicenseType::kTrial, .max_tenants = 4}).has_value());
    ASSERT_TRUE(put({.type = LicenseType::kEnterprise}).has_value());
    const auto all =
        wait_for<std::vector<License>>([&](auto done) { licenses_.list(std::move(done)); }).value();
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].type, LicenseType::kEnterprise);
    EXPECT_EQ(all[1].max_tenants, 4);
    const auto remove = [&] {
        return wait_for<bool>(
            [&](auto done) { licenses_.remove(LicenseType::kTrial, std::move(done)); });
    };
    EXPECT_TRUE(*remove());
    EXPECT_FALSE(*remove());
    EXPECT_EQ(put({.type = LicenseType::kTrial, .max_tenants = -1}).error().code(),
              Code::kInvalidArgument);
    EXPECT_EQ(parse_license_type("gold").error().code(), Code::kInvalidArgument);
}

// DATA-24
TEST_F(LicenseTest, OneGovernsAllTenantsTheStrongestThatHasNotExpired) {
    EXPECT_FALSE(governing().has_value());
    ASSERT_TRUE(put({.type = LicenseType::kCommunity}).has_value());
    EXPECT_EQ(governing()->type, LicenseType::kCommunity);
    ASSERT_TRUE(put({.type = LicenseType::kEnterprise,
                     .expiry_date = clock_.system() + std::chrono::hours(1)})
                    .has_value());
    EXPECT_EQ(governing()->type, LicenseType::kEnterprise);
    clock_.advance(std::chrono::hours(1));
    EXPECT_EQ(governing()->type, LicenseType::kCommunity);
}

// DATA-24
TEST_F(LicenseTest, TenantsAreMadeUpToTheLicencesNumberAlsoWhenItHasExpired) {
    ASSERT_TRUE(put({.type = LicenseType::kTrial,
                     .max_tenants = 2,
                     .expiry_date = clock_.system() + std::chrono::hours(1)})
                    .has_value());
    ASSERT_TRUE(create("acme").has_value());
    ASSERT_TRUE(create("globex").has_value());
    EXPECT_EQ(create("initech").error().code(), Code::kConflict);
    EXPECT_THAT(create("initech").error().message(), HasSubstr("the trial licence allows 2"));
    clock_.advance(std::chrono::hours(2));
    EXPECT_EQ(create("initech").error().code(), Code::kConflict);
    ASSERT_TRUE(put({.type = LicenseType::kEnterprise, .max_tenants = 3}).has_value());
    EXPECT_TRUE(create("initech").has_value());
    EXPECT_EQ(create("umbrella").error().code(), Code::kConflict);
}

}  // namespace
}  // namespace zona::tenancy
