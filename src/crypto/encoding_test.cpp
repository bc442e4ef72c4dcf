#include "crypto/encoding.h"

#include <gtest/gtest.h>

namespace zona::crypto {
namespace {

std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
}

TEST(Encoding, Base64urlGivesTheKnownAnswersAndReadsThemBack) {
    // RFC 4648 section 10, without padding; and the two characters that differ from base64.
    const std::pair<std::string_view, std::string_view> kAnswers[] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},      {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"\xfb\xff", "-_8"}};
    for (const auto& [plain, text] : kAnswers) {
        EXPECT_EQ(base64url(bytes(plain)), text);
        EXPECT_EQ(from_base64url(text).value(), plain);
    }
}

TEST(Encoding, EachBase64urlTextHasOneForm) {
    // Padding, the other alphabet, an impossible length, bits behind the end, a blank.
    for (const std::string_view text : {"Zg==", "+/8", "Zm9vY", "Zh", "Zm 9v", "Zm9\xff"})
        EXPECT_FALSE(from_base64url(text).has_value()) << text;
}

TEST(Encoding, Base64IsPadded) {
    EXPECT_EQ(base64(bytes("f")), "Zg==");
    EXPECT_EQ(base64(bytes("\xfb\xff")), "+/8=");
    EXPECT_EQ(base64(bytes("")), "");
}

TEST(Encoding, HexReadsBothCasesAndNothingElse) {
    EXPECT_EQ(hex(bytes("\x01\xaf")), "01af");
    EXPECT_EQ(from_hex("01aF").value(), "\x01\xaf");
    EXPECT_FALSE(from_hex("1").has_value());
    EXPECT_FALSE(from_hex("0g").has_value());
}

}  // namespace
}  // namespace zona::crypto
