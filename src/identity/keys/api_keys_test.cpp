#include "identity/keys/api_keys.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <boost/json.hpp>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/time_format.h"
#include "crypto/encoding.h"
#include "identity/testing/keys_fixture.h"
#include "identity/testing/sessions_fixture.h"
#include "store/blocking.h"

namespace zona::identity {
namespace {

using namespace std::chrono_literals;
using core::Code;

/// What a zona before the core database held keys wrote.
constexpr const char* kEarlierList = R"({"format": 2, "keys": [
    {"id": "0d6b5a1e-7c1b-4b0e-9d0a-0f2a6a5c1d11", "name": "ci", "scope": "viewer",
     "sha256": "SHA", "created_at": "2026-01-31T12:00:00Z", "tenant": "acme",
     "expires_at": "2126-01-31T12:00:00Z", "last_used_at": "2026-02-01T12:00:00Z"}]})";

std::string text_of(const std::string& file) {
    std::ifstream in(file);
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
}

class ApiKeysTest : public testing::Test {
  protected:
    ApiKeysTest() { begin(home_); }

    void begin(KeysOfHome& home, KeySharing sharing = kAlone) {
        home->begin({std::shared_ptr<void>(), &watched_}, sharing);
    }
    void restart() {
        home_.reopen();
        begin(home_);
    }
    static std::optional<Principal> who(KeysOfHome& home, std::string_view presented) {
        const auto out = home->verify(presented);
        const auto* holder = std::get_if<KeyHolder>(&out);
        return holder == nullptr ? std::nullopt : std::optional(holder->who);
    }
    std::optional<Principal> who(std::string_view presented) { return who(home_, presented); }
    KeyRefusal refusal(std::string_view presented) { return refusal(home_, presented); }
    static KeyRefusal refusal(KeysOfHome& home, std::string_view presented) {
        return std::get<KeyRefusal>(home->verify(presented));
    }
    std::string first_key() const {
        std::ifstream in(home_.plain());
        std::string key;
        std::getline(in, key);
        return key;
    }
    static std::string earlier_list(const std::string& key) {
        std::string list = kEarlierList;
        return list.replace(list.find("SHA"), 3, crypto::hex(crypto::sha256(key)));
    }

    core::FakeClock clock_;
    core::SeededRandom random_{7};
    KeyDatabase core_{clock_};
    WatchedDatabase watched_{*core_.database};
    KeysOfHome home_{clock_, random_};
};

TEST_F(ApiKeysTest, KnowsAKeyAgainAlsoAfterARestart) {
    const std::string key = home_.make("ci", Scope::kViewer);
    EXPECT_TRUE(key.starts_with(kApiKeyPrefix));
    EXPECT_EQ(key.size(), kApiKeyPrefix.size() + 43);

    const Principal expected{Principal::Kind::kApiKey, "ci", Scope::kViewer, home_.of("ci").id};
    EXPECT_EQ(who(key), expected);
    restart();
    EXPECT_EQ(who(key), expected);
    EXPECT_EQ(who(key)->to_string(), "key ci");
}

// AUTH-28
TEST_F(ApiKeysTest, WhatOneInstanceChangesHoldsOnTheOthers) {
    home_.reopen();
    begin(home_, kShared);
    KeysOfHome other(clock_, random_);
    begin(other, kShared);
    const std::string key = home_.make("ci");
    EXPECT_EQ(refusal(other, key), KeyRefusal::kUnknown);
    ASSERT_TRUE(other.follow());
    EXPECT_TRUE(who(other, key));

    const auto reads = watched_.reads.load();
    clock_.advance(6s);
    ASSERT_TRUE(other.follow());
    EXPECT_EQ(watched_.reads, reads + 1);
    ASSERT_TRUE(home_.revoke("ci"));
    ASSERT_TRUE(other.follow());
    EXPECT_EQ(refusal(other, key), KeyRefusal::kUnknown);
}

