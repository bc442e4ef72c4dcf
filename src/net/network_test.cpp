#include "net/network.h"

#include <gtest/gtest.h>

namespace zona::net {
namespace {

using core::Code;

NetworkSet set_of(const std::vector<std::string>& entries) {
    return NetworkSet::parse(entries).value();
}

// AUTH-33, SEC-16
TEST(Network, ContainsTheAddressesOfItsPrefix) {
    struct Row {
        const char* network;
        const char* address;
        bool contained;
    };
    const Row rows[] = {{"10.0.0.0/8", "10.255.0.1", true},
                        {"10.0.0.0/8", "11.0.0.1", false},
                        {"10.128.0.0/9", "10.127.255.255", false},
                        {"192.0.2.7", "192.0.2.7", true},
                        {"192.0.2.7", "192.0.2.8", false},
                        {"0.0.0.0/0", "203.0.113.9", true},
                        {"0.0.0.0/0", "2001:db8::1", false},
                        {"10.0.0.0/8", "::ffff:10.1.2.3", true},
                        {"::ffff:10.0.0.0/104", "10.1.2.3", true},
                        {"fd00::/8", "fd12:3456::1", true},
                        {"fd00::/8", "fe80::1", false},
                        {"2001:db8::/33", "2001:db8:8000::1", false},
                        {"::/0", "2001:db8::1", true},
                        {"::/0", "10.1.2.3", false},
                        {"10.0.0.0/8", "not an address", false},
                        {"fe80::/10", "fe80::1%eth0", true}};
    for (const Row& row : rows) {
        const Network network = Network::parse(row.network).value();
        EXPECT_EQ(network.contains(row.address), row.contained)
            << row.network << " " << row.address;
        EXPECT_EQ(set_of({row.network, "203.0.112.0/32", "2001:db9::/32"}).contains(row.address),
                  row.contained)
            << row.network << " " << row.address;
    }
}

TEST(Network, IsRefusedWhenItIsNone) {
    for (const char* text :
         {"", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.1/8", "10.0.0.0/", "example", "fd00::/129",
          "fd00::1/64", "10.0.0/8", "10.0.0.0/8/8", "fe80::1%eth0", "10.0.0.0/8 "}) {
        const auto parsed = Network::parse(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().code(), Code::kInvalidArgument) << text;
        EXPECT_FALSE(NetworkSet::parse(std::vector<std::string>{"10.0.0.0/8", text})) << text;
    }
}

// SEC-16
TEST(NetworkSet, HoldsWhatIsInAnyOfItsNetworks) {
    const NetworkSet set = set_of({"10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/25", "192.0.2.128/25",
                                   "203.0.113.7", "2001:db8::/32", "0.0.0.0/8"});
    EXPECT_EQ(set.size(), 7U);
    for (const char* in : {"10.0.0.0", "10.1.2.3", "10.255.255.255", "192.0.2.127", "192.0.2.200",
                           "203.0.113.7", "0.1.2.3", "2001:db8::1", "::ffff:203.0.113.7"})
        EXPECT_TRUE(set.contains(in)) << in;
    for (const char* out : {"9.255.255.255", "11.0.0.0", "192.0.3.0", "203.0.113.6", "203.0.113.8",
                            "2001:db9::", "2001:db7:ffff::", "255.255.255.255", "", "x"})
        EXPECT_FALSE(set.contains(out)) << out;
    EXPECT_FALSE(NetworkSet().contains("10.0.0.1"));
}

// HTTP-20, AUTH-42
TEST(ClientNetwork, IsAnAddressOfIpv4AndTheFirstHalfOfIpv6) {
    EXPECT_EQ(client_network("203.0.113.7"), "203.0.113.7");
    EXPECT_EQ(client_network("::ffff:203.0.113.7"), "203.0.113.7");
    EXPECT_EQ(client_network("2001:db8:1:2:ffff::9"), "2001:db8:1:2::/64");
    EXPECT_EQ(client_network("2001:db8:1:2::1"), client_network("2001:0db8:1:2:3::4"));
    EXPECT_EQ(client_network("fe80::1%eth0"), "fe80::/64");
    EXPECT_EQ(client_network(""), "");
}

// SEC-16
TEST(NetworkList, IsReadAsThreatFeedsWriteIt) {
    const auto list = parse_network_list(
        "# a feed\n\n192.0.2.0/24 ; SBL1\r\n  2001:db8::/32# x\n;only words\n203.0.113.7");
    ASSERT_TRUE(list);
    std::vector<std::string> texts;
    for (const Network& network : *list)
        texts.push_back(network.text());
    EXPECT_EQ(texts, (std::vector<std::string>{"192.0.2.0/24", "2001:db8::/32", "203.0.113.7"}));
    const auto wrong = parse_network_list("192.0.2.0/24\nnonsense\n");
    ASSERT_FALSE(wrong);
    EXPECT_TRUE(wrong.error().message().starts_with("line 2: 'nonsense' is no network"));
}

}  // namespace
}  // namespace zona::net
