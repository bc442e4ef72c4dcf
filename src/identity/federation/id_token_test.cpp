#include "identity/federation/id_token.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "identity/tokens/jws.h"

namespace zona::identity {
namespace {

namespace json = boost::json;
using std::chrono::seconds;

class IdTokenTest : public testing::Test {
  protected:
    static constexpr core::SystemTime kNow{seconds(1'800'000'000)};

    static json::object claims() {
        const std::int64_t now = 1'800'000'000;
        return {{"iss", "https://idp.example"},
                {"sub", "248289"},
                {"aud", "zona"},
                {"exp", now + 300},
                {"iat", now},
                {"nonce", "n-0S6"}};
    }
    static IdTokenWanted wanted() {
        return {
            .issuer = "https://idp.example", .client_id = "zona", .nonce = "n-0S6", .now = kNow};
    }
    core::Result<json::object> read(const json::object& what) const {
        return read_id_token(sign_jws(json::serialize(what), key_, "JWT"), keys_, wanted());
    }
    /// Why it is refused; empty: it is not.
    std::string why(std::string_view changed, json::value value) const {
        json::object all = claims();
        if (value.is_null())
            all.erase(changed);
        else
            all[changed] = std::move(value);
        const auto got = read(all);
        if (got) return "";
        EXPECT_EQ(got.error().code(), core::Code::kInvalidToken);
        return got.error().message();
    }

    const SigningKey key_ = SigningKey::generate(SigningAlgorithm::kEs256);
    const SigningKey other_ = SigningKey::generate(SigningAlgorithm::kEs256);
    const std::vector<VerificationKey> keys_{key_.verification_key()};
};

// AUTH-26
TEST_F(IdTokenTest, SaysWhatWasSigned) {
    const auto got = read(claims());
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(got->at("sub"), "248289");
    EXPECT_EQ(why("aud", json::array{"zona"}), "");
    json::object several = claims();
    several["aud"] = json::array{"zona", "other"};
    several["azp"] = "zona";
    EXPECT_TRUE(read(several));
}

// AUTH-26
TEST_F(IdTokenTest, ForeignTokensAreRefused) {
    EXPECT_TRUE(why("iss", "https://evil.example").contains("issuer"));
    EXPECT_TRUE(why("iss", "https://idp.example/").contains("issuer"));
    EXPECT_TRUE(why("aud", "other").contains("audience"));
    EXPECT_TRUE(why("aud", nullptr).contains("audience"));
    EXPECT_TRUE(why("aud", json::array{}).contains("audience"));
    EXPECT_TRUE(why("aud", json::array{"zona", "other"}).contains("azp"));
    EXPECT_TRUE(why("azp", "other").contains("another client"));
    EXPECT_TRUE(why("nonce", "of another sign-in").contains("nonce"));
    EXPECT_TRUE(why("nonce", nullptr).contains("nonce"));
    EXPECT_TRUE(why("sub", nullptr).contains("who it is about"));
    EXPECT_TRUE(why("sub", "").contains("who it is about"));
    EXPECT_TRUE(why("sub", 7).contains("who it is about"));
}

// AUTH-26
TEST_F(IdTokenTest, TimesCount) {
    const std::int64_t now = 1'800'000'000;
    EXPECT_EQ(why("exp", now - 59), "") << "clocks differ a little";
    EXPECT_TRUE(why("exp", now - 60).contains("is over"));
    EXPECT_EQ(why("iat", now + 60), "");
    EXPECT_TRUE(why("iat", now + 61).contains("of the future"));
    EXPECT_TRUE(why("nbf", now + 61).contains("of the future"));
    for (const char* claim : {"exp", "iat"}) {
        EXPECT_NE(why(claim, nullptr), "");
        EXPECT_NE(why(claim, "soon"), "");
        EXPECT_NE(why(claim, -1), "");
        EXPECT_NE(why(claim, 1e300), "");
    }
    EXPECT_EQ(why("exp", static_cast<double>(now) + 0.5), "");
}

// AUTH-26
TEST_F(IdTokenTest, SignatureCounts) {
    const std::string text = json::serialize(claims());
    const IdTokenWanted all = wanted();
    EXPECT_FALSE(read_id_token(sign_jws(text, other_, "JWT"), keys_, all));
    EXPECT_FALSE(read_id_token("eyJhbGciOiJub25lIn0.e30.", keys_, all));
    EXPECT_FALSE(read_id_token(sign_jws(text, key_, "JWT"), {}, all));
    const std::string good = sign_jws(text, key_, "JWT");
    EXPECT_TRUE(read_id_token(good, keys_, all));
    std::string bad = good;
    bad[good.find('.') + 5] ^= 1;
    EXPECT_FALSE(read_id_token(bad, keys_, all));
    // A public key is no secret of another algorithm, and no key of one is another's.
    const SigningKey rsa = SigningKey::generate(SigningAlgorithm::kRs256);
    EXPECT_FALSE(read_id_token(sign_jws(text, rsa, "JWT"), keys_, all));
    for (const char* none : {"", ".", "a.b.c", "{}"})
        EXPECT_FALSE(read_id_token(none, keys_, all)) << none;
}

TEST_F(IdTokenTest, AKeyThatIsNotThereIsSeen) {
    const std::string text = json::serialize(claims());
    EXPECT_TRUE(has_key_for(sign_jws(text, key_, "JWT"), keys_));
    EXPECT_FALSE(has_key_for(sign_jws(text, other_, "JWT"), keys_));
    EXPECT_TRUE(has_key_for("no token", keys_)) << "other keys would not help";
}

// AUTH-26
TEST_F(IdTokenTest, ClaimsAreFoundInObjectsAndLists) {
    const json::object from = json::parse(R"({"groups": ["a", 7, "b"], "team": "soc",
        "realm_access": {"roles": ["x"]}, "https://acme.example/groups": ["flat"]})")
                                  .get_object();
    using Texts = std::vector<std::string>;
    EXPECT_EQ(texts_of_claim(from, "groups"), (Texts{"a", "b"}));
    EXPECT_EQ(texts_of_claim(from, "team"), Texts{"soc"});
    EXPECT_EQ(texts_of_claim(from, "realm_access.roles"), Texts{"x"});
    EXPECT_EQ(texts_of_claim(from, "https://acme.example/groups"), Texts{"flat"});
    EXPECT_EQ(texts_of_claim(from, "groups.roles"), Texts{});
    EXPECT_EQ(texts_of_claim(from, "."), Texts{});
    EXPECT_EQ(texts_of_claim(from, ""), Texts{});
}

}  // namespace
}  // namespace zona::identity
