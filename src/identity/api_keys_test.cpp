#include "identity/api_keys.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/testing/fake_clock.h"
#include "core/testing/temporary_directory.h"

namespace zona::identity {
namespace {

using namespace std::chrono_literals;
using core::Code;

class ApiKeysTest : public testing::Test {
  protected:
    void SetUp() override { reopen(); }

    void reopen() {
        auto opened = ApiKeys::open(file(), clock_, random_, [this] { ++told_of_uses_; });
        ASSERT_TRUE(opened) << opened.error().message();
        keys_ = std::move(*opened);
    }
    std::string file() const { return folder_.path() + "/api-keys.json"; }
    std::string text() const {
        std::ifstream in(file());
        std::stringstream out;
        out << in.rdbuf();
        return out.str();
    }
    void write(std::string_view content) const { std::ofstream(file()) << content; }

    std::string make(const std::string& name, Scope scope = Scope::kAdmin) {
        return std::string(keys_->create({.name = name, .scope = scope})->reveal());
    }
    std::optional<Principal> who(std::string_view presented) {
        const auto out = keys_->verify(presented);
        const auto* principal = std::get_if<Principal>(&out);
        return principal == nullptr ? std::nullopt : std::optional(*principal);
    }
    KeyRefusal refusal(std::string_view presented) {
        return std::get<KeyRefusal>(keys_->verify(presented));
    }

