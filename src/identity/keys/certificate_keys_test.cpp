// Keys that are client certificates, and the keys of tenants, which others neither see nor meet.
#include <gtest/gtest.h>

#include "crypto/encoding.h"
#include "identity/keys/api_keys.h"
#include "identity/testing/keys_fixture.h"

namespace zona::identity {
namespace {

using namespace std::chrono_literals;
using core::Code;

class CertificateKeys : public testing::Test {
  protected:
    CertificateKeys() { home_->begin(core_.database, kAlone); }

    static crypto::Digest digest_of(const std::string& name) { return crypto::sha256(name); }
    KeyCertificate certificate(const std::string& name, std::chrono::seconds lasts = 24h) const {
        return {.fingerprint = crypto::hex(digest_of(name)),
                .subject = "CN=" + name,
                .not_after = clock_.system() + lasts};
    }
    NewApiKey robot() const {
        return {.name = "robot",
                .scope = Scope::kAdmin,
                .tenant = "acme",
                .certificate = certificate("one")};
    }
    /// The name of the key; empty: it is not taken.
    std::string who(const std::string& certificate) {
        const auto found = home_->verify(digest_of(certificate));
        const auto* holder = std::get_if<KeyHolder>(&found);
        return holder == nullptr ? "" : holder->who.name;
    }

    core::FakeClock clock_;
    core::SeededRandom random_{7};
    KeyDatabase core_{clock_};
    KeysOfHome home_{clock_, random_};
};

// AUTH-30
TEST_F(CertificateKeys, AreKnownByTheirFingerprintUntilTheyEnd) {
    const auto made = home_.create(robot());
    ASSERT_TRUE(made) << made.error().message();
    EXPECT_TRUE(made->text.reveal().empty());

    const auto found = home_->verify(digest_of("one"), "192.0.2.7");
    const auto* holder = std::get_if<KeyHolder>(&found);
    ASSERT_TRUE(holder);
    EXPECT_EQ(holder->who.to_string(), "key robot");
    EXPECT_EQ(holder->who.tenant, "acme");
    EXPECT_EQ(home_->tenant_of(digest_of("one")), "acme");
    EXPECT_EQ(home_.of("robot").certificate, certificate("one"));
    EXPECT_EQ(home_.of("robot").usage.requests, 1U);
    EXPECT_EQ(std::get<KeyRefusal>(home_->verify(digest_of("two"))), KeyRefusal::kUnknown);
    EXPECT_EQ(home_->tenant_of(digest_of("two")), std::nullopt);

    clock_.advance(24h);
    EXPECT_EQ(std::get<KeyRefusal>(home_->verify(digest_of("one"))), KeyRefusal::kExpired);
    EXPECT_EQ(home_->tenant_of(digest_of("one")), std::nullopt);
}

// AUTH-30
TEST_F(CertificateKeys, AreRegisteredOnce) {
    ASSERT_TRUE(home_.create(robot()));
    NewApiKey twin = robot();
    twin.name = "twin";
    twin.tenant = "globex";
    const auto second = home_.create(twin);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), Code::kConflict);
    ASSERT_TRUE(home_.revoke("robot"));
    EXPECT_EQ(who("one"), "");
    EXPECT_TRUE(home_.create(twin));
    EXPECT_EQ(who("one"), "twin");

    NewApiKey late = robot();
    late.certificate = certificate("late", -1s);
    EXPECT_EQ(home_.create(late).error().code(), Code::kInvalidArgument);
}

TEST_F(CertificateKeys, AreFollowedByAnotherCertificate) {
    ASSERT_TRUE(home_.create(robot()));
    const std::string text = home_.make("text");
    EXPECT_EQ(home_.rotate("robot", 1h).error().code(), Code::kInvalidArgument);
    EXPECT_EQ(home_.rotate({.name = "text"}, {.overlap = 1h, .certificate = certificate("two")})
                  .error()
                  .code(),
              Code::kInvalidArgument);

    const auto next =
        home_.rotate({.name = "robot"}, {.overlap = 1h, .certificate = certificate("two", 48h)});
    ASSERT_TRUE(next) << next.error().message();
    EXPECT_EQ(next->key.expires_at(), clock_.system() + 48h);
    EXPECT_EQ(who("one") + who("two"), "robotrobot");
    clock_.advance(1h);
    EXPECT_EQ(who("one") + who("two"), "robot");
}

// AUTH-31
TEST_F(CertificateKeys, MayAllowNothingByThemselves) {
    NewApiKey laptop = robot();
    laptop.scope = Scope::kLimited;
    ASSERT_TRUE(home_.create(laptop));
    const auto found = home_->verify(digest_of("one"));
    const auto& may = std::get<KeyHolder>(found).permissions;
    ASSERT_TRUE(may);
    EXPECT_EQ(*may, Permissions());

    laptop.name = "text";
    laptop.certificate.reset();
    EXPECT_EQ(home_.create(laptop).error().code(), Code::kInvalidArgument);
}

// AUTH-33
TEST_F(CertificateKeys, TenantsNameTheirKeysAsTheyLike) {
    const auto of = [](const std::string& tenant) {
        return NewApiKey{.name = "ci", .scope = Scope::kAdmin, .tenant = tenant};
    };
    const auto acme = home_.create(of("acme"), admin_of("acme"));
    const auto globex = home_.create(of("globex"), admin_of("globex"));
    ASSERT_TRUE(acme && globex && home_.create(of("")));
    EXPECT_EQ(home_.create(of("acme"), admin_of("acme")).error().code(), Code::kConflict);

    EXPECT_EQ(home_.revoke("ci").error().code(), Code::kConflict) << "whose?";
    EXPECT_EQ(home_.rotate("ci", 1h).error().code(), Code::kConflict);
    const KeyName theirs{.name = "ci", .tenant = "globex"};
    EXPECT_FALSE(home_.revoke(theirs, admin_of("acme")));
    EXPECT_FALSE(home_.rotate(theirs, {}, admin_of("acme")));
    EXPECT_FALSE(home_.revoke({.name = "ci", .tenant = ""}, admin_of("acme")));
    EXPECT_FALSE(home_.create(of(""), admin_of("acme")));
    ASSERT_TRUE(home_.revoke({.name = "ci", .tenant = "acme"}, admin_of("acme")));
    EXPECT_TRUE(std::holds_alternative<KeyHolder>(home_->verify(globex->text.reveal())));
    EXPECT_FALSE(std::holds_alternative<KeyHolder>(home_->verify(acme->text.reveal())));
}

}  // namespace
}  // namespace zona::identity
