#include "net/outgoing/http_caller.h"

#include <atomic>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "net/testing/test_server.h"

namespace zona::net {
namespace {

using core::Code;
using core::Result;

/// What is called; its pauses are short.
class HttpCallerTest : public testing::Test {
  protected:
    OutgoingOptions options(Reach reach = Reach::kThisHost) const {
        return {.ca_file = ca_,
                .reach = reach,
                .attempts = 3,
                .first_pause = std::chrono::milliseconds(1),
                .circuit = {.failures = 100}};
    }
    void start(Transport transport = Transport::kTcp) {
        server_ = std::make_unique<TestServer>(patient_options(), transport);
        server_->route(Method::kGet, "/hello", [this](Request& request) -> Result<Response> {
            const std::lock_guard lock(mutex_);
            clients_.insert(to_string(request.peer));
            ++asked_;
            if (failing_-- > 0) return core::Error(Code::kUnavailable, "not yet");
            return Response{.body = std::string(length_, 'x')};
        });
        server_->route(Method::kPost, "/hello", [this](Request&) -> Result<Response> {
            ++asked_;
            return core::Error(Code::kUnavailable, "not yet");
        });
        server_->start();
        if (transport == Transport::kTls) {
            ca_ = server_->authority().ca_file();
            url_ = "https://" + server_->address() + "/hello";
        } else {
            url_ = "http://" + server_->endpoint() + "/hello";
        }
    }
    Result<OutgoingResponse> call(HttpCaller& caller, OutgoingRequest request = {}) {
        if (request.url.empty()) request.url = url_;
        return caller.call(request, core::Deadline::after(clock_, kPatience));
    }
    HttpCaller make(OutgoingOptions options) {
        return {std::move(options), clock_, random_, metrics_};
    }
    static Code code_of(const Result<OutgoingResponse>& got) {
        return got ? Code::kInternal : got.error().code();
    }