    core::TemporaryDirectory folder_;
    core::FakeClock clock_;
    core::SeededRandom random_{7};
    std::unique_ptr<ApiKeys> keys_;
    int told_of_uses_ = 0;
};

TEST_F(ApiKeysTest, KnowsAKeyAgainAlsoAfterARestart) {
    const std::string key = make("ci", Scope::kViewer);
    EXPECT_TRUE(key.starts_with(kApiKeyPrefix));
    EXPECT_EQ(key.size(), kApiKeyPrefix.size() + 43);

    EXPECT_EQ(who(key),
              (Principal{Principal::Kind::kApiKey, "ci", Scope::kViewer, keys_->list()[0].id}));
    reopen();
    EXPECT_EQ(who(key),
              (Principal{Principal::Kind::kApiKey, "ci", Scope::kViewer, keys_->list()[0].id}));
    EXPECT_EQ(who(key)->to_string(), "key ci");
}

TEST_F(ApiKeysTest, KeyOfATenantStaysItsOwnOverRestartsAndRotations) {
    const core::Secret key =
        keys_->create({.name = "acme-ci", .scope = Scope::kAdmin, .tenant = "acme"}).value();
    make("ours");
    reopen();
    EXPECT_EQ(who(key.reveal())->tenant, "acme");
    const core::Secret next = keys_->rotate("acme-ci", 0s).value();
    EXPECT_EQ(who(next.reveal())->tenant, "acme");
    EXPECT_TRUE(text().contains(R"("format": 2)"))
        << "a zona that does not know tenants refuses it";

    EXPECT_EQ(keys_->revoke_of_tenant("acme").value(), 2U);
    EXPECT_EQ(refusal(next.reveal()), KeyRefusal::kUnknown);
    EXPECT_EQ(keys_->list().size(), 1U);
    EXPECT_EQ(keys_->revoke_of_tenant("acme").value(), 0U);
    EXPECT_TRUE(text().contains(R"("format": 1)"));
}

TEST_F(ApiKeysTest, IsGoodAsLongAsItWouldBeTaken) {
    const auto end = clock_.system() + 5s;
    ASSERT_TRUE(keys_->create({"brief", Scope::kViewer, end}));
    const std::string key = make("ci");
    const core::Uuid brief = keys_->list()[0].id;
    const core::Uuid lasting = keys_->list()[1].id;
    EXPECT_TRUE(keys_->is_good(brief) && keys_->is_good(lasting));
    EXPECT_FALSE(keys_->list()[1].last_used_at) << "asking is no use";
    clock_.advance(5s);
    EXPECT_FALSE(keys_->is_good(brief));
    ASSERT_TRUE(keys_->revoke("ci"));
    make("ci");
    EXPECT_FALSE(keys_->is_good(lasting)) << "another of the same name is not it";
}

TEST_F(ApiKeysTest, FindsAKeyAnywhereInAText) {
    const std::string key = make("ci");
    for (const std::string& text :
         {key, "/api/" + key + "/x", "/zona_key_short/" + key, "/zona_key_zona_key_/" + key}) {
        EXPECT_TRUE(holds_api_key(text)) << text;
    }
    for (const char* text : {"", "/zona_key_", "/zona_key_rotation/zona_key_", "/api/v1/keys"})
        EXPECT_FALSE(holds_api_key(text)) << text;
}

// AUTH-29
TEST_F(ApiKeysTest, StoresOnlyAHashAndForItsOwnerAlone) {
    const std::string key = make("ci");
    EXPECT_EQ(text().find(key), std::string::npos);
    EXPECT_EQ(text().find(key.substr(kApiKeyPrefix.size())), std::string::npos);
    EXPECT_NE(text().find("\"sha256\""), std::string::npos);
    struct stat s{};
    ASSERT_EQ(::stat(file().c_str(), &s), 0);
    EXPECT_EQ(s.st_mode & 0777U, 0600U);
}

TEST_F(ApiKeysTest, RefusesWhatItDidNotMake) {
    std::string key = make("ci");
    key.back() = key.back() == 'A' ? 'B' : 'A';
    EXPECT_EQ(refusal(key), KeyRefusal::kUnknown);
    key.pop_back();
    EXPECT_EQ(refusal(key), KeyRefusal::kMalformed);
    for (const std::string& other : {std::string(), std::string("zona_key_"), std::string("x"),
                                     "zona_key_" + std::string(43, ' '), std::string(100000, 'a')})
        EXPECT_EQ(refusal(other), KeyRefusal::kMalformed);
}

TEST_F(ApiKeysTest, AKeyEndsWhenItExpires) {
    const auto key = *keys_->create({"short", Scope::kAdmin, clock_.system() + 60s});
    EXPECT_TRUE(who(key.reveal()));
    clock_.advance(61s);
    EXPECT_EQ(refusal(key.reveal()), KeyRefusal::kExpired);
    EXPECT_EQ(keys_->list().size(), 1U) << "it is still shown";
    EXPECT_TRUE(keys_->create({.name = "short"})) << "its name is free again";
    const auto past = keys_->create({"past", Scope::kAdmin, clock_.system()});
    EXPECT_EQ(past.error().code(), Code::kInvalidArgument);
}

TEST_F(ApiKeysTest, RotationLetsBothWorkForAWhile) {
    const std::string old_key = make("app", Scope::kViewer);
    const auto rotated = keys_->rotate("app", 3600s);
    ASSERT_TRUE(rotated);
    const std::string new_key(rotated->reveal());

    EXPECT_EQ(who(old_key)->scope, Scope::kViewer);
    EXPECT_EQ(who(new_key)->scope, Scope::kViewer);
    clock_.advance(3601s);
    EXPECT_EQ(refusal(old_key), KeyRefusal::kExpired);
    EXPECT_TRUE(who(new_key));
    EXPECT_EQ(keys_->rotate("nobody", 0s).error().code(), Code::kNotFound);
}

TEST_F(ApiKeysTest, ARevokedKeyIsGoneAtOnce) {
    const std::string key = make("app");
    const auto rotated = keys_->rotate("app", 3600s);
    EXPECT_TRUE(keys_->revoke("app"));
    EXPECT_EQ(refusal(key), KeyRefusal::kUnknown);
    EXPECT_EQ(refusal(rotated->reveal()), KeyRefusal::kUnknown);
    EXPECT_EQ(keys_->revoke("app").error().code(), Code::kNotFound);
}

TEST_F(ApiKeysTest, RefusesNamesThatAreTakenOrUnsafe) {
    make("one");
    EXPECT_EQ(keys_->create({.name = "one"}).error().code(), Code::kConflict);
    for (const std::string& name : {std::string(), std::string("a b"), std::string("a/b"),
                                    std::string("a\nb"), std::string(65, 'x')})
        EXPECT_EQ(keys_->create({.name = name}).error().code(), Code::kInvalidArgument) << name;
}

TEST_F(ApiKeysTest, TellsWhenAKeyWasUsedLast) {
    const std::string key = make("ci");
    EXPECT_FALSE(keys_->list()[0].last_used_at);
    clock_.advance(10s);
    who(key);
    EXPECT_EQ(keys_->list()[0].last_used_at, clock_.system());
    const std::string before = text();
    EXPECT_EQ(told_of_uses_, 1);
    who(key);
    EXPECT_EQ(told_of_uses_, 1) << "one that is not stored yet is known of";
    EXPECT_TRUE(keys_->store_uses());
    EXPECT_NE(text(), before);
    reopen();
    EXPECT_EQ(keys_->list()[0].last_used_at, clock_.system());
    std::filesystem::create_directory(file() + ".tmp");
    EXPECT_TRUE(keys_->store_uses()) << "nothing is new, so nothing is written";
    who(key);
    EXPECT_FALSE(keys_->store_uses());
    EXPECT_FALSE(keys_->store_uses()) << "it is tried again";
}

TEST_F(ApiKeysTest, ADamagedFileLetsNobodyInAndStaysAsItIs) {
    make("ci");
    const std::string good = text();
    for (const std::string& bad :
         {std::string(), std::string("{}"), std::string("[]"), good.substr(0, good.size() / 2),
          std::string(R"({"format": 3,"keys":[]})"),
          std::string(R"({"format":1,"keys":[{"name":"x"}]})"),
          std::string(R"({"format":1,"keys":[],"more":1})")}) {
        write(bad);
        const auto opened = ApiKeys::open(file(), clock_, random_);
        ASSERT_FALSE(opened) << bad;
        EXPECT_EQ(opened.error().code(), Code::kConflict);
        EXPECT_NE(opened.error().message().find(file()), std::string::npos);
        EXPECT_EQ(text(), bad);
    }
}

TEST_F(ApiKeysTest, AChangeThatCannotBeWrittenIsNotMade) {
    const std::string key = make("ci");
    std::filesystem::create_directory(file() + ".tmp");  // where the new content would go

    EXPECT_FALSE(keys_->create({.name = "more"}));
    EXPECT_FALSE(keys_->revoke("ci"));

    EXPECT_EQ(keys_->list().size(), 1U);
    EXPECT_TRUE(who(key));
}

TEST_F(ApiKeysTest, TheFirstKeyIsLeftForWhoeverStartsZona) {
    const std::string plain = folder_.path() + "/api-key";
    EXPECT_FALSE(keys_->make_first(folder_.path() + "/nowhere/api-key"));
    EXPECT_TRUE(keys_->list().empty()) << "a key that nobody can read is not kept";
    EXPECT_TRUE(*keys_->make_first(plain));
    std::ifstream in(plain);
    std::string key;
    std::getline(in, key);
    EXPECT_EQ(who(key),
              (Principal{Principal::Kind::kApiKey, "default", Scope::kAdmin, keys_->list()[0].id}));
    struct stat s{};
    ASSERT_EQ(::stat(plain.c_str(), &s), 0);
    EXPECT_EQ(s.st_mode & 0777U, 0600U);

    EXPECT_FALSE(*keys_->make_first(plain)) << "only once";
    EXPECT_TRUE(keys_->revoke("default"));
    reopen();
    EXPECT_FALSE(*keys_->make_first(plain)) << "whoever takes the last key back wants none";
}

}  // namespace
}  // namespace zona::identity
