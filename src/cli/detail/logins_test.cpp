#include "cli/detail/logins.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cli/detail/signed_in_api.h"
#include "cli/testing/fakes.h"
#include "core/testing/fake_clock.h"
#include "core/testing/temporary_directory.h"
#include "core/time_format.h"

namespace zona::cli {
namespace {

using core::Code;
using std::chrono_literals::operator""min;

const std::string kUrl = "https://zona.example:8063";

class LoginsTest : public testing::Test {
  protected:
    Login login(const std::string& number, const std::string& url = kUrl) {
        return {.url = url,
                .tenant = "acme",
                .user = "anna",
                .access = core::Secret("access-" + number),
                .access_end = clock_.system() + 15min,
                .refresh = core::Secret("refresh-" + number),
                .refresh_end = clock_.system() + 60min};
    }
    void put(const Login& one) { ASSERT_TRUE(logins_.change(clock_).value().put(one)); }
    std::string access_of(const std::string& url = kUrl) {
        const auto found = logins_.find(url).value();
        return found ? std::string(found->access.reveal()) : "none";
    }
    /// What signIn and renewSession answer.
    std::string answer(const Login& one) {
        return fmt::format(R"({{"success":true,"data":{{"access_token":"{}","token_type":"Bearer",)"
                           R"("expires_at":"{}","refresh_token":"{}","refresh_expires_at":"{}",)"
                           R"("session":{{"tenant":"{}","name":"{}"}}}}}})",
                           one.access.reveal(), core::to_rfc3339(one.access_end),
                           one.refresh.reveal(), core::to_rfc3339(one.refresh_end), one.tenant,
                           one.user);
    }
    static std::string refusal(const std::string& code) {
        return fmt::format(
            R"({{"success":false,"error":{{"code":"{}","message":"no","details":[]}}}})", code);
    }

    core::FakeClock clock_;
    core::TemporaryDirectory folder_;
    const std::string path_ = folder_.path() + "/config/zona/logins.json";
    Logins logins_{path_};
};

TEST_F(LoginsTest, OneIsKeptForEachZona) {
    EXPECT_EQ(access_of(), "none");
    put(login("1"));
    put(login("2", "http://127.0.0.1:8063"));
    put(login("3"));
    EXPECT_EQ(access_of(), "access-3");
    EXPECT_EQ(access_of("http://127.0.0.1:8063"), "access-2");
    EXPECT_TRUE(logins_.change(clock_).value().remove(kUrl).value());
    EXPECT_FALSE(logins_.change(clock_).value().remove(kUrl).value());
    EXPECT_EQ(access_of(), "none");
}

// AUTH-18, SEC-07
TEST_F(LoginsTest, TheFileIsForItsOwnerAlone) {
    put(login("1"));
    struct stat is{};
    ASSERT_EQ(stat(path_.c_str(), &is), 0);
    EXPECT_EQ(is.st_mode & 0777U, 0600U);
    ASSERT_EQ(chmod(path_.c_str(), 0640), 0);
    const auto found = logins_.find(kUrl);
    EXPECT_EQ(found.error().code(), Code::kConflict) << "it may have been read, or written";
}

TEST_F(LoginsTest, ADamagedFileIsNamedAndNotShown) {
    std::filesystem::create_directories(folder_.path() + "/config/zona");
    for (const std::string text :
         {"", "[]", R"({"format":2,"logins":[]})", R"({"format":1})",
          R"({"format":1,"logins":[{"host":"x","access_token":"secret"}]})"}) {
        std::ofstream(path_) << text;
        ASSERT_EQ(chmod(path_.c_str(), 0600), 0);
        const auto found = logins_.find(kUrl);
        ASSERT_FALSE(found) << text;
        EXPECT_EQ(found.error().code(), Code::kConflict);
        EXPECT_TRUE(found.error().message().contains("logins.json"));
        EXPECT_FALSE(found.error().message().contains("secret"));
    }
}

TEST_F(LoginsTest, CommandsThatChangeItAtTheSameTimeLoseNothing) {
    constexpr int kEach = 12;
    const auto work = [this](int first) {
        const core::RealClock clock;
        for (int i = first; i < first + kEach; ++i)
            EXPECT_TRUE(
                Logins(path_).change(clock).value().put(login("x", fmt::format("http://{}", i))));
    };
    {
        const std::jthread one(work, 0);
        const std::jthread other(work, kEach);
    }
    for (int i = 0; i < 2 * kEach; ++i)
        EXPECT_EQ(access_of(fmt::format("http://{}", i)), "access-x");
}

TEST_F(LoginsTest, WithoutAPlaceThereAreNone) {
    EXPECT_FALSE(Logins("").find(kUrl).value());
    EXPECT_EQ(Logins("").change(clock_).error().code(), Code::kInvalidArgument);
}

class SignedInTest : public LoginsTest {
  protected:
    SignedInTest() {
        put(login("1"));
        auto way = std::make_unique<FakeApi>();
        way_ = way.get();
        api_.emplace(std::move(way), logins_, login("1"), clock_);
    }
    core::Result<ApiResponse> ask() { return api_->exchange(get("/api/v1/whoami"), {}); }
    /// "TARGET TOKEN" of each request that was sent.
    std::vector<std::string> sent() const {
        std::vector<std::string> out;
        for (const ApiRequest& request : way_->requests)
            out.push_back(fmt::format("{} {}", request.target, request.token.reveal()));
        return out;
    }

