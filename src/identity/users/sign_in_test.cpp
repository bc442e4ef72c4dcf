#include <algorithm>
#include <atomic>
#include <span>
#include <string>
#include <vector>

#include "identity/testing/users_fixture.h"
#include "identity/users/totp.h"

namespace zona::identity {
namespace {

using namespace std::chrono_literals;
using core::Code;

class SignInTest : public UsersFixture {
  protected:
    static constexpr const char* kElsewhere = "203.0.113.9";
    static constexpr const char* kOther = "blue kettle 41 walrus";

    Code refusal(const core::Result<SignedIn>& answer) {
        return answer ? Code::kInternal : answer.error().code();
    }
    Code fail(std::string name = "margaret", std::string address = kElsewhere) {
        return refusal(sign_in(std::move(name), "wrong", "", std::move(address)));
    }
    std::uint64_t refused(const std::string& reason) {
        return metrics_
            .counter("zona_sign_in_failures_total",
                     "Tries to sign in that were refused, by reason.", {{"reason", reason}})
            .value();
    }
    /// Enrols, and gives the recovery codes.
    std::vector<core::Secret> enrol(const User& user) {
        const Enrolment begun = answer_of<Enrolment>([&](auto done) {
                                    users_->begin_second_factor("acme", user.id, std::move(done));
                                }).value();
        secret_ = begun.secret;
        return answer_of<std::vector<core::Secret>>([&](auto done) {
                   users_->confirm_second_factor("acme", user.id, core::Secret(code()),
                                                 std::move(done));
               })
            .value();
    }
    /// What the authenticator shows.
    std::string code() {
        std::vector<std::byte> bytes;
        unsigned bits = 0;
        unsigned held = 0;
        for (const char letter : secret_.reveal()) {
            const auto value = std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567").find(letter);
            bits = (bits << 5U) | static_cast<unsigned>(value);
            held += 5;
            if (held < 8) continue;
            held -= 8;
            bytes.push_back(static_cast<std::byte>((bits >> held) & 255U));
        }
        return totp_code(bytes, totp_step(clock_.system()));
    }

    core::Result<User> replace(const char* present, const char* wanted, std::string code = "") {
        return answer_of<User>([&](auto done) {
            users_->change_password({.tenant = "acme",
                                     .name = "margaret",
                                     .password = secret(present),
                                     .code = secret(std::move(code)),
                                     .address = kHome},
                                    secret(wanted), std::move(done));
        });
    }

