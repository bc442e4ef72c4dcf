#include "identity/tokens/signing_keys.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"
#include "core/testing/memory_log.h"
#include "store/blocking.h"
#include "store/testing/memory_database.h"
#include "vault/testing/fake_keys.h"

namespace zona::identity {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using core::Code;
using core::Result;

class SigningKeysTest : public testing::Test {
  protected:
    std::shared_ptr<SigningKeys> instance(bool is_shared = true) {
        return SigningKeys::make({.core = {std::shared_ptr<void>(), &core_},
                                  .fields = fields_,
                                  .clock = clock_,
                                  .log = log_.logger("security"),
                                  .is_shared = is_shared});
    }
    /// The answer, which this database gives before the call returns.
    template <class T>
    static Result<T> wait(auto ask) {
        std::optional<Result<T>> answer;
        ask([&](Result<T> given) { answer.emplace(std::move(given)); });
        return std::move(*answer);
    }
    static SigningKeys::Signer signer(SigningKeys& keys) {
        return wait<SigningKeys::Signer>([&](auto done) { keys.signer(std::move(done)); }).value();
    }
    static SigningKeys::Verifier look_up(SigningKeys& keys, const std::string& id) {
        return wait<SigningKeys::Verifier>([&](auto done) { keys.look_up(id, std::move(done)); })
            .value();
    }
    static std::string rotate(SigningKeys& keys) {
        return wait<std::string>([&](auto done) { keys.rotate(std::move(done)); }).value();
    }
    static std::vector<std::string> set_of(SigningKeys& keys) {
        const auto text =
            wait<std::string>([&](auto done) { keys.key_set(std::move(done)); }).value();
        std::vector<std::string> ids;
        for (const VerificationKey& key : parse_key_set(text).value())
            ids.push_back(key.id());
        return ids;
    }
    std::vector<json::object> documents() {
        const auto page = store::read_and_wait(core_, [](store::Reader& reader) {
            return reader.find_page(store::Collection(signing_keys_spec(), store::Scope::core()),
                                    {.walk = store::Walk::kAllow}, {.limit = 100});
        });
        std::vector<json::object> out;
        for (const store::Record& record : page->records)
            out.push_back(*record.document);
        return out;
    }

    core::FakeClock clock_;
    core::MemoryLog log_;
    core::SeededRandom random_{1};
    store::MemoryDatabase core_{{&signing_keys_spec()}, core::Secret(std::string(32, 'k')), clock_};
    const std::shared_ptr<vault::FakeKeys> data_keys_ = std::make_shared<vault::FakeKeys>(7);
    const std::shared_ptr<const vault::FieldSealer> fields_ =
        std::make_shared<vault::FieldSealer>("core", data_keys_, random_);
};

// AUTH-16
TEST_F(SigningKeysTest, FirstKeyIsMadeOnceAndKept) {
    const auto first = instance();
    const auto signs = signer(*first);
    EXPECT_EQ(signs->verification_key().algorithm(), SigningAlgorithm::kEdDsa);
    EXPECT_EQ(signer(*first), signs);
    const auto after_restart = instance();
    EXPECT_EQ(signer(*after_restart)->verification_key().id(), signs->verification_key().id());
    EXPECT_TRUE(signs->verification_key().verifies("text", signer(*after_restart)->sign("text")));
    EXPECT_EQ(documents().size(), 1U);
}

// SEC-02
TEST_F(SigningKeysTest, PrivatePartLiesSealed) {
    const auto keys = instance();
    const json::object own = json::parse(std::string(signer(*keys)->to_jwk().reveal())).as_object();
    const json::object stored = documents().front();
    EXPECT_TRUE(stored.at("private").as_string().starts_with(store::kSealedPrefix));
    EXPECT_EQ(json::serialize(stored).find(std::string(own.at("d").as_string())),
              std::string::npos);
}

// AUTH-16
TEST_F(SigningKeysTest, RetiredKeyVerifiesUntilEveryTokenOfItIsOver) {
    const auto keys = instance(false);
    const std::string old = signer(*keys)->verification_key().id();
    const std::string young = rotate(*keys);
    EXPECT_EQ(signer(*keys)->verification_key().id(), young);
    EXPECT_EQ(set_of(*keys), (std::vector{young, old}));
    EXPECT_FALSE(documents().front().contains("private") && documents().back().contains("private"))
        << "an old key signs no more";

    clock_.advance(kLongestAccess + kKeysFresh);
    EXPECT_NE(keys->find(old), nullptr);
    clock_.advance(kRetiredVerifies);
    EXPECT_EQ(keys->find(old), nullptr);
    EXPECT_EQ(look_up(*keys, old), nullptr);
    EXPECT_EQ(set_of(*keys), std::vector{young});
    rotate(*keys);
    EXPECT_EQ(documents().size(), 2U) << "it is forgotten with the next rotation";
}

// AUTH-19, ARCH-09
TEST_F(SigningKeysTest, KeysOfOtherInstancesAreFoundWhenTheyAreMet) {
    const auto a = instance();
    const auto b = instance();
    const std::string old = signer(*a)->verification_key().id();
    ASSERT_EQ(signer(*b)->verification_key().id(), old);
    const std::string young = rotate(*a);
    EXPECT_EQ(b->find(young), nullptr);
    ASSERT_NE(look_up(*b, young), nullptr);
    EXPECT_NE(b->find(young), nullptr) << "known from then on";
    EXPECT_NE(b->find(old), nullptr);
    EXPECT_EQ(look_up(*b, "nobody's"), nullptr);
}

TEST_F(SigningKeysTest, InstancesSignWithTheNewKeyOfAnotherWithinAMinute) {
    const auto a = instance();
    const auto b = instance();
    const std::string old = signer(*b)->verification_key().id();
    const std::string young = rotate(*a);
    EXPECT_EQ(signer(*b)->verification_key().id(), old) << "no look for each token";
    clock_.advance(kKeysFresh);
    EXPECT_EQ(signer(*b)->verification_key().id(), young);
    EXPECT_EQ(set_of(*b), (std::vector{young, old}));
}

TEST_F(SigningKeysTest, AloneNothingIsReadForAnUnknownKey) {
    const auto keys = instance(false);
    signer(*keys);
    const std::string other = rotate(*instance(false));
    EXPECT_EQ(look_up(*keys, other), nullptr);
}

TEST_F(SigningKeysTest, OldKeyIsReplaced) {
    const auto keys = instance();
    const auto rotated = [&](std::chrono::seconds age) {
        return wait<bool>([&](auto done) { keys->rotate_if_older(age, std::move(done)); }).value();
    };
    EXPECT_TRUE(rotated(24h)) << "there was none";
    EXPECT_FALSE(rotated(24h));
    clock_.advance(24h);
    EXPECT_TRUE(rotated(24h));
    EXPECT_FALSE(rotated(24h));
}

TEST_F(SigningKeysTest, AnotherIsMadeWhereThePrivatePartCannotBeOpened) {
    const std::string old = signer(*instance())->verification_key().id();
    data_keys_->rotate();
    data_keys_->forget(vault::KeyId{1});
    const auto keys = instance();
    const auto now = signer(*keys);
    EXPECT_NE(now->verification_key().id(), old);
    EXPECT_NE(keys->find(old), nullptr) << "its tokens are good";
    EXPECT_TRUE(log_.has("cannot be opened"));
}

}  // namespace
}  // namespace zona::identity