// AUTH-28
TEST_F(ApiKeysTest, AMemoryThatCannotLookIsBelievedForAWhile) {
    home_.reopen();
    begin(home_, kShared);
    const std::string key = home_.make("ci");
    const core::Uuid id = home_.of("ci").id;
    watched_.fails = true;
    for (int i = 0; i < 3; ++i)
        EXPECT_FALSE(home_.follow());
    EXPECT_TRUE(who(key));
    clock_.advance(kFollowTrust);
    EXPECT_TRUE(who(key));
    clock_.advance(1s);
    EXPECT_EQ(refusal(key), KeyRefusal::kUnavailable);
    EXPECT_TRUE(home_->is_good(id)) << "what it has opened goes on";
    watched_.fails = false;
    ASSERT_TRUE(home_.follow());
    EXPECT_TRUE(who(key));
}

// AUTH-28
TEST_F(ApiKeysTest, AChangeThatCannotBeReadBackClosesTheDoorUntilItCan) {
    const std::string key = home_.make("ci");
    watched_.fails_reads_only = true;
    ASSERT_TRUE(home_.revoke("ci"));
    EXPECT_EQ(refusal(key), KeyRefusal::kUnavailable);
    watched_.fails_reads_only = false;
    ASSERT_TRUE(home_.follow());
    EXPECT_EQ(refusal(key), KeyRefusal::kUnknown);
}

TEST_F(ApiKeysTest, WhoShowsAKeyBeforeTheDatabaseIsOpenWaitsForIt) {
    const std::string key = home_.make("ci");
    home_.reopen();
    EXPECT_EQ(refusal(key), KeyRefusal::kUnavailable);
    EXPECT_TRUE(home_->is_opening());
    int told = 0;
    home_->when_known([&](const core::Result<void>&) { ++told; });
    EXPECT_EQ(told, 0);
    begin(home_);
    EXPECT_EQ(told, 1);
    EXPECT_TRUE(who(key));

    home_.reopen();
    home_->when_known([&](const core::Result<void>&) { ++told; });
    home_->settle();
    EXPECT_EQ(told, 2) << "it cannot be opened";
    EXPECT_FALSE(home_->is_opening());
}

// AUTH-28
TEST_F(ApiKeysTest, KeysOfAnEarlierZonaAreTakenOverOnce) {
    const std::string key = std::string(kApiKeyPrefix) + std::string(43, 'k');
    std::ofstream(home_.list()) << earlier_list(key);
    home_.reopen();
    begin(home_);
    const ApiKey taken = home_.of("ci");
    EXPECT_EQ(taken.id.to_string(), "0d6b5a1e-7c1b-4b0e-9d0a-0f2a6a5c1d11");
    EXPECT_EQ(who(key)->tenant, "acme");
    EXPECT_EQ(core::to_rfc3339(*taken.expires_at()), "2126-01-31T12:00:00.000Z");
    EXPECT_EQ(core::to_rfc3339(taken.created_at), "2026-01-31T12:00:00.000Z");
    EXPECT_TRUE(taken.usage.last_used_at);
    EXPECT_TRUE(text_of(home_.list()).contains(R"("format": 3)"));

    // As if the start had ended before the list was emptied, and somebody took the key back since.
    ASSERT_TRUE(home_.revoke("ci"));
    std::ofstream(home_.list()) << earlier_list(key);
    restart();
    EXPECT_EQ(refusal(key), KeyRefusal::kUnknown);
    EXPECT_TRUE(text_of(home_.list()).contains(R"("format": 3)"));
}

// AUTH-28
TEST_F(ApiKeysTest, NothingIsTakenOverByHalves) {
    const std::string key = std::string(kApiKeyPrefix) + std::string(43, 'k');
    std::ofstream(home_.list()) << earlier_list(key);
    home_.reopen();
    watched_.fails = true;
    begin(home_);
    EXPECT_EQ(refusal(key), KeyRefusal::kUnavailable);
    EXPECT_TRUE(text_of(home_.list()).contains(R"("format": 2)"));
    watched_.fails = false;
    ASSERT_TRUE(home_.follow());
    EXPECT_TRUE(who(key));
}

