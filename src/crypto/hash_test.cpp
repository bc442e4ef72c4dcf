#include "crypto/hash.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "crypto/encoding.h"

namespace zona::crypto {
namespace {

std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
}

std::string unhex(std::string_view text) {
    return from_hex(text).value();
}

TEST(Hash, Sha256GivesTheKnownAnswers) {
    // FIPS 180-4, the examples of NIST.
    EXPECT_EQ(hex(sha256("abc")),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Hash, HmacGivesTheKnownAnswers) {
    // RFC 4231, cases 1, 2 and 6.
    EXPECT_EQ(hex(hmac_sha256(bytes(std::string(20, '\x0b')), bytes("Hi There"))),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(hex(hmac_sha256(bytes("Jefe"), bytes("what do ya want for nothing?"))),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(hex(hmac_sha256(bytes(std::string(131, '\xaa')),
                              bytes("Test Using Larger Than Block-Size Key - Hash Key First"))),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Hash, HkdfGivesTheKnownAnswers) {
    // RFC 5869, cases 1 and 3.
    const std::string secret(22, '\x0b');
    std::vector<std::byte> out(42);
    hkdf_sha256(bytes(secret), bytes(unhex("000102030405060708090a0b0c")),
                bytes(unhex("f0f1f2f3f4f5f6f7f8f9")), out);
    EXPECT_EQ(
        hex(out),
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    hkdf_sha256(bytes(secret), {}, {}, out);
    EXPECT_EQ(
        hex(out),
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

// SEC-01
TEST(Hash, DerivedKeysDifferByKeySaltAndPurpose) {
    core::SeededRandom random(1);
    const Key one = Key::random(random);
    const Key other = Key::random(random);
    const Key derived = derive_key(one, bytes("salt"), "purpose 1");
    EXPECT_TRUE(derived.same_as(derive_key(one, bytes("salt"), "purpose 1")));
    EXPECT_FALSE(derived.same_as(derive_key(other, bytes("salt"), "purpose 1")));
    EXPECT_FALSE(derived.same_as(derive_key(one, bytes("tlas"), "purpose 1")));
    EXPECT_FALSE(derived.same_as(derive_key(one, bytes("salt"), "purpose 2")));
    EXPECT_FALSE(derived.same_as(one));
}

TEST(Hash, ComparesWholeTexts) {
    EXPECT_TRUE(same_bytes("abc", "abc"));
    EXPECT_TRUE(same_bytes("", ""));
    EXPECT_FALSE(same_bytes("abc", "abd"));
    EXPECT_FALSE(same_bytes("abc", "ab"));
}

}  // namespace
}  // namespace zona::crypto
