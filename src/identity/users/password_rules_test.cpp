#include "identity/users/password_rules.h"

#include <vector>

#include <gtest/gtest.h>

#include "identity/users/password.h"

namespace zona::identity {
namespace {

const std::vector<std::string> kWords{"margaret", "acme"};

core::Result<void> check(std::string password, PasswordRules rules = {}) {
    return check_password(rules, core::Secret(std::move(password)), kWords);
}

// GAP-52
TEST(PasswordRules, AskForTwelveCharactersByDefault) {
    EXPECT_EQ(PasswordRules().min_length, 12U);
    EXPECT_FALSE(check("x7Gq!kL92mP"));
    EXPECT_TRUE(check("x7Gq!kL92mPz"));
    EXPECT_FALSE(check("x7Gq!kL92mPz", {.min_length = 13, .remembered = 0}));
}

TEST(PasswordRules, CountCharactersAndNotBytes) {
    EXPECT_FALSE(check("žluťoučkýků"));  // 11
    EXPECT_TRUE(check("žluťoučký kůň úpěl"));
}

TEST(PasswordRules, RefuseWhatIsTriedFirst) {
    for (const char* bad :
         {"password1234", "Password1234!", "123456789012", "qwertyuiop12", "aaaaaaaaaaaa",
          "letmeinletmein", "iloveyou12345", "Summer2026!!", "zonazonazona"}) {
        const auto checked = check(bad);
        ASSERT_FALSE(checked) << bad;
        EXPECT_EQ(checked.error().code(), core::Code::kInvalidArgument);
        EXPECT_FALSE(checked.error().message().contains(bad));
    }
    for (const char* good : {"correct horse battery staple", "tulip orbit kettle", "x7Gq!kL92mPz"})
        EXPECT_TRUE(check(good)) << good;
}

TEST(PasswordRules, RefuseTheNamesOfUserAndTenant) {
    for (const char* bad : {"margaretacme", "margaret2024", "M4rgaret-Acme", "welcome to acme"})
        EXPECT_FALSE(check(bad)) << bad;
}

TEST(PasswordRules, RefuseWhatIsNoText) {
    EXPECT_FALSE(check("x7Gq!kL92mPz\n"));
    EXPECT_FALSE(check("x7Gq!kL92mPz\xFF"));
    EXPECT_FALSE(check(std::string(kMaxPasswordBytes + 1, 'x')));
    std::string longest;
    while (longest.size() + 8 <= kMaxPasswordBytes)
        longest += "x7Gq!kL9";
    EXPECT_TRUE(check(longest));
}

}  // namespace
}  // namespace zona::identity
