#include "identity/tokens/jws.h"

#include <gtest/gtest.h>

#include "crypto/encoding.h"
#include "identity/testing/rfc_keys.h"

namespace zona::identity {
namespace {

using core::Code;

std::string encoded(std::string_view text) {
    return crypto::base64url(std::as_bytes(std::span(text)));
}

/// A token of `header`, signed by `key` all the same.
std::string token_of(std::string_view header, const SigningKey& key,
                     std::string_view payload = "{}") {
    const std::string text = encoded(header) + "." + encoded(payload);
    return text + "." + encoded(key.sign(text));
}

Code code_of(std::string_view text, const SigningKey& key) {
    const auto parsed = Jws::parse(text);
    if (!parsed) return parsed.error().code();
    const auto payload = parsed->verified_by(key.verification_key());
    return payload ? Code{} : payload.error().code();
}

struct Example {
    const char* jwk;
    const char* jws;
    SigningAlgorithm algorithm;
    const char* payload;
};
constexpr const char* kClaims =
    "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
constexpr Example kExamples[] = {
    {kRsaJwk, kRsaJws, SigningAlgorithm::kRs256, kClaims},
    {kEcJwk, kEcJws, SigningAlgorithm::kEs256, kClaims},
    {kEdJwk, kEdJws, SigningAlgorithm::kEdDsa, "Example of Ed25519 signing"},
};

// AUTH-16
TEST(JwsTest, ExamplesOfTheStandardsAreVerified) {
    for (const Example& one : kExamples) {
        const auto parsed = Jws::parse(one.jws);
        ASSERT_TRUE(parsed) << parsed.error().message();
        EXPECT_EQ(parsed->algorithm(), one.algorithm);
        const auto payload = parsed->verified_by(key_of(one.jwk).verification_key());
        ASSERT_TRUE(payload) << to_string(one.algorithm);
        EXPECT_EQ(*payload, one.payload);
    }
}

TEST(JwsTest, SignaturesWithoutChanceAreThoseOfTheStandards) {
    for (const Example& one : {kExamples[0], kExamples[2]}) {
        const std::string_view jws = one.jws;
        const std::size_t end = jws.rfind('.');
        EXPECT_EQ(encoded(key_of(one.jwk).sign(jws.substr(0, end))), jws.substr(end + 1));
    }
}

TEST(JwsTest, WhatIsSignedIsVerified) {
    for (const Example& one : kExamples) {
        const SigningKey key = key_of(one.jwk);
        const std::string text = sign_jws("a payload", key, "at+jwt");
        EXPECT_TRUE(is_token_shaped(text));
        const auto parsed = Jws::parse(text);
        ASSERT_TRUE(parsed);
        EXPECT_EQ(parsed->key_id(), key.verification_key().id());
        EXPECT_EQ(parsed->type(), "at+jwt");
        EXPECT_EQ(parsed->verified_by(key.verification_key()).value_or(""), "a payload");
    }
}

// AUTH-16
TEST(JwsTest, AnotherKeyVerifiesNothing) {
    for (const Example& one : kExamples) {
        const SigningKey other = SigningKey::generate(one.algorithm);
        EXPECT_EQ(code_of(one.jws, other), Code::kInvalidToken) << to_string(one.algorithm);
    }
}

// AUTH-16
TEST(JwsTest, AnyChangeIsSeen) {
    for (const Example& one : kExamples) {
        const SigningKey key = key_of(one.jwk);
        for (std::size_t i = 0; i < std::string_view(one.jws).size(); i += 7) {
            std::string changed = one.jws;
            changed[i] = changed[i] == 'A' ? 'B' : 'A';
            EXPECT_EQ(code_of(changed, key), Code::kInvalidToken) << i;
        }
    }
}

// AUTH-16
TEST(JwsTest, UnsignedTextsAreNoTokens) {
    const SigningKey key = key_of(kEdJwk);
    const std::string payload = encoded("{}");
    for (const char* name : {"none", "None", "NONE", "nOnE", ""}) {
        const std::string header = std::string(R"({"alg":")") + name + R"("})";
        EXPECT_EQ(code_of(encoded(header) + "." + payload + ".", key), Code::kInvalidToken) << name;
        EXPECT_EQ(code_of(token_of(header, key), key), Code::kInvalidToken) << name;
    }
    const std::string good = sign_jws("{}", key, "");
    EXPECT_EQ(code_of(good.substr(0, good.rfind('.') + 1), key), Code::kInvalidToken);
}

// AUTH-16
TEST(JwsTest, AlgorithmIsThatOfTheKeyWhateverTheTokenSays) {
    for (const Example& one : kExamples) {
        const SigningKey key = key_of(one.jwk);
        for (const char* name : {"EdDSA", "RS256", "ES256", "HS256", "RS512", "PS256", "ES256K"}) {
            const std::string header = std::string(R"({"alg":")") + name + R"("})";
            const bool is_own = name == to_string(one.algorithm);
            EXPECT_EQ(code_of(token_of(header, key), key), is_own ? Code{} : Code::kInvalidToken)
                << name;
        }
    }
}

TEST(JwsTest, HeadersThatLeaveRoomForDoubtAreRefused) {
    const SigningKey key = key_of(kEdJwk);
    EXPECT_EQ(code_of(token_of(R"({"alg":"EdDSA"})", key), key), Code{});
    EXPECT_EQ(
        code_of(token_of(R"({"alg":"EdDSA","jku":"https://a.example/","x5c":["a"]})", key), key),
        Code{});
    for (const char* header : {
             R"({"alg":"EdDSA","crit":["exp"],"exp":1})",
             R"({"alg":"EdDSA","crit":[]})",
             R"({"alg":"EdDSA","b64":false,"crit":["b64"]})",
             R"({"alg":"none","alg":"EdDSA"})",
             R"({"alg":"EdDSA","alg":"EdDSA"})",
             R"({"alg":["EdDSA"]})",
             R"({"alg":"EdDSA","kid":7})",
             R"({"alg":"EdDSA","typ":null})",
             R"({"alg":"EdDSA","x":[[[1]]]})",
             R"({"alg":"EdDSA"} {})",
             R"({"alg":"EdDSA",})",
             R"(["EdDSA"])",
             R"("EdDSA")",
             "",
         }) {
        EXPECT_EQ(code_of(token_of(header, key), key), Code::kInvalidToken) << header;
    }
}

// AUTH-04
TEST(JwsTest, OtherFormsAreRefused) {
    const SigningKey key = key_of(kEdJwk);
    const std::string good = sign_jws("{}", key, "");
    ASSERT_EQ(code_of(good, key), Code{});
    for (const std::string& text :
         {std::string(), std::string("."), std::string(".."), std::string("a.b"), good + ".",
          "." + good, good + "=", good + "\n", " " + good, good.substr(1),
          good.substr(0, good.size() - 1), std::string(good).insert(3, "+"),
          good + std::string(kMostTokenBytes, 'A'), std::string(std::size_t{1} << 20U, 'a')}) {
        EXPECT_EQ(code_of(text, key), Code::kInvalidToken) << text.substr(0, 60);
    }
    EXPECT_FALSE(is_token_shaped(good + "."));
    EXPECT_FALSE(is_token_shaped(good + "="));
    EXPECT_FALSE(is_token_shaped(good.substr(0, good.rfind('.') + 1)));
    EXPECT_FALSE(is_token_shaped(good + std::string(kMostTokenBytes, 'A')));
}

// AUTH-04
TEST(JwsTest, LastCharacterHasOneReading) {
    const SigningKey key = key_of(kEdJwk);
    std::string text = sign_jws("{}", key, "");
    // 64 bytes end in a character of which two bits count.
    const std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    text.back() = alphabet[alphabet.find(text.back()) + 1];
    EXPECT_EQ(code_of(text, key), Code::kInvalidToken);
}

TEST(JwsTest, SignatureOfEs256IsTwoNumbersAndNothingElse) {
    const SigningKey key = key_of(kEcJwk);
    const std::string_view text = "a text";
    const std::string good = key.sign(text);
    const VerificationKey& verification = key.verification_key();
    ASSERT_EQ(good.size(), 64U);
    EXPECT_TRUE(verification.verifies(text, good));
    EXPECT_FALSE(verification.verifies(text, good + '\0'));
    EXPECT_FALSE(verification.verifies(text, '\0' + good));
    EXPECT_FALSE(verification.verifies(text, good.substr(0, 63)));
    EXPECT_FALSE(verification.verifies(text, ""));
    EXPECT_FALSE(verification.verifies(text, std::string(64, '\0')));
    EXPECT_FALSE(verification.verifies(text, std::string(64, '\xff')));
    const std::string r = good.substr(0, 32);
    EXPECT_FALSE(verification.verifies(text, r + std::string(32, '\0')));
    // As other protocols write it: 0x30 length 0x02 32 r 0x02 32 s.
    const std::string der =
        std::string("\x30\x44\x02\x20", 4) + r + std::string("\x02\x20", 2) + good.substr(32);
    EXPECT_FALSE(verification.verifies(text, der));
}

}  // namespace
}  // namespace zona::identity