    FakeApi* way_ = nullptr;
    std::optional<SignedInApi> api_;
};

constexpr const char* kRenewal = "/api/v1/sessions/renewals ";

// AUTH-18, AUTH-21
TEST_F(SignedInTest, ATokenIsRenewedBeforeItsEndAndKept) {
    way_->will_answer("{}");
    ASSERT_TRUE(ask());
    clock_.advance(15min);
    way_->will_answer(answer(login("2")));
    way_->will_answer("{}");
    ASSERT_TRUE(ask());
    EXPECT_EQ(sent(), (std::vector<std::string>{"/api/v1/whoami access-1", kRenewal,
                                                "/api/v1/whoami access-2"}));
    EXPECT_EQ(way_->requests[1].body, R"({"refresh_token":"refresh-1"})");
    EXPECT_EQ(access_of(), "access-2");
}

TEST_F(SignedInTest, ATokenThatIsRefusedIsRenewedOnce) {
    for (const std::string code : {"TOKEN_EXPIRED", "UNKNOWN_TOKEN"}) {
        way_->will_refuse(401, refusal(code));
        way_->will_answer(answer(login(code)));
        way_->will_answer("{}");
        EXPECT_EQ(ask().value().status, 200);
    }
    way_->will_refuse(401, refusal("UNKNOWN_TOKEN"));
    way_->will_answer(answer(login("3")));
    way_->will_refuse(401, refusal("UNKNOWN_TOKEN"));
    EXPECT_EQ(ask().error().code(), Code::kUnauthenticated);
    EXPECT_EQ(way_->left(), 0U);
}

TEST_F(SignedInTest, WhatAnotherCommandHasRenewedIsTaken) {
    clock_.advance(15min);
    put(login("2"));
    way_->will_answer("{}");
    ASSERT_TRUE(ask());
    EXPECT_EQ(sent(), std::vector<std::string>{"/api/v1/whoami access-2"});
    // Long after: that one is over, too.
    clock_.advance(15min);
    put(login("3"));
    clock_.advance(15min);
    way_->will_answer(answer(login("4")));
    way_->will_answer("{}");
    ASSERT_TRUE(ask());
    EXPECT_EQ(way_->requests[1].body, R"({"refresh_token":"refresh-3"})");
}

TEST_F(SignedInTest, ASessionThatIsOverIsForgotten) {
    clock_.advance(15min);
    way_->will_refuse(401, refusal("UNKNOWN_TOKEN"));
    const auto answer = ask();
    EXPECT_EQ(answer.error().code(), Code::kUnauthenticated);
    EXPECT_TRUE(answer.error().message().contains("anna of acme"));
    EXPECT_EQ(access_of(), "none");
}

TEST_F(SignedInTest, WhatIsNoAnswerOfTheSessionLeavesIt) {
    clock_.advance(15min);
    way_->will_refuse(403, refusal("TENANT_INACTIVE"));
    EXPECT_EQ(ask().error().code(), Code::kTenantInactive);
    way_->will_fail(Code::kUnavailable);
    EXPECT_EQ(ask().error().code(), Code::kUnavailable);
    EXPECT_EQ(access_of(), "access-1");
    // A 401 that is about something else is the verb's.
    way_->will_answer(answer(login("2")));
    way_->will_refuse(401, refusal("UNAUTHENTICATED"));
    EXPECT_EQ(ask().value().status, 401);
}

}  // namespace
}  // namespace zona::cli
