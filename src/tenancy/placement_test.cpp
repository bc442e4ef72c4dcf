#include "tenancy/placement.h"

#include <map>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace zona::tenancy {
namespace {

using testing::HasSubstr;

const DatabaseAddress kLogin{
    .host = {}, .name = {}, .username = "zona", .password = core::Secret("s3cret")};

Placement placement(std::string_view table) {
    auto parsed = Placement::parse(table, kLogin);
    EXPECT_TRUE(parsed.has_value()) << parsed.error().message();
    return parsed ? *std::move(parsed) : Placement();
}

std::string refusal(std::string_view table) {
    const auto parsed = Placement::parse(table, kLogin);
    return parsed ? "" : parsed.error().message();
}

// PERF-18, PERF-26
TEST(Placement, RangesOfFirstCharactersSayTheHost) {
    const Placement four = placement(
        "A-G: mongodb://one/; H-N: mongodb://two/; O-U: mongodb://three:27018/?replicaSet=rs; "
        "v-z: mongodb://four/; 0-9: embedded");

    EXPECT_EQ(four.address_of("acme").host, "mongodb://one/");
    EXPECT_EQ(four.address_of("globex").host, "mongodb://one/");
    EXPECT_EQ(four.address_of("hooli").host, "mongodb://two/");
    EXPECT_EQ(four.address_of("umbrella").host, "mongodb://three:27018/?replicaSet=rs");
    EXPECT_EQ(four.address_of("zorg").host, "mongodb://four/");
    EXPECT_EQ(four.address_of("zorg").username, "zona");
    EXPECT_EQ(four.address_of("zorg").password.reveal(), "s3cret");
    EXPECT_EQ(four.address_of("42").host, "embedded");
    EXPECT_EQ(four.address_of("42").username, "");
    EXPECT_EQ(placement("q: mongodb://q/; other: embedded").address_of("acme").host, "embedded");
    EXPECT_EQ(placement("").address_of("acme").host, "embedded");
    EXPECT_EQ(Placement().address_of("acme").host, "embedded");
}

// PERF-26
TEST(Placement, HashSpreadsEvenlyAndANewHostTakesNothingFromOneOldHostForAnother) {
    const Placement two = placement("hash: mongodb://one/ mongodb://two/");
    const Placement three = placement("hash: mongodb://three/ mongodb://one/ mongodb://two/");
    std::map<std::string, int> tenants;
    int moved = 0;
    for (int i = 0; i < 3000; ++i) {
        const std::string code = fmt::format("tenant{}", i);
        const std::string before = two.address_of(code).host;
        const std::string after = three.address_of(code).host;
        ++tenants[after];
        if (before == after) continue;
        EXPECT_EQ(after, "mongodb://three/");
        ++moved;
    }
    EXPECT_EQ(tenants.size(), 3U);
    for (const auto& [host, some] : tenants)
        EXPECT_NEAR(some, 1000, 150) << host;
    EXPECT_NEAR(moved, 1000, 150);
}

// PERF-18
TEST(Placement, SaysWhatIsWrongWithATable) {
    EXPECT_THAT(refusal("A-G: embedded; G-Z: embedded; 0-9: embedded"), HasSubstr("'g'"));
    EXPECT_THAT(refusal("A-Y: embedded; 0-8: embedded"), HasSubstr("one of 9z"));
    EXPECT_THAT(refusal("A-Z: postgres://one/; 0-9: embedded"), HasSubstr("postgres"));
    EXPECT_THAT(refusal("A-Z: ; other: embedded"), HasSubstr("0 hosts"));
    EXPECT_THAT(refusal("Z-A: embedded"), HasSubstr("no range"));
    EXPECT_THAT(refusal("AB-C: embedded"), HasSubstr("no range"));
    EXPECT_THAT(refusal("a embedded"), HasSubstr("`:`"));
    EXPECT_THAT(refusal("hash:"), HasSubstr("no host"));
    EXPECT_THAT(refusal("hash: embedded embedded"), HasSubstr("twice"));
    EXPECT_THAT(refusal("hash: embedded; a-z: embedded"), HasSubstr("alone"));
    const std::string credentials = refusal("other: mongodb://me:pass@one/");
    EXPECT_THAT(credentials, HasSubstr("mongo.username"));
    EXPECT_THAT(credentials, testing::Not(HasSubstr("pass@")));
}

}  // namespace
}  // namespace zona::tenancy
