#include "identity/tokens/access_token.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "identity/testing/rfc_keys.h"
#include "identity/tokens/signing_keys.h"

namespace zona::identity {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using core::Code;
using core::SystemTime;

const SystemTime kNow{std::chrono::seconds(1'767'225'600)};
const TokenParties kParties{.issuer = "zona", .audience = "api"};

class AccessTokenTest : public testing::Test {
  protected:
    AccessClaims claims() {
        return {.id = core::Uuid::v4(random_),
                .session = core::Uuid::v4(random_),
                .user_id = 17,
                .tenant = "acme",
                .roles = {"Analyst", "Operator"},
                .issued_at = kNow,
                .expires_at = kNow + 15min};
    }
    core::Result<AccessClaims> read(const std::string& text, SystemTime now = kNow) const {
        const auto token = Jws::parse(text);
        if (!token) return token.error();
        return read_access_token(*token, key_.verification_key(), kParties, now);
    }
    Code code_of(const std::string& text, SystemTime now = kNow) const {
        const auto read_claims = read(text, now);
        return read_claims ? Code{} : read_claims.error().code();
    }
    /// A token that says what a good one says, with one claim changed.
    std::string with(const char* name, const json::value& value) {
        json::object all = payload();
        all[name] = value;
        return sign_jws(json::serialize(all), key_, "at+jwt");
    }
    json::object payload() {
        const std::string text = write_access_token(claims(), kParties, key_);
        return json::parse(Jws::parse(text)->verified_by(key_.verification_key()).value())
            .as_object();
    }

    core::SeededRandom random_{1};
    const SigningKey key_ = key_of(kEdJwk);
};

// AUTH-16
TEST_F(AccessTokenTest, WhatIsWrittenIsRead) {
    AccessClaims said = claims();
    EXPECT_EQ(read(write_access_token(said, kParties, key_)).value(), said);
    said.tenant.clear();
    said.roles.clear();
    EXPECT_EQ(read(write_access_token(said, kParties, key_)).value(), said);
}

// AUTH-16
TEST_F(AccessTokenTest, ClaimsHaveTheirStandardNames) {
    const json::object all = payload();
    EXPECT_EQ(all.at("iss"), "zona");
    EXPECT_EQ(all.at("aud"), "api");
    EXPECT_EQ(all.at("sub"), "17");
    EXPECT_EQ(all.at("tenant"), "acme");
    EXPECT_EQ(all.at("roles"), (json::array{"Analyst", "Operator"}));
    EXPECT_EQ(all.at("iat"), 1'767'225'600);
    EXPECT_EQ(all.at("nbf"), 1'767'225'600);
    EXPECT_EQ(all.at("exp"), 1'767'226'500);
    EXPECT_TRUE(core::Uuid::parse(all.at("sid").as_string()));
    EXPECT_TRUE(core::Uuid::parse(all.at("jti").as_string()));
}

// AUTH-16
TEST_F(AccessTokenTest, TokensOfAndForOthersAreRefused) {
    EXPECT_EQ(code_of(with("iss", "another")), Code::kInvalidToken);
    EXPECT_EQ(code_of(with("aud", "another")), Code::kInvalidToken);
    EXPECT_EQ(code_of(with("aud", json::array{"another", "api"})), Code{});
    EXPECT_EQ(code_of(with("aud", json::array{"another"})), Code::kInvalidToken);
    EXPECT_EQ(code_of(with("aud", json::array{})), Code::kInvalidToken);
    const std::string other_type = sign_jws(json::serialize(payload()), key_, "JWT");
    EXPECT_EQ(code_of(other_type), Code::kInvalidToken) << "another kind of token";
    const SigningKey other = SigningKey::generate(SigningAlgorithm::kEdDsa);
    EXPECT_EQ(code_of(write_access_token(claims(), kParties, other)), Code::kInvalidToken);
}

// AUTH-16
TEST_F(AccessTokenTest, TokensOfTheFutureAreRefused) {
    const std::string token = write_access_token(claims(), kParties, key_);
    EXPECT_EQ(code_of(token, kNow - kClockLeeway), Code{}) << "clocks differ";
    EXPECT_EQ(code_of(token, kNow - kClockLeeway - 1s), Code::kInvalidToken);
    EXPECT_EQ(code_of(with("nbf", 1'767'225'600 + 61)), Code::kInvalidToken);
}

TEST_F(AccessTokenTest, NoneIsGoodForLongerThanItsKeyVerifies) {
    EXPECT_EQ(code_of(with("exp", 1'767'225'600 + 3600)), Code{});
    EXPECT_EQ(code_of(with("exp", 1'767'225'600 + 3601)), Code::kInvalidToken);
}

// AUTH-04
TEST_F(AccessTokenTest, EveryClaimIsAskedForByType) {
    for (const char* name : {"iss", "aud", "sub", "roles", "sid", "jti", "iat", "nbf", "exp"}) {
        json::object all = payload();
        all.erase(name);
        EXPECT_EQ(code_of(sign_jws(json::serialize(all), key_, "at+jwt")), Code::kInvalidToken)
            << name;
        EXPECT_EQ(code_of(with(name, json::object{})), Code::kInvalidToken) << name;
        EXPECT_EQ(code_of(with(name, nullptr)), Code::kInvalidToken) << name;
    }
    EXPECT_EQ(code_of(with("sub", 17)), Code::kInvalidToken);
    EXPECT_EQ(code_of(with("sub", "0")), Code::kInvalidToken);
    EXPECT_EQ(code_of(with("sub", "-1")), Code::kInvalidToken);
    EXPECT_EQ(code_of(with("tenant", 1)), Code::kInvalidToken);
    EXPECT_EQ(code_of(with("roles", json::array{1})), Code::kInvalidToken);
    EXPECT_EQ(code_of(with("roles", "Analyst")), Code::kInvalidToken);
    EXPECT_EQ(code_of(with("exp", 1.5)), Code::kInvalidToken);
    EXPECT_EQ(code_of(with("exp", -1)), Code::kInvalidToken);
    EXPECT_EQ(code_of(with("exp", 1e18)), Code::kInvalidToken);
    const std::string twice = R"({"sub":"1",)" + json::serialize(payload()).substr(1);
    EXPECT_EQ(code_of(sign_jws(twice, key_, "at+jwt")), Code::kInvalidToken);
    EXPECT_EQ(code_of(sign_jws("[]", key_, "at+jwt")), Code::kInvalidToken);
    EXPECT_EQ(code_of(sign_jws("", key_, "at+jwt")), Code::kInvalidToken);
}

}  // namespace
}  // namespace zona::identity
