#include "identity/access/conditions.h"

#include <gtest/gtest.h>

namespace zona::identity {
namespace {

using namespace std::chrono_literals;
using std::chrono::sys_days;

/// 2026-01-05 is a Monday.
core::SystemTime monday_at(std::chrono::minutes time) {
    using namespace std::chrono;
    return sys_days(2026y / January / 5) + time;
}

constexpr std::uint8_t kMonday = 1;

bool hold(const Conditions& conditions, core::SystemTime time, std::string_view address = "") {
    return conditions.hold({.time = time, .address = address});
}

// AUTH-33
TEST(Conditions, HoldFromTheFirstMinuteToBeforeTheLast) {
    const Conditions hours{.weekdays = 0, .from = 8h, .until = 17h, .networks = {}};

    EXPECT_FALSE(hold(hours, monday_at(8h - 1min)));
    EXPECT_TRUE(hold(hours, monday_at(8h)));
    EXPECT_TRUE(hold(hours, monday_at(17h - 1min)));
    EXPECT_FALSE(hold(hours, monday_at(17h)));
}

// AUTH-33
TEST(Conditions, CountANightToTheDayOnWhichItBegins) {
    const Conditions nights{.weekdays = kMonday, .from = 22h, .until = 6h, .networks = {}};

    EXPECT_TRUE(hold(nights, monday_at(23h)));
    EXPECT_TRUE(hold(nights, monday_at(24h + 5h)));
    EXPECT_FALSE(hold(nights, monday_at(24h + 6h)));
    EXPECT_FALSE(hold(nights, monday_at(24h + 23h)));
    EXPECT_FALSE(hold(nights, monday_at(5h)));
}

// AUTH-33
TEST(Conditions, HoldOnTheirWeekdaysOnly) {
    const Conditions mondays{.weekdays = kMonday, .from = 0min, .until = 0min, .networks = {}};

    EXPECT_TRUE(hold(mondays, monday_at(0h)));
    EXPECT_TRUE(hold(mondays, monday_at(24h - 1min)));
    EXPECT_FALSE(hold(mondays, monday_at(24h)));
    EXPECT_FALSE(hold(mondays, monday_at(-1min)));
}

// AUTH-33
TEST(Conditions, MustAllHold) {
    Conditions both{.weekdays = kMonday, .from = 8h, .until = 17h, .networks = {}};
    both.networks.push_back(net::Network::parse("192.0.2.0/24").value());
    both.networks.push_back(net::Network::parse("10.0.0.0/8").value());

    EXPECT_TRUE(hold(both, monday_at(9h), "10.1.1.1"));
    EXPECT_TRUE(hold(both, monday_at(9h)));  // the unix socket
    EXPECT_FALSE(hold(both, monday_at(9h), "203.0.113.1"));
    EXPECT_FALSE(hold(both, monday_at(18h), "10.1.1.1"));
    EXPECT_FALSE(hold(both, monday_at(24h + 9h), "10.1.1.1"));
    EXPECT_TRUE(hold({}, monday_at(3h), "203.0.113.1"));
}

}  // namespace
}  // namespace zona::identity
