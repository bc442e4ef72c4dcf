#include "tenancy/limits/licensing.h"

#include <chrono>
#include <filesystem>
#include <fstream>

#include <boost/json.hpp>
#include <gmock/gmock.h>

#include "core/testing/fake_clock.h"
#include "core/testing/memory_log.h"
#include "core/testing/temporary_directory.h"
#include "identity/users/collections.h"
#include "store/blocking.h"
#include "store/testing/memory_database.h"
#include "tenancy/core_collections.h"
#include "tenancy/detail/wait.h"
#include "tenancy/tenant_registry.h"
#include "tenancy/testing/license_issuer.h"

namespace zona::tenancy {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using core::Code;
using core::Result;
using detail::wait_for;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::chrono::hours kDay(24);

class LicensingTest : public testing::Test {
  protected:
    LicensingTest() { licensing_.start(core_); }

    std::string in(std::chrono::seconds time) const {
        return core::to_rfc3339(clock_.system() + time);
    }
    void put_file(const std::string& text) const { std::ofstream(file_) << text << "\n"; }
    void create(const std::string& code) {
        ASSERT_TRUE(wait_for<Tenant>([&](auto done) {
                        registry_.create({.code = code, .name = {}}, std::move(done));
                    }).has_value());
    }
    std::size_t logged(std::string_view text) const {
        std::size_t out = 0;
        for (const std::string& line : log_.lines())
            out += line.contains(text) ? 1 : 0;
        return out;
    }
    Licensing another() {
        return {
            {.keys = issuer_.keys(), .file = file_, .warn_days = {1, 7, 30}},
            {.clock = clock_,
             .log = log_.logger("license"),
             .metrics = metrics_,
             .record = [this](std::string_view action, const std::string& id, const std::string&) {
                 told_.push_back(std::string(action) + " " + id);
             }}};
    }

