#include "net/filter_addresses.h"

#include <gtest/gtest.h>

#include "net/testing/middleware_fixture.h"

namespace zona::net {
namespace {

NetworkSet set_of(const std::vector<std::string>& entries) {
    return NetworkSet::parse(entries).value();
}

class FilterAddressesTest : public MiddlewareTest {
  protected:
    /// "in", or why not.
    std::string verdict(const std::string& address) {
        const auto refused = filter_.refusal(address);
        return refused ? std::string(to_string(*refused)) : "in";
    }
    AddressFilter filter_{metrics_};
};

// SEC-16
TEST_F(FilterAddressesTest, DeniedAddressesAreRefusedAndAllOthersLetIn) {
    EXPECT_EQ(verdict("192.0.2.7"), "in") << "without rules";
    filter_.set_rules({.deny = set_of({"192.0.2.0/24", "2001:db8::/32"})});
    EXPECT_EQ(verdict("192.0.2.7"), "denied");
    EXPECT_EQ(verdict("::ffff:192.0.2.7"), "denied");
    EXPECT_EQ(verdict("2001:db8::1"), "denied");
    EXPECT_EQ(verdict("192.0.3.7"), "in");
    filter_.set_rules({});
    EXPECT_EQ(verdict("192.0.2.7"), "in") << "the rules hold from the next request on";
    EXPECT_NE(
        metrics_.render_prometheus().find(R"(zona_denied_addresses_total{reason="denied"} 3)"),
        std::string::npos);
}

// SEC-16
TEST_F(FilterAddressesTest, WhereSomeAreAllowedNobodyElseIs) {
    filter_.set_rules(
        {.deny = set_of({"10.9.0.0/16"}), .allow = set_of({"10.0.0.0/8", "fd00::/8"})});
    EXPECT_EQ(verdict("10.1.2.3"), "in");
    EXPECT_EQ(verdict("fd00::1"), "in");
    EXPECT_EQ(verdict("10.9.0.1"), "denied") << "deny comes first";
    EXPECT_EQ(verdict("192.0.2.7"), "not_allowed");
    EXPECT_EQ(verdict("2001:db8::1"), "not_allowed");
    EXPECT_EQ(verdict("no address"), "not_allowed");
}

// SEC-16
TEST_F(FilterAddressesTest, CountriesAreDeniedAndAllowed) {
    const CountryOf country_of = [](std::string_view address) -> std::string {
        if (address.starts_with("192.")) return "DE";
        if (address.starts_with("198.")) return "FR";
        return "";
    };
    filter_.set_rules({.deny_countries = {"DE"}, .country_of = country_of});
    EXPECT_EQ(verdict("192.0.2.7"), "country");
    EXPECT_EQ(verdict("198.51.100.7"), "in");
    EXPECT_EQ(verdict("10.0.0.1"), "in") << "of no country that is known";
    filter_.set_rules({.allow = set_of({"10.0.0.0/8"}),
                       .allow_countries = {"DE", "IT"},
                       .country_of = country_of});
    EXPECT_EQ(verdict("192.0.2.7"), "in");
    EXPECT_EQ(verdict("10.0.0.1"), "in");
    EXPECT_EQ(verdict("198.51.100.7"), "not_allowed");
    EXPECT_EQ(verdict("203.0.113.7"), "not_allowed");
}

// SEC-16
TEST_F(FilterAddressesTest, RefusesRequestsOverTcpAndNoneOfThisHostsSocket) {
    filter_.set_rules({.deny = set_of({"0.0.0.0/0"})});
    request_.peer = TcpPeer{.address = "192.0.2.7", .port = 4711};
    const Response refused = run(filter_addresses(filter_));
    ASSERT_TRUE(refused.failure);
    EXPECT_EQ(refused.failure->error.code(), core::Code::kAddressDenied);
    EXPECT_EQ(seen_, 0);
    request_.peer = UnixPeer{};
    EXPECT_FALSE(run(filter_addresses(filter_)).failure);
    EXPECT_EQ(seen_, 1);
}

}  // namespace
}  // namespace zona::net
