#include "identity/exposure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace zona::identity {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr const char* kLoopback = "127.0.0.1:8063";
constexpr const char* kEverywhere = "0.0.0.0:8063";

Exposure at(const char* address) {
    return {.address = *os::TcpAddress::parse(address)};
}

std::string refusal_of(const Exposure& exposure) {
    const auto judged = judge(exposure);
    return judged ? "" : judged.error().message();
}

TEST(Exposure, ThisHostNeedsNoTls) {
    for (const char* address : {kLoopback, "127.8.0.1:80", "[::1]:8063"}) {
        const auto judged = judge(at(address));
        ASSERT_TRUE(judged) << address;
        EXPECT_THAT(*judged, SizeIs(0)) << address;
    }
}

// PM-65
TEST(Exposure, ANetworkNeedsTls) {
    for (const char* address : {kEverywhere, "192.0.2.1:8063", "[::]:8063"}) {
        Exposure exposure = at(address);
        EXPECT_THAT(refusal_of(exposure), HasSubstr("api.tls.certificate")) << address;
        exposure.transport = Transport::kTls;
        EXPECT_EQ(refusal_of(exposure), "") << address;
    }
}

// PM-65
TEST(Exposure, PlainHttpBeyondThisHostIsAskedForAndWarnedAbout) {
    Exposure exposure = at(kEverywhere);
    exposure.profile = "staging";
    EXPECT_THAT(refusal_of(exposure), HasSubstr("api.insecure=true"));
    exposure.insecure = true;
    const auto judged = judge(exposure);
    ASSERT_TRUE(judged);
    EXPECT_THAT(*judged, testing::ElementsAre(HasSubstr("without TLS")));
}

// PM-65
TEST(Exposure, ProductionRefusesPlainHttpEvenIfAskedFor) {
    Exposure exposure = at(kEverywhere);
    exposure.insecure = true;
    EXPECT_THAT(refusal_of(exposure), HasSubstr("in the profile production only TLS"));
}

// PM-52
TEST(Exposure, KeysMayBeLeftOutOnlyWhileDevelopingOnThisHost) {
    Exposure exposure = at(kLoopback);
    exposure.demand = Demand::kNothing;
    for (const char* profile : {"production", "staging"}) {
        exposure.profile = profile;
        EXPECT_THAT(refusal_of(exposure), HasSubstr("api.authentication")) << profile;
    }
    exposure.profile = "development";
    const auto judged = judge(exposure);
    ASSERT_TRUE(judged);
    EXPECT_THAT(*judged, testing::ElementsAre(HasSubstr("may do everything")));
    exposure.address = *os::TcpAddress::parse(kEverywhere);
    exposure.transport = Transport::kTls;
    EXPECT_THAT(refusal_of(exposure), HasSubstr("api.authentication"));
}

}  // namespace
}  // namespace zona::identity
