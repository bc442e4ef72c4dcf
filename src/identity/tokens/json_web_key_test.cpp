#include "identity/tokens/json_web_key.h"

#include <array>
#include <cstdio>
#include <fstream>
#include <sstream>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "core/json.h"
#include "core/testing/temporary_directory.h"
#include "identity/testing/rfc_keys.h"
#include "identity/tokens/jws.h"

namespace zona::identity {
namespace {

namespace json = boost::json;
using core::Code;

json::object object_of(const char* text) {
    return json::parse(text).as_object();
}

Code code_of(const json::object& jwk) {
    const auto key = VerificationKey::from_jwk(jwk);
    return key ? Code{} : key.error().code();
}

/// `jwk` with another value of one member.
template <class T>
json::object with(const char* jwk, const char* member, const T& value) {
    json::object out = object_of(jwk);
    out[member] = json::value_from(value);
    return out;
}

TEST(JsonWebKeyTest, ThumbprintIsThatOfTheStandard) {
    // RFC 8037 appendix A.3
    EXPECT_EQ(key_of(kEdJwk).verification_key().thumbprint(),
              "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    // RFC 7638 section 3.1 has another key: the order of members is what matters.
    EXPECT_EQ(key_of(kEdJwk).verification_key().id(),
              "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

TEST(JsonWebKeyTest, KeysGoThroughTheirTexts) {
    for (const auto algorithm :
         {SigningAlgorithm::kEdDsa, SigningAlgorithm::kEs256, SigningAlgorithm::kRs256}) {
        const SigningKey key = SigningKey::generate(algorithm);
        const auto again = SigningKey::from_jwk(key.to_jwk());
        ASSERT_TRUE(again) << again.error().message();
        EXPECT_EQ(again->verification_key().id(), key.verification_key().id());
        EXPECT_TRUE(key.verification_key().verifies("text", again->sign("text")));

        const json::object jwk = key.verification_key().to_jwk();
        EXPECT_FALSE(jwk.contains("d"));
        const auto alone = VerificationKey::from_jwk(jwk);
        ASSERT_TRUE(alone);
        EXPECT_EQ(alone->id(), key.verification_key().id());
        EXPECT_EQ(alone->algorithm(), algorithm);
        EXPECT_TRUE(alone->verifies("text", key.sign("text")));
        EXPECT_FALSE(alone->verifies("another", key.sign("text")));
    }
}

TEST(JsonWebKeyTest, NamesOfOthersAreKept) {
    const auto key = VerificationKey::from_jwk(with(kEdJwk, "kid", "2026-a"));
    ASSERT_TRUE(key);
    EXPECT_EQ(key->id(), "2026-a");
    EXPECT_EQ(key->thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    EXPECT_EQ(code_of(with(kEdJwk, "kid", "")), Code::kInvalidArgument);
    EXPECT_EQ(code_of(with(kEdJwk, "kid", std::string(129, 'k'))), Code::kInvalidArgument);
    EXPECT_EQ(code_of(with(kEdJwk, "kid", 1)), Code::kInvalidArgument);
}

TEST(JsonWebKeyTest, KeysForOtherUsesAreNotTaken) {
    EXPECT_EQ(code_of(with(kRsaJwk, "alg", "RS256")), Code{});
    EXPECT_EQ(code_of(with(kRsaJwk, "alg", "PS256")), Code::kUnsupported);
    EXPECT_EQ(code_of(with(kRsaJwk, "alg", "HS256")), Code::kUnsupported);
    EXPECT_EQ(code_of(with(kRsaJwk, "use", "sig")), Code{});
    EXPECT_EQ(code_of(with(kRsaJwk, "use", "enc")), Code::kUnsupported);
    EXPECT_EQ(code_of(with(kRsaJwk, "key_ops", json::array{"verify"})), Code{});
    EXPECT_EQ(code_of(with(kRsaJwk, "key_ops", json::array{"encrypt"})), Code::kUnsupported);
    EXPECT_EQ(code_of({{"kty", "oct"}, {"k", "c2VjcmV0"}}), Code::kUnsupported);
    EXPECT_EQ(code_of(with(kEcJwk, "crv", "P-384")), Code::kUnsupported);
    EXPECT_EQ(code_of(with(kEdJwk, "crv", "X25519")), Code::kUnsupported);
    EXPECT_EQ(code_of({}), Code::kUnsupported);
}

TEST(JsonWebKeyTest, DamagedAndWeakKeysAreRefused) {
    const std::string zero(43, 'A');
    EXPECT_EQ(code_of(with(kEdJwk, "x", "AAAA")), Code::kInvalidArgument);
    EXPECT_EQ(code_of(with(kEdJwk, "x", std::string(43, '='))), Code::kInvalidArgument);
    EXPECT_EQ(code_of(with(kEcJwk, "x", zero)), Code::kInvalidArgument) << "not on the curve";
    EXPECT_EQ(code_of(with(kEcJwk, "y", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a")),
              Code::kInvalidArgument);
    EXPECT_EQ(code_of(with(kRsaJwk, "e", "AQ")), Code::kInvalidArgument) << "one";
    EXPECT_EQ(code_of(with(kRsaJwk, "e", "AQAA")), Code::kInvalidArgument) << "even";
    EXPECT_EQ(code_of(with(kRsaJwk, "e", "AAEAAQ")), Code::kInvalidArgument) << "leading zero";
    EXPECT_EQ(code_of(with(kRsaJwk, "e", "AQAAAAAB")), Code::kInvalidArgument) << "large";
    EXPECT_EQ(code_of(with(kRsaJwk, "n", std::string(171, 'B'))), Code::kInvalidArgument)
        << "1024 bits";
    EXPECT_EQ(code_of(with(kRsaJwk, "n", std::string(1366, 'B'))), Code::kInvalidArgument)
        << "8192 bits";
    EXPECT_EQ(code_of(with(kRsaJwk, "n", 65537)), Code::kInvalidArgument);
}

TEST(JsonWebKeyTest, PrivatePartOfAnotherKeyIsRefusedWithoutShowingIt) {
    for (const auto& [jwk, algorithm] :
         {std::pair(kEdJwk, SigningAlgorithm::kEdDsa), std::pair(kEcJwk, SigningAlgorithm::kEs256),
          std::pair(kRsaJwk, SigningAlgorithm::kRs256)}) {
        json::object mixed =
            object_of(std::string(SigningKey::generate(algorithm).to_jwk().reveal()).c_str());
        const json::object own = object_of(jwk);
        for (const auto& [name, value] : own) {
            if (name == "x" || name == "y" || name == "n") mixed[name] = value;
        }
        const auto key = SigningKey::from_jwk(core::Secret(json::serialize(mixed)));
        ASSERT_FALSE(key) << to_string(algorithm);
        EXPECT_EQ(key.error().code(), Code::kInvalidArgument);
        EXPECT_EQ(key.error().message().find(std::string_view(mixed["d"].as_string())),
                  std::string::npos);
    }
    const auto no_json = SigningKey::from_jwk(core::Secret("nWGxne_9WmC6hEr0kuwsxERJ"));
    ASSERT_FALSE(no_json);
    EXPECT_EQ(no_json.error().message().find("nWGx"), std::string::npos);
}

TEST(JsonWebKeyTest, SetsOfOthersAreReadWithoutWhatIsNotUnderstood) {
    json::array list = {object_of(kEdJwk), object_of(kRsaJwk),
                        json::object{{"kty", "oct"}, {"k", "c2VjcmV0"}}};
    const auto keys = parse_key_set(json::serialize(json::object{{"keys", list}}));
    ASSERT_TRUE(keys) << keys.error().message();
    ASSERT_EQ(keys->size(), 2U);
    EXPECT_EQ((*keys)[1].algorithm(), SigningAlgorithm::kRs256);
    EXPECT_EQ(parse_key_set(render_key_set(*keys))->size(), 2U);

    list.emplace_back(with(kEdJwk, "x", "AAAA"));
    EXPECT_EQ(parse_key_set(json::serialize(json::object{{"keys", list}})).error().code(),
              Code::kInvalidArgument);
    const json::array many(kMostKeysOfSet + 1, json::value(object_of(kEdJwk)));
    EXPECT_EQ(parse_key_set(json::serialize(json::object{{"keys", many}})).error().code(),
              Code::kTooLarge);
    for (const char* text : {"", "[]", "{}", R"({"keys":{}})", R"({"keys":[],"keys":[]})"})
        EXPECT_FALSE(parse_key_set(text)) << text;
}

/// Debian's python3-jwt reads our tokens by our set of keys, and writes those that are printed.
constexpr const char* kPython = R"(
import json, sys
import jwt
given = json.load(open(sys.argv[1]))
keys = {key['kid']: jwt.PyJWK(key) for key in given['set']['keys']}
for token in given['tokens']:
    header = jwt.get_unverified_header(token)
    claims = jwt.decode(token, keys[header['kid']].key, algorithms=[header['alg']], audience='zona',
                        issuer='zona', options={'require': ['exp', 'iat', 'sub']})
    assert claims['sub'] == '7', claims
    private = jwt.PyJWK(given['private'][header['alg']])
    print(jwt.encode({'from': 'python'}, private.key, algorithm=header['alg']))
)";

// AUTH-16
TEST(JsonWebKeyTest, AnotherImplementationReadsOurTokensAndWritesOnesThatWeRead) {
    const core::TemporaryDirectory folder;
    json::object given = {{"tokens", json::array()}, {"private", json::object()}};
    std::vector<SigningKey> ours;
    std::vector<VerificationKey> set;
    for (const char* jwk : {kEdJwk, kRsaJwk, kEcJwk}) {
        ours.push_back(key_of(jwk));
        set.push_back(ours.back().verification_key());
        constexpr const char* kText =
            R"({"iss":"zona","aud":"zona","sub":"7","iat":1767225600,"exp":4102444800})";
        given["tokens"].as_array().emplace_back(sign_jws(kText, ours.back(), "at+jwt"));
        given["private"].as_object()[to_string(set.back().algorithm())] = json::parse(jwk);
    }
    given["set"] = json::parse(render_key_set(set));
    std::ofstream(folder.path() + "/given.json") << json::serialize(given);
    std::ofstream(folder.path() + "/read.py") << kPython;

    const std::string command =
        "/usr/bin/python3 " + folder.path() + "/read.py " + folder.path() + "/given.json 2>&1";
    std::FILE* const python = ::popen(command.c_str(), "r");
    ASSERT_NE(python, nullptr);
    std::string output;
    std::array<char, 4096> piece{};
    while (const std::size_t size = std::fread(piece.data(), 1, piece.size(), python))
        output.append(piece.data(), size);
    ASSERT_EQ(::pclose(python), 0) << output;

    std::istringstream lines(output);
    for (const SigningKey& key : ours) {
        std::string token;
        ASSERT_TRUE(std::getline(lines, token));
        const auto parsed = Jws::parse(token);
        ASSERT_TRUE(parsed) << token;
        EXPECT_EQ(parsed->verified_by(key.verification_key()).value_or(""), R"({"from":"python"})");
    }
}

}  // namespace
}  // namespace zona::identity
