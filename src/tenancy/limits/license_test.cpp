#include "tenancy/limits/license.h"

#include <atomic>
#include <chrono>
#include <thread>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "core/testing/fake_clock.h"
#include "crypto/encoding.h"
#include "store/blocking.h"
#include "store/testing/memory_database.h"
#include "store/testing/sqlite_file.h"
#include "tenancy/core_collections.h"
#include "tenancy/detail/wait.h"
#include "tenancy/limits/license_repository.h"
#include "tenancy/tenant_registry.h"
#include "tenancy/testing/license_issuer.h"

namespace zona::tenancy {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using core::Code;
using core::Result;
using detail::wait_for;
using testing::HasSubstr;

/// kInternal: it was taken.
template <class T>
Code code_of(const Result<T>& answer) {
    return answer ? Code::kInternal : answer.error().code();
}

template <class T>
std::string message_of(const Result<T>& answer) {
    return answer ? "taken" : answer.error().message();
}

std::string refusal(const Result<License>& license) {
    if (license) return "taken";
    EXPECT_EQ(license.error().code(), Code::kInvalidArgument);
    return license.error().message();
}

class LicenseTest : public testing::Test {
  protected:
    Result<License> install(const json::object& claims) {
        return wait_for<License>([&](auto done) {
            licenses_.install(issuer_.issue(claims), clock_.system(), std::move(done));
        });
    }
    std::vector<License> installed() {
        return wait_for<std::vector<License>>([&](auto done) { licenses_.list(std::move(done)); })
            .value();
    }
    License governs(std::string_view tenant = "") {
        return governing(installed(), tenant, clock_.system());
    }
    Result<Tenant> create(const std::string& code) {
        return wait_for<Tenant>(
            [&](auto done) { registry_.create({.code = code, .name = {}}, std::move(done)); });
    }
    std::string in(std::chrono::seconds time) const {
        return core::to_rfc3339(clock_.system() + time);
    }
    store::Collection records() const { return {license_info_spec(), store::Scope::core()}; }