    core::Secret secret_;
};

// AUTH-18
TEST_F(SignInTest, TellsWhoItIsWithTheirRoles) {
    const User user = margaret({"creator"});

    const SignedIn in = sign_in("MARGARET", kPassword).value();

    EXPECT_EQ(in.tenant, "acme");
    EXPECT_EQ(in.user_id, user.id);
    EXPECT_EQ(in.name, "Margaret");
    EXPECT_EQ(in.roles, std::vector<std::string>{"creator"});
    EXPECT_FALSE(in.with_second_factor);
    EXPECT_EQ(find("acme", user.id).value().last_sign_in_at, clock_.system());
}

// AUTH-41, AUTH-42
TEST_F(SignInTest, ComputesAndAnswersTheSameForNamesThatDoNotExist) {
    const User disabled =
        create({.tenant = "acme", .name = "gone", .password = secret(kPassword)}).value();
    ASSERT_TRUE(change(disabled.id, {.status = UserStatus::kDisabled}));
    ASSERT_TRUE(create({.tenant = "acme", .name = "federated"}));
    margaret();
    struct Row {
        const char* tenant;
        const char* name;
        const char* password;
        const char* reason;
    };
    const Row rows[] = {{"acme", "margaret", "wrong", "password"},
                        {"acme", "nobody", kPassword, "unknown"},
                        {"acme", "no name at all!", kPassword, "unknown"},
                        {"globex", "margaret", kPassword, "unknown"},
                        {"No Tenant", "margaret", kPassword, "unknown"},
                        {"acme", "gone", kPassword, "disabled"},
                        {"acme", "federated", kPassword, "no_password"}};
    const std::string said = sign_in("margaret", "wrong").error().message();
    for (const Row& row : rows) {
        SCOPED_TRACE(row.name);
        const std::uint64_t before = hasher_.computed();
        const std::uint64_t counted = refused(row.reason);

        const auto answer = sign_in(row.name, row.password, "", kHome, row.tenant);

        EXPECT_EQ(refusal(answer), Code::kUnauthenticated);
        EXPECT_EQ(answer.error().message(), said);
        EXPECT_EQ(hasher_.computed() - before, 1U);
        EXPECT_EQ(refused(row.reason) - counted, 1U);
    }
}

// AUTH-41
TEST_F(SignInTest, LogsRefusalsWithoutWhatWasTyped) {
    const User user = margaret();
    ASSERT_FALSE(sign_in("margaret", "hunter22-secret"));
    ASSERT_FALSE(sign_in("hunter22-secret", "x"));

    const auto lines = log_.lines();
    EXPECT_TRUE(std::ranges::any_of(lines, [](const std::string& line) {
        return line.contains(R"("category":"security")") &&
               line.contains(R"("message":"a sign-in was refused")") &&
               line.contains(R"("reason":"password")") && line.contains(kHome);
    }));
    EXPECT_TRUE(std::ranges::none_of(
        lines, [](const std::string& line) { return line.contains("hunter22"); }));
    EXPECT_EQ(find("acme", user.id).value().failures, 1);
}

// AUTH-42
TEST_F(SignInTest, WaitsLongerAfterEachFailureFromTheFifthOn) {
    margaret();
    for (int i = 0; i < 5; ++i)
        ASSERT_EQ(fail(), Code::kUnauthenticated) << i;

    EXPECT_EQ(fail(), Code::kTooManyRequests);
    // The right password is not looked at either.
    EXPECT_EQ(refusal(sign_in("margaret", kPassword, "", kElsewhere)), Code::kTooManyRequests);
    clock_.advance(1s);
    EXPECT_EQ(fail(), Code::kUnauthenticated);
    clock_.advance(1s);
    EXPECT_EQ(fail(), Code::kTooManyRequests);
    clock_.advance(1s);
    EXPECT_EQ(fail(), Code::kUnauthenticated);
    EXPECT_GE(refused("too_early"), 3U);
}

// AUTH-42
TEST_F(SignInTest, WaitsFifteenMinutesAtMost) {
    margaret();
    for (int i = 0; i < 40; ++i) {
        fail();
        clock_.advance(15min);
    }
    ASSERT_EQ(fail(), Code::kUnauthenticated);
    ASSERT_EQ(fail(), Code::kTooManyRequests);

    clock_.advance(15min);

    EXPECT_TRUE(sign_in("margaret", kPassword, "", kElsewhere));
}

// AUTH-42
TEST_F(SignInTest, CannotBeKeptFromSomebodyWhereTheyHaveSignedInBefore) {
    margaret();
    ASSERT_TRUE(sign_in("margaret", kPassword));
    for (int i = 0; i < 100; ++i)
        fail("margaret", fmt::format("203.0.113.{}", i));
    ASSERT_EQ(refusal(sign_in("margaret", kPassword, "", "198.51.100.1")), Code::kTooManyRequests);

    EXPECT_TRUE(sign_in("margaret", kPassword, "", kHome));
}

// SEC-22
TEST_F(SignInTest, SaysWhenSomebodyComesFromANewPlace) {
    margaret();
    const auto is_new = [this](const char* address) {
        return sign_in("margaret", kPassword, "", address).value().from_new_place;
    };
    EXPECT_FALSE(is_new(kHome)) << "the first place of all";
    EXPECT_FALSE(is_new(kHome));
    EXPECT_FALSE(is_new("")) << "the socket of this host";
    EXPECT_TRUE(is_new("2001:db8::7"));
    EXPECT_FALSE(is_new("2001:db8::8")) << "the same network";
    EXPECT_TRUE(is_new("2001:db8:0:1::7"));
    EXPECT_FALSE(is_new(kHome)) << "it is known for good";
}

// AUTH-42
TEST_F(SignInTest, SlowsOneAddressThatTriesManyNames) {
    margaret();
    for (int i = 0; i < 20; ++i)
        ASSERT_EQ(fail(fmt::format("user{}", i)), Code::kUnauthenticated);

    EXPECT_EQ(fail("another"), Code::kTooManyRequests);
    EXPECT_EQ(refusal(sign_in("margaret", kPassword, "", kElsewhere)), Code::kTooManyRequests);
    EXPECT_TRUE(sign_in("margaret", kPassword, "", "198.51.100.1"));
    clock_.advance(1min);
    EXPECT_TRUE(sign_in("margaret", kPassword, "", kElsewhere));
}

// AUTH-42
TEST_F(SignInTest, CountsAnIpv6AddressByItsNetwork) {
    for (int i = 0; i < 20; ++i)
        ASSERT_EQ(fail(fmt::format("user{}", i), fmt::format("2001:db8::{:x}", i + 1)),
                  Code::kUnauthenticated);

    EXPECT_EQ(fail("another", "2001:db8::ffff"), Code::kTooManyRequests);
    EXPECT_EQ(fail("another", "2001:db8:0:1::1"), Code::kUnauthenticated);
}

// AUTH-42
TEST_F(SignInTest, ForgetsFailuresAfterASignInAndAfterAnHour) {
    const User user = margaret();
    for (int i = 0; i < 4; ++i)
        fail("margaret", kHome);
    ASSERT_TRUE(sign_in("margaret", kPassword));
    EXPECT_EQ(find("acme", user.id).value().failures, 0);
    for (int i = 0; i < 5; ++i)
        ASSERT_EQ(fail("margaret", kHome), Code::kUnauthenticated) << i;
    ASSERT_EQ(fail("margaret", kHome), Code::kTooManyRequests);

    clock_.advance(1h);

    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(fail("margaret", kHome), Code::kUnauthenticated) << i;
}

TEST_F(SignInTest, HashesAPasswordAnewWhenTheCostHasChanged) {
    const User user = margaret();
    PasswordHasher dearer({.memory_kib = 128, .passes = 1}, 1, random_, metrics_);
    UsersDeps with_dearer{.core = [this] { return core_; },
                          .fields = [this](const std::string& tenant) { return fields(tenant); },
                          .run_blocking = run_blocking(),
                          .roles = *roles_,
                          .hasher = dearer,
                          .clock = clock_,
                          .random = random_,
                          .log = log_.logger("security"),
                          .metrics = metrics_};
    users_.emplace(std::move(with_dearer), PasswordRules{});

    ASSERT_TRUE(sign_in("margaret", kPassword));
    const std::uint64_t before = dearer.computed();
    ASSERT_TRUE(sign_in("margaret", kPassword));

    EXPECT_EQ(dearer.computed() - before, 1U);  // no more than it takes to look
    EXPECT_EQ(find("acme", user.id).value().failures, 0);
}

// AUTH-31
TEST_F(SignInTest, AsksForTheSecondFactorOnceItIsConfirmed) {
    const User user = margaret();
    const auto begun = answer_of<Enrolment>(
        [&](auto done) { users_->begin_second_factor("acme", user.id, std::move(done)); });
    ASSERT_TRUE(begun);
    ASSERT_TRUE(sign_in("margaret", kPassword));  // not yet
    enrol(user);
    clock_.advance(30s);

    EXPECT_EQ(refusal(sign_in("margaret", kPassword)), Code::kSecondFactor);
    EXPECT_EQ(refusal(sign_in("margaret", kPassword, "000000")), Code::kUnauthenticated);
    EXPECT_EQ(refusal(sign_in("margaret", "wrong", code())), Code::kUnauthenticated);
    const SignedIn in = sign_in("margaret", kPassword, code()).value();
    EXPECT_TRUE(in.with_second_factor);
}

// AUTH-31
TEST_F(SignInTest, TakesEachCodeOnce) {
    const User user = margaret();
    const auto recovery = enrol(user);
    const std::string shown = code();
    EXPECT_EQ(refusal(sign_in("margaret", kPassword, shown)), Code::kUnauthenticated);
    clock_.advance(30s);

    const std::string next = code();
    EXPECT_TRUE(sign_in("margaret", kPassword, next));
    EXPECT_EQ(refusal(sign_in("margaret", kPassword, next)), Code::kUnauthenticated);
    const std::string spare(recovery.at(3).reveal());
    EXPECT_TRUE(sign_in("margaret", kPassword, spare));
    EXPECT_EQ(refusal(sign_in("margaret", kPassword, spare)), Code::kUnauthenticated);
    EXPECT_EQ(recovery.size(), kRecoveryCodes);
}

// AUTH-42
TEST_F(SignInTest, SlowsTheGuessingOfCodesByWhoeverHasThePassword) {
    const User user = margaret();
    enrol(user);
    for (int i = 0; i < 5; ++i) {
        ASSERT_EQ(refusal(sign_in("margaret", kPassword)), Code::kSecondFactor);
        ASSERT_EQ(refusal(sign_in("margaret", kPassword, "000000")), Code::kUnauthenticated);
    }

    EXPECT_EQ(refusal(sign_in("margaret", kPassword, "000000")), Code::kTooManyRequests);
}

TEST_F(SignInTest, NeedsNoSecondFactorWhenAnAdministratorHasTakenItAway) {
    const User user = margaret();
    enrol(user);
    const auto removed = answer_of<User>([&](auto done) {
        users_->remove_second_factor(admin_of("acme"), "acme", user.id, std::move(done));
    });

    ASSERT_TRUE(removed);
    EXPECT_FALSE(removed->has_second_factor);
    EXPECT_TRUE(sign_in("margaret", kPassword));
}

// AUTH-31
TEST_F(SignInTest, AsksForTheSecondFactorOfWhoReplacesAPassword) {
    const User user = margaret();
    enrol(user);
    clock_.advance(30s);

    EXPECT_EQ(code_of(replace(kPassword, kOther)), Code::kSecondFactor);
    EXPECT_EQ(code_of(replace(kPassword, kOther, "000000")), Code::kUnauthenticated);
    EXPECT_TRUE(replace(kPassword, kOther, code()));
}

TEST_F(SignInTest, ReplacesNoPasswordThatAnAdministratorHasTakenAwayMeanwhile) {
    const User user = margaret();
    boost::asio::thread_pool others_threads(1);
    UsersDeps others = deps();
    others.run_blocking = [&](auto work) { boost::asio::post(others_threads, std::move(work)); };
    Users administrators(std::move(others), PasswordRules{});
    const auto take_away = [&] {
        return answer_of<User>([&](auto done) {
            administrators.change(super_admin(), "acme", user.id,
                                  {.password = secret("gravel anthem 7 lung")}, std::move(done));
        });
    };
    UsersDeps owners = deps();
    std::atomic<int> computed = 0;
    owners.run_blocking = [&, run = run_blocking()](auto work) {
        // The first looks at the present one, the second makes the hash of the new one.
        run([&, is_second = computed++ == 1, work = std::move(work)]() mutable {
            if (is_second) EXPECT_TRUE(take_away());
            work();
        });
    };
    Users owner(std::move(owners), PasswordRules{});

    const auto replaced = answer_of<User>([&](auto done) {
        owner.change_password({.tenant = "acme", .name = "margaret", .password = secret(kPassword)},
                              secret(kOther), std::move(done));
    });

    EXPECT_EQ(computed, 2);
    EXPECT_EQ(code_of(replaced), Code::kUnauthenticated);
    EXPECT_TRUE(sign_in("margaret", "gravel anthem 7 lung"));
}

TEST_F(SignInTest, LetsAnOwnerReplaceAPassword) {
    const User user = margaret();
    ASSERT_TRUE(change(user.id, {.must_change_password = true}));

    EXPECT_EQ(replace("wrong", "blue kettle 41 walrus").error().code(), Code::kUnauthenticated);
    EXPECT_EQ(replace(kPassword, kPassword).error().code(), Code::kInvalidArgument);
    ASSERT_TRUE(replace(kPassword, "blue kettle 41 walrus"));
    EXPECT_FALSE(find("acme", user.id).value().last_sign_in_at) << "it was no sign-in";
    EXPECT_FALSE(log_.has("\"signed in\""));

    EXPECT_FALSE(sign_in("margaret", kPassword));
    EXPECT_FALSE(sign_in("margaret", "blue kettle 41 walrus").value().must_change_password);
    EXPECT_EQ(told_.size(), 2U);
}

}  // namespace
}  // namespace zona::identity