TEST_F(ApiKeysTest, TheFirstKeysOfTwoHomesHaveTwoNames) {
    KeysOfHome other(clock_, random_);
    begin(other, kShared);
    EXPECT_EQ(other.of("default-2").scope, Scope::kAdmin);
    EXPECT_NE(text_of(other.plain()), text_of(home_.plain()));
    restart();
    EXPECT_TRUE(who(first_key()));
}

// TEN-15, AUTH-28
TEST_F(ApiKeysTest, KeyOfATenantStaysItsOwnOverRestartsAndRotations) {
    ASSERT_TRUE(home_.create({.name = "acme-ci", .scope = Scope::kAdmin, .tenant = "acme"}));
    const std::string ours = home_.make("ours");
    const core::Secret next = home_.rotate("acme-ci", 0s).value().text;
    restart();
    EXPECT_EQ(who(next.reveal())->tenant, "acme");

    const auto gone = KeysOfHome::wait<std::uint64_t>(
        [&](auto done) { home_->revoke_of_tenant("acme", std::move(done)); });
    EXPECT_EQ(gone.value(), 2U);
    EXPECT_EQ(refusal(next.reveal()), KeyRefusal::kUnknown);
    EXPECT_TRUE(who(ours));
}

TEST_F(ApiKeysTest, IsGoodAsLongAsItWouldBeTaken) {
    const auto end = clock_.system() + 5s;
    ASSERT_TRUE(home_.create({"brief", Scope::kViewer, end}));
    home_.make("ci");
    const core::Uuid brief = home_.of("brief").id;
    const core::Uuid lasting = home_.of("ci").id;
    EXPECT_TRUE(home_->is_good(brief) && home_->is_good(lasting));
    EXPECT_FALSE(home_.of("ci").usage.last_used_at) << "asking is no use";
    clock_.advance(5s);
    EXPECT_FALSE(home_->is_good(brief));
    ASSERT_TRUE(home_.revoke("ci"));
    home_.make("ci");
    EXPECT_FALSE(home_->is_good(lasting)) << "another of the same name is not it";
}

TEST_F(ApiKeysTest, FindsAKeyAnywhereInAText) {
    const std::string key = home_.make("ci");
    for (const std::string& text :
         {key, "/api/" + key + "/x", "/zona_key_short/" + key, "/zona_key_zona_key_/" + key}) {
        EXPECT_TRUE(holds_api_key(text)) << text;
    }
    for (const char* text : {"", "/zona_key_", "/zona_key_rotation/zona_key_", "/api/v1/keys"})
        EXPECT_FALSE(holds_api_key(text)) << text;
}

// AUTH-29
TEST_F(ApiKeysTest, StoresOnlyAHash) {
    const std::string key = home_.make("ci");
    const auto stored = store::read_and_wait(*core_.database, [](store::Reader& reader) {
        return reader.find_page(store::Collection(api_keys_spec(), store::Scope::core()),
                                {.filter = {}, .sort = {}, .walk = store::Walk::kAllow}, {});
    });
    ASSERT_EQ(stored->records.size(), 2U);
    for (const store::Record& record : stored->records) {
        const std::string text = boost::json::serialize(*record.document);
        EXPECT_FALSE(text.contains(key.substr(kApiKeyPrefix.size())));
        EXPECT_TRUE(text.contains("sha256"));
    }
    EXPECT_FALSE(text_of(home_.list()).contains("sha256"));
    struct stat s{};
    for (const std::string& file : {home_.list(), home_.plain()}) {
        ASSERT_EQ(::stat(file.c_str(), &s), 0);
        EXPECT_EQ(s.st_mode & 0777U, 0600U);
    }
}

TEST_F(ApiKeysTest, RefusesWhatItDidNotMake) {
    std::string key = home_.make("ci");
    key.back() = key.back() == 'A' ? 'B' : 'A';
    EXPECT_EQ(refusal(key), KeyRefusal::kUnknown);
    key.pop_back();
    EXPECT_EQ(refusal(key), KeyRefusal::kMalformed);
    for (const std::string& other : {std::string(), std::string("zona_key_"), std::string("x"),
                                     "zona_key_" + std::string(43, ' '), std::string(100000, 'a')})
        EXPECT_EQ(refusal(other), KeyRefusal::kMalformed);
}

