#include "net/origin.h"

#include <gtest/gtest.h>

namespace zona::net {
namespace {

TEST(AuthorityParse, TakesNamesAndAddressesWithAndWithoutAPort) {
    EXPECT_EQ(Authority::parse("LocalHost:8063").value(), (Authority{"localhost", 8063}));
    EXPECT_EQ(Authority::parse("zona.example.").value(), (Authority{"zona.example", {}}));
    EXPECT_EQ(Authority::parse("192.0.2.1:").value(), (Authority{"192.0.2.1", {}}));
    EXPECT_EQ(Authority::parse("[0:0:0:0:0:0:0:1]:80").value(), (Authority{"[::1]", 80}));
    EXPECT_EQ(Authority::parse("[::FFFF]").value(), (Authority{"[::ffff]", {}}));
}

TEST(AuthorityParse, RefusesWhatIsNoHost) {
    for (const std::string_view text :
         {"",          ":80",    ".",       "..",     ".a",
          "a b",       "a:b",    "a:65536", "a:-1",   "a:80:80",
          "::1",       "[::1",   "::1]",    "[::1]x", "[::1%eth0]",
          "[1.2.3.4]", "user@a", "a/b",     "a%20b",  "\xc3\xa4.example",
          "a,b"}) {
        EXPECT_FALSE(Authority::parse(text).has_value()) << text;
    }
    EXPECT_FALSE(Authority::parse(std::string(254, 'a')).has_value());
}

TEST(AuthorityParse, KnowsAddressesFromNames) {
    EXPECT_TRUE(Authority::parse("127.0.0.1").value().is_address());
    EXPECT_TRUE(Authority::parse("[fe80::1]:1").value().is_address());
    // Browsers send these as 127.0.0.1; from others they are names.
    for (const std::string_view name : {"2130706433", "0x7f.1", "127.1", "1.2.3.4.example"}) {
        EXPECT_FALSE(Authority::parse(name).value().is_address()) << name;
    }
}

TEST(OriginParse, AddsTheUsualPort) {
    EXPECT_EQ(Origin::parse("HTTPS://Panel.Example").value(),
              (Origin{"https", "panel.example", 443}));
    EXPECT_EQ(Origin::parse("http://localhost:5173").value(), (Origin{"http", "localhost", 5173}));
    EXPECT_EQ(Origin::parse("http://[::1]").value(), (Origin{"http", "[::1]", 80}));
}

TEST(OriginParse, RefusesWhatIsNoOrigin) {
    for (const std::string_view text :
         {"", "null", "panel.example", "ftp://a", "https://", "https://a/", "https://a/b",
          "https://u@a", "file://", "chrome-extension://abc", "https://a, https://b"}) {
        EXPECT_FALSE(Origin::parse(text).has_value()) << text;
    }
}

// PM-47
TEST(OriginListAllows, ExactlyItsOrigins) {
    const std::vector<std::string> entries = {"https://panel.example", "http://localhost:5173"};
    const OriginList list = OriginList::parse(entries).value();

    EXPECT_TRUE(list.allows("https://panel.example"));
    EXPECT_TRUE(list.allows("https://panel.example:443"));
    for (const std::string_view other :
         {"http://panel.example", "https://panel.example:8443", "https://evil.panel.example",
          "https://panel.example.evil", "http://localhost", "null", ""}) {
        EXPECT_FALSE(list.allows(other)) << other;
    }
    EXPECT_FALSE(OriginList().allows("https://panel.example"));
}

TEST(OriginListAllows, EveryOriginButNullForAStar) {
    const std::vector<std::string> entries = {"*"};
    const OriginList list = OriginList::parse(entries).value();

    EXPECT_TRUE(list.allows("https://anything.example"));
    EXPECT_FALSE(list.allows("null"));
    EXPECT_FALSE(list.allows("garbage"));
}

TEST(OriginListParse, NamesEveryWrongEntry) {
    const std::vector<std::string> entries = {"https://a/", "https://b", "ftp://c", "*"};

    const auto list = OriginList::parse(entries);

    ASSERT_FALSE(list.has_value());
    ASSERT_EQ(list.error().details().size(), 3U);
    EXPECT_EQ(list.error().details()[0].where, "https://a/");
    EXPECT_EQ(list.error().details()[1].where, "ftp://c");
    EXPECT_EQ(list.error().details()[2].where, "*");
}

TEST(HostListServes, AddressesLocalhostAndWhatIsListed) {
    const std::vector<std::string> entries = {"Zona.Example"};
    const HostList list = HostList::parse(entries).value();
    const auto serves = [&](std::string_view text) {
        return list.serves(Authority::parse(text).value());
    };

    for (const std::string_view own :
         {"zona.example:8063", "localhost", "a.localhost:1", "10.0.0.1", "[::1]", "localhost."}) {
        EXPECT_TRUE(serves(own)) << own;
    }
    for (const std::string_view other :
         {"evil.example", "sub.zona.example", "notlocalhost", "localhost.evil", "2130706433"}) {
        EXPECT_FALSE(serves(other)) << other;
    }
}

TEST(HostListParse, RefusesPortsAndSchemes) {
    for (const std::string& entry :
         {std::string("zona.example:80"), std::string("http://a"), std::string("*.example")}) {
        EXPECT_FALSE(HostList::parse(std::vector{entry}).has_value()) << entry;
    }
}

TEST(SplitList, LeavesSpacesAndEmptyElementsOut) {
    EXPECT_EQ(split_list(" a , b,,\tc ,"), (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_TRUE(split_list(" , ").empty());
}

}  // namespace
}  // namespace zona::net
