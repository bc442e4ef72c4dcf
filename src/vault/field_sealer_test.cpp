#include "vault/field_sealer.h"

#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "vault/testing/fake_keys.h"

namespace zona::vault {
namespace {

using core::Code;

constexpr FieldPlace kPlace{.collection = "instances", .document = "17", .field = "auth.password"};

class FieldSealerTest : public testing::Test {
  protected:
    core::SystemRandom random_;
    std::shared_ptr<FakeKeys> keys_ = std::make_shared<FakeKeys>(1);
    FieldSealer acme_{"acme", keys_, random_};
};

// SEC-01, SEC-03
TEST_F(FieldSealerTest, GivesBackWhatItSealedAndShowsNothingOfIt) {
    for (const std::string& value : {std::string("swordfish"), std::string(),
                                     std::string("\0\xff", 2), std::string(5000, 'x')}) {
        const std::string sealed = acme_.seal(kPlace, value).value();
        EXPECT_TRUE(sealed.starts_with("zenc1."));
        if (!value.empty()) EXPECT_EQ(sealed.find(value), std::string::npos);
        EXPECT_EQ(acme_.open(kPlace, sealed).value().reveal(), value);
        EXPECT_NE(acme_.seal(kPlace, value).value(), sealed) << "equal values do not show";
    }
    EXPECT_EQ(acme_.seal(kPlace, std::string((16U << 20U) + 1, 'x')).error().code(),
              Code::kTooLarge);
}

// SEC-01
TEST_F(FieldSealerTest, OpensInNoOtherPlace) {
    const std::string sealed = acme_.seal(kPlace, "swordfish").value();
    const FieldPlace kOthers[] = {
        {.collection = "integrations", .document = "17", .field = "auth.password"},
        {.collection = "instances", .document = "18", .field = "auth.password"},
        {.collection = "instances", .document = "17", .field = "auth.user"},
        // The same letters with the borders elsewhere.
        {.collection = "instances1", .document = "7", .field = "auth.password"}};
    for (const FieldPlace& place : kOthers)
        EXPECT_EQ(acme_.open(place, sealed).error().code(), Code::kConflict);
    const FieldSealer same_keys("other", keys_, random_);
    EXPECT_EQ(same_keys.open(kPlace, sealed).error().code(), Code::kConflict);
    const FieldSealer other("other", std::make_shared<FakeKeys>(2), random_);
    EXPECT_EQ(other.open(kPlace, sealed).error().code(), Code::kConflict);
}

// SEC-01
TEST_F(FieldSealerTest, RefusesAnyChange) {
    const std::string sealed = acme_.seal(kPlace, "swordfish").value();
    for (std::size_t at = 0; at < sealed.size(); ++at) {
        std::string bad = sealed;
        bad[at] = bad[at] == 'A' ? 'B' : 'A';
        const auto opened = acme_.open(kPlace, bad);
        ASSERT_FALSE(opened.has_value()) << at;
        EXPECT_EQ(opened.error().message().find("swordfish"), std::string::npos);
        EXPECT_FALSE(acme_.open(kPlace, sealed.substr(0, at)).has_value()) << at;
    }
}

// SEC-06
TEST_F(FieldSealerTest, OpensOldValuesAfterARotationAndSaysTheirKey) {
    const std::string old = acme_.seal(kPlace, "swordfish").value();
    keys_->rotate();
    const std::string fresh = acme_.seal(kPlace, "swordfish").value();
    EXPECT_EQ(FieldSealer::key_of(old), KeyId{1});
    EXPECT_EQ(FieldSealer::key_of(fresh), KeyId{2});
    EXPECT_EQ(FieldSealer::key_of("swordfish"), std::nullopt);
    EXPECT_EQ(acme_.open(kPlace, old).value().reveal(), "swordfish");
    keys_->forget(KeyId{1});
    EXPECT_EQ(acme_.open(kPlace, old).error().code(), Code::kNotFound);
    EXPECT_TRUE(acme_.open(kPlace, fresh).has_value());
}

}  // namespace
}  // namespace zona::vault
