// What somebody makes of an answer that they were given, to be somebody else.
#include <gtest/gtest.h>

#include "identity/saml/detail/response.h"
#include "identity/saml/testing/saml_answers.h"

namespace zona::identity {
namespace {

using testing::between;
using testing::replaced;
using testing::SamlAnswer;
using testing::SamlKey;
using testing::Signed;

constexpr const char* kSignature = "<ds:Signature ";
constexpr const char* kSignatureEnd = "</ds:Signature>";
constexpr const char* kAssertion = "<saml:Assertion ";
constexpr const char* kAssertionEnd = "</saml:Assertion>";

class SamlAttackTest : public ::testing::Test {
  protected:
    std::string refusal(const std::string& xml) const {
        const auto got = saml::read_response(testing::base64_of(xml), wanted_);
        return got ? "it lets in " + got->subject : std::string(got.error().message());
    }
    void expect_refused(const std::string& xml, const char* why) const {
        const std::string told = refusal(xml);
        EXPECT_TRUE(told.contains(why)) << told << "\n" << xml;
    }
    /// An answer signed as a whole, or in its assertion.
    std::string good(Signed what) const {
        const SamlAnswer answer{.what = what};
        return key_.sign(answer.xml());
    }
    /// An assertion about somebody else, by nobody.
    static std::string evil_assertion() {
        const SamlAnswer answer{
            .what = Signed::kNothing, .subject = "root", .assertion_id = "_evil"};
        return answer.assertion();
    }

