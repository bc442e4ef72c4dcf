#include "net/firewall/firewall.h"

#include <fstream>
#include <future>
#include <thread>

#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"
#include "core/testing/temporary_directory.h"
#include "net/firewall/detail/rule_set.h"
#include "net/testing/middleware_fixture.h"

namespace zona::net {
namespace {

using core::Code;

constexpr const char* kCoreRules = "/usr/share/modsecurity-crs/rules";
constexpr std::uint16_t kMainPort = 8063;

/// The firewall asks it for the time on its own threads, which wait in it until the gate is open.
class GatedClock final : public core::Clock {
  public:
    core::SteadyTime steady() const override {
        if (std::this_thread::get_id() != owner_) open_.wait();
        return clock_.steady();
    }
    core::SystemTime system() const override { return clock_.system(); }
    void open() { gate_.set_value(); }

  private:
    core::FakeClock clock_;
    std::thread::id owner_ = std::this_thread::get_id();
    std::promise<void> gate_;
    std::shared_future<void> open_ = gate_.get_future().share();
};

class FirewallTest : public MiddlewareTest {
  protected:
    FirewallTest() {
        request_.method = Method::kGet;
        request_.method_name = "GET";
        request_.target = "/api/v1/processes";
        request_.route = "/api/v1/processes";
        request_.headers.add("Host", "zona.example");
        request_.headers.add("User-Agent", "curl/7.88");
        request_.headers.add("Accept", "*/*");
        request_.peer = TcpPeer{.address = "192.0.2.7", .port = 4711, .to_port = kMainPort};
    }

    core::Result<void> load(FirewallMode main, FirewallMode others = FirewallMode::kOff) {
        return firewall_.load({.own_file = own_file_,
                               .core_directory = kCoreRules,
                               .body = core::ByteCount::kib(128)},
                              {.main = main, .main_port = kMainPort, .others = others});
    }
    void own_rules(const std::string& text) {
        own_file_ = directory_.path() + "/own.conf";
        std::ofstream(own_file_) << text;
    }
    void send(const std::string& body) {
        request_.method = Method::kPost;
        request_.method_name = "POST";
        request_.body = body;
        request_.headers.set("Content-Type", "application/json");
        request_.headers.set("Content-Length", std::to_string(body.size()));
    }
    /// Why it was refused; nothing: it was served.
    std::optional<Code> ask() {
        seen_ = 0;
        response_ = run(inspect_requests(firewall_));
        EXPECT_EQ(seen_, response_.failure ? 0 : 1);
        if (!response_.failure) return std::nullopt;
        return response_.failure->error.code();
    }
    std::string metrics() { return metrics_.render_prometheus(); }

