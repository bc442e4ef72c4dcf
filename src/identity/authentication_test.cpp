#include "identity/authentication.h"

#include <algorithm>
#include <functional>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"
#include "core/testing/memory_log.h"
#include "identity/keys/key_bounds.h"
#include "identity/secret_text.h"
#include "identity/testing/keys_fixture.h"

namespace zona::identity {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using core::Code;

class AuthenticationTest : public testing::Test {
  protected:
    void SetUp() override {
        keys_->begin(core_.database, kAlone);
        admin_ = keys_.make("ops");
        viewer_ = keys_.make("screen", Scope::kViewer);
        request_.method = net::Method::kGet;
        request_.path = "/api/v1/processes";
        request_.peer = net::TcpPeer{"203.0.113.7", 4711};
        options_.first_delay = 1ms;
        options_.longest_delay = 4ms;
    }

    /// What the chain answers; whether a handler was reached is in handled_.
    net::Response ask() {
        if (!chain_) {
            std::vector<net::Middleware> one;
            one.push_back(
                authenticate({*keys_.keys}, options_, clock_, log_.logger("auth"), metrics_));
            one.push_back(limit_keys(*keys_.keys));
            one.push_back(refuse_viewers(*keys_.keys));
            chain_.emplace(std::move(one),
                           [this](net::Request&) { return handler(handled_, response_); });
        }
        handled_ = 0;
        request_.principal.clear();
        asio::io_context context;
        auto answer = asio::co_spawn(context, (*chain_)(request_), asio::use_future);
        context.run();
        return answer.get();
    }
    net::Response ask_with(std::string_view header, const std::string& value) {
        request_.headers.clear();
        request_.headers.add(header, value);
        return ask();
    }
    /// Makes the request one for a WebSocket.
    void open_socket(const std::string& subprotocols) {
        request_.headers.clear();
        request_.headers.add("Connection", "keep-alive, Upgrade");
        request_.headers.add("Upgrade", "websocket");
        request_.headers.add("Sec-WebSocket-Protocol", subprotocols);
    }
    /// The code of a refusal; nothing must have been handled.
    Code refused(const net::Response& response) const {
        EXPECT_EQ(handled_, 0) << "nobody may reach a handler so";
        EXPECT_TRUE(response.failure.has_value());
        return response.failure ? response.failure->error.code() : Code::kInternal;
    }
    std::ptrdiff_t refusals_told() const {
        return std::ranges::count_if(log_.lines(), [](const std::string& line) {
            return line.contains("a request was refused");
        });
    }
    static asio::awaitable<core::Result<net::Response>> handler(
        int& handled, const std::function<net::Response()>& answer) {
        ++handled;
        co_return answer();
    }