TEST_F(ApiKeysTest, AKeyEndsWhenItExpires) {
    const auto key = home_.create({"short", Scope::kAdmin, clock_.system() + 60s})->text;
    EXPECT_TRUE(who(key.reveal()));
    clock_.advance(61s);
    EXPECT_EQ(refusal(key.reveal()), KeyRefusal::kExpired);
    EXPECT_EQ(home_.of("short").scope, Scope::kAdmin) << "it is still shown";
    EXPECT_TRUE(home_.create({.name = "short"})) << "its name is free again";
    const auto past = home_.create({"past", Scope::kAdmin, clock_.system()});
    EXPECT_EQ(past.error().code(), Code::kInvalidArgument);
}

// AUTH-28
TEST_F(ApiKeysTest, RotationLetsBothWorkForAWhile) {
    const std::string old_key = home_.make("app", Scope::kViewer);
    clock_.advance(1s);
    const auto rotated = home_.rotate("app", 3600s);
    ASSERT_TRUE(rotated);
    const std::string new_key(rotated->text.reveal());

    EXPECT_EQ(who(old_key)->scope, Scope::kViewer);
    EXPECT_EQ(who(new_key)->scope, Scope::kViewer);
    clock_.advance(3601s);
    EXPECT_EQ(refusal(old_key), KeyRefusal::kExpired);
    EXPECT_TRUE(who(new_key));
    EXPECT_EQ(home_.rotate("nobody", 0s).error().code(), Code::kNotFound);
}

TEST_F(ApiKeysTest, ARevokedKeyIsGoneAtOnce) {
    const std::string key = home_.make("app");
    const auto rotated = home_.rotate("app", 3600s);
    EXPECT_EQ(home_.revoke("app")->size(), 2U);
    EXPECT_EQ(refusal(key), KeyRefusal::kUnknown);
    EXPECT_EQ(refusal(rotated->text.reveal()), KeyRefusal::kUnknown);
    EXPECT_EQ(home_.revoke("app").error().code(), Code::kNotFound);
}

TEST_F(ApiKeysTest, RefusesNamesThatAreTakenOrUnsafe) {
    home_.make("one");
    EXPECT_EQ(home_.create({.name = "one"}).error().code(), Code::kConflict);
    for (const std::string& name : {std::string(), std::string("a b"), std::string("a/b"),
                                    std::string("a\nb"), std::string(65, 'x')})
        EXPECT_EQ(home_.create({.name = name}).error().code(), Code::kInvalidArgument) << name;
}

// AUTH-28
TEST_F(ApiKeysTest, CountsHowAKeyIsUsed) {
    const std::string key = home_.make("ci");
    EXPECT_EQ(home_.of("ci").usage.requests, 0U);
    clock_.advance(10s);
    ASSERT_TRUE(std::holds_alternative<KeyHolder>(home_->verify(key, "192.0.2.7")));
    home_->note_refusal(home_.of("ci").id);
    const auto expect_one = [&] {
        const KeyUsage usage = home_.of("ci").usage;
        EXPECT_EQ(usage.requests, 1U);
        EXPECT_EQ(usage.refusals, 1U);
        EXPECT_EQ(usage.last_used_at, clock_.system());
        EXPECT_EQ(usage.last_address, "192.0.2.7");
    };
    expect_one();
    EXPECT_EQ(home_.told_of_uses, 1);
    EXPECT_TRUE(home_.store_uses());
    expect_one();
    restart();
    expect_one();

    const auto writes = watched_.writes.load();
    EXPECT_TRUE(home_.store_uses());
    EXPECT_EQ(watched_.writes, writes) << "nothing is new, so nothing is written";
    who(key);
    watched_.fails = true;
    EXPECT_FALSE(home_.store_uses());
    watched_.fails = false;
    EXPECT_EQ(home_.of("ci").usage.requests, 2U);
    EXPECT_TRUE(home_.store_uses()) << "it is tried again";
    restart();
    EXPECT_EQ(home_.of("ci").usage.requests, 2U);
}