    LicenseIssuer issuer_;
    core::FakeClock clock_;
    std::shared_ptr<store::Database> core_ = std::make_shared<store::MemoryDatabase>(
        core_collections(), core::Secret(std::string(32, 'k')), clock_);
    LicenseRepository licenses_{core_, issuer_.keys()};
    TenantRegistry registry_{core_, clock_, nullptr, issuer_.keys()};
};

// DATA-08
TEST_F(LicenseTest, AllEightFieldsComeBack) {
    ASSERT_TRUE(install({{"type", "trial"},
                         {"max_integrations", 7},
                         {"max_tenants", 3},
                         {"feature_flags", {{"saml", true}}},
                         {"expires_at", in(24h)},
                         {"compliance_features", {{"audit_export", false}}}})
                    .has_value());
    ASSERT_TRUE(wait_for<bool>([&](auto done) {
                    licenses_.note_usage(LicenseType::kTrial, {{"runs", 12}}, std::move(done));
                }).value());
    const License license = installed().at(0);
    EXPECT_EQ(license.type, LicenseType::kTrial);
    EXPECT_EQ(license.id, "2026-0017");
    EXPECT_EQ(license.holder, "Acme Ltd.");
    EXPECT_EQ(license.max_integrations, 7);
    EXPECT_EQ(license.max_tenants, 3);
    EXPECT_EQ(*license.feature_flags, (json::object{{"saml", true}}));
    EXPECT_EQ(license.expiry_date, clock_.system() + 24h);
    EXPECT_EQ(*license.usage_metrics, (json::object{{"runs", 12}}));
    EXPECT_EQ(*license.compliance_features, (json::object{{"audit_export", false}}));

    // By the names of the specification, the type being the key.
    const auto record = store::read_and_wait(*core_, [&](store::Reader& r) {
                            return r.find(records(), "trial");
                        }).value();
    for (const char* field :
         {"license_type", "license_details", "max_integrations", "max_tenants", "feature_flags",
          "expiry_date", "usage_metrics", "compliance_features"})
        EXPECT_TRUE(record->document->contains(field)) << field;
}

// LIC-01
TEST_F(LicenseTest, EachTypeHasLimitsOfItsOwn) {
    EXPECT_EQ(governs().max_tenants, 10'000) << "built in, while there is none";
    EXPECT_EQ(governs().type, LicenseType::kCommunity);
    EXPECT_FALSE(governs().max_integrations);
    const auto of = [&](const char* type) {
        return parse_license(issuer_.issue({{"type", type}, {"expires_at", in(1h)}}),
                             issuer_.keys())
            .value();
    };
    EXPECT_EQ(of("community").max_tenants, 10'000);
    EXPECT_EQ(of("trial").max_tenants, 10);
    EXPECT_EQ(of("trial").max_integrations, 10);
    EXPECT_FALSE(of("enterprise").max_tenants);
    EXPECT_FALSE(of("enterprise").max_integrations);
    EXPECT_EQ(parse_license(issuer_.issue({{"max_tenants", 5}}), issuer_.keys())->max_tenants, 5);
    EXPECT_EQ(parse_license_type("gold").error().code(), Code::kInvalidArgument);
}

// LIC-09
TEST_F(LicenseTest, WhatNobodyTrustedHasSignedAsItIsIsRefused) {
    const std::string good = issuer_.issue({{"max_tenants", 5}});
    ASSERT_TRUE(parse_license(good + "\n", issuer_.keys()).has_value());
    const std::size_t payload = good.find('.') + 1;
    for (std::size_t at = 0; at < good.size(); at += 7) {
        std::string changed = good;
        changed[at] = changed[at] == 'A' ? 'B' : 'A';
        if (changed == good) continue;
        EXPECT_FALSE(parse_license(changed, issuer_.keys()).has_value()) << at;
    }
    const std::string more =
        good.substr(0, payload) +
        crypto::base64url(std::as_bytes(std::span(std::string_view(
            R"({"id":"x","type":"enterprise","holder":"x","issued_at":"1970-01-01T00:00:00Z"})")))) +
        good.substr(good.rfind('.'));
    EXPECT_THAT(refusal(parse_license(more, issuer_.keys())), HasSubstr("it was changed"));
    EXPECT_THAT(refusal(parse_license(LicenseIssuer().issue(), issuer_.keys())),
                HasSubstr("somebody else's"));
    EXPECT_THAT(refusal(parse_license(issuer_.issue({}, "at+jwt"), issuer_.keys())),
                HasSubstr("this is no licence"))
        << "a token for something else";
    EXPECT_THAT(refusal(parse_license("gold for ever", issuer_.keys())),
                HasSubstr("this is no licence"));
    EXPECT_THAT(refusal(parse_license(good, LicenseKeys())), HasSubstr("no public key is set"));
}

// LIC-09
TEST_F(LicenseTest, WhatItSaysIsWholeAndUnderstood) {
    const auto problem = [&](const json::object& claims) {
        return refusal(parse_license(issuer_.issue(claims), issuer_.keys()));
    };
    EXPECT_THAT(problem({{"holder", nullptr}}), HasSubstr("/holder: is required"));
    EXPECT_THAT(problem({{"issued_at", nullptr}}), HasSubstr("/issued_at: is missing"));
    EXPECT_THAT(problem({{"issued_at", "soon"}}), HasSubstr("/issued_at: is no time"));
    EXPECT_THAT(problem({{"type", "gold"}}), HasSubstr("no type of a licence"));
    EXPECT_THAT(problem({{"max_tenants", -1}}), HasSubstr("/max_tenants: must be from 0"));
    EXPECT_THAT(problem({{"max_tenants", 1.5}}), HasSubstr("/max_tenants: "));
    EXPECT_THAT(problem({{"max_users", 3}}), HasSubstr("/max_users: unknown key"));
    EXPECT_THAT(problem({{"feature_flags", {{"saml", "no"}}}}), HasSubstr("true or false"));
    EXPECT_THAT(problem({{"type", "trial"}}), HasSubstr("which a trial has"));
    EXPECT_THAT(problem({{"expires_at", "1970-01-01T00:00:00Z"}}), HasSubstr("not after"));
    EXPECT_THAT(problem({{"tenants", {"acme"}}, {"max_tenants", 3}}), HasSubstr("does not go"));
    EXPECT_THAT(refusal(parse_license(issuer_.sign("[]"), issuer_.keys())),
                HasSubstr("no JSON object"));
}

TEST_F(LicenseTest, KeysAreNamedWhenTheyAreNone) {
    EXPECT_TRUE(LicenseKeys::parse("", "")->empty());
    EXPECT_THAT(LicenseKeys::parse("", "abc").error().message(),
                HasSubstr("license.public_keys: 'abc'"));
    const std::string both = LicenseIssuer().public_key() + " , " + issuer_.public_key();
    EXPECT_TRUE(LicenseKeys::parse("", both)->open(issuer_.issue()).has_value());
    EXPECT_FALSE(
        LicenseKeys::parse(LicenseIssuer().public_key(), both)->open(issuer_.issue()).has_value())
        << "who is built in is the only one";
}

// LIC-09
TEST_F(LicenseTest, ExpiredFutureAndOlderOnesAreNotInstalled) {
    clock_.advance(1h);
    EXPECT_THAT(refusal(install({{"expires_at", in(0s)}})), HasSubstr("has expired at"));
    EXPECT_THAT(refusal(install({{"not_before", in(1s)}})), HasSubstr("holds only from"));
    ASSERT_TRUE(install({{"id", "new"}, {"issued_at", in(-10min)}}).has_value());
    EXPECT_EQ(code_of(install({{"id", "old"}, {"issued_at", in(-20min)}})), Code::kConflict);
    ASSERT_TRUE(install({{"id", "newest"}, {"issued_at", in(-5min)}}).has_value());
    ASSERT_EQ(installed().size(), 1U) << "of each type there is one";
    EXPECT_EQ(installed()[0].id, "newest");
}

// LIC-09, LIC-10
TEST_F(LicenseTest, ARecordThatWasChangedGovernsByWhatWasSigned) {
    ASSERT_TRUE(install({{"max_tenants", 2}}).has_value());
    const auto set = [&](store::Path path, const json::value& value) {
        return store::write_and_wait(*core_, [&](store::Writer& w) {
            return w.modify(records(), "enterprise", store::Update().set(std::move(path), value));
        });
    };
    ASSERT_TRUE(set("max_tenants", 99).has_value());
    EXPECT_EQ(governs().max_tenants, 2);
    const json::value foreign(LicenseIssuer().issue());
    ASSERT_TRUE(set({"license_details", "signed"}, foreign).has_value());
    EXPECT_EQ(governs().type, LicenseType::kCommunity) << "nobody trusted has signed it";
}

// DATA-24, LIC-10
TEST_F(LicenseTest, EachTenantIsUnderOneTheStrongestThatHasNotExpired) {
    ASSERT_TRUE(install({{"type", "community"}, {"id", "c"}}).has_value());
    ASSERT_TRUE(install({{"id", "e"}, {"expires_at", in(1h)}}).has_value());
    ASSERT_TRUE(
        install({{"type", "trial"}, {"id", "t"}, {"expires_at", in(2h)}, {"tenants", {"Acme"}}})
            .has_value());
    EXPECT_EQ(governs().id, "e");
    EXPECT_EQ(governs("globex").id, "e");
    EXPECT_EQ(governs("acme").id, "t") << "it names acme, however strong others are";
    clock_.advance(1h);
    EXPECT_EQ(governs().id, "c");
    EXPECT_EQ(governs("acme").id, "t");
    clock_.advance(1h);
    EXPECT_EQ(governs("acme").id, "t") << "it goes on to hold";
    EXPECT_EQ(code_of(check_valid(governs("acme"), clock_.system())), Code::kLicense);
}

// LIC-05, LIC-07
TEST_F(LicenseTest, TenantsAreMadeUpToTheLicencesNumberAndNoneOnceItHasExpired) {
    ASSERT_TRUE(
        install({{"type", "trial"}, {"max_tenants", 2}, {"expires_at", in(1h)}}).has_value());
    ASSERT_TRUE(create("acme").has_value());
    EXPECT_EQ(code_of(create("acme")), Code::kConflict) << "the code is taken";
    ASSERT_TRUE(create("globex").has_value());
    EXPECT_EQ(code_of(create("initech")), Code::kLicense);
    EXPECT_THAT(message_of(create("initech")), HasSubstr("allows 2 tenants, and there are 2"));
    ASSERT_TRUE(wait_for<Tenant>([&](auto done) {
                    registry_.forget("acme", std::move(done));
                }).has_value());
    ASSERT_TRUE(create("initech").has_value()) << "one that was erased has left its place";
    ASSERT_TRUE(wait_for<Tenant>([&](auto done) {
                    registry_.forget("globex", std::move(done));
                }).has_value());
    clock_.advance(1h);
    EXPECT_THAT(message_of(create("umbrella")), HasSubstr("has expired at"));
    ASSERT_TRUE(install({{"max_tenants", 3}}).has_value());
    EXPECT_TRUE(create("umbrella").has_value());
}

// LIC-05
TEST_F(LicenseTest, OfManyThatWantTheLastPlaceOneGetsIt) {
    store::SqliteFile file;
    const std::shared_ptr<store::Database> core =
        file.open(file.options(core_collections())).value();
    TenantRegistry registries[] = {{core, clock_, nullptr, issuer_.keys()},
                                   {core, clock_, nullptr, issuer_.keys()}};
    LicenseRepository licenses(core, issuer_.keys());
    ASSERT_TRUE(wait_for<License>([&](auto done) {
                    licenses.install(issuer_.issue({{"max_tenants", 3}}), clock_.system(),
                                     std::move(done));
                }).has_value());
    std::atomic<int> made = 0;
    std::vector<std::jthread> racers;
    for (int i = 0; i < 8; ++i) {
        racers.emplace_back([&, i] {
            const auto result = wait_for<Tenant>([&](auto done) {
                registries[i % 2].create({.code = fmt::format("t{}", i), .name = {}},
                                         std::move(done));
            });
            if (result) return void(++made);
            EXPECT_EQ(result.error().code(), Code::kLicense) << result.error().message();
        });
    }
    racers.clear();
    EXPECT_EQ(made, 3);
}

// LIC-06, LIC-11
TEST_F(LicenseTest, WhatIsTurnedOffIsRefusedByName) {
    const License license =
        parse_license(
            issuer_.issue({{"feature_flags", {{"custom_roles", false}, {"audit_export", false}}},
                           {"compliance_features", {{"audit_report", false}}}}),
            issuer_.keys())
            .value();
    for (const Feature feature : kAllFeatures) {
        const bool is_off = feature == Feature::kCustomRoles || feature == Feature::kAuditReport;
        EXPECT_EQ(license.has(feature), !is_off) << to_string(feature);
        EXPECT_TRUE(community_license().has(feature)) << to_string(feature);
    }
    const auto refused = check_feature(license, Feature::kCustomRoles);
    EXPECT_EQ(refused.error().code(), Code::kLicense);
    EXPECT_THAT(refused.error().message(), HasSubstr("'custom_roles' turned off"));
}

}  // namespace
}  // namespace zona::tenancy
