#include "identity/users/totp.h"

#include <span>
#include <string>

#include <gtest/gtest.h>

namespace zona::identity {
namespace {

using std::chrono::seconds;

core::SystemTime at(std::int64_t time) {
    return core::SystemTime(seconds(time));
}

/// "12345678901234567890" in base32.
const core::Secret kSecret{std::string("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")};

// AUTH-31
TEST(Totp, IsThatOfTheTestVectors) {
    // RFC 6238 appendix B, SHA-1.
    const std::string secret = "12345678901234567890";
    const std::pair<std::int64_t, const char*> rows[] = {{59, "94287082"},
                                                         {1'111'111'109, "07081804"},
                                                         {1'111'111'111, "14050471"},
                                                         {1'234'567'890, "89005924"},
                                                         {2'000'000'000, "69279037"},
                                                         {20'000'000'000, "65353130"}};
    for (const auto& [time, code] : rows) {
        EXPECT_EQ(totp_code(std::as_bytes(std::span(secret)), time / 30, 8), code) << time;
    }
    // RFC 4226 appendix D.
    EXPECT_EQ(totp_code(std::as_bytes(std::span(secret)), 0), "755224");
    EXPECT_EQ(totp_code(std::as_bytes(std::span(secret)), 9), "520489");
}

// AUTH-31
TEST(Totp, TakesTheCodesOfThreeSteps) {
    const std::string secret = "12345678901234567890";
    const std::int64_t step = 1'111'111'109 / 30;
    for (std::int64_t shown = step - 3; shown <= step + 3; ++shown) {
        const std::string code = totp_code(std::as_bytes(std::span(secret)), shown);
        const auto matched = match_totp(kSecret, code, at(1'111'111'109), 0);
        EXPECT_EQ(matched.has_value(), shown >= step - 1 && shown <= step + 1) << shown - step;
        if (matched) EXPECT_EQ(*matched, shown);
    }
}

// AUTH-31
TEST(Totp, TakesNoCodeTwice) {
    const std::string secret = "12345678901234567890";
    const std::int64_t step = 1'111'111'109 / 30;
    const std::string code = totp_code(std::as_bytes(std::span(secret)), step);

    EXPECT_EQ(match_totp(kSecret, code, at(1'111'111'109), step - 1), step);
    EXPECT_EQ(match_totp(kSecret, code, at(1'111'111'109), step), std::nullopt);
    EXPECT_EQ(match_totp(kSecret, code, at(1'111'111'109), step + 1), std::nullopt);
}

TEST(Totp, TakesNothingElse) {
    for (const char* code : {"", "0", "81804", "7081804", "07081804", "abcdef", " 81804"})
        EXPECT_EQ(match_totp(kSecret, code, at(1'111'111'109), 0), std::nullopt) << code;
}

TEST(Totp, MakesSecretsThatAuthenticatorsRead) {
    core::SeededRandom random(1);
    const core::Secret secret = new_totp_secret(random);

    EXPECT_EQ(secret.reveal().size(), 32U);
    EXPECT_EQ(secret.reveal().find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
              std::string_view::npos);
    EXPECT_EQ(totp_uri(kSecret, "zona", "anna (acme)").reveal(),
              "otpauth://totp/zona:anna%20%28acme%29?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&"
              "issuer=zona");
}

TEST(RecoveryCodes, AreKnownByTheirLettersAlone) {
    core::SeededRandom random(1);
    const core::Secret code = new_recovery_code(random);
    const std::string text(code.reveal());
    ASSERT_EQ(text.size(), 19U) << text;
    std::string upper;
    for (const char c : text) {
        if (c != '-') upper += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    }

    EXPECT_TRUE(recovery_hash(text));
    EXPECT_EQ(recovery_hash(text), recovery_hash(upper));
    EXPECT_NE(recovery_hash(text), recovery_hash(new_recovery_code(random).reveal()));
    EXPECT_EQ(recovery_hash(text.substr(1)), std::nullopt);
    EXPECT_EQ(recovery_hash("123456"), std::nullopt);
    EXPECT_EQ(recovery_hash(std::string(1000, '-')), std::nullopt);
}

}  // namespace
}  // namespace zona::identity
