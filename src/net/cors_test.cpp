#include "net/cors.h"

#include <stdexcept>

#include <gtest/gtest.h>

#include "net/testing/middleware_fixture.h"

namespace zona::net {
namespace {

class CorsTest : public MiddlewareTest {
  protected:
    /// The request through cors() and what makes faults and errors into answers.
    Response through(const std::vector<std::string>& origins) {
        std::vector<Middleware> all;
        all.push_back(cors(OriginList::parse(origins).value()));
        all.push_back(render_errors(log_.logger()));
        all.push_back(refuse_faults());
        return run(std::move(all));
    }
    void preflight(std::string_view origin) {
        request_.method = Method::kOptions;
        request_.headers.add("Origin", origin);
        request_.headers.add("Access-Control-Request-Method", "DELETE");
    }
    static bool has_cors(const Response& response) {
        for (const Headers::Field field : response.headers) {
            if (field.name.starts_with("Access-Control-")) return true;
        }
        return false;
    }

    const std::vector<std::string> panel_ = {"https://panel.example"};
};

// PM-47
TEST_F(CorsTest, AnswersThePreflightOfAnAllowedOrigin) {
    preflight("https://panel.example");

    const Response response = through(panel_);

    EXPECT_EQ(response.status, 204);
    EXPECT_EQ(seen_, 0) << "a preflight has no key: nothing behind is asked";
    EXPECT_EQ(response.headers.find("Access-Control-Allow-Origin"), "https://panel.example");
    EXPECT_EQ(response.headers.find("Access-Control-Allow-Methods"),
              "GET, HEAD, POST, PUT, PATCH, DELETE");
    EXPECT_EQ(response.headers.find("Access-Control-Allow-Headers"),
              "Authorization, X-API-Key, Content-Type, X-Correlation-Id, Last-Event-ID, "
              "If-None-Match");
    EXPECT_EQ(response.headers.find("Access-Control-Max-Age"), "600");
    EXPECT_EQ(response.headers.find("Vary"), "Origin");
    EXPECT_FALSE(response.headers.has("Access-Control-Allow-Credentials"));
}

// PM-47
TEST_F(CorsTest, RefusesThePreflightOfAnyOtherOrigin) {
    for (const std::string_view origin :
         {"https://evil.example", "http://panel.example", "null", "https://panel.example/"}) {
        request_.clear();
        preflight(origin);

        const Response response = through(panel_);

        EXPECT_EQ(response.status, 403) << origin;
        EXPECT_TRUE(response.body.contains("FORBIDDEN"));
        EXPECT_TRUE(response.body.contains("api.cors_origins"));
        EXPECT_FALSE(has_cors(response));
        EXPECT_EQ(seen_, 0);
    }
}

// PM-47
TEST_F(CorsTest, AllowsNobodyByDefault) {
    preflight("https://panel.example");

    const Response response = through({});

    EXPECT_EQ(response.status, 403);
    EXPECT_FALSE(has_cors(response));
}

// PM-47
TEST_F(CorsTest, LetsAnAllowedOriginReadTheAnswer) {
    request_.method = Method::kGet;
    request_.headers.add("Origin", "https://panel.example");
    answer_ = [] {
        Response response = Response::success("1");
        response.headers.add("Vary", "Accept-Encoding");
        return response;
    };

    const Response response = through(panel_);

    EXPECT_EQ(response.headers.find("Access-Control-Allow-Origin"), "https://panel.example");
    EXPECT_EQ(response.headers.find("Access-Control-Expose-Headers"),
              "X-Correlation-Id, ETag, Retry-After, Link");
    EXPECT_EQ(response.headers.find("Vary"), "Accept-Encoding, Origin");
}

TEST_F(CorsTest, LetsAnAllowedOriginReadErrorsAndFaults) {
    request_.method = Method::kGet;
    request_.headers.add("Origin", "https://panel.example");
    answer_ = []() -> Response { throw std::runtime_error("x"); };
    EXPECT_TRUE(has_cors(through(panel_)));

    request_.fault = Fault{core::Error(core::Code::kTooManyRequests, "slow"), 0};
    const Response response = through(panel_);

    EXPECT_EQ(response.status, 429);
    EXPECT_TRUE(has_cors(response));
}

TEST_F(CorsTest, KeepsTheFaultOfAPreflight) {
    preflight("https://panel.example");
    request_.fault = Fault{core::Error(core::Code::kInvalidArgument, "bad"), 0};

    EXPECT_EQ(through(panel_).status, 400);
}

TEST_F(CorsTest, AddsNothingForOtherOriginsAndPrograms) {
    request_.method = Method::kGet;
    for (const std::string_view origin : {"", "https://evil.example"}) {
        request_.headers.clear();
        if (!origin.empty()) request_.headers.add("Origin", origin);

        const Response response = through(panel_);

        EXPECT_EQ(response.status, 200);
        EXPECT_FALSE(has_cors(response));
        EXPECT_EQ(response.headers.find("Vary"), "Origin") << "a cache must not mix them up";
    }
}

TEST_F(CorsTest, AStarIsAnsweredWithAStar) {
    request_.method = Method::kGet;
    request_.headers.add("Origin", "https://any.example");

    const Response response = through({"*"});

    EXPECT_EQ(response.headers.find("Access-Control-Allow-Origin"), "*");
    EXPECT_FALSE(response.headers.has("Vary"));
}

TEST_F(CorsTest, OptionsWithoutARequestedMethodIsNoPreflight) {
    request_.method = Method::kOptions;
    request_.headers.add("Origin", "https://evil.example");

    EXPECT_EQ(through(panel_).status, 200);
    EXPECT_EQ(seen_, 1);
}

}  // namespace
}  // namespace zona::net
