#include "identity/saml/detail/response.h"

#include <gtest/gtest.h>

#include "core/time_format.h"
#include "identity/saml/testing/saml_answers.h"

namespace zona::identity {
namespace {

using testing::kAcs;
using testing::replaced;
using testing::SamlAnswer;
using testing::SamlKey;
using testing::Signed;

class SamlResponseTest : public ::testing::Test {
  protected:
    core::Result<SamlStatement> read(const SamlAnswer& answer) const {
        return read_xml(key_.sign(answer.xml()));
    }
    core::Result<SamlStatement> read_xml(const std::string& xml) const {
        return saml::read_response(testing::base64_of(xml), wanted_);
    }
    /// Why it is refused; "" if it is not.
    std::string refusal(const SamlAnswer& answer) const {
        const auto got = read(answer);
        return got ? "" : std::string(got.error().message());
    }
    static bool has(const std::string& text, const char* part) { return text.contains(part); }

    SamlKey key_;
    SamlWanted wanted_ = testing::wanted_of(key_);
};

// AUTH-26
TEST_F(SamlResponseTest, SignedAnswersSayWhoItIs) {
    for (const Signed what : {Signed::kAssertion, Signed::kResponse, Signed::kBoth}) {
        const auto got = read({.what = what});
        ASSERT_TRUE(got) << got.error().message();
        EXPECT_EQ(got->subject, "anna");
        EXPECT_EQ(got->format, "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent");
        ASSERT_EQ(got->attributes.size(), 2U);
        EXPECT_EQ(got->attributes[0].friendly_name, "uid");
        EXPECT_EQ(got->attributes[1].name, "groups");
        EXPECT_EQ(got->attributes[1].values, (std::vector<std::string>{"soc", "leads"}));
    }
}

// AUTH-26
TEST_F(SamlResponseTest, RsaKeysSignAnswersAndAnyOfTheCertificatesWillDo) {
    const SamlKey rsa(2048);
    wanted_.certificates = {key_.certificate(), rsa.certificate()};
    for (const char* bits : {"256", "384", "512"}) {
        const SamlAnswer answer{
            .method = std::string("http://www.w3.org/2001/04/xmldsig-more#rsa-sha") + bits};
        EXPECT_TRUE(read_xml(rsa.sign(answer.xml()))) << bits;
    }
}

// AUTH-26
TEST_F(SamlResponseTest, UnsignedAnswersAreRefused) {
    EXPECT_TRUE(has(refusal({.what = Signed::kNothing}), "is not signed"));
}

// AUTH-26
TEST_F(SamlResponseTest, AnswersOfOtherKeysAreRefused) {
    const SamlKey other;
    for (const Signed what : {Signed::kAssertion, Signed::kResponse}) {
        const SamlAnswer answer{.what = what};
        const auto got = read_xml(other.sign(answer.xml()));
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().code(), core::Code::kInvalidToken);
        EXPECT_TRUE(got.error().message().contains("signed by nobody"));
    }
    // One good signature does not make up for a bad one.
    const SamlAnswer both{.what = Signed::kBoth};
    const std::string xml = key_.sign(both.xml());
    EXPECT_FALSE(
        read_xml(replaced(xml, "_response\" Version", "_response\" Consent=\"x\" Version")));
}

// AUTH-26
TEST_F(SamlResponseTest, ChangedAnswersAreRefused) {
    const std::string xml = key_.sign(SamlAnswer{}.xml());
    EXPECT_FALSE(read_xml(replaced(xml, ">anna</saml:NameID>", ">root</saml:NameID>")));
    EXPECT_FALSE(read_xml(replaced(xml, "<saml:AttributeValue>soc<", "<saml:AttributeValue>all<")));
}

// AUTH-26
TEST_F(SamlResponseTest, WeakAlgorithmsAreRefused) {
    const SamlKey rsa(2048);
    wanted_.certificates = {rsa.certificate()};
    const SamlAnswer digest{.method = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
                            .digest = "http://www.w3.org/2000/09/xmldsig#sha1"};
    auto got = read_xml(rsa.sign(digest.xml()));
    ASSERT_FALSE(got);
    EXPECT_TRUE(got.error().message().contains("digest")) << got.error().message();
    const SamlAnswer method{.method = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"};
    got = read_xml(rsa.sign(method.xml()));
    ASSERT_FALSE(got);
    EXPECT_TRUE(got.error().message().contains("algorithm")) << got.error().message();
}

// AUTH-26
TEST_F(SamlResponseTest, AnswersForOthersAreRefused) {
    EXPECT_TRUE(has(refusal({.issuer = "https://evil.example"}), "another issuer"));
    EXPECT_TRUE(has(refusal({.audience = "https://other.example"}), "another audience"));
    EXPECT_TRUE(has(refusal({.recipient = "https://other.example/"}), "another recipient"));
    EXPECT_TRUE(has(refusal({.destination = "https://other.example/"}), "Destination"));
    EXPECT_TRUE(has(refusal({.request = "_other"}), "InResponseTo"));
}

// AUTH-26
TEST_F(SamlResponseTest, AnswersNobodyAskedForAreRefused) {
    std::string xml = replaced(SamlAnswer{}.xml(), " InResponseTo=\"_request\">", ">");
    EXPECT_FALSE(read_xml(key_.sign(xml)));
    xml = replaced(SamlAnswer{}.xml(), " InResponseTo=\"_request\"/>", "/>");
    EXPECT_FALSE(read_xml(key_.sign(xml)));
}

// AUTH-26
TEST_F(SamlResponseTest, TimesHoldButForTheClocksDifference) {
    const auto at = [&](const char* moment) {
        wanted_.now = core::parse_rfc3339(moment).value();
        return refusal({});
    };
    EXPECT_EQ(at("2026-11-23T12:05:59Z"), "");
    EXPECT_TRUE(has(at("2026-11-23T12:06:00Z"), "is over"));
    EXPECT_EQ(at("2026-11-23T11:59:00Z"), "");
    EXPECT_TRUE(has(at("2026-11-23T11:58:59Z"), "of the future"));
    EXPECT_TRUE(has(at("2026-11-23T11:57:00Z"), "of the future"));
}

// AUTH-26
TEST_F(SamlResponseTest, WhatMustBeThereIsThere) {
    const std::string good = SamlAnswer{}.xml();
    for (const auto& [from, to] : std::initializer_list<std::pair<std::string, std::string>>{
             {testing::between(good, "<saml:Conditions", "</saml:Conditions>"), ""},
             {testing::between(good, "<saml:AudienceRestriction>", "</saml:AudienceRestriction>"),
              ""},
             {testing::between(good, "<saml:AuthnStatement", "</saml:AuthnStatement>"), ""},
             {testing::between(good, "<saml:SubjectConfirmation ", "</saml:SubjectConfirmation>"),
              ""},
             {testing::between(good, "<saml:NameID", "</saml:NameID>"), ""},
             {testing::between(good, "<samlp:Status>", "</samlp:Status>"), ""},
             {"cm:bearer", "cm:sender-vouches"},
             {"</saml:Conditions>", "<saml:Condition/></saml:Conditions>"},
             {"NotOnOrAfter=\"2026-11-23T12:05:00Z\" InResponseTo", "InResponseTo"},
             {"NotOnOrAfter=\"2026-11-23T12:05:00Z\" InResponseTo",
              "NotOnOrAfter=\"tomorrow\" InResponseTo"}}) {
        EXPECT_FALSE(read_xml(key_.sign(replaced(good, from, to)))) << from;
    }
}

// AUTH-26
TEST_F(SamlResponseTest, ProvidersThatLetNobodyInAreSaidSo) {
    const std::string xml =
        replaced(SamlAnswer{}.xml(),
                 "<samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/>",
                 "<samlp:StatusCode "
                 "Value=\"urn:oasis:names:tc:SAML:2.0:status:Responder\"><samlp:StatusCode "
                 "Value=\"urn:oasis:names:tc:SAML:2.0:status:AuthnFailed\"/></samlp:StatusCode>");
    const auto got = read_xml(key_.sign(xml));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code(), core::Code::kUnauthenticated);
    EXPECT_TRUE(got.error().message().contains("AuthnFailed"));
}

}  // namespace
}  // namespace zona::identity
