#include "vault/key_shares.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace zona::vault {
namespace {

using core::Code;
using core::Secret;

std::vector<Secret> chosen(const std::vector<Secret>& shares, std::initializer_list<int> which) {
    std::vector<Secret> out;
    for (const int i : which)
        out.push_back(shares[static_cast<std::size_t>(i)]);
    return out;
}

class KeySharesTest : public testing::Test {
  protected:
    core::SystemRandom random_;
    crypto::Key key_ = crypto::Key::random(random_);
    std::vector<Secret> shares_ = split_key(key_, {.needed = 3, .total = 5}, random_).value();
};

// SEC-07
TEST_F(KeySharesTest, AnyThreeOfFiveMakeTheKeyInAnyOrder) {
    for (int a = 0; a < 5; ++a) {
        for (int b = 0; b < 5; ++b) {
            for (int c = 0; c < 5; ++c) {
                if (a == b || b == c || a == c) continue;
                EXPECT_TRUE(combine_shares(chosen(shares_, {a, b, c})).value().same_as(key_));
            }
        }
    }
    EXPECT_TRUE(combine_shares(shares_).value().same_as(key_));
}

// SEC-07
TEST_F(KeySharesTest, FewerSayHowManyAreMissing) {
    const auto combined = combine_shares(chosen(shares_, {4, 1}));
    ASSERT_FALSE(combined.has_value());
    EXPECT_EQ(combined.error().message(), "3 shares are needed; 1 more");
    EXPECT_FALSE(combine_shares({}).has_value());
    EXPECT_EQ(combine_shares(chosen(shares_, {4, 1, 4})).error().message(),
              "share 3 is the same one as share 1");
}

// SEC-07
TEST_F(KeySharesTest, AWrongDigitIsNoticedInEachPlaceAndTheShareIsNamed) {
    const std::string good(shares_[1].reveal());
    for (std::size_t at = 0; at < good.size(); ++at) {
        if (good[at] == '-') continue;
        std::string bad = good;
        bad[at] = bad[at] == '7' ? '8' : '7';
        const auto combined = combine_shares(std::vector{shares_[0], Secret(bad), shares_[2]});
        ASSERT_FALSE(combined.has_value()) << at;
        EXPECT_TRUE(combined.error().message().starts_with("share 2 "))
            << combined.error().message();
    }
}

// SEC-07
TEST_F(KeySharesTest, AreReadAsPeopleTypeThem) {
    std::string typed(shares_[0].reveal());
    std::ranges::replace(typed, '-', ' ');
    std::ranges::transform(typed, typed.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    const std::string digits(shares_[1].reveal().substr(11));
    EXPECT_TRUE(combine_shares(std::vector{Secret(typed + "\n"), Secret(digits), shares_[2]})
                    .value()
                    .same_as(key_));
}

// SEC-07
TEST_F(KeySharesTest, OfTwoSetsDoNotMix) {
    const auto others = split_key(key_, {.needed = 3, .total = 5}, random_).value();
    EXPECT_EQ(combine_shares(std::vector{shares_[0], others[1], shares_[2]}).error().message(),
              "share 2 is of another set than share 1");
}

// SEC-07
TEST_F(KeySharesTest, CountsThatMakeNoEscrowAreRefused) {
    EXPECT_FALSE(split_key(key_, {.needed = 1, .total = 3}, random_).has_value());
    EXPECT_FALSE(split_key(key_, {.needed = 4, .total = 3}, random_).has_value());
    EXPECT_FALSE(split_key(key_, {.needed = 2, .total = 101}, random_).has_value());
    EXPECT_TRUE(split_key(key_, {.needed = 100, .total = 100}, random_).has_value());
}

// SEC-07
TEST(KeyShares, MakeTheKeyOfSharesThatAnotherProgramMade) {
    // By a few lines of Python: the key 00 01 .. 1f, the coefficients 3 + 7 i, numbers 1 and 3.
    const std::vector<Secret> shares{
        Secret("zona-share-010201-010203-042071-8e4b1f-e3e0aa-030b13-1b1b23-"
               "2b3333-4b435b-5b536b-63636b-939b9b-838bb3-b3aba3-dbdbd3-cbc34e-6d484c"),
        Secret("zona-share-010203-010203-042071-8e4b1f-e3e0aa-051f31-2b256f-"
               "715b45-cfd1fb-f5efa1-bb859f-8a909e-b4aae0-fed4ca-404e54-7a60d0-bc120e")};
    const crypto::Key key = combine_shares(shares).value();
    for (std::size_t i = 0; i < crypto::kKeySize; ++i)
        EXPECT_EQ(key.reveal()[i], static_cast<std::byte>(i));
}

}  // namespace
}  // namespace zona::vault
