#include "identity/sessions/sessions.h"

#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "identity/testing/rfc_keys.h"
#include "identity/testing/sessions_fixture.h"

namespace zona::identity {
namespace {

using namespace std::chrono_literals;
using core::Code;

class SessionsTest : public SessionsFixture {
  protected:
    Instance zona_{*this, {}};
};

// AUTH-16, AUTH-11, AUTH-21
TEST_F(SessionsTest, TokenOfASessionSaysWhoItsUserIs) {
    const Tokens tokens = begin(zona_).value();
    for (const char* by : {"the store", "the map"}) {
        const auto who = verify(zona_, tokens);
        ASSERT_TRUE(who) << by << who.error().message();
        EXPECT_EQ(who->kind, Principal::Kind::kUser);
        EXPECT_EQ(who->tenant, "acme");
        EXPECT_EQ(who->user_id, 7);
        EXPECT_EQ(who->roles, std::vector<std::string>{"Analyst"});
        EXPECT_EQ(who->session, tokens.session.id);
        EXPECT_EQ(who->to_string(), "user anna of acme");
    }
}

TEST_F(SessionsTest, SuperAdminsHaveNoTenant) {
    const Tokens tokens = begin(zona_, {.tenant = {}, .id = 1}).value();
    EXPECT_EQ(verify(zona_, tokens)->tenant, "");
    EXPECT_TRUE(refresh(zona_, tokens));
}

// AUTH-14, GAP-11
TEST_F(SessionsTest, TokenThatWasSeenCostsNoSignatureAndNoQuestion) {
    const Tokens tokens = begin(zona_).value();
    ASSERT_TRUE(verify(zona_, tokens));
    zona_.database.fails = true;
    const int reads = zona_.database.reads;
    EXPECT_TRUE(verify(zona_, tokens));
    EXPECT_EQ(zona_.database.reads, reads);
}

TEST_F(SessionsTest, AwaitedAnswerOfTheMapNeedsNoTurn) {
    const Tokens tokens = begin(zona_).value();
    boost::asio::io_context loop;
    int answers = 0;
    for (int i = 0; i < 2; ++i) {
        boost::asio::co_spawn(
            loop,
            [](SessionsTest::Instance& zona, const Tokens& shown,
               int& count) -> boost::asio::awaitable<void> {
                const auto who = co_await zona->async_verify(shown.access.reveal());
                if (who) ++count;
            }(zona_, tokens, answers),
            boost::asio::detached);
        loop.run();
        loop.restart();
    }
    EXPECT_EQ(answers, 2);
}

// GAP-11, AUTH-20
TEST_F(SessionsTest, TokensOutliveARestart) {
    const Tokens tokens = begin(zona_).value();
    Instance after_restart(*this, {});
    EXPECT_TRUE(verify(after_restart, tokens));
}

// AUTH-04
TEST_F(SessionsTest, TextsThatAreNoTokensAreInvalidWithoutAQuestion) {
    ASSERT_TRUE(verify(zona_, begin(zona_).value()));
    const int reads = zona_.database.reads;
    for (const std::string& text :
         {std::string(), std::string("abc"), std::string("a.b.c"), std::string("zona_key_abc"),
          std::string(1'000'000, 'a'), std::string(kEdJws)}) {
        EXPECT_EQ(code_of(verify(zona_, text)), Code::kInvalidToken);
    }
    EXPECT_EQ(zona_.database.reads, reads);
}

// AUTH-12, AUTH-16
TEST_F(SessionsTest, SignatureIsAskedBeforeTheStore) {
    const Tokens tokens = begin(zona_).value();
    std::string forged(tokens.access.reveal());
    forged[forged.size() - 10] = forged[forged.size() - 10] == 'A' ? 'B' : 'A';
    EXPECT_EQ(code_of(verify(zona_, forged)), Code::kInvalidToken);
    ASSERT_EQ(end(zona_, {.tenant = "acme", .user = 7, .session = {}}), 1U);
    const int reads = zona_.database.reads;
    EXPECT_EQ(code_of(verify(zona_, forged)), Code::kInvalidToken) << "and not unknown";
    EXPECT_EQ(zona_.database.reads, reads);
    EXPECT_EQ(code_of(verify(zona_, tokens)), Code::kUnknownToken);
}

// AUTH-05
TEST_F(SessionsTest, SignedTokenWithoutItsSessionIsUnknown) {
    const Tokens tokens = begin(zona_).value();
    const Tokens others = begin(zona_, {.tenant = "globex", .id = 7}).value();
    ASSERT_TRUE(verify(zona_, tokens));
    EXPECT_EQ(end(zona_, {.tenant = "acme", .user = {}, .session = tokens.session.id}), 1U);
    EXPECT_EQ(code_of(verify(zona_, tokens)), Code::kUnknownToken);
    EXPECT_TRUE(verify(zona_, others));
    EXPECT_TRUE(log_.has("signed out"));
}

// AUTH-06, AUTH-12
TEST_F(SessionsTest, ExpiredTokenIsToldOnceThenItIsUnknown) {
    const Tokens seen = begin(zona_).value();
    const Tokens unseen = begin(zona_).value();
    ASSERT_TRUE(verify(zona_, seen));
    clock_.advance(14min);
    ASSERT_TRUE(verify(zona_, seen));
    EXPECT_EQ(zona_->known_tokens(), 1U);
    clock_.advance(1min);
    for (const Tokens* tokens : {&seen, &unseen}) {
        EXPECT_EQ(code_of(verify(zona_, *tokens)), Code::kTokenExpired);
        EXPECT_EQ(code_of(verify(zona_, *tokens)), Code::kUnknownToken);
        EXPECT_EQ(code_of(verify(zona_, *tokens)), Code::kUnknownToken);
    }
    EXPECT_EQ(zona_->known_tokens(), 0U);
    EXPECT_TRUE(refresh(zona_, seen)) << "its session goes on";
    EXPECT_TRUE(log_.has("a token is over"));
}

// SEC-13, AUTH-16
TEST_F(SessionsTest, CookieSaysWhoItsUserIsAsLongAsTheSession) {
    const BrowserSession begun = begin_in_browser(zona_).value();
    const std::string cookie(begun.cookie.reveal());
    EXPECT_TRUE(cookie.starts_with(kCookiePrefix));
    for (const char* by : {"the store", "the map"}) {
        const auto who = verify(zona_, cookie);
        ASSERT_TRUE(who) << by << who.error().message();
        EXPECT_EQ(who->session, begun.session.id);
        EXPECT_EQ(who->to_string(), "user anna of acme");
    }
    Instance another(*this, {});
    EXPECT_TRUE(verify(another, cookie));
    EXPECT_EQ(end(zona_, {.tenant = "acme", .user = 7, .session = {}}), 1U);
    EXPECT_EQ(code_of(verify(zona_, cookie)), Code::kUnknownToken);
    EXPECT_FALSE(log_.has(cookie));
}

// SEC-13, AUTH-23, AUTH-06
TEST_F(SessionsTest, CookieEndsWithItsIdleSessionAndIsToldOnce) {
    const std::string cookie(begin_in_browser(zona_).value().cookie.reveal());
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(verify(zona_, cookie)) << i;
        clock_.advance(29min);
    }
    clock_.advance(1min);
    EXPECT_EQ(code_of(verify(zona_, cookie)), Code::kTokenExpired);
    EXPECT_EQ(code_of(verify(zona_, cookie)), Code::kUnknownToken);
    EXPECT_TRUE(list({.tenant = "acme", .user = {}, .session = {}}).empty());
    const std::string used(begin_in_browser(zona_).value().cookie.reveal());
    for (int i = 0; i < 26; ++i) {
        ASSERT_TRUE(verify(zona_, used)) << i;
        clock_.advance(27min + 41s);
    }
    clock_.advance(1min);
    EXPECT_EQ(code_of(verify(zona_, used)), Code::kTokenExpired) << "twelve hours in any case";
}

// SEC-13
TEST_F(SessionsTest, CookieAndRefreshTokenAreNotEachOther) {
    const std::string cookie(begin_in_browser(zona_).value().cookie.reveal());
    const std::string bytes = cookie.substr(kCookiePrefix.size());
    Tokens forged;
    forged.refresh = core::Secret(cookie);
    EXPECT_EQ(code_of(refresh(zona_, forged)), Code::kInvalidToken);
    const std::string refresh_token(begin(zona_).value().refresh.reveal());
    const std::string made =
        std::string(kCookiePrefix) + refresh_token.substr(kRefreshPrefix.size());
    EXPECT_EQ(code_of(verify(zona_, made)), Code::kUnknownToken);
    std::string guessed = cookie;
    guessed[kCookiePrefix.size() + 60] = guessed[kCookiePrefix.size() + 60] == 'A' ? 'B' : 'A';
    EXPECT_EQ(code_of(verify(zona_, guessed)), Code::kUnknownToken);
    EXPECT_EQ(code_of(verify(zona_, std::string(kCookiePrefix))), Code::kUnknownToken);
    EXPECT_TRUE(verify(zona_, cookie));
}

// AUTH-23
TEST_F(SessionsTest, IdleSessionEnds) {
    Instance zona(*this, {.limits = {.access = 1h, .idle = 10min}});
    const Tokens used = begin(zona).value();
    const Tokens idle = begin(zona).value();
    for (int i = 0; i < 3; ++i) {
        clock_.advance(9min);
        if (i == 0) ASSERT_TRUE(verify(zona, idle));
        ASSERT_TRUE(verify(zona, used)) << i;
    }
    EXPECT_EQ(code_of(verify(zona, idle)), Code::kTokenExpired);
    EXPECT_EQ(code_of(verify(zona, idle)), Code::kUnknownToken);
    EXPECT_EQ(code_of(refresh(zona, idle)), Code::kUnknownToken);
    // What was used is written down, so that others and a restart know it.
    Instance other(*this, {.limits = {.access = 1h, .idle = 10min}});
    EXPECT_TRUE(verify(other, used));
}

// AUTH-23
TEST_F(SessionsTest, SessionEndsWhateverIsDoneWithIt) {
    Instance zona(*this, {.limits = {.absolute = 1h}});
    Tokens tokens = begin(zona).value();
    for (int i = 0; i < 5; ++i) {
        clock_.advance(10min);
        tokens = refresh(zona, tokens).value();
        ASSERT_TRUE(verify(zona, tokens));
    }
    EXPECT_LE(tokens.access_end, tokens.session.made + 1h);
    clock_.advance(10min);
    EXPECT_EQ(code_of(verify(zona, tokens)), Code::kTokenExpired);
    EXPECT_EQ(code_of(refresh(zona, tokens)), Code::kUnknownToken);
}

// AUTH-17, AUTH-21
TEST_F(SessionsTest, RefreshGivesNewTokensAndTheUsersPresentRoles) {
    const Tokens first = begin(zona_).value();
    ASSERT_TRUE(first.refresh.reveal().starts_with("zona_refresh_"));
    roles_ = {"Admin", "Analyst"};
    clock_.advance(1min);
    const Tokens second = refresh(zona_, first).value();
    EXPECT_FALSE(second.access.same_as(first.access));
    EXPECT_FALSE(second.refresh.same_as(first.refresh));
    EXPECT_EQ(second.session.id, first.session.id);
    EXPECT_EQ(verify(zona_, second)->roles, roles_);
    EXPECT_EQ(verify(zona_, first)->roles, roles_) << "the token of before is good until its end";
}

// AUTH-17
TEST_F(SessionsTest, RefreshTokenLiesHashed) {
    const Tokens tokens = begin(zona_).value();
    const auto record = store::read_and_wait(core_, [&](store::Reader& reader) {
        return reader.find(store::Collection(sessions_spec(), store::Scope::tenant("acme").value()),
                           tokens.session.id.to_string());
    });
    const std::string text = boost::json::serialize(*record->value().document);
    EXPECT_EQ(text.find(tokens.refresh.reveal()), std::string::npos);
    EXPECT_EQ(text.find(tokens.refresh.reveal().substr(13, 60)), std::string::npos);
    EXPECT_EQ(text.find(tokens.access.reveal()), std::string::npos);
}

// AUTH-17, AUTH-25
TEST_F(SessionsTest, RefreshTokenThatIsUsedTwiceEndsItsSession) {
    const Tokens first = begin(zona_).value();
    const Tokens other = begin(zona_).value();
    const Tokens second = refresh(zona_, first).value();
    ASSERT_TRUE(verify(zona_, second));
    clock_.advance(kRefreshGrace);
    EXPECT_EQ(code_of(refresh(zona_, first)), Code::kUnknownToken);
    EXPECT_EQ(code_of(verify(zona_, second)), Code::kUnknownToken);
    EXPECT_EQ(code_of(refresh(zona_, second)), Code::kUnknownToken);
    EXPECT_TRUE(verify(zona_, other)) << "the family alone";
    EXPECT_TRUE(log_.has("used twice"));
    EXPECT_NE(
        zona_.metrics.render_prometheus().find(R"(zona_token_failures_total{reason="reused"} 1)"),
        std::string::npos);
    for (const std::string& line : log_.lines())
        EXPECT_EQ(line.find(first.refresh.reveal().substr(13)), std::string::npos);
}

// AUTH-17
TEST_F(SessionsTest, RefreshIsRepeatedForAnAnswerThatWasLost) {
    const Tokens first = begin(zona_).value();
    const Tokens lost = refresh(zona_, first).value();
    clock_.advance(kRefreshGrace - 1s);
    const Tokens second = refresh(zona_, first).value();
    EXPECT_EQ(code_of(verify(zona_, lost)), Code::kUnknownToken) << "what was lost is not good";
    EXPECT_TRUE(verify(zona_, second));
    EXPECT_TRUE(refresh(zona_, second));
}

// AUTH-17
TEST_F(SessionsTest, OfTwoWithOneRefreshTokenTheSecondToComeBackEndsItsSession) {
    const Tokens stolen = begin(zona_).value();
    const Tokens users = refresh(zona_, stolen).value();
    const Tokens thiefs = refresh(zona_, stolen).value();  // quick, behind the same address
    EXPECT_EQ(code_of(refresh(zona_, users)), Code::kUnknownToken);
    EXPECT_EQ(code_of(verify(zona_, thiefs)), Code::kUnknownToken);
    EXPECT_EQ(code_of(refresh(zona_, thiefs)), Code::kUnknownToken);
}

// AUTH-17
TEST_F(SessionsTest, AnotherAddressIsNoRepetition) {
    const Tokens first = begin(zona_).value();
    ASSERT_TRUE(refresh(zona_, first));
    EXPECT_EQ(code_of(refresh(zona_, first, {"198.51.100.9", "curl"})), Code::kUnknownToken);
    EXPECT_TRUE(list({.tenant = "acme", .user = 7, .session = {}}).empty());
}

TEST_F(SessionsTest, GuessedRefreshTokensEndNothing) {
    const Tokens tokens = begin(zona_).value();
    const std::string good(tokens.refresh.reveal());
    const auto guess = [&](std::string text) {
        return code_of(wait<Tokens>([&](auto done) {
            zona_->refresh(core::Secret(std::move(text)), {}, std::move(done));
        }));
    };
    // The session's id, which is in each access token, and other bits.
    EXPECT_EQ(guess(good.substr(0, 13 + 22) + std::string(64, 'A') + ".acme"), Code::kUnknownToken);
    for (const std::string& text :
         {std::string(), std::string("zona_refresh_"), good + "x", good.substr(0, good.size() - 5),
          good.substr(0, 60), std::string(kEdJws), std::string(tokens.access.reveal())}) {
        EXPECT_NE(guess(text), Code{}) << text;
    }
    EXPECT_EQ(guess(good.substr(0, good.find('.')) + ".globex"), Code::kUnknownToken);
    EXPECT_TRUE(verify(zona_, tokens));
    EXPECT_TRUE(refresh(zona_, tokens));
}

// AUTH-17
TEST_F(SessionsTest, RefreshTokenEndsByItself) {
    Instance zona(*this, {.limits = {.refresh = 20min, .idle = 1h}});
    const Tokens tokens = begin(zona).value();
    clock_.advance(20min);
    EXPECT_EQ(code_of(refresh(zona, tokens)), Code::kTokenExpired);
    EXPECT_EQ(code_of(refresh(zona, tokens)), Code::kUnknownToken);
}

TEST_F(SessionsTest, UserWhoMayHaveNoneGetsNoNewTokens) {
    const Tokens tokens = begin(zona_).value();
    locked_ = {.tenant = "acme", .id = 7};
    EXPECT_EQ(code_of(refresh(zona_, tokens)), Code::kUnknownToken);
    EXPECT_EQ(code_of(verify(zona_, tokens)), Code::kUnknownToken);
}

// AUTH-18, AUTH-21
TEST_F(SessionsTest, NoSessionBeginsForAUserWhoWasLockedMeanwhile) {
    locked_ = {.tenant = "acme", .id = 7};
    EXPECT_EQ(code_of(begin(zona_)), Code::kUnauthenticated);
    EXPECT_TRUE(list({.tenant = "acme", .user = {}, .session = {}}).empty());
    locked_ = {};
    roles_ = {"Admin"};
    EXPECT_EQ(begin(zona_)->session.roles, roles_) << "as they are when it begins";
}

TEST_F(SessionsTest, RefreshTokenStaysGoodWhereItsUserCannotBeLookedAt) {
    const Tokens tokens = begin(zona_).value();
    user_problem_ = core::Error(Code::kTenantInactive, "the tenant acme is suspended");
    EXPECT_EQ(code_of(refresh(zona_, tokens)), Code::kTenantInactive);
    EXPECT_EQ(code_of(begin(zona_)), Code::kTenantInactive);
    user_problem_.reset();
    EXPECT_TRUE(refresh(zona_, tokens));
}

TEST_F(SessionsTest, AThousandAreListedAndAllAreEnded) {
    Instance zona(*this, {.limits = {.per_user = 0}});
    constexpr std::size_t kAll = kMostSessionsAtOnce + 10;
    ASSERT_TRUE(begin(zona));
    clock_.advance(31min);  // is over, and on the first page
    for (std::size_t i = 0; i < kAll; ++i)
        ASSERT_TRUE(begin(zona, {.tenant = "acme", .id = static_cast<std::int64_t>(i) + 1}));
    const SessionSelection all{.tenant = "acme", .user = {}, .session = {}};
    EXPECT_EQ(list(all).size(), kMostSessionsAtOnce);
    EXPECT_EQ(end(zona, all), kAll);
    EXPECT_TRUE(list(all).empty());
}

// AUTH-22
TEST_F(SessionsTest, OldestEndsForOneTooMany) {
    Instance zona(*this, {.limits = {.per_user = 2}});
    const Tokens first = begin(zona).value();
    clock_.advance(1s);
    const Tokens second = begin(zona).value();
    ASSERT_TRUE(verify(zona, first));
    const Tokens of_another = begin(zona, {.tenant = "globex", .id = 7}).value();
    clock_.advance(1s);
    const Tokens third = begin(zona).value();
    EXPECT_EQ(code_of(verify(zona, first)), Code::kUnknownToken);
    EXPECT_TRUE(verify(zona, second));
    EXPECT_TRUE(verify(zona, third));
    EXPECT_TRUE(verify(zona, of_another));
}

// AUTH-22
TEST_F(SessionsTest, OneTooManyIsRefusedIfThatIsSet) {
    Instance zona(*this, {.limits = {.per_user = 2, .over = OverLimit::kRefuse}});
    const Tokens first = begin(zona).value();
    ASSERT_TRUE(begin(zona));
    EXPECT_EQ(code_of(begin(zona)), Code::kTooManyRequests);
    EXPECT_TRUE(verify(zona, first));
    clock_.advance(31min);
    EXPECT_TRUE(begin(zona)) << "those that are over do not count";
}

// AUTH-15(part), GAP-13(part)
TEST_F(SessionsTest, EndOfASessionMovesButNotBeyondItsCap) {
    const Tokens tokens = begin(zona_).value();
    ASSERT_TRUE(verify(zona_, tokens));
    const auto move = [&](core::SystemTime end) {
        return wait<Session>(
            [&](auto done) { zona_->move_end("acme", tokens.session.id, end, std::move(done)); });
    };
    EXPECT_EQ(move(clock_.system() + 5min)->absolute_end, clock_.system() + 5min);
    EXPECT_EQ(move(clock_.system() + 1000h)->absolute_end, tokens.session.made + 12h);
    ASSERT_TRUE(verify(zona_, tokens));
    ASSERT_TRUE(move(clock_.system() + 5min));
    clock_.advance(5min);
    EXPECT_EQ(code_of(verify(zona_, tokens)), Code::kTokenExpired);
    EXPECT_EQ(code_of(move(clock_.system() + 5min)), Code::kNotFound);

    const Tokens others = begin(zona_).value();
    ASSERT_TRUE(wait<Session>([&](auto done) {
        zona_->move_end("acme", others.session.id, clock_.system(), std::move(done));
    }));
    EXPECT_EQ(code_of(verify(zona_, others)), Code::kUnknownToken);
}

// AUTH-19, AUTH-25
TEST_F(SessionsTest, AllOfAUserAndAllOfATenantEnd) {
    const Tokens of_seven = begin(zona_).value();
    const Tokens of_eight = begin(zona_, {.tenant = "acme", .id = 8}).value();
    const Tokens of_globex = begin(zona_, {.tenant = "globex", .id = 7}).value();
    const Tokens of_admin = begin(zona_, {.tenant = {}, .id = 7}).value();
    for (const Tokens* one : {&of_seven, &of_eight, &of_globex, &of_admin})
        ASSERT_TRUE(verify(zona_, *one));
    EXPECT_EQ(end(zona_, {.tenant = "acme", .user = 7, .session = {}}), 1U);
    EXPECT_EQ(code_of(verify(zona_, of_seven)), Code::kUnknownToken);
    EXPECT_TRUE(verify(zona_, of_eight));
    EXPECT_EQ(end(zona_, {.tenant = "acme", .user = {}, .session = {}}), 1U);
    EXPECT_EQ(code_of(verify(zona_, of_eight)), Code::kUnknownToken);
    EXPECT_TRUE(verify(zona_, of_globex));
    EXPECT_EQ(end(zona_, {.tenant = {}, .user = {}, .session = {}}), 1U);
    EXPECT_EQ(code_of(verify(zona_, of_admin)), Code::kUnknownToken);
    EXPECT_TRUE(verify(zona_, of_globex));
}

// BG-03, AUTH-20
TEST_F(SessionsTest, WhatIsOverIsTakenOutOfMapAndStore) {
    const Tokens old = begin(zona_).value();
    ASSERT_TRUE(verify(zona_, old));
    clock_.advance(29min);
    const Tokens live = begin(zona_).value();
    ASSERT_TRUE(verify(zona_, live));
    clock_.advance(2min);
    zona_->clean();
    EXPECT_EQ(zona_->known_tokens(), 1U);
    const auto removed = wait<std::uint64_t>(
        [&](auto done) { zona_->remove_over({"acme", "globex"}, std::move(done)); });
    EXPECT_EQ(removed.value(), 1U);
    EXPECT_TRUE(verify(zona_, live));
    EXPECT_EQ(code_of(verify(zona_, old)), Code::kUnknownToken);
}

// AUTH-24
TEST_F(SessionsTest, OutageOfTheStoreIsNoRefusalOfAToken) {
    const Tokens tokens = begin(zona_).value();
    zona_.database.fails = true;
    EXPECT_EQ(code_of(verify(zona_, tokens)), Code::kUnavailable);
    zona_.database.fails = false;
    EXPECT_TRUE(verify(zona_, tokens));
}

// AUTH-25, AUTH-41
TEST_F(SessionsTest, WhatHappensIsLoggedAndCounted) {
    const Tokens over = begin(zona_).value();
    clock_.advance(31min);
    refresh(zona_, over).error();
    EXPECT_TRUE(log_.has("a session is over"));
    const Tokens tokens = begin(zona_).value();
    verify(zona_, "a.b.c").error();
    end(zona_, {.tenant = "acme", .user = 7, .session = {}});
    verify(zona_, tokens).error();
    EXPECT_TRUE(log_.has(R"("category":"security","message":"a session has begun")"));
    EXPECT_TRUE(log_.has("192.0.2.1"));
    EXPECT_TRUE(log_.has("a session was ended"));
    const std::string metrics = zona_.metrics.render_prometheus();
    EXPECT_NE(metrics.find(R"(zona_token_failures_total{reason="invalid"} 1)"), std::string::npos);
    EXPECT_NE(metrics.find(R"(zona_token_failures_total{reason="unknown"} 1)"), std::string::npos);
    EXPECT_NE(metrics.find("zona_sessions_begun_total 2"), std::string::npos);
    EXPECT_NE(metrics.find("zona_sessions_ended_total 1"), std::string::npos) << "before its time";
}

/// Two zonas on one core database, which look when they are told to.
class SharedSessionsTest : public SessionsFixture {
  protected:
    Instance a_{*this, {.is_shared = true, .follow_pause = 0ms}};
    Instance b_{*this, {.is_shared = true, .follow_pause = 0ms}};
};

// AUTH-19, ARCH-09
TEST_F(SharedSessionsTest, WhatOneEndsIsRefusedByTheOther) {
    const Tokens tokens = begin(a_).value();
    const Tokens others = begin(b_, {.tenant = "acme", .id = 8}).value();
    ASSERT_TRUE(verify(b_, tokens));
    ASSERT_TRUE(verify(b_, others));
    EXPECT_EQ(end(a_, {.tenant = "acme", .user = 7, .session = {}}), 1U);
    EXPECT_EQ(code_of(verify(a_, tokens)), Code::kUnknownToken);
    follow(b_);
    EXPECT_EQ(code_of(verify(b_, tokens)), Code::kUnknownToken);
    EXPECT_EQ(b_->known_tokens(), 1U);
    EXPECT_TRUE(verify(b_, others));
}

// AUTH-19
TEST_F(SharedSessionsTest, OtherInstancesLookByThemselves) {
    Instance b(*this, {.is_shared = true, .follow_pause = 1ms});
    const Tokens tokens = begin(a_).value();
    ASSERT_TRUE(verify(b, tokens));
    end(a_, {.tenant = "acme", .user = 7, .session = {}});
    while (b->known_tokens() > 0)
        std::this_thread::yield();
    EXPECT_EQ(code_of(verify(b, tokens)), Code::kUnknownToken);
}

// AUTH-17, AUTH-19
TEST_F(SharedSessionsTest, ReuseAtOneEndsTheSessionAtTheOther) {
    const Tokens first = begin(a_).value();
    const Tokens second = refresh(b_, first).value();
    ASSERT_TRUE(verify(b_, second));
    clock_.advance(kRefreshGrace);
    EXPECT_EQ(code_of(refresh(a_, first)), Code::kUnknownToken);
    follow(b_);
    EXPECT_EQ(code_of(verify(b_, second)), Code::kUnknownToken);
}

// AUTH-06
TEST_F(SharedSessionsTest, ExpiredIsToldOnceByAllTogether) {
    const Tokens tokens = begin(a_).value();
    ASSERT_TRUE(verify(a_, tokens));
    ASSERT_TRUE(verify(b_, tokens));
    clock_.advance(15min);
    EXPECT_EQ(code_of(verify(a_, tokens)), Code::kTokenExpired);
    EXPECT_EQ(code_of(verify(b_, tokens)), Code::kUnknownToken);
}

// AUTH-23
TEST_F(SharedSessionsTest, UseAtOneKeepsASessionAliveAtTheOther) {
    const SessionOptions options{
        .limits = {.access = 1h, .idle = 10min}, .is_shared = true, .follow_pause = 0ms};
    Instance a(*this, options);
    Instance b(*this, options);
    const Tokens tokens = begin(a).value();
    ASSERT_TRUE(verify(b, tokens));
    clock_.advance(9min);
    ASSERT_TRUE(verify(a, tokens));
    clock_.advance(9min);
    EXPECT_TRUE(verify(b, tokens));
}

// AUTH-19
TEST_F(SharedSessionsTest, MapThatCouldNotLookIsNotBelieved) {
    const Tokens tokens = begin(a_).value();
    ASSERT_TRUE(verify(b_, tokens));
    b_.database.fails = true;
    EXPECT_TRUE(verify(b_, tokens));
    clock_.advance(kFollowTrust + 1s);
    EXPECT_EQ(code_of(verify(b_, tokens)), Code::kUnavailable);
    b_.database.fails = false;
    EXPECT_TRUE(verify(b_, tokens));
}

// AUTH-19
TEST_F(SharedSessionsTest, WhoMissedTooMuchForgetsAll) {
    const Tokens tokens = begin(a_).value();
    ASSERT_TRUE(verify(b_, tokens));
    const auto later = store::write_and_wait(core_, [](store::Writer& writer) {
        return writer.insert(store::Collection(session_news_spec(), store::Scope::core()), 50,
                             {{"number", 50}, {"tenant", "globex"}});
    });
    ASSERT_TRUE(later);
    follow(b_);
    EXPECT_EQ(b_->known_tokens(), 0U);
    EXPECT_TRUE(verify(b_, tokens));
}

TEST_F(SharedSessionsTest, NewsAreKeptForAWhileAndNumberedOn) {
    const SessionOptions options{.limits = {.per_user = 0}, .is_shared = true, .follow_pause = 0ms};
    Instance zona(*this, options);
    for (std::int64_t i = 1; i <= kNewsKept + 100; ++i) {
        ASSERT_TRUE(begin(zona, {.tenant = "acme", .id = i % 7 + 1}));
        ASSERT_EQ(end(zona, {.tenant = "acme", .user = {}, .session = {}}), 1U);
    }
    const auto newest = store::read_and_wait(core_, newest_news);
    EXPECT_EQ(newest.value(), kNewsKept + 100);
    const auto news =
        store::read_and_wait(core_, [](store::Reader& reader) { return news_after(reader, 0); });
    EXPECT_TRUE(news->has_gap);
    EXPECT_LE(news->forget.size(), static_cast<std::size_t>(kNewsKept));
}

}  // namespace
}  // namespace zona::identity
