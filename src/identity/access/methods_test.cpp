#include "identity/access/methods.h"

#include <gtest/gtest.h>

namespace zona::identity {
namespace {

Methods of(std::initializer_list<Method> all) {
    Methods out;
    for (const Method one : all)
        out.add(one);
    return out;
}

// AUTH-31
TEST(RequiredMethods, AreMetByAnyOneOfTheWays) {
    const auto ways = RequiredMethods::parse("certificate+token, key + certificate").value();

    EXPECT_TRUE(ways.are_met_by(of({Method::kCertificate, Method::kToken})));
    EXPECT_TRUE(ways.are_met_by(of({Method::kCertificate, Method::kKey})));
    EXPECT_TRUE(ways.are_met_by(Methods::all()));
    EXPECT_FALSE(ways.are_met_by(Method::kToken));
    EXPECT_FALSE(ways.are_met_by(Method::kCertificate));
    EXPECT_FALSE(ways.are_met_by(of({Method::kToken, Method::kSecondFactor})));
    EXPECT_EQ(ways.to_string(), "token+certificate or key+certificate");
}

TEST(RequiredMethods, WithoutAWayAnythingWillDo) {
    EXPECT_TRUE(RequiredMethods().are_met_by({}));
    EXPECT_TRUE(RequiredMethods::parse(" , ").value().empty());
    EXPECT_FALSE(RequiredMethods::impossible().are_met_by(
        of({Method::kKey, Method::kToken, Method::kCertificate, Method::kSecondFactor})));
}

TEST(RequiredMethods, RefuseWhatNobodyCanShow) {
    for (const char* wrong : {"password", "certificate+", "token++key", "key+token",
                              "second_factor", "key+second_factor"}) {
        const auto parsed = RequiredMethods::parse(wrong);
        ASSERT_FALSE(parsed) << wrong;
        EXPECT_TRUE(parsed.error().message().contains(wrong)) << parsed.error().message();
    }
}

// AUTH-31
TEST(MethodPolicies, AskEverybodyForTheUsualAndATenantForItsOwnBesides) {
    MethodPolicies policies;
    EXPECT_TRUE(policies.check("acme", Method::kKey));
    policies.set("acme", RequiredMethods::parse("certificate+key").value());

    EXPECT_TRUE(policies.check("globex", Method::kKey));
    EXPECT_TRUE(policies.check("acme", of({Method::kKey, Method::kCertificate})));
    const auto refused = policies.check("acme", Method::kKey);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), core::Code::kUnauthenticated);
    EXPECT_EQ(refused.error().message(),
              "key+certificate has to be shown at once, and the request shows key");

    policies.set_usual(RequiredMethods::parse("token+second_factor,certificate").value());
    EXPECT_FALSE(policies.check("globex", Method::kKey));
    EXPECT_FALSE(policies.check("", Method::kKey));
    EXPECT_TRUE(policies.check("", Method::kCertificate));
    policies.set("acme", {});
    EXPECT_TRUE(policies.check("acme", Method::kCertificate));
}

}  // namespace
}  // namespace zona::identity
