#include "net/network_policy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "net/testing/test_server.h"

namespace zona::net {
namespace {

Decision ask_for_a_key(const Request& request) {
    if (request.headers.has("X-API-Key")) return {};
    return answer_with(Response::failed(core::Error(core::Code::kUnauthenticated, "no key")));
}

/// A server over TCP with the whole chain, and a stand-in for authentication.
class NetworkPolicyTest : public testing::Test {
  protected:
    void start(RateLimit limit = {}) {
        limiter_.set_limit(limit);
        NetworkPolicy policy;
        policy.origins =
            OriginList::parse(std::vector<std::string>{"https://panel.example"}).value();
        policy.rate = &limiter_;
        server_.route(Method::kGet, "/list", [](Request&) {
            return Response::success("[\"" + std::string(10'000, 'a') + "\"]");
        });
        server_.route(Method::kPost, "/list", [](Request&) { return Response::success("1"); });
        server_.start({ask_for_a_key}, network_middlewares(policy));
    }
    RawResponse ask(std::string_view line, std::string_view headers = "",
                    std::string_view host = "127.0.0.1") {
        RawClient client(server_.endpoint());
        const std::string_view method = line.substr(0, line.find(' '));
        return client.ask(fmt::format("{} HTTP/1.1\r\nHost: {}\r\n{}\r\n", line, host, headers),
                          method);
    }

    core::FakeClock clock_;
    RateLimiter limiter_{clock_};
    TestServer server_{patient_options(), Transport::kTcp};
};

constexpr std::string_view kKey = "X-API-Key: k\r\n";

// PM-47, PM-58
TEST_F(NetworkPolicyTest, APreflightNeedsNoKeyAndTheRequestDoes) {
    start();

    const RawResponse preflight =
        ask("OPTIONS /list",
            "Origin: https://panel.example\r\nAccess-Control-Request-Method: POST\r\n");
    EXPECT_EQ(preflight.status, 204);
    EXPECT_EQ(preflight.header("Access-Control-Allow-Origin"), "https://panel.example");
    EXPECT_EQ(preflight.header("X-Content-Type-Options"), "nosniff");

    const RawResponse refused = ask("GET /list", "Origin: https://panel.example\r\n");
    EXPECT_EQ(refused.status, 401);
    EXPECT_EQ(refused.header("Access-Control-Allow-Origin"), "https://panel.example")
        << "the page must be able to read why";
}

// PM-47, PM-48
TEST_F(NetworkPolicyTest, RefusalsHaveTheEnvelopeAndAllHeaders) {
    start();

    const RawResponse other = ask(
        "OPTIONS /list", "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n");
    const RawResponse rebound = ask("GET /list", kKey, "rebound.evil");
    const RawResponse page =
        ask("POST /list", "X-API-Key: k\r\nOrigin: null\r\nContent-Length: 0\r\n");

    EXPECT_EQ(other.status, 403);
    EXPECT_EQ(rebound.status, 421);
    EXPECT_EQ(page.status, 403);
    for (const RawResponse* answer : {&other, &rebound, &page}) {
        EXPECT_TRUE(answer->body.starts_with(R"({"success":false,"error":{"code":)"));
        EXPECT_EQ(answer->header("Content-Type"), "application/json");
        EXPECT_EQ(answer->header("X-Frame-Options"), "DENY");
        EXPECT_NE(answer->header("X-Correlation-Id"), "(none)");
        EXPECT_EQ(answer->header("Access-Control-Allow-Origin"), "(none)");
    }
}

// HTTP-18
TEST_F(NetworkPolicyTest, AnAnswerIsCompressedAndThenKnownAgain) {
    start();

    const RawResponse first = ask("GET /list", "X-API-Key: k\r\nAccept-Encoding: gzip\r\n");
    EXPECT_EQ(first.status, 200);
    EXPECT_EQ(first.header("Content-Encoding"), "gzip");
    EXPECT_EQ(first.header("Content-Length"), std::to_string(first.body.size()));

    const std::string known = "If-None-Match: " + first.header("ETag") + "\r\n";
    const RawResponse again = ask("GET /list", std::string(kKey) + known);
    EXPECT_EQ(again.status, 304);
    EXPECT_TRUE(again.body.empty());
    EXPECT_EQ(ask("GET /list", known).status, 401) << "a tag is no key";
}

// HTTP-20
TEST_F(NetworkPolicyTest, TooManyRequestsAreRefusedBeforeKeysAreLookedAt) {
    start({1, 2});

    std::vector<int> statuses;
    for (int i = 0; i < 3; ++i)
        statuses.push_back(ask("GET /list").status);
    const RawResponse last = ask("GET /list", "Origin: https://panel.example\r\n");

    EXPECT_EQ(statuses[0], 401);
    EXPECT_EQ(last.status, 429);
    EXPECT_EQ(last.header("Retry-After"), "1");
    EXPECT_EQ(last.header("Access-Control-Allow-Origin"), "https://panel.example");
}

}  // namespace
}  // namespace zona::net
