#include "crypto/ed25519.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>

#include <gtest/gtest.h>

#include "crypto/encoding.h"

namespace zona::crypto {
namespace {

std::string bytes(std::string_view hex) {
    return from_hex(hex).value();
}

Ed25519Key key_of(std::string_view hex) {
    const std::string seed = bytes(hex);
    std::array<std::byte, kKeySize> out{};
    std::ranges::copy(std::as_bytes(std::span(seed)), out.begin());
    return Ed25519Key(Key(out));
}

// AUDIT-05
TEST(Ed25519, GivesTheValuesOfTheRfc) {
    struct Vector {
        const char *secret, *public_key, *message, *signature;
    };
    // RFC 8032 section 7.1, tests 1 to 3.
    const Vector vectors[] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
         "cf9b46bd25bf5f0595bbe24655141438e7a100b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d"
         "0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
        {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f7609"
         "84dc6594a7c15e9716ed28dc027beceea1ec40a"},
    };
    for (const Vector& v : vectors) {
        const Ed25519Key key = key_of(v.secret);
        EXPECT_EQ(hex(key.public_key()), v.public_key);
        EXPECT_EQ(hex(key.sign(bytes(v.message))), v.signature);
    }
}

// AUDIT-05
TEST(Ed25519, TakesNothingElse) {
    const Ed25519Key key =
        key_of("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    const Ed25519Key other =
        key_of("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7");
    const Ed25519Signature good = key.sign("a head");
    EXPECT_TRUE(is_signed_by(key.public_key(), "a head", good));
    EXPECT_FALSE(is_signed_by(key.public_key(), "another", good));
    EXPECT_FALSE(is_signed_by(other.public_key(), "a head", good));
    for (std::size_t i = 0; i < good.size(); ++i) {
        Ed25519Signature changed = good;
        changed[i] ^= std::byte{1};
        EXPECT_FALSE(is_signed_by(key.public_key(), "a head", changed)) << i;
    }
    Ed25519Public none;
    none.fill(std::byte{0xff});
    EXPECT_FALSE(is_signed_by(none, "a head", good));
}

}  // namespace
}  // namespace zona::crypto