    core::TemporaryDirectory directory_;
    core::FakeClock clock_;
    std::string own_file_;
    int attacks_ = 0;
    Response response_;
    Firewall firewall_{{.clock = clock_,
                        .log = log_.logger("security"),
                        .metrics = metrics_,
                        .attacked = [this](const Request&) { ++attacks_; }}};
};

constexpr const char* kInjection = "/api/v1/processes?select=1%27%20OR%201=1--%20";

// SEC-14
TEST_F(FirewallTest, AnAttackIsRefusedToldAndServedWhereItIsOnlyDetected) {
    request_.target = kInjection;
    EXPECT_EQ(ask(), std::nullopt) << "off";
    EXPECT_EQ(firewall_.rules(), 0U) << "and then nothing is loaded";

    ASSERT_TRUE(load(FirewallMode::kDetect));
    EXPECT_GT(firewall_.rules(), 100U);
    EXPECT_EQ(ask(), std::nullopt);
    EXPECT_EQ(attacks_, 1);
    ASSERT_TRUE(load(FirewallMode::kBlock));
    EXPECT_EQ(ask(), Code::kRequestBlocked);
    EXPECT_EQ(attacks_, 2);
    EXPECT_TRUE(log_.has(R"("mode":"block","kinds":"sql","rules":"942100")"));
    EXPECT_FALSE(log_.has("OR 1=1"));

    request_.target = "/api/v1/processes?select=web";
    EXPECT_EQ(ask(), std::nullopt);
    EXPECT_EQ(attacks_, 2);
    for (const char* outcome : {"detected", "blocked", "passed"}) {
        EXPECT_TRUE(metrics().contains(
            fmt::format("zona_firewall_requests_total{{outcome=\"{}\"}} 1", outcome)))
            << outcome;
    }
}

// SEC-14
TEST_F(FirewallTest, BodiesOfJsonAreReadAndWhatCannotBeReadIsRefused) {
    ASSERT_TRUE(load(FirewallMode::kBlock));
    send(R"({"name":"x","note":"<script>alert(document.cookie)</script>"})");
    EXPECT_EQ(ask(), Code::kRequestBlocked);
    EXPECT_TRUE(log_.has("\"kinds\":\"script\""));
    send(R"({"name":)");
    EXPECT_EQ(ask(), Code::kRequestBlocked);
    EXPECT_TRUE(log_.has("\"kinds\":\"unreadable\""));
    std::string many = "1";
    for (int i = 0; i < 1200; ++i)
        many += ",1";
    send("[" + many + "]");
    EXPECT_EQ(ask(), Code::kRequestBlocked) << "more than are looked at";
    request_.target = "/api/v1/processes?a=1";
    for (int i = 0; i < 1200; ++i)
        request_.target += "&a=1";
    send("{}");
    EXPECT_EQ(ask(), Code::kRequestBlocked);
    EXPECT_TRUE(log_.has("\"kinds\":\"arguments"));
    request_.target = "/api/v1/processes";
    for (const char* method : {"PUT", "PATCH", "DELETE"}) {
        send(R"({"name":"web"})");
        request_.method_name = method;
        EXPECT_EQ(ask(), std::nullopt) << method;
    }
}

// SEC-14
TEST_F(FirewallTest, PasswordsMayBeAnythingAndAreInNoLine) {
    ASSERT_TRUE(load(FirewallMode::kBlock));
    send(R"({"name":"anna","password":"' or 1=1 -- <script>"})");
    EXPECT_EQ(ask(), std::nullopt);
    send(R"({"name":"' or 1=1 --","password":"correct horse"})");
    EXPECT_EQ(ask(), Code::kRequestBlocked);
    EXPECT_FALSE(log_.has("or 1=1"));
    EXPECT_FALSE(log_.has("correct horse"));

    send("name=anna&password=%27+or+1%3D1+--+&new_password_again=%3Cscript%3E");
    request_.headers.set("Content-Type", "application/x-www-form-urlencoded");
    EXPECT_EQ(ask(), std::nullopt) << "of a page";
    send("name=%27+or+1%3D1+--+&password=x");
    request_.headers.set("Content-Type", "application/x-www-form-urlencoded");
    EXPECT_EQ(ask(), Code::kRequestBlocked);
}

// SEC-14
TEST_F(FirewallTest, EachListenerHasItsModeAndTheSocketOfThisHostNone) {
    ASSERT_TRUE(load(FirewallMode::kOff, FirewallMode::kBlock));
    request_.target = kInjection;
    EXPECT_EQ(ask(), std::nullopt);
    std::get<TcpPeer>(request_.peer).to_port = kMainPort + 1;
    EXPECT_EQ(ask(), Code::kRequestBlocked);
    request_.peer = UnixPeer{};
    EXPECT_EQ(ask(), std::nullopt);
    ASSERT_TRUE(load(FirewallMode::kOff));
    EXPECT_EQ(firewall_.rules(), 0U) << "nobody needs them";
}

// SEC-14
TEST_F(FirewallTest, RulesOfOnesOwnHoldAndBrokenOnesLeaveThoseInForce) {
    own_rules(
        "SecRule ARGS:colour \"@streq mauve\" \"id:1,phase:2,deny,log\"\n"
        "SecRuleRemoveById 942100\n");
    ASSERT_TRUE(load(FirewallMode::kBlock));
    request_.target = "/api/v1/processes?colour=mauve";
    EXPECT_EQ(ask(), Code::kRequestBlocked);
    EXPECT_TRUE(log_.has(R"("kinds":"own","rules":"1")"));
    request_.target = kInjection;
    EXPECT_EQ(ask(), std::nullopt) << "by a core rule that is not to hold";

    own_rules("SecRule ARGS \"@streq x\" nonsense\n");
    const auto broken = load(FirewallMode::kDetect);
    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error().code(), Code::kInvalidArgument);
    EXPECT_TRUE(broken.error().message().starts_with("api.firewall_rules: "));
    EXPECT_TRUE(broken.error().message().contains("Line: 1"));
    request_.target = "/api/v1/processes?colour=mauve";
    EXPECT_EQ(ask(), Code::kRequestBlocked) << "the rules and the mode from before";

    own_file_.clear();
    const auto nowhere =
        firewall_.load({.own_file = "", .core_directory = directory_.path(), .body = {}},
                       {.main = FirewallMode::kBlock, .main_port = kMainPort});
    ASSERT_FALSE(nowhere);
    EXPECT_TRUE(nowhere.error().message().contains("modsecurity-crs"));
}

// SEC-14
TEST_F(FirewallTest, WhatIsNotInspectedIsNotServedWhereAttacksAreBlocked) {
    const std::string large = "{\"a\":\"" + std::string(128U << 10U, 'a') + "\"}";
    for (const auto mode : {FirewallMode::kBlock, FirewallMode::kDetect}) {
        const bool blocks = mode == FirewallMode::kBlock;
        ASSERT_TRUE(load(mode));
        send(large);
        EXPECT_EQ(ask(), blocks ? std::optional(Code::kTooLarge) : std::nullopt);
        firewall_.load_nothing({.main = mode, .main_port = kMainPort});
        send("{}");
        EXPECT_EQ(ask(), blocks ? std::optional(Code::kUnavailable) : std::nullopt);
        EXPECT_EQ(response_.headers.has("Retry-After"), blocks);
    }
    EXPECT_EQ(attacks_, 0);
    EXPECT_TRUE(metrics().contains("outcome=\"too_large\"} 2"));
    EXPECT_TRUE(metrics().contains("outcome=\"no_rules\"} 2"));
}

// SEC-14, SEC-17
TEST_F(FirewallTest, NoMoreThanSoManyWaitForTheRules) {
    constexpr std::size_t kTooMany = 10;
    GatedClock clock;
    Firewall firewall({.clock = clock, .log = log_.logger("security"), .metrics = metrics_});
    ASSERT_TRUE(firewall.load(
        {.own_file = "", .core_directory = kCoreRules, .body = core::ByteCount::kib(128)},
        {.main = FirewallMode::kBlock, .main_port = kMainPort}));
    const Chain chain({inspect_requests(firewall)},
                      [this](Request& request) { return endpoint(seen_, answer_, request); });

    std::vector<std::future<Response>> answers;
    for (std::size_t i = 0; i < Firewall::kMostAtOnce + kTooMany; ++i)
        answers.push_back(asio::co_spawn(context_, chain(request_), asio::use_future));
    asio::post(context_, [&clock] { clock.open(); });
    context_.run();

    std::size_t refused = 0;
    for (auto& answer : answers) {
        const Response response = answer.get();
        if (!response.failure) continue;
        EXPECT_EQ(response.failure->error.code(), Code::kUnavailable);
        ++refused;
    }
    EXPECT_EQ(refused, kTooMany);
    EXPECT_EQ(static_cast<std::size_t>(seen_), Firewall::kMostAtOnce);
    EXPECT_TRUE(metrics().contains("outcome=\"overloaded\"} 10"));
}

// SEC-14
TEST_F(FirewallTest, ManyThreadsMayAskTheSameRules) {
    const auto rules = detail::RuleSet::load(
        {.own_file = "", .core_directory = kCoreRules, .body = core::ByteCount::kib(128)});
    ASSERT_TRUE(rules) << rules.error().message();
    const detail::Sample good(request_);
    request_.target = kInjection;
    const detail::Sample bad(request_);
    std::vector<std::future<int>> all;
    for (int i = 0; i < 4; ++i) {
        all.push_back(std::async(std::launch::async, [&] {
            int right = 0;
            for (int n = 0; n < 50; ++n) {
                right += (*rules)->judge(good).empty() ? 1 : 0;
                right += (*rules)->judge(bad) == std::vector<std::int64_t>{942100} ? 1 : 0;
            }
            return right;
        }));
    }
    for (auto& one : all)
        EXPECT_EQ(one.get(), 100);
}

}  // namespace
}  // namespace zona::net
