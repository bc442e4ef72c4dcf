#include "audit/alerts.h"

#include <gtest/gtest.h>

#include "core/testing/memory_log.h"

namespace zona::audit {
namespace {

using std::chrono::seconds;

class AlertsTest : public testing::Test {
  protected:
    std::uint64_t raised(Pattern pattern) const {
        return alerts_.raised()[static_cast<std::size_t>(pattern)].count;
    }
    /// So many different addresses.
    static std::string address(int number) { return "192.0.2." + std::to_string(number); }

    core::MemoryLog log_;
    core::FakeClock& clock_ = log_.clock();
    core::SeededRandom random_{1};
    core::MetricRegistry metrics_;
    std::vector<Entry> entries_;
    Alerts alerts_{{.record = [this](const Entry& entry) { entries_.push_back(entry); },
                    .clock = clock_,
                    .random = random_,
                    .log = log_.logger("security"),
                    .metrics = metrics_},
                   {.window = seconds(600),
                    .failures_of_address = 6,
                    .failures_of_name = 4,
                    .names_of_address = 3,
                    .foreign_tenants = 2,
                    .attacks = 3}};
};

// SEC-22, OBS-34
TEST_F(AlertsTest, ANameThatIsTriedFromManyAddressesIsToldOfOnce) {
    for (int i = 0; i < 3; ++i)
        alerts_.failed(address(i), "acme", "anna");
    EXPECT_TRUE(entries_.empty());
    for (int i = 3; i < 20; ++i)
        alerts_.failed(address(i), "acme", "anna");
    ASSERT_EQ(entries_.size(), 1U) << "once in a window";
    EXPECT_EQ(entries_[0].action, "alert");
    EXPECT_EQ(entries_[0].resource, "failures_of_name");
    EXPECT_EQ(entries_[0].category, Category::kSecurity);
    EXPECT_EQ(entries_[0].tenant, "acme");
    EXPECT_EQ(entries_[0].actor.name, "anna");
    EXPECT_EQ(entries_[0].details, "one name was tried in vain 4 times in 10 min");
    EXPECT_TRUE(log_.has("alert: one name was tried in vain"));
    EXPECT_FALSE(log_.has("anna"));
    EXPECT_NE(
        metrics_.render_prometheus().find(R"(zona_alerts_total{pattern="failures_of_name"} 1)"),
        std::string::npos);
    EXPECT_EQ(alerts_.raised()[1].last, clock_.system());

    clock_.advance(seconds(601));
    for (int i = 0; i < 4; ++i)
        alerts_.failed(address(i), "acme", "anna");
    EXPECT_EQ(raised(Pattern::kFailuresOfName), 2U) << "it goes on in the next window";
}

// SEC-22
TEST_F(AlertsTest, NamesThatOneAddressSpraysAreToldOf) {
    for (int i = 0; i < 2; ++i) {
        alerts_.failed(address(1), "acme", "anna");
        alerts_.failed(address(1), "acme", "bert");
    }
    EXPECT_EQ(raised(Pattern::kNamesOfAddress), 0U) << "two names, however often";
    alerts_.failed(address(1), "globex", "anna");
    EXPECT_EQ(raised(Pattern::kNamesOfAddress), 1U) << "of another tenant it is another name";
    EXPECT_EQ(entries_.back().actor.address, address(1));
    EXPECT_EQ(entries_.back().actor.name, "");
}

// SEC-22, OBS-07
TEST_F(AlertsTest, AnAddressThatGuessesKeysIsToldOf) {
    for (int i = 0; i < 5; ++i) {
        alerts_.failed(address(1), "", "");
        alerts_.failed(address(2 + i), "", "");
    }
    EXPECT_TRUE(entries_.empty());
    clock_.advance(seconds(599));
    alerts_.failed(address(1), "", "");
    EXPECT_EQ(raised(Pattern::kFailuresOfAddress), 1U);
    clock_.advance(seconds(600));
    for (int i = 0; i < 5; ++i)
        alerts_.failed(address(2), "", "");
    EXPECT_EQ(raised(Pattern::kFailuresOfAddress), 1U)
        << "what is older than the window is not counted";
}

// SEC-22, TEN-35
TEST_F(AlertsTest, WhoAsksForTenantsOfOthersAgainAndAgainIsToldOf) {
    const Actor who{
        .kind = "user", .id = "17", .number = 17, .name = "anna", .address = address(1)};
    alerts_.reached_out(who, "globex");
    EXPECT_TRUE(entries_.empty());
    alerts_.reached_out(who, "initech");
    ASSERT_EQ(entries_.size(), 1U);
    EXPECT_EQ(entries_[0].actor, who);
    EXPECT_EQ(entries_[0].resource, "foreign_tenants");
}

// SEC-22, SEC-14
TEST_F(AlertsTest, OneAddressWhoseRequestsLookLikeAttacksIsTold) {
    for (int i = 0; i < 5; ++i)
        alerts_.attacked(address(1));
    alerts_.attacked(address(2));
    ASSERT_EQ(entries_.size(), 1U);
    EXPECT_EQ(entries_[0].resource, "attacks");
    EXPECT_EQ(entries_[0].actor.address, address(1));
    EXPECT_EQ(entries_[0].details, "3 requests of one address in 10 min look like attacks");
}

// SEC-22
TEST_F(AlertsTest, WhatIsNotLookedForIsNotToldOf) {
    alerts_.came_from_new_place({.kind = "user", .id = "17"}, "acme");
    EXPECT_EQ(raised(Pattern::kNewPlace), 1U);
    alerts_.set_limits({.failures_of_address = 0,
                        .failures_of_name = 0,
                        .names_of_address = 0,
                        .foreign_tenants = 0,
                        .attacks = 0,
                        .new_places = false});
    for (int i = 0; i < 100; ++i) {
        alerts_.failed(address(1), "acme", "name" + std::to_string(i));
        alerts_.reached_out({.kind = "user", .id = "17"}, "globex");
        alerts_.attacked(address(1));
    }
    alerts_.came_from_new_place({.kind = "user", .id = "17"}, "acme");
    EXPECT_EQ(entries_.size(), 1U);
}

// SEC-22
TEST_F(AlertsTest, WhoIsQuietTheLongestIsForgottenFirst) {
    for (int i = 0; i < 5; ++i)
        alerts_.failed("192.0.2.1", "", "");
    for (int i = 0; i < 1100; ++i) {
        clock_.advance(std::chrono::milliseconds(1));
        alerts_.failed("198.51.100." + std::to_string(i), "", "");
    }
    alerts_.failed("192.0.2.1", "", "");
    EXPECT_TRUE(entries_.empty());
}

}  // namespace
}  // namespace zona::audit