TEST_F(ApiKeysTest, WhatWasNotedIsWrittenDownBeforeTheDatabaseIsClosed) {
    who(first_key());
    home_->end();
    restart();
    EXPECT_EQ(home_.of("default").usage.requests, 1U);
}

// AUTH-28, SEC-15
TEST_F(ApiKeysTest, AKeyThatAsksTooOftenIsToldHowLongToWait) {
    const auto key =
        home_.create({.name = "ci", .rate = {.per_second = 10, .burst = 3}}).value().text;
    const auto turn_of = [&](std::string_view text) {
        return home_->take_turn(std::get<KeyHolder>(home_->verify(text)).who.key_id.value());
    };
    for (int i = 0; i < 3; ++i)
        EXPECT_FALSE(turn_of(key.reveal()));
    EXPECT_EQ(turn_of(key.reveal())->wait, 100ms);
    clock_.advance(100ms);
    EXPECT_FALSE(turn_of(key.reveal()));
    EXPECT_TRUE(turn_of(key.reveal()));
    EXPECT_FALSE(turn_of(first_key())) << "another key may";
}

// AUTH-28
TEST_F(ApiKeysTest, ALimitedKeyHasItsPermissionsAndNoOther) {
    const Permission reads{Resource::kUsers, Action::kRead};
    const auto key =
        home_
            .create(
                {.name = "ci", .scope = Scope::kLimited, .tenant = "acme", .permissions = {reads}})
            .value()
            .text;
    const auto holder = std::get<KeyHolder>(home_->verify(key.reveal()));
    const Subject subject{.tenant = "acme", .user_id = 0, .permissions = holder.permissions};
    const auto may = [&](Permission one, const char* tenant) {
        return decide(subject, one, {.tenant = tenant}, {}).has_value();
    };
    EXPECT_TRUE(may(reads, "acme"));
    EXPECT_FALSE(may(reads, "globex"));
    EXPECT_FALSE(may({Resource::kUsers, Action::kCreate}, "acme"));
    EXPECT_FALSE(may({Resource::kRoles, Action::kRead}, "acme"));
}

// AUTH-28
TEST_F(ApiKeysTest, BadRightsAndLimitsAreNamed) {
    const Permission of_all{Resource::kProcesses, Action::kRead};
    const Permission reads{Resource::kUsers, Action::kRead};
    const std::vector<NewApiKey> bad = {
        {.name = "a", .scope = Scope::kLimited},
        {.name = "a", .scope = Scope::kAdmin, .permissions = {reads}},
        {.name = "a", .scope = Scope::kLimited, .permissions = {reads}, .roles = {"user"}},
        {.name = "a", .scope = Scope::kLimited, .tenant = "acme", .permissions = {of_all}},
        {.name = "a", .rate = {.per_second = 10, .burst = 0}},
        {.name = "a", .rotate_every = 1s}};
    for (const NewApiKey& wanted : bad)
        EXPECT_EQ(home_.create(wanted).error().code(), Code::kInvalidArgument);
    const NewApiKey no_role{.name = "a", .scope = Scope::kLimited, .roles = {"nobody"}};
    EXPECT_EQ(home_.create(no_role).error().code(), Code::kNotFound);
}

// AUTH-28
TEST_F(ApiKeysTest, NobodyMakesOrTakesAKeyThatMayDoMoreThanThey) {
    const Permission makes{Resource::kApiKeys, Action::kCreate};
    auto few = std::make_shared<Permissions>();
    few->always.add(makes, Extent::kAll);
    few->crosses_tenants = true;
    const Subject lesser{.tenant = {}, .user_id = 0, .permissions = few};
    const auto code_of = [](const auto& result) {
        return result ? std::optional<Code>() : std::optional(result.error().code());
    };
    const NewApiKey same{.name = "same", .scope = Scope::kLimited, .permissions = {makes}};
    EXPECT_EQ(code_of(home_.create(same, lesser)), std::nullopt);
    EXPECT_EQ(code_of(home_.create({.name = "a", .scope = Scope::kAdmin}, lesser)),
              Code::kAccessDenied);
    EXPECT_EQ(code_of(home_.create({.name = "b"}, lesser)), Code::kAccessDenied);
    EXPECT_EQ(code_of(home_.rotate("default", 0s, lesser)), Code::kAccessDenied);
    EXPECT_EQ(code_of(home_.revoke("default", lesser)), Code::kAccessDenied);
    const NewApiKey of_acme{.name = "c", .scope = Scope::kAdmin, .tenant = "acme"};
    EXPECT_EQ(code_of(home_.create(of_acme, admin_of("globex"))), Code::kInvalidTenant);
    EXPECT_TRUE(who(first_key()));
}