    LicenseIssuer issuer_;
    core::TemporaryDirectory folder_;
    const std::string file_ = folder_.path() + "/license";
    core::FakeClock clock_;
    core::MemoryLog log_;
    core::MetricRegistry metrics_;
    std::vector<std::string> told_;
    std::shared_ptr<store::Database> core_ = std::make_shared<store::MemoryDatabase>(
        core_collections(), core::Secret(std::string(32, 'k')), clock_);
    TenantRegistry registry_{core_, clock_, nullptr, issuer_.keys()};
    Licensing licensing_ = another();
};

// LIC-07
TEST_F(LicensingTest, AFileThatIsReplacedIsInstalledByItself) {
    ASSERT_TRUE(licensing_.look().has_value());
    EXPECT_EQ(licensing_.of("").id, "");
    put_file(issuer_.issue({{"id", "first"}, {"expires_at", in(kDay * 90)}}));
    ASSERT_TRUE(licensing_.look().has_value());
    ASSERT_TRUE(licensing_.look().has_value());
    EXPECT_EQ(licensing_.of("").id, "first");
    clock_.advance(kDay * 100);
    EXPECT_EQ(licensing_.of("").state(clock_.system()), LicenseState::kExpired);
    put_file(issuer_.issue({{"id", "renewed"}, {"issued_at", in(0s)}}));
    ASSERT_TRUE(licensing_.look().has_value());
    EXPECT_EQ(licensing_.of("").id, "renewed");
    EXPECT_TRUE(check_valid(licensing_.of(""), clock_.system()).has_value());
    EXPECT_THAT(told_, ElementsAre("installLicense first", "installLicense renewed"));
    EXPECT_EQ(licensing_.file_problem(), "");
}

// LIC-07, LIC-09
TEST_F(LicensingTest, AFileThatCannotBeTakenIsToldOnceAndChangesNothing) {
    put_file(issuer_.issue({{"id", "good"}}));
    ASSERT_TRUE(licensing_.look().has_value());
    put_file(LicenseIssuer().issue({{"id", "foreign"}}));
    ASSERT_TRUE(licensing_.look().has_value());
    ASSERT_TRUE(licensing_.look().has_value());
    EXPECT_EQ(licensing_.of("").id, "good");
    EXPECT_THAT(licensing_.file_problem(), HasSubstr("not signed by whom zona trusts"));
    EXPECT_EQ(logged("the licence in the file is not installed"), 1U);
    std::filesystem::remove(file_);
    ASSERT_TRUE(licensing_.look().has_value());
    EXPECT_EQ(licensing_.file_problem(), "");
    EXPECT_EQ(licensing_.of("").id, "good") << "it is installed, the file is no more needed";
}

// LIC-07
TEST_F(LicensingTest, EachWarningIsGivenOnceByOneInstance) {
    Licensing other = another();
    other.start(core_);
    ASSERT_TRUE(licensing_.install(issuer_.issue({{"expires_at", in(kDay * 40)}})).has_value());
    const auto warnings = [&] {
        told_.clear();
        EXPECT_TRUE(licensing_.look().has_value());
        EXPECT_TRUE(other.look().has_value());
        return told_.size();
    };
    const auto days_left = [&] {
        return metrics_.gauge("zona_license_days_left", "Days left.", {{"type", "enterprise"}})
            .value();
    };
    EXPECT_EQ(warnings(), 0U);
    EXPECT_EQ(days_left(), 40);
    for (const int days : {30, 7, 1}) {
        clock_.advance(*licensing_.of("").expiry_date - clock_.system() - kDay * days);
        EXPECT_EQ(warnings(), 1U) << days;
        EXPECT_THAT(told_, ElementsAre("licenseExpires 2026-0017"));
        EXPECT_EQ(days_left(), days);
        clock_.advance(1h);
        EXPECT_EQ(warnings(), 0U) << days;
    }
    EXPECT_EQ(logged("the licence expires soon"), 3U);
    clock_.advance(kDay);
    EXPECT_EQ(warnings(), 1U);
    EXPECT_THAT(told_, ElementsAre("licenseExpired 2026-0017"));
}

// LIC-08
TEST_F(LicensingTest, WhatIsReportedIsWhatThereIs) {
    for (const char* code : {"acme", "globex", "initech", "umbrella"})
        create(code);
    const auto set = [&](const char* code, TenantStatus status) {
        ASSERT_TRUE(wait_for<Tenant>([&](auto done) {
                        registry_.set_status(code, status, std::move(done));
                    }).has_value());
    };
    set("globex", TenantStatus::kSuspended);
    set("initech", TenantStatus::kInactive);
    ASSERT_TRUE(wait_for<Tenant>([&](auto done) {
                    registry_.forget("umbrella", std::move(done));
                }).has_value());
    ASSERT_TRUE(licensing_.install(issuer_.issue({{"max_tenants", 50}})).has_value());
    EXPECT_EQ(licensing_.usage().value(),
              (LicenseUsage{.active = 1, .suspended = 1, .inactive = 1}));
    EXPECT_EQ(licensing_.usage()->tenants(), 3U);

    ASSERT_TRUE(licensing_.look().has_value());
    ASSERT_TRUE(wait_for<Tenant>([&](auto done) {
                    registry_.forget("initech", std::move(done));
                }).has_value());
    ASSERT_TRUE(licensing_.look().has_value());
    EXPECT_EQ(licensing_.of("").usage_metrics->at("tenants").as_int64(), 3) << "not each time";
    clock_.advance(kUsagePause);
    ASSERT_TRUE(licensing_.look().has_value());
    ASSERT_TRUE(licensing_.look().has_value());
    const json::object kept = *licensing_.of("").usage_metrics;
    EXPECT_EQ(kept.at("tenants").as_int64(), 2);
    EXPECT_EQ(kept.at("peak_tenants").as_int64(), 3);
}

TEST_F(LicensingTest, BeforeItIsOpenAndAfterwardsNothingIsInstalled) {
    Licensing other = another();
    EXPECT_EQ(other.look().error().code(), Code::kUnavailable);
    EXPECT_EQ(other.install(issuer_.issue()).error().code(), Code::kUnavailable);
    EXPECT_EQ(other.of("acme").type, LicenseType::kCommunity);
    licensing_.stop();
    EXPECT_EQ(licensing_.usage().error().code(), Code::kUnavailable);
    EXPECT_THAT(parse_warn_days("7,x").error().message(), HasSubstr("license.warn_days: 'x'"));
    EXPECT_THAT(parse_warn_days("30,1,7").value(), ElementsAre(1, 7, 30));
}

}  // namespace
}  // namespace zona::tenancy
