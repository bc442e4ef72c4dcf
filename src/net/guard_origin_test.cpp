#include "net/guard_origin.h"

#include <gtest/gtest.h>

#include "net/testing/middleware_fixture.h"

namespace zona::net {
namespace {

class GuardOriginTest : public MiddlewareTest {
  protected:
    GuardOriginTest() { request_.peer = TcpPeer{"127.0.0.1", 40000}; }

    int status() {
        std::vector<Middleware> all;
        all.push_back(
            guard_origin(HostList::parse(hosts_).value(), OriginList::parse(origins_).value()));
        all.push_back(render_errors(log_.logger()));
        all.push_back(refuse_faults());
        const Response response = run(std::move(all));
        body_ = response.body;
        request_.fault.reset();
        return response.status;
    }
    int status_for_host(std::string_view host) {
        request_.headers.set("Host", host);
        return status();
    }
    int status_from(std::string_view origin) {
        request_.headers.set("Origin", origin);
        return status();
    }

    std::vector<std::string> hosts_ = {"zona.example"};
    std::vector<std::string> origins_ = {"https://panel.example"};
    std::string body_;
};

// PM-52
TEST_F(GuardOriginTest, ServesItsOwnNamesOnly) {
    request_.method = Method::kGet;
    for (const std::string_view own :
         {"127.0.0.1:8063", "[::1]:8063", "localhost", "a.localhost", "ZONA.example:443"}) {
        EXPECT_EQ(status_for_host(own), 200) << own;
    }
    for (const std::string_view other : {"rebound.evil:8063", "", "localhost.evil",
                                         "127.0.0.1.evil", "a@localhost", "localhost:x"}) {
        EXPECT_EQ(status_for_host(other), 421) << other;
        EXPECT_TRUE(body_.contains("INVALID_ARGUMENT"));
        EXPECT_TRUE(body_.contains("api.hosts")) << body_;
    }
}

TEST_F(GuardOriginTest, RefusesPreflightsUnderAForeignName) {
    request_.method = Method::kOptions;
    request_.headers.add("Origin", "https://panel.example");
    request_.headers.add("Access-Control-Request-Method", "POST");

    EXPECT_EQ(status_for_host("rebound.evil"), 421);
}

TEST_F(GuardOriginTest, LooksAtTheHostOfAnAbsoluteTarget) {
    request_.method = Method::kGet;
    request_.target = "http://rebound.evil/api";
    EXPECT_EQ(status_for_host("localhost"), 421);

    request_.target = "http://localhost:8063/api";
    EXPECT_EQ(status_for_host("localhost"), 200);
    EXPECT_EQ(status_for_host("rebound.evil"), 421);

    request_.target = "/api?to=http://rebound.evil/";
    EXPECT_EQ(status_for_host("localhost"), 200);
}

TEST_F(GuardOriginTest, TakesHttp10WithoutAHost) {
    request_.method = Method::kGet;
    request_.version = 10;

    EXPECT_EQ(status(), 200);
}

// PM-47, PM-52
TEST_F(GuardOriginTest, RefusesChangesByPagesOfOtherOrigins) {
    request_.headers.add("Host", "localhost:8063");
    for (const Method method : {Method::kPost, Method::kPut, Method::kPatch, Method::kDelete}) {
        request_.method = method;
        for (const std::string_view origin :
             {"https://evil.example", "http://localhost", "http://localhost:3000",
              "http://127.0.0.1:8063", "null", "", "http://localhost:8063/x"}) {
            EXPECT_EQ(status_from(origin), 403) << origin;
            EXPECT_TRUE(body_.contains("api.cors_origins"));
        }
        for (const std::string_view origin :
             {"http://localhost:8063", "https://localhost:8063", "https://panel.example"}) {
            EXPECT_EQ(status_from(origin), 200) << origin;
        }
    }
}

TEST_F(GuardOriginTest, AHostWithoutAPortHasThatOfTheScheme) {
    request_.method = Method::kPost;
    request_.headers.add("Host", "zona.example");

    EXPECT_EQ(status_from("https://zona.example"), 200);
    EXPECT_EQ(status_from("http://zona.example"), 200);
    EXPECT_EQ(status_from("https://zona.example:8443"), 403);
}

TEST_F(GuardOriginTest, ReadingIsLeftToCors) {
    request_.headers.add("Host", "localhost");
    for (const Method method : {Method::kGet, Method::kHead, Method::kOptions}) {
        request_.method = method;
        EXPECT_EQ(status_from("https://evil.example"), 200);
    }
}

// PM-56
TEST_F(GuardOriginTest, AnUpgradeIsAsUnsafeAsAChange) {
    request_.method = Method::kGet;
    request_.headers.add("Host", "localhost");
    request_.headers.add("Upgrade", "websocket");

    EXPECT_EQ(status_from("https://evil.example"), 403);
    EXPECT_EQ(status_from("http://localhost"), 200);
}

TEST_F(GuardOriginTest, BelievesTheBrowserAboutTheSite) {
    request_.method = Method::kPost;
    request_.headers.add("Host", "localhost:8063");
    request_.headers.add("Sec-Fetch-Site", "cross-site");

    EXPECT_EQ(status(), 403);
    EXPECT_EQ(status_from("http://localhost:8063"), 403);
    EXPECT_EQ(status_from("https://panel.example"), 200) << "that is what it is allowed for";
    request_.headers.remove("Origin");
    request_.headers.set("Sec-Fetch-Site", "same-origin");
    EXPECT_EQ(status(), 200);
}

TEST_F(GuardOriginTest, ProgramsSendNeither) {
    request_.method = Method::kDelete;

    EXPECT_EQ(status_for_host("127.0.0.1:8063"), 200);
}

TEST_F(GuardOriginTest, DoesNotLookAtTheUnixSocket) {
    request_.peer = UnixPeer{};
    request_.method = Method::kPost;
    request_.headers.add("Origin", "null");

    EXPECT_EQ(status_for_host("anything"), 200);
}

}  // namespace
}  // namespace zona::net