    core::FakeClock clock_;
    core::SeededRandom random_{3};
    core::MemoryLog log_;
    core::MetricRegistry metrics_;
    KeyDatabase core_{clock_};
    KeysOfHome keys_{clock_, random_};
    std::string admin_;
    std::string viewer_;
    AuthenticationOptions options_;
    std::optional<net::Chain> chain_;
    net::Request request_;
    std::function<net::Response()> response_ = [] { return net::Response::success("1"); };
    int handled_ = 0;
};

// PM-51
TEST_F(AuthenticationTest, TakesAKeyInEachOfThreeForms) {
    for (const auto& [header, value] :
         {std::pair<std::string, std::string>{"Authorization", "Bearer " + admin_},
          {"authorization", "bearer  " + admin_},
          {"Authorization", "ApiKey " + admin_},
          {"X-API-Key", admin_}}) {
        EXPECT_EQ(ask_with(header, value).status, 200) << header;
        EXPECT_EQ(handled_, 1);
        EXPECT_EQ(request_.principal, "key ops");
    }
}

// AUTH-28, SEC-15
TEST_F(AuthenticationTest, AKeyThatAsksTooOftenIsRefusedAndThatIsCounted) {
    const auto made = keys_.create({.name = "ci", .rate = {.per_second = 10, .burst = 2}}).value();
    const std::string key(made.text.reveal());
    EXPECT_EQ(ask_with("X-API-Key", key).status, 200);
    EXPECT_EQ(ask_with("X-API-Key", key).status, 200);
    const net::Response refused_one = ask_with("X-API-Key", key);
    EXPECT_EQ(refused(refused_one), Code::kTooManyRequests);
    EXPECT_EQ(refused_one.headers.find("Retry-After"), "1");
    EXPECT_EQ(ask_with("X-API-Key", viewer_).status, 200) << "another key may";
    request_.method = net::Method::kPost;
    EXPECT_EQ(refused(ask_with("X-API-Key", viewer_)), Code::kAccessDenied);
    const KeyUsage usage = keys_.of("ci").usage;
    EXPECT_EQ(usage.requests, 3U);
    EXPECT_EQ(usage.refusals, 1U);
    EXPECT_EQ(usage.last_address, "203.0.113.7");
    EXPECT_EQ(keys_.of("screen").usage.refusals, 1U);
}

TEST_F(AuthenticationTest, AKeyWaitsUntilItIsKnownWhichThereAre) {
    for (const bool opens : {true, false}) {
        keys_.reopen();
        request_.headers.clear();
        request_.headers.add("X-API-Key", admin_);
        handled_ = 0;
        std::vector<net::Middleware> one;
        one.push_back(authenticate({*keys_.keys}, options_, clock_, log_.logger("auth"), metrics_));
        const net::Chain chain(std::move(one),
                               [this](net::Request&) { return handler(handled_, response_); });
        asio::io_context context;
        auto answer = asio::co_spawn(context, chain(request_), asio::use_future);
        context.poll();
        EXPECT_EQ(handled_, 0);
        if (opens) {
            keys_->begin(core_.database, kAlone);
        } else {
            keys_->settle();
        }
        context.run();
        const net::Response response = answer.get();
        EXPECT_EQ(response.failure ? response.failure->error.code() : Code::kInternal,
                  opens ? Code::kInternal : Code::kUnavailable);
        EXPECT_EQ(handled_, opens ? 1 : 0);
    }
}

// PM-50, PM-58
TEST_F(AuthenticationTest, NoHandlerIsReachedWithoutAKey) {
    const net::Response none = ask();
    EXPECT_EQ(refused(none), Code::kUnauthenticated);
    EXPECT_NE(none.failure->error.message().find("X-API-Key"), std::string::npos);
    EXPECT_EQ(none.headers.find("WWW-Authenticate"), "Bearer realm=\"zona\"");

    EXPECT_EQ(refused(ask_with("Authorization", "Basic b3BzOng=")), Code::kUnauthenticated);
    EXPECT_EQ(refused(ask_with("Authorization", admin_)), Code::kUnauthenticated);
    EXPECT_EQ(refused(ask_with("Authorization", "Bearer")), Code::kUnauthenticated);
    EXPECT_EQ(refused(ask_with("X-API-Key", "")), Code::kUnauthenticated);
}

// PM-51
TEST_F(AuthenticationTest, RefusesWrongAndExpiredKeysAndRepeatsNothingOfThem) {
    std::string wrong = admin_;
    wrong.back() = wrong.back() == 'A' ? 'B' : 'A';
    const core::Secret expiring =
        keys_.create({"brief", Scope::kAdmin, clock_.system() + 5s}).value().text;
    clock_.advance(6s);
    for (const std::string& key :
         {wrong, std::string("hunter2"), std::string(expiring.reveal()), admin_ + "x"}) {
        const net::Response response = ask_with("X-API-Key", key);
        EXPECT_EQ(refused(response), Code::kUnauthenticated);
        EXPECT_EQ(response.failure->error.message().find(key), std::string::npos);
        EXPECT_EQ(log_.has(key), false);
    }
}

TEST_F(AuthenticationTest, RefusesTwoDifferentKeysAndTakesOneTwice) {
    request_.headers.add("X-API-Key", admin_);
    request_.headers.add("Authorization", "Bearer " + admin_);
    EXPECT_EQ(ask().status, 200);
    request_.headers.add("X-API-Key", viewer_);
    EXPECT_EQ(refused(ask()), Code::kInvalidArgument);
}

// PM-51, PM-56
TEST_F(AuthenticationTest, TakesAKeyFromTheSubprotocolsOfAWebSocketAndHidesIt) {
    open_socket("zona.key." + admin_ + ", zona.v1");
    EXPECT_EQ(ask().status, 200);
    EXPECT_EQ(request_.principal, "key ops");
    EXPECT_EQ(request_.headers.find("Sec-WebSocket-Protocol"), "zona.v1");

    open_socket("zona.key." + admin_);
    EXPECT_EQ(ask().status, 200);
    EXPECT_FALSE(request_.headers.has("Sec-WebSocket-Protocol"));

    request_.peer = net::UnixPeer{.uid = 7, .gid = 7, .pid = 1};
    open_socket("zona.v1, zona.key." + admin_);
    EXPECT_EQ(ask().status, 200);
    EXPECT_EQ(request_.headers.find("Sec-WebSocket-Protocol"), "zona.v1");
}

// PM-56, PM-58
TEST_F(AuthenticationTest, OpensNoWebSocketWithoutAGoodKey) {
    open_socket("zona.v1");
    const net::Response none = ask();
    EXPECT_EQ(refused(none), Code::kUnauthenticated);
    EXPECT_NE(none.failure->error.message().find("zona.key.KEY"), std::string::npos);

    for (const std::string& key : {std::string(), std::string("hunter2"), admin_ + "x"}) {
        open_socket("zona.v1, zona.key." + key);
        const net::Response response = ask();
        EXPECT_EQ(refused(response), Code::kUnauthenticated) << key;
        EXPECT_FALSE(!key.empty() &&
                     (response.failure->error.message().contains(key) || log_.has(key)));
    }
}

TEST_F(AuthenticationTest, RefusesTwoDifferentKeysOfAWebSocketAndTakesOneTwice) {
    open_socket("zona.key." + admin_ + ", zona.key." + admin_);
    request_.headers.add("Authorization", "Bearer " + admin_);
    EXPECT_EQ(ask().status, 200);

    open_socket("zona.key." + admin_ + ", zona.key." + viewer_);
    EXPECT_EQ(refused(ask()), Code::kInvalidArgument);
    open_socket("zona.key." + admin_);
    request_.headers.add("X-API-Key", viewer_);
    EXPECT_EQ(refused(ask()), Code::kInvalidArgument);
}

TEST_F(AuthenticationTest, TakesNoKeyFromTheSubprotocolsOfAnotherRequest) {
    for (const char* missing : {"Upgrade", "Connection"}) {
        open_socket("zona.key." + admin_);
        request_.headers.remove(missing);
        EXPECT_EQ(refused(ask()), Code::kUnauthenticated) << missing;
    }
    open_socket("zona.key." + admin_);
    request_.method = net::Method::kPost;
    EXPECT_EQ(refused(ask()), Code::kUnauthenticated);
}

TEST_F(AuthenticationTest, RefusesKeysInUrlsEvenGoodOnes) {
    for (const char* name : {"api_key", "apikey", "Token", "access_token"}) {
        request_.query = {{name, admin_}};
        const net::Response response = ask_with("X-API-Key", admin_);
        EXPECT_EQ(refused(response), Code::kInvalidArgument) << name;
        EXPECT_EQ(response.failure->error.message().find(admin_), std::string::npos);
    }
    for (const net::Parameter& anywhere :
         {net::Parameter{"select", admin_}, net::Parameter{admin_, ""}}) {
        request_.query = {anywhere};
        EXPECT_EQ(refused(ask_with("X-API-Key", admin_)), Code::kInvalidArgument) << anywhere.name;
    }
    request_.query = {{"select", "zona_key_rotation"}};
    EXPECT_FALSE(ask_with("X-API-Key", admin_).failure);
    request_.path = "/api/v1/processes/" + admin_;
    EXPECT_EQ(refused(ask_with("X-API-Key", admin_)), Code::kInvalidArgument);
    EXPECT_TRUE(is_secret_path(request_.path)) << "whoever logs the path asks this";
    for (const std::string path : {"/api/v1/processes/eyJhbGciOiJFZERTQSJ9.e30.c2ln",
                                   "/updateUserSessionExpiretime/without-a-route"}) {
        request_.path = path;
        EXPECT_EQ(refused(ask_with("X-API-Key", admin_)), Code::kInvalidArgument) << path;
    }
}

TEST_F(AuthenticationTest, AViewerReadsAndChangesNothing) {
    for (const net::Method method :
         {net::Method::kGet, net::Method::kHead, net::Method::kOptions}) {
        request_.method = method;
        EXPECT_EQ(ask_with("X-API-Key", viewer_).status, 200);
    }
    for (const net::Method method : {net::Method::kPost, net::Method::kPut, net::Method::kPatch,
                                     net::Method::kDelete, net::Method::kOther}) {
        request_.method = method;
        EXPECT_EQ(refused(ask_with("X-API-Key", viewer_)), Code::kAccessDenied);
        EXPECT_EQ(ask_with("X-API-Key", admin_).status, 200);
    }
}

// AUTH-01, AUTH-02, AUTH-03, AUTH-13
TEST_F(AuthenticationTest, OpenRoutesNeedNoKeyAndTakeNoWrongOne) {
    net::Router router;
    for (const bool open : {true, false}) {
        ASSERT_TRUE(router.add(net::Method::kGet, open ? "/open" : "/closed", net::Handler(),
                               {.open = open}));
    }
    const auto match = [&](const char* path) {
        request_.segments = {path + 1};
        router.match(request_);
    };
    match("/open");
    EXPECT_EQ(ask().status, 200);
    EXPECT_EQ(request_.principal, "anybody");
    EXPECT_EQ(refused(ask_with("X-API-Key", "wrong")), Code::kUnauthenticated);
    request_.headers.clear();
    match("/closed");
    EXPECT_EQ(refused(ask()), Code::kUnauthenticated);
}

// PM-52
TEST_F(AuthenticationTest, CanBeSwitchedOffAndStillKnowsKeysAndScopes) {
    options_.demand = Demand::kNothing;
    EXPECT_EQ(ask().status, 200);
    EXPECT_EQ(request_.principal, "anybody");
    request_.method = net::Method::kPost;
    EXPECT_EQ(refused(ask_with("X-API-Key", viewer_)), Code::kAccessDenied);
    EXPECT_EQ(refused(ask_with("X-API-Key", "wrong")), Code::kUnauthenticated);
}

// PM-57
TEST_F(AuthenticationTest, TheUnixSocketNeedsNoKey) {
    request_.peer = net::UnixPeer{0, 0, 1};
    EXPECT_EQ(ask().status, 200);
    EXPECT_EQ(request_.principal, "uid 0");
}

TEST_F(AuthenticationTest, HoldsBackTheAnswerToAWrongKeyAndNoOther) {
    options_.first_delay = options_.longest_delay = 1h;
    EXPECT_EQ(ask().failure->error.code(), Code::kUnauthenticated) << "no key, nothing guessed";
    EXPECT_EQ(ask_with("X-API-Key", admin_).status, 200);
    request_.headers.set("X-API-Key", "wrong");
    asio::io_context context;
    auto answer = asio::co_spawn(context, (*chain_)(request_), asio::use_future);

    context.poll();

    EXPECT_EQ(answer.wait_for(0s), std::future_status::timeout);
    EXPECT_FALSE(context.stopped()) << "it waits for its time";
}

TEST_F(AuthenticationTest, FailuresAreCountedAndLoggedEverMoreRarely) {
    for (int i = 0; i < 9; ++i)
        ask_with("X-API-Key", "wrong");
    EXPECT_EQ(refusals_told(), 4) << "1, 2, 4, 8";
    EXPECT_TRUE(log_.has("203.0.113.7"));
    const auto& counter =
        metrics_.counter("zona_authentication_failures_total",
                         "Requests whose sender is not known.", {{"reason", "malformed"}});
    EXPECT_EQ(counter.value(), 9U);

    clock_.advance(601s);
    ask_with("X-API-Key", "wrong");
    EXPECT_EQ(refusals_told(), 5) << "forgiven meanwhile";
}

TEST_F(AuthenticationTest, RemembersABoundedNumberOfAddresses) {
    options_.first_delay = options_.longest_delay = 0ms;
    for (int i = 0; i < 3000; ++i) {
        request_.peer =
            net::TcpPeer{"10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250), 1};
        ask_with("X-API-Key", "wrong");
        clock_.advance(1ms);
    }
    const std::ptrdiff_t before = refusals_told();
    request_.peer = net::TcpPeer{"10.0.0.0", 1};
    ask_with("X-API-Key", "wrong");
    EXPECT_EQ(refusals_told(), before + 1) << "the oldest is forgotten";
}

/// A body that ends when it is cancelled alone.
struct Endless {
    net::StreamBody body() {
        return [this](net::BodyWriter&) -> asio::awaitable<core::Result<void>> {
            return wait(started, ended);
        };
    }
    static asio::awaitable<core::Result<void>> wait(bool& started, bool& ended) {
        started = true;
        asio::steady_timer timer(co_await asio::this_coro::executor, core::SteadyTime::max());
        co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
        ended = true;
        co_return core::Result<void>();
    }
    bool started = false, ended = false;
};

class NoWriter final : public net::BodyWriter {
  public:
    asio::awaitable<core::Result<void>> write(std::string_view) override {
        co_return core::Result<void>();
    }
};

TEST_F(AuthenticationTest, AStreamEndsWithTheKeyThatOpenedIt) {
    options_.recheck = 1ms;
    NoWriter writer;
    for (const bool revoked : {true, false}) {
        const auto end = revoked ? std::optional<core::SystemTime>() : clock_.system() + 5s;
        const core::Secret key = keys_.create({"brief", Scope::kViewer, end}).value().text;
        Endless endless;
        response_ = [&endless] {
            return net::Response::streaming("text/plain", endless.body(), net::StreamEnd::kOnDrain);
        };
        net::Response response = ask_with("X-API-Key", std::string(key.reveal()));
        asio::io_context context;
        auto end_of_stream = asio::co_spawn(context, response.stream(writer), asio::use_future);
        context.run_for(20ms);
        EXPECT_TRUE(endless.started);
        EXPECT_FALSE(endless.ended) << "as long as its key is good";
        if (revoked) ASSERT_TRUE(keys_.revoke("brief"));
        clock_.advance(6s);
        context.run();
        EXPECT_TRUE(endless.ended);
        EXPECT_EQ(end_of_stream.get().error().code(), Code::kUnauthenticated);
    }
}

TEST_F(AuthenticationTest, AStreamThatEndsByItselfIsLeftAlone) {
    response_ = [] {
        auto body = [](net::BodyWriter& writer) { return writer.write(""); };
        return net::Response::streaming("text/plain", body, net::StreamEnd::kOnDrain);
    };
    NoWriter writer;
    net::Response response = ask_with("X-API-Key", viewer_);
    asio::io_context context;
    auto end_of_stream = asio::co_spawn(context, response.stream(writer), asio::use_future);
    context.run();
    EXPECT_TRUE(end_of_stream.get().has_value());
}

}  // namespace
}  // namespace zona::identity
