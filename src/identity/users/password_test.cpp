#include "identity/users/password.h"

#include <array>
#include <thread>
#include <vector>

#include <argon2.h>
#include <gtest/gtest.h>

#include "crypto/encoding.h"

namespace zona::identity {
namespace {

/// Of tests alone.
constexpr HashCost kCheap{.memory_kib = 64, .passes = 1};

class PasswordHasherTest : public testing::Test {
  protected:
    core::SystemRandom random_;
    core::MetricRegistry metrics_;
    PasswordHasher hasher_{kCheap, 2, random_, metrics_};
    const core::Secret password_{std::string("tulip orbit kettle")};
};

// GAP-52
TEST(PasswordHash, HasTheParametersOfProduction) {
    EXPECT_EQ(kProductionCost.memory_kib, 65'536U);
    EXPECT_EQ(kProductionCost.passes, 3U);
    core::SystemRandom random;
    core::MetricRegistry metrics;
    PasswordHasher hasher(kProductionCost, 1, random, metrics);

    const std::string hash = hasher.hash(core::Secret(std::string("x"))).value();

    EXPECT_TRUE(hash.starts_with("$argon2id$v=19$m=65536,t=3,p=1$")) << hash;
}

// RFC 9106 section 5.3: what the library computes is Argon2id.
TEST(PasswordHash, IsArgon2id) {
    std::array<std::uint8_t, 32> out{};
    std::array<std::uint8_t, 32> password{};
    password.fill(1);
    std::array<std::uint8_t, 16> salt{};
    salt.fill(2);
    std::array<std::uint8_t, 8> secret{};
    secret.fill(3);
    std::array<std::uint8_t, 12> associated{};
    associated.fill(4);
    argon2_context context{};
    context.out = out.data();
    context.outlen = out.size();
    context.pwd = password.data();
    context.pwdlen = password.size();
    context.salt = salt.data();
    context.saltlen = salt.size();
    context.secret = secret.data();
    context.secretlen = secret.size();
    context.ad = associated.data();
    context.adlen = associated.size();
    context.t_cost = 3;
    context.m_cost = 32;
    context.lanes = 4;
    context.threads = 4;
    context.version = ARGON2_VERSION_13;

    ASSERT_EQ(argon2id_ctx(&context), ARGON2_OK);

    EXPECT_EQ(crypto::hex(std::as_bytes(std::span(out))),
              "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
}

TEST_F(PasswordHasherTest, TakesThePasswordOfTheHashAndNoOther) {
    const std::string hash = hasher_.hash(password_).value();

    EXPECT_EQ(hasher_.verify(password_, hash).value(), PasswordMatch::kYes);
    EXPECT_EQ(hasher_.verify(core::Secret(std::string("tulip orbit kettlE")), hash).value(),
              PasswordMatch::kNo);
    EXPECT_EQ(hasher_.verify(core::Secret(), hash).value(), PasswordMatch::kNo);
    EXPECT_NE(hasher_.hash(password_).value(), hash);  // another salt
}

TEST_F(PasswordHasherTest, AsksForANewHashWhenTheCostIsAnother) {
    const std::string old = hasher_.hash(password_).value();
    PasswordHasher dearer({.memory_kib = 128, .passes = 1}, 1, random_, metrics_);

    EXPECT_EQ(dearer.verify(password_, old).value(), PasswordMatch::kYesRehash);
    EXPECT_EQ(dearer.verify(core::Secret(std::string("other")), old).value(), PasswordMatch::kNo);
}

// AUTH-42
TEST_F(PasswordHasherTest, ComputesAsMuchForWhatIsNoHash) {
    const std::string hash = hasher_.hash(password_).value();
    const auto cost = [&](const auto& work) {
        const std::uint64_t before = hasher_.computed();
        work();
        return hasher_.computed() - before;
    };

    EXPECT_EQ(cost([&] { ASSERT_TRUE(hasher_.verify_nothing(password_)); }), 1U);
    EXPECT_EQ(cost([&] { ASSERT_TRUE(hasher_.verify(password_, hash)); }), 1U);
    EXPECT_GE(
        cost([&] { EXPECT_EQ(hasher_.verify(password_, "no hash").value(), PasswordMatch::kNo); }),
        1U);
}

TEST_F(PasswordHasherTest, RefusesWhatIsTooLongToBeHashed) {
    const core::Secret longest(std::string(kMaxPasswordBytes, 'x'));
    const core::Secret longer(std::string(kMaxPasswordBytes + 1, 'x'));
    const std::string hash = hasher_.hash(longest).value();

    EXPECT_EQ(hasher_.verify(longest, hash).value(), PasswordMatch::kYes);
    EXPECT_EQ(hasher_.verify(longer, hash).value(), PasswordMatch::kNo);
    EXPECT_EQ(hasher_.hash(longer).error().code(), core::Code::kTooLarge);
}

TEST_F(PasswordHasherTest, ServesMoreThreadsThanItHasPlaces) {
    const std::string hash = hasher_.hash(password_).value();
    std::vector<std::jthread> threads;
    std::array<PasswordMatch, 8> found{};
    for (PasswordMatch& one : found)
        threads.emplace_back([&] { one = hasher_.verify(password_, hash).value(); });
    threads.clear();

    for (const PasswordMatch one : found)
        EXPECT_EQ(one, PasswordMatch::kYes);
}

}  // namespace
}  // namespace zona::identity
