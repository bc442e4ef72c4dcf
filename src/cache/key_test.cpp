#include "cache/key.h"

#include <gtest/gtest.h>

namespace zona::cache {
namespace {

// CACHE-10
TEST(KeyTest, IsTenantThenEntityThenId) {
    const Key key("acme", "apps", "42");
    EXPECT_EQ(key.text(), "acme/apps/42");
    EXPECT_EQ(key.tenant(), "acme");
    EXPECT_EQ(key.entity(), "apps");
    EXPECT_EQ(key.id(), "42");
}

// TEN-45, CACHE-10
TEST(KeyTest, TenantsDoNotMeetWhateverTheirPartsHold) {
    EXPECT_NE(Key("a/b", "c", "d").text(), Key("a", "b/c", "d").text());
    EXPECT_NE(Key("a", "b", "c/d").text(), Key("a", "b/c", "d").text());
    EXPECT_NE(Key("a%2Fb", "c", "d").text(), Key("a/b", "c", "d").text());
    EXPECT_NE(Key("", "a", "b").text(), Key("a", "", "b").text());
    EXPECT_EQ(Key("a}{b", "c\n", "*").text(), "a%7D%7Bb/c%0A/%2A");
}

TEST(KeyTest, EscapedTextsComeBack) {
    for (const std::string text : {"", "plain", "a/b%2F{c}*?[d]\\ \n\x7f", "ü"})
        EXPECT_EQ(unescaped(escaped(text)), text);
}

TEST(KeyTest, ATextIsAKeyAgain) {
    const Key key("a/b", "c", "d e");
    EXPECT_EQ(Key::parse(key.text()).value(), key);
    EXPECT_FALSE(Key::parse("a/b"));
    EXPECT_FALSE(Key::parse("a/b/c/d"));
}

// CACHE-08
TEST(PatternTest, MeansKeysOfItsTenantAndEntity) {
    const Pattern pattern{.tenant = "acme", .entity = "apps", .id = "list*"};
    EXPECT_TRUE(pattern.matches(Key("acme", "apps", "list/1"), 0));
    EXPECT_TRUE(pattern.matches(Key("acme", "apps", "list"), 0));
    EXPECT_FALSE(pattern.matches(Key("acme", "apps", "a list"), 0));
    EXPECT_FALSE(pattern.matches(Key("acme", "users", "list"), 0));
    EXPECT_FALSE(pattern.matches(Key("acme2", "apps", "list"), 0));
    EXPECT_EQ(pattern.glob(), "acme/apps/list*");
}

// CACHE-13
TEST(PatternTest, MeansVersionsBelowOne) {
    const Pattern pattern{.tenant = "acme", .entity = {}, .id = "?", .below_version = 5};
    EXPECT_TRUE(pattern.matches(Key("acme", "apps", "1"), 4));
    EXPECT_FALSE(pattern.matches(Key("acme", "apps", "1"), 5));
    EXPECT_FALSE(pattern.matches(Key("acme", "apps", "12"), 4));
}

TEST(PatternTest, StarsOfATenantMeanThemselves) {
    const Pattern pattern{.tenant = "*", .entity = "[a]", .id = "*"};
    EXPECT_EQ(pattern.glob(), "%2A/%5Ba%5D/*");
    EXPECT_FALSE(pattern.matches(Key("acme", "[a]", "1"), 0));
    EXPECT_TRUE(pattern.matches(Key("*", "[a]", "1"), 0));
}

}  // namespace
}  // namespace zona::cache