    core::RealClock clock_;
    core::SystemRandom random_;
    core::MetricRegistry metrics_;
    std::unique_ptr<TestServer> server_;
    std::string url_;
    std::string ca_;
    std::mutex mutex_;
    std::set<std::string> clients_;
    std::atomic<int> asked_ = 0;
    int failing_ = 0;
    std::size_t length_ = 5;
};

// HTTP-21
TEST_F(HttpCallerTest, ConnectionsAreUsedAgain) {
    start(Transport::kTls);
    HttpCaller caller = make(options());
    for (int i = 0; i < 20; ++i) {
        const auto got = call(caller);
        ASSERT_TRUE(got) << got.error().message();
        EXPECT_EQ(got->status, 200);
        EXPECT_EQ(got->body, "xxxxx");
    }
    EXPECT_EQ(asked_, 20);
    EXPECT_EQ(clients_.size(), 1U);
}

// HTTP-16, REL-11
TEST_F(HttpCallerTest, WhatFailsForAMomentIsTriedAgain) {
    start();
    failing_ = 2;
    HttpCaller caller = make(options());
    EXPECT_EQ(call(caller).value().status, 200);
    EXPECT_EQ(asked_, 3);
    EXPECT_TRUE(metrics_.render_prometheus().contains("zona_outgoing_retries_total 2"));
    failing_ = 100;
    EXPECT_EQ(call(caller).value().status, 503) << "the last answer is given";
    EXPECT_EQ(asked_, 6);
}

TEST_F(HttpCallerTest, WhatChangesSomethingIsNotRepeated) {
    start();
    HttpCaller caller = make(options());
    OutgoingRequest once{
        .method = "POST", .headers = {}, .body = core::Secret("{}"), .repeat = Repeat::kNot};
    once.headers.emplace_back("Content-Type", core::Secret("application/json"));
    EXPECT_EQ(call(caller, once).value().status, 503);
    EXPECT_EQ(asked_, 1);
}

// REL-11
TEST_F(HttpCallerTest, WhoFailsIsLeftAlone) {
    start();
    failing_ = 1000;
    OutgoingOptions wanted = options();
    wanted.circuit = {.failures = 3, .open_for = std::chrono::hours(1)};
    HttpCaller caller = make(wanted);
    EXPECT_TRUE(call(caller));
    EXPECT_EQ(asked_, 3);
    const auto held = call(caller);
    ASSERT_FALSE(held);
    EXPECT_EQ(held.error().code(), Code::kUnavailable);
    EXPECT_TRUE(held.error().message().contains("is left alone")) << held.error().message();
    EXPECT_EQ(asked_, 3);
    EXPECT_TRUE(metrics_.render_prometheus().contains(
        "zona_outgoing_calls_total{outcome=\"held_back\"} 1"));
}

TEST_F(HttpCallerTest, ThisHostIsCalledOnlyWhereThatIsAllowed) {
    start(Transport::kTls);
    HttpCaller caller = make(options(Reach::kNetwork));
    const std::string port = url_.substr(url_.rfind(':'));
    for (const std::string& host : {"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]",
                                    "0.0.0.0", "127.1", "2130706433", "0x7f000001"}) {
        EXPECT_EQ(code_of(call(caller, {.url = "https://" + host + port})), Code::kInvalidArgument)
            << host;
    }
    EXPECT_EQ(asked_, 0);
}

TEST_F(HttpCallerTest, LinkLocalAddressesAreNeverCalled) {
    HttpCaller caller = make(options());
    for (const char* url : {"http://169.254.169.254/latest/meta-data", "https://169.254.169.254/",
                            "http://[::ffff:169.254.169.254]/", "http://[fe80::1]/",
                            "https://[fd00:ec2::254]/", "https://[64:ff9b::a9fe:a9fe]/"})
        EXPECT_EQ(code_of(call(caller, {.url = url})), Code::kInvalidArgument) << url;
}

// SEC-05
TEST_F(HttpCallerTest, OthersAreNotCalledWithoutTls) {
    HttpCaller caller = make(options());
    const auto got = call(caller, {.url = "http://192.0.2.1/"});
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code(), Code::kInvalidArgument);
    EXPECT_TRUE(got.error().message().contains("https")) << got.error().message();
}

// SEC-05
TEST_F(HttpCallerTest, CertificateThatNobodyTrustsIsRefused) {
    start(Transport::kTls);
    OutgoingOptions wanted = options();
    TestAuthority other;
    wanted.ca_file = other.ca_file();
    HttpCaller caller = make(wanted);
    EXPECT_EQ(code_of(call(caller)), Code::kUnavailable);
    EXPECT_EQ(asked_, 0);
}

TEST_F(HttpCallerTest, AnswerWithoutEndIsCutOff) {
    start();
    length_ = 2048;
    OutgoingOptions wanted = options();
    wanted.max_body = core::ByteCount::kib(1);
    HttpCaller caller = make(wanted);
    EXPECT_EQ(code_of(call(caller)), Code::kTooLarge);
}

TEST_F(HttpCallerTest, ForeignUrlsAreRefusedAndNotRepeated) {
    HttpCaller caller = make(options());
    for (const char* url : {"", "idp", "ftp://127.0.0.1/", "file:///etc/passwd",
                            "https://anna:hidden@idp.example/", "gopher://127.0.0.1:25/x"}) {
        const auto got = caller.call({.url = url}, core::Deadline::never());
        ASSERT_FALSE(got) << url;
        EXPECT_EQ(got.error().code(), Code::kInvalidArgument) << url;
        EXPECT_FALSE(got.error().message().contains("hidden"));
    }
}

TEST_F(HttpCallerTest, NobodyThereIsSaidWithTheOriginAlone) {
    start();
    server_->stop();
    server_.reset();
    HttpCaller caller = make(options());
    const auto got = call(caller, {.url = url_ + "?code=hidden"});
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code(), Code::kUnavailable);
    EXPECT_FALSE(got.error().message().contains("hidden")) << got.error().message();
}

TEST_F(HttpCallerTest, StopEndsACallThatWaitsToTryAgain) {
    start();
    failing_ = 1000;
    OutgoingOptions wanted = options();
    wanted.first_pause = wanted.longest_pause = std::chrono::hours(1);
    HttpCaller caller = make(wanted);
    Result<OutgoingResponse> got;
    std::thread waiting([&] { got = caller.call({.url = url_}, core::Deadline::never()); });
    EXPECT_TRUE(TestServer::eventually([&] { return asked_ > 0; }));
    caller.stop();
    waiting.join();
    EXPECT_EQ(code_of(got), Code::kCancelled);
    EXPECT_EQ(code_of(call(caller)), Code::kCancelled);
}

}  // namespace
}  // namespace zona::net
