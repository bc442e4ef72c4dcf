#include "vault/token_provider.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"
#include "core/testing/temporary_directory.h"
#include "vault/key_ring.h"

namespace zona::vault {
namespace {

namespace fs = std::filesystem;
using core::Code;
using core::Error;
using core::Result;
using core::Secret;
using testing::HasSubstr;

constexpr const char* kModules[] = {"/usr/lib/softhsm/libsofthsm2.so",
                                    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
                                    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so"};
constexpr const char* kPin = "8264-pin";

std::string module() {
    for (const char* path : kModules) {
        if (fs::exists(path)) return path;
    }
    return {};
}

/// SoftHSM reads its configuration once in a process, so all tests share one directory of tokens
/// and take a token each.
class SoftHsm : public testing::Environment {
  public:
    void SetUp() override {
        const std::string configuration = folder_.path() + "/softhsm2.conf";
        fs::create_directory(tokens());
        std::ofstream(configuration) << "directories.tokendir = " << tokens()
                                     << "\nobjectstore.backend = file\nlog.level = ERROR\n";
        ::setenv("SOFTHSM2_CONF", configuration.c_str(), 1);
    }
    std::string tokens() const { return folder_.path() + "/tokens"; }

  private:
    core::TemporaryDirectory folder_;
};

SoftHsm& softhsm() {
    static SoftHsm* const kHsm =
        static_cast<SoftHsm*>(testing::AddGlobalTestEnvironment(new SoftHsm));
    return *kHsm;
}
const SoftHsm& g_softhsm = softhsm();

class TokenProviderTest : public testing::Test {
  protected:
    TokenProviderTest() {
        token_ = testing::UnitTest::GetInstance()->current_test_info()->name();
        token_.resize(std::min<std::size_t>(token_.size(), 32));
        const std::string command = fmt::format(
            "softhsm2-util --init-token --free --label {} --so-pin 12345678 --pin {} >/dev/null",
            token_, kPin);
        EXPECT_EQ(std::system(command.c_str()), 0) << "softhsm2 is needed (scripts/install-deps)";
    }

    TokenOptions options(Result<Secret> pin = Secret(std::string(kPin))) {
        return {.module = module(), .token = token_, .label = "zona-root", .pin = [this, pin] {
                    ++asked_;
                    return pin;
                }};
    }
    std::unique_ptr<RootKeyProvider> provider() { return make_token_provider(options(), random_); }
    std::unique_ptr<KeyRing> open_ring(RootKeyProvider& roots) {
        return KeyRing::open(ring_, roots, {clock_, random_}).value();
    }

    std::string token_;
    int asked_ = 0;
    core::SystemRandom random_;
    core::FakeClock clock_;
    core::TemporaryDirectory folder_;
    std::string ring_ = folder_.path() + "/keys.json";
};

// SEC-07
TEST_F(TokenProviderTest, WrapsInTheTokenAndOpensAtItsPlaceOnly) {
    const auto tokens = provider();
    const auto root = tokens->make().value();
    const crypto::Key key = crypto::Key::random(random_);

    const std::string wrapped = root->wrap(key, "acme").value();

    EXPECT_EQ(root->id().size(), 16U);
    EXPECT_TRUE(root->unwrap(wrapped, "acme")->same_as(key));
    EXPECT_NE(root->wrap(key, "acme").value(), wrapped);
    const auto found = provider()->get(root->id()).value();
    EXPECT_TRUE(found->unwrap(wrapped, "acme")->same_as(key));
    EXPECT_EQ(root->unwrap(wrapped, "globex").error().code(), Code::kConflict);
    std::string changed = wrapped;
    changed[30] = changed[30] == 'A' ? 'B' : 'A';
    EXPECT_EQ(root->unwrap(changed, "acme").error().code(), Code::kConflict);
    EXPECT_EQ(root->unwrap("short", "acme").error().code(), Code::kConflict);
    EXPECT_TRUE(root->unwrap(wrapped, "acme")) << "a refusal does not break the session";
    EXPECT_EQ(asked_, 2) << "a login for each provider";
}

// SEC-07
TEST_F(TokenProviderTest, RingLivesUnderATokensKeyThroughRotations) {
    const auto tokens = provider();
    std::string first;
    {
        const auto ring = KeyRing::create(ring_, *tokens, {clock_, random_}).value();
        ASSERT_TRUE(ring->add_tenant("acme"));
        first = ring->root();
        ASSERT_TRUE(ring->rotate_root(*tokens));
        EXPECT_NE(ring->root(), first);
    }
    const auto again = provider();
    const auto ring = open_ring(*again);
    EXPECT_EQ(ring->keys("acme")->size(), 1U);
    EXPECT_EQ(again->get(first).error().code(), Code::kNotFound) << "it was destroyed";
    EXPECT_FALSE(again->keep_only(first));
    EXPECT_TRUE(again->get(ring->root())) << "of a key that is not there nothing is destroyed for";
}

// SEC-07
TEST_F(TokenProviderTest, ProviderIsChangedByWrappingAnewAndBothAreReadUntilThen) {
    const std::string file = folder_.path() + "/root-key";
    const auto chain = [&](bool token_first) {
        std::vector<std::unique_ptr<RootKeyProvider>> providers;
        providers.push_back(provider());
        providers.push_back(make_file_provider(file, random_));
        if (!token_first) std::swap(providers[0], providers[1]);
        return make_provider_chain(std::move(providers));
    };
    const auto by_file = chain(false);
    ASSERT_TRUE(KeyRing::create(ring_, *by_file, {clock_, random_}).value()->add_tenant("acme"));

    const auto by_token = chain(true);
    const auto ring = open_ring(*by_token);
    EXPECT_EQ(by_token->check(ring->root()).error().code(), Code::kNotFound);
    ASSERT_TRUE(ring->rotate_root(*by_token));

    EXPECT_TRUE(by_token->check(ring->root()));
    EXPECT_THAT(by_token->name(), HasSubstr("the token"));
    const auto token_alone = provider();
    EXPECT_TRUE(open_ring(*token_alone)->tenant("acme"));
    const auto file_alone = make_file_provider(file, random_);
    EXPECT_FALSE(KeyRing::open(ring_, *file_alone, {clock_, random_}));
    EXPECT_TRUE(open_ring(*by_file)) << "and back";
}

// SEC-07
TEST_F(TokenProviderTest, SaysWhatIsWrongAndNeverThePin) {
    const auto message = [&](TokenOptions options, Code code) {
        const auto made = make_token_provider(std::move(options), random_)->make();
        EXPECT_FALSE(made.has_value());
        EXPECT_EQ(made.error().code(), code) << made.error().message();
        EXPECT_EQ(made.error().message().find(kPin), std::string::npos);
        return made.error().message();
    };
    TokenOptions other = options();
    other.token = "elsewhere";
    EXPECT_THAT(message(other, Code::kUnavailable),
                HasSubstr("the token 'elsewhere' is not there"));
    other = options();
    other.module = "/nowhere/module.so";
    EXPECT_THAT(message(other, Code::kInvalidArgument), HasSubstr("/nowhere/module.so"));
    other.module = "libc.so.6";
    EXPECT_THAT(message(other, Code::kInvalidArgument), HasSubstr("not absolute"));
    other.module = ring_;
    std::ofstream(ring_) << "no library";
    EXPECT_THAT(message(other, Code::kInvalidArgument), HasSubstr("cannot be used"));
    EXPECT_THAT(message(options(Error(Code::kNotFound, "there is no PIN")), Code::kNotFound),
                HasSubstr("there is no PIN"));
    EXPECT_THAT(message(options(Secret(std::string("8264-wrong"))), Code::kForbidden),
                HasSubstr("is wrong"));
}

// SEC-07
TEST_F(TokenProviderTest, WrongPinIsTriedOnce) {
    const auto tokens = make_token_provider(options(Secret(std::string("8264-wrong"))), random_);

    EXPECT_THAT(tokens->make().error().message(), HasSubstr("is wrong"));
    for (int i = 0; i < 5; ++i)
        EXPECT_THAT(tokens->make().error().message(), HasSubstr("is not tried again"));
    EXPECT_TRUE(provider()->make());
}

// SEC-07
TEST_F(TokenProviderTest, TokenThatIsGoneIsReportedAndFoundAgain) {
    const auto tokens = provider();
    const auto ring = KeyRing::create(ring_, *tokens, {clock_, random_}).value();
    ASSERT_TRUE(ring->add_tenant("acme"));
    fs::rename(g_softhsm.tokens(), g_softhsm.tokens() + ".away");

    const auto refused = ring->rotate("acme");
    const auto gone = provider()->get(ring->root());
    EXPECT_TRUE(ring->tenant("acme").value()->get(ring->keys("acme")->front().id))
        << "what is open goes on";

    fs::rename(g_softhsm.tokens() + ".away", g_softhsm.tokens());
    ASSERT_FALSE(refused.has_value());
    EXPECT_THAT(refused.error().message(), HasSubstr(token_));
    ASSERT_FALSE(gone.has_value());
    EXPECT_EQ(ring->keys("acme")->size(), 1U) << "nothing was changed";
    EXPECT_TRUE(ring->rotate("acme"));
}

}  // namespace
}  // namespace zona::vault
