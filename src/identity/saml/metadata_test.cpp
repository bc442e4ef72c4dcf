#include "identity/saml/detail/metadata.h"

#include <gtest/gtest.h>

#include "core/time_format.h"
#include "identity/saml/testing/saml_answers.h"

namespace zona::identity {
namespace {

using testing::replaced;
using testing::SamlKey;

class SamlMetadataTest : public ::testing::Test {
  protected:
    std::string refusal(const std::string& xml) const {
        const auto got = saml::read_metadata(xml, now_);
        if (got) return "";
        EXPECT_EQ(got.error().code(), core::Code::kInvalidArgument);
        return std::string(got.error().message());
    }
    SamlKey key_;
    std::string good_ = testing::metadata_with(key_.certificate());
    core::SystemTime now_ = core::parse_rfc3339("2026-11-23T12:00:00Z").value();
};

// AUTH-26
TEST_F(SamlMetadataTest, ItSaysWhereToGoAndWhoseKeysCount) {
    const auto got = saml::read_metadata("\xEF\xBB\xBF" + good_ + "\n", now_);
    ASSERT_TRUE(got) << got.error().message();
    EXPECT_EQ(got->entity_id, testing::kIdp);
    EXPECT_EQ(got->sign_in_url, "https://login.example/sso");
    EXPECT_EQ(got->certificates, std::vector<std::string>{key_.certificate()});
}

// AUTH-26
TEST_F(SamlMetadataTest, WhatSignsNobodyInIsRefused) {
    EXPECT_TRUE(refusal(replaced(good_, "HTTP-Redirect", "HTTP-POST")).contains("HTTP-Redirect"));
    EXPECT_TRUE(
        refusal(replaced(good_, "https://login.example/sso", "ftp://login")).contains("https URL"));
    EXPECT_TRUE(
        refusal(replaced(good_, "use=\"signing\"", "use=\"encryption\"")).contains("names no"));
    EXPECT_TRUE(refusal(replaced(good_, "SAML:2.0:protocol", "SAML:1.1:protocol"))
                    .contains("IDPSSODescriptor"));
    EXPECT_TRUE(refusal(replaced(good_, "entityID", "entity")).contains("entityID"));
    EXPECT_TRUE(refusal("<!DOCTYPE a>" + good_).contains("document type"));
    EXPECT_TRUE(refusal("{}").contains("no XML"));
    EXPECT_TRUE(refusal(good_ + std::string(kMostSamlMetadata, ' ')).contains("256 KiB"));
    EXPECT_TRUE(refusal("<EntitiesDescriptor xmlns=\"urn:oasis:names:tc:SAML:2.0:metadata\"/>")
                    .contains("several"));
}

// AUTH-26
TEST_F(SamlMetadataTest, ItEndsAndItsKeysAreStrong) {
    const auto until = [&](const char* moment) {
        return refusal(
            replaced(good_, "entityID", std::string("validUntil=\"") + moment + "\" entityID"));
    };
    EXPECT_EQ(until("2026-11-23T12:00:01Z"), "");
    EXPECT_TRUE(until("2026-11-23T12:00:00Z").contains("is over"));
    EXPECT_TRUE(until("some day").contains("is over"));
    const SamlKey weak(1024);
    EXPECT_TRUE(refusal(testing::metadata_with(weak.certificate())).contains("too weak"));
    EXPECT_TRUE(refusal(testing::metadata_with("x")).contains("cannot be read"));
}

}  // namespace
}  // namespace zona::identity