// AUTH-28
TEST_F(ApiKeysTest, AKeyThatIsDueIsRenewedByItselfOrEnds) {
    const auto made =
        home_.create({.name = "ci", .scope = Scope::kViewer, .rotate_every = 24h}).value();
    EXPECT_EQ(made.key.due_at(), clock_.system() + 24h);
    EXPECT_EQ(made.key.expires_at(), clock_.system() + 30h);
    clock_.advance(25h);
    EXPECT_TRUE(who(made.text.reveal()));
    const auto next = home_.renew(made.key.id, 3600s).value();
    EXPECT_EQ(next.key.due_at(), clock_.system() + 24h);
    EXPECT_TRUE(who(made.text.reveal()) && who(next.text.reveal()));
    EXPECT_EQ(home_.renew(made.key.id, 3600s).error().code(), Code::kConflict)
        << "an old key makes no new ones";
    clock_.advance(3601s);
    EXPECT_EQ(refusal(made.text.reveal()), KeyRefusal::kExpired);
    clock_.advance(30h);
    EXPECT_EQ(refusal(next.text.reveal()), KeyRefusal::kExpired);
    EXPECT_EQ(home_.renew(next.key.id, 0s).error().code(), Code::kNotFound);
    EXPECT_EQ(home_.renew(home_.of("default").id, 0s).error().code(), Code::kConflict);
}

TEST_F(ApiKeysTest, ADamagedFileLetsNobodyInAndStaysAsItIs) {
    const std::string good = earlier_list("x");
    for (const std::string& bad :
         {std::string(), std::string("{}"), std::string("[]"), good.substr(0, good.size() / 2),
          std::string(R"({"format": 4,"keys":[]})"),
          std::string(R"({"format":1,"keys":[{"name":"x"}]})"),
          std::string(R"({"format":1,"keys":[],"more":1})")}) {
        std::ofstream(home_.list()) << bad;
        home_.reopen();
        ASSERT_TRUE(home_.problem) << bad;
        EXPECT_EQ(home_.problem->code(), Code::kConflict);
        EXPECT_NE(home_.problem->message().find(home_.list()), std::string::npos);
        EXPECT_EQ(text_of(home_.list()), bad);
    }
}

TEST_F(ApiKeysTest, AChangeThatCannotBeWrittenIsNotMade) {
    const std::string key = home_.make("ci");
    watched_.fails = true;
    EXPECT_FALSE(home_.create({.name = "more"}));
    EXPECT_FALSE(home_.revoke("ci"));
    watched_.fails = false;
    EXPECT_EQ(home_.listed()->size(), 2U);
    EXPECT_TRUE(who(key));
}

TEST_F(ApiKeysTest, TheFirstKeyIsLeftForWhoeverStartsZona) {
    EXPECT_EQ(who(first_key()), (Principal{Principal::Kind::kApiKey, "default", Scope::kAdmin,
                                           home_.of("default").id}));
    ASSERT_TRUE(home_.revoke("default"));
    std::filesystem::remove(home_.plain());
    restart();
    EXPECT_TRUE(home_.listed()->empty()) << "whoever takes the last key back wants none";
    EXPECT_FALSE(std::filesystem::exists(home_.plain()));

    std::filesystem::remove(home_.list());
    std::filesystem::create_directory(home_.plain());
    home_.reopen();
    EXPECT_TRUE(home_.problem) << "a key that nobody can read is not made";
    EXPECT_FALSE(std::filesystem::exists(home_.list()));
}

}  // namespace
}  // namespace zona::identity