    SamlKey key_;
    SamlWanted wanted_ = testing::wanted_of(key_);
};

/// The whole answer is signed, and is put somewhere into another one: XSW 1 and 2.
// AUTH-26
TEST_F(SamlAttackTest, AnswersAreNotWrappedIntoOthers) {
    const std::string xml = good(Signed::kResponse);
    const std::string body = xml.substr(xml.find("<samlp:Response"));
    const std::string signature = between(body, kSignature, kSignatureEnd);
    const std::string bare = replaced(body, signature, "");
    const std::string evil = replaced(replaced(bare, "_response", "_evil_response"),
                                      between(bare, kAssertion, kAssertionEnd), evil_assertion());
    const std::string with_object =
        replaced(signature, kSignatureEnd, "<ds:Object>" + bare + "</ds:Object></ds:Signature>");
    expect_refused(replaced(evil, "<samlp:Status>", with_object + "<samlp:Status>"),
                   "another answer");
    expect_refused(replaced(evil, "<samlp:Status>", bare + signature + "<samlp:Status>"),
                   "another answer");
}

/// The assertion is signed, and another one stands where it stood: XSW 3 to 8.
// AUTH-26
TEST_F(SamlAttackTest, AssertionsAreNotWrappedIntoOthers) {
    const std::string xml = good(Signed::kAssertion);
    const std::string assertion = between(xml, kAssertion, kAssertionEnd);
    const std::string signature = between(assertion, kSignature, kSignatureEnd);
    const std::string bare = replaced(assertion, signature, "");
    const std::string evil = evil_assertion();
    const auto put = [&](const std::string& instead) { return replaced(xml, assertion, instead); };
    const auto in_evil = [&](const std::string& what) {
        return replaced(evil, "<saml:Subject>", what + "<saml:Subject>");
    };
    const auto object = [](const std::string& what) {
        return "<ds:Object xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">" + what +
               "</ds:Object>";
    };
    const char* const more = "more than one assertion";
    expect_refused(put(evil + assertion), more);           // 3
    expect_refused(put(in_evil(assertion)), more);         // 4
    expect_refused(put(in_evil(signature) + bare), more);  // 5
    expect_refused(put(in_evil(replaced(signature, kSignatureEnd, object(bare) + kSignatureEnd))),
                   more);  // 6
    expect_refused(put("<samlp:Extensions>" + evil + "</samlp:Extensions>" + assertion),
                   more);  // 7
    expect_refused(put(in_evil(replaced(signature, kSignatureEnd, object(bare) + kSignatureEnd))),
                   more);  // 8
}

/// The assertion that was signed is in no place where somebody looks for one.
// AUTH-26
TEST_F(SamlAttackTest, SignaturesCountForWhatTheyStandIn) {
    const std::string xml = good(Signed::kAssertion);
    const std::string assertion = between(xml, kAssertion, kAssertionEnd);
    const std::string signature = between(assertion, kSignature, kSignatureEnd);
    // Over the assertion, but in the response.
    expect_refused(
        replaced(replaced(xml, signature, ""), "<samlp:Status>", signature + "<samlp:Status>"),
        "something else than what it stands in");
    // In what nobody signs.
    expect_refused(replaced(replaced(xml, signature, ""), "<samlp:Status>",
                            "<samlp:Extensions>" + signature + "</samlp:Extensions><samlp:Status>"),
                   "where none belongs");
    // Another namespace for the true one, and the evil one beside it.
    const std::string hidden =
        replaced(replaced(assertion, kAssertion, "<saml:Advice "), kAssertionEnd, "</saml:Advice>");
    expect_refused(replaced(xml, assertion, hidden + evil_assertion()), "where none belongs");
}

// AUTH-26
TEST_F(SamlAttackTest, AnIdStandsOnce) {
    const std::string xml = good(Signed::kAssertion);
    expect_refused(replaced(xml, "<samlp:Status>", "<samlp:Status ID=\"_assertion\">"),
                   "same ID twice");
    expect_refused(replaced(xml, "<samlp:Status>", "<samlp:Status xml:id=\"_assertion\">"),
                   "xml:id");
}

// AUTH-26
TEST_F(SamlAttackTest, SignaturesLeaveNothingOut) {
    const SamlAnswer answer;
    const std::string xpath =
        R"(<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116">)"
        R"(<ds:XPath>not(ancestor-or-self::saml:Subject)</ds:XPath></ds:Transform></ds:Transforms>)";
    expect_refused(key_.sign(replaced(answer.xml(), "</ds:Transforms>", xpath)), "over a part");
    expect_refused(key_.sign(replaced(answer.xml(), "URI=\"#_assertion\"", "URI=\"\"")),
                   "something else");
    const std::string xml = good(Signed::kAssertion);
    const std::string reference = between(xml, "<ds:Reference ", "</ds:Reference>");
    expect_refused(replaced(xml, reference, reference + reference), "something else");
}

/// A MAC whose key is the provider's public one.
// AUTH-26
TEST_F(SamlAttackTest, PublicKeysAreNoSecrets) {
    expect_refused(replaced(good(Signed::kAssertion), "#ecdsa-sha256", "#hmac-sha256"),
                   "algorithm");
    expect_refused(replaced(good(Signed::kAssertion), "#ecdsa-sha256", "#rsa-sha256"),
                   "signed by nobody");
}

/// Whoever signs by a key of their own may not bring it along.
// AUTH-26
TEST_F(SamlAttackTest, KeysThatComeAlongCountNothing) {
    const SamlKey own;
    const SamlAnswer answer{.subject = "root"};
    const std::string xml =
        replaced(own.sign(answer.xml()), "</ds:SignatureValue>",
                 "</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>" +
                     testing::base64_of(own.certificate()) +
                     "</ds:X509Certificate></ds:X509Data></ds:KeyInfo>");
    expect_refused(xml, "signed by nobody");
}

/// What a comment splits is one name all the same: it changes no signature.
// AUTH-26
TEST_F(SamlAttackTest, CommentsDoNotShortenNames) {
    const SamlAnswer answer{.subject = "root.evil.example"};
    const std::string xml = replaced(key_.sign(answer.xml()), ">root.", ">root<!-- -->.");
    const auto got = saml::read_response(testing::base64_of(xml), wanted_);
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(got->subject, "root.evil.example");
    const std::string with_element = key_.sign(replaced(answer.xml(), ">root.", "><b>root</b>."));
    expect_refused(with_element, "NameID");
}

// AUTH-26
TEST_F(SamlAttackTest, DocumentTypesAndEntitiesAreRefusedUnparsed) {
    const std::string xml = good(Signed::kAssertion);
    const std::string body = xml.substr(xml.find("<samlp:Response"));
    const char* const why = "without document type";
    expect_refused("<!DOCTYPE r [<!ENTITY a \"root\">]>" + replaced(body, ">anna<", ">&a;<"), why);
    expect_refused("<!DOCTYPE r SYSTEM \"file:///etc/passwd\">" + body, why);
    expect_refused("<!DOCTYPE r [<!ATTLIST saml:Assertion ID ID #IMPLIED>]>" + body, why);
    // Nor in an encoding in which the letters look otherwise.
    std::string wide = "\xFF\xFE";
    for (const char letter : "<!DOCTYPE r [<!ENTITY a \"root\">]>" + body)
        wide += {letter, '\0'};
    expect_refused(wide, why);
    expect_refused("<?xml version=\"1.0\" encoding=\"UTF-7\"?>+ADwAIQ-DOCTYPE r+AD4-" + body, why);
}

// AUTH-26
TEST_F(SamlAttackTest, SizesAreBounded) {
    const std::string xml = good(Signed::kAssertion);
    const auto with = [&](const std::string& more) {
        return replaced(xml, "<samlp:Status>", more + "<samlp:Status>");
    };
    expect_refused(with("<a>" + std::string(kMostSamlResponse, 'x') + "</a>"), "128 KiB");
    std::string deep;
    for (int i = 0; i < 5000; ++i)
        deep += "<a>";
    expect_refused(with(deep), "no XML");
    std::string many;
    for (int i = 0; i < 5000; ++i)
        many += "<a/>";
    expect_refused(with(many), "4096 elements");
    std::string spaces;
    for (int i = 0; i < 300; ++i)
        spaces += " xmlns:a" + std::to_string(i) + "=\"u\"";
    expect_refused(with("<a" + spaces + "/>"), "can be read");
}

// AUTH-26
TEST_F(SamlAttackTest, WhatIsNoAnswerIsRefused) {
    for (const char* const text : {"", "PHg+", "no base64", "====", "PHg/Pg==", "AAAA"}) {
        const auto got = saml::read_response(text, wanted_);
        ASSERT_FALSE(got) << text;
        EXPECT_EQ(got.error().code(), core::Code::kInvalidToken);
    }
}

}  // namespace
}  // namespace zona::identity
