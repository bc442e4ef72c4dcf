#include "net/middleware.h"

#include <stdexcept>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <gtest/gtest.h>

#include "net/testing/middleware_fixture.h"

namespace zona::net {
namespace {

// HTTP-10
TEST_F(MiddlewareTest, CorrelateHonoursAValidIdOfTheClient) {
    request_.headers.add("x-correlation-id", "Abc.9_-");

    const Response response = run(correlate(random_));

    EXPECT_EQ(request_.correlation_id, "Abc.9_-");
    EXPECT_EQ(response.headers.find("X-Correlation-Id"), "Abc.9_-");
}

// HTTP-10
TEST_F(MiddlewareTest, CorrelateReplacesWhatIsNoId) {
    for (const std::string& bad : {std::string(), std::string("a b"), std::string("a\"b"),
                                   std::string(65, 'a'), std::string("ä")}) {
        request_.clear();
        request_.headers.add("X-Correlation-Id", bad);

        run(correlate(random_));

        EXPECT_NE(request_.correlation_id, bad);
        EXPECT_FALSE(request_.correlation_id.empty());
    }
}

TEST_F(MiddlewareTest, CorrelateGivesEveryRequestItsOwnId) {
    const Middleware middleware = correlate(random_);
    run(middleware);
    const std::string first = request_.correlation_id;
    request_.clear();

    run(middleware);

    EXPECT_NE(request_.correlation_id, first);
}

// HTTP-07
TEST_F(MiddlewareTest, SecurityHeadersGiveWayToTheHandlers) {
    answer_ = [] {
        Response response;
        response.headers.add("cache-control", "max-age=60");
        return response;
    };

    const Response response = run(security_headers());

    EXPECT_EQ(response.headers.find_all("Cache-Control"),
              (std::vector<std::string_view>{"max-age=60"}));
    EXPECT_EQ(response.headers.find("X-Frame-Options"), "DENY");
}

// HTTP-15
TEST_F(MiddlewareTest, RenderErrorsGivesEveryCodeItsStatusAndEnvelope) {
    request_.correlation_id = "id-1";
    for (const core::CodeInfo& row : core::all_codes()) {
        answer_ = [&row] {
            core::Error error(row.code, "what went wrong");
            error.detail({"/apps/0", "problem", "hint"});
            return Response::failed(std::move(error));
        };

        const Response response = run(render_errors(log_.logger()));

        EXPECT_EQ(response.status, row.http_status);
        EXPECT_EQ(response.headers.find("Content-Type"), "application/json");
        EXPECT_EQ(response.body,
                  R"({"success":false,"error":{"code":")" + std::string(row.name) +
                      R"(","message":"what went wrong","details":[{"where":"/apps/0",)"
                      R"("problem":"problem","hint":"hint"}],"correlation_id":"id-1"}})");
    }
}

// HTTP-15
TEST_F(MiddlewareTest, RenderErrorsLogsEachFailureOnceAtTheLevelOfItsCode) {
    request_.correlation_id = "id-1";
    for (const core::CodeInfo& row : core::all_codes()) {
        core::MemoryLog log;
        answer_ = [&row] { return Response::failed(core::Error(row.code, "what went wrong")); };

        run(render_errors(log.logger()));

        const auto lines = log.lines();
        ASSERT_EQ(lines.size(), 1U) << row.name;
        EXPECT_TRUE(lines[0].contains("\"level\":\"" + std::string(core::to_string(row.log_level))))
            << lines[0];
        EXPECT_TRUE(lines[0].contains("\"correlation_id\":\"id-1\""));
    }
}

TEST_F(MiddlewareTest, RenderErrorsKeepsTheFieldsOfAFailedResponse) {
    answer_ = [] {
        Response response =
            Response::failed(core::Error(core::Code::kTooManyRequests, "slow"), 420);
        response.headers.add("Retry-After", "5");
        return response;
    };

    const Response response = run(render_errors(log_.logger()));

    EXPECT_EQ(response.status, 420);
    EXPECT_EQ(response.headers.find("Retry-After"), "5");
}

// HTTP-15
TEST_F(MiddlewareTest, RenderErrorsMakesAnExceptionInternalAndLogsItsText) {
    request_.correlation_id = "id-2";
    answer_ = []() -> Response { throw std::runtime_error("the private cause"); };

    const Response response = run(render_errors(log_.logger()));

    EXPECT_EQ(response.status, 500);
    EXPECT_FALSE(response.body.contains("private"));
    EXPECT_TRUE(response.body.contains("id-2"));
    EXPECT_TRUE(log_.has("the private cause"));
}

TEST_F(MiddlewareTest, RenderErrorsTakesOperationAbortedForACancellation) {
    answer_ = []() -> Response {
        throw boost::system::system_error(asio::error::operation_aborted);
    };

    const Response response = run(render_errors(log_.logger()));

    EXPECT_EQ(response.status, 499);
}

TEST_F(MiddlewareTest, WhatThrowsIsAnsweredByTheNearestThatCatchesAndSeenByThoseAroundIt) {
    std::string seen;
    std::vector<Middleware> all;
    all.push_back([&](const Request&, Response&) { seen += "outer "; });
    all.push_back(render_errors(log_.logger()));
    all.push_back([&](const Request&, Response&) { seen += "inner "; });
    all.push_back([](const Request&) -> Decision { throw std::runtime_error("x"); });

    EXPECT_EQ(run(std::move(all)).status, 500);

    EXPECT_EQ(seen, "outer ");
    EXPECT_EQ(seen_, 0);
}

TEST_F(MiddlewareTest, OneThatAnswersItselfKeepsTheRequestFromThoseBehindAndChangesItsAnswer) {
    std::string seen;
    std::vector<Middleware> all;
    all.push_back(
        Middleware([](const Request&) { return answer_with(Response::json("{}", 418)); },
                   [&](const Request&, Response& own) { seen += std::to_string(own.status); }));
    all.push_back([&](const Request&, Response&) { seen += "inner"; });

    EXPECT_EQ(run(std::move(all)).status, 418);

    EXPECT_EQ(seen, "418");
    EXPECT_EQ(seen_, 0);
}

TEST_F(MiddlewareTest, RefuseFaultsKeepsAFaultyRequestFromTheRest) {
    request_.fault = Fault{core::Error(core::Code::kInvalidArgument, "bad"), 417};

    const Response response = run(refuse_faults());

    EXPECT_EQ(response.status, 417);
    EXPECT_EQ(seen_, 0);
}

// OBS-16
TEST_F(MiddlewareTest, AccessLogWritesWhenTheResponseIsFinished) {
    request_.method_name = "GET";
    request_.path = "/a";
    request_.target = "/a?key=secret";
    request_.received = log_.clock().steady();
    request_.peer = TcpPeer{"203.0.113.7", 4000};
    request_.headers.add("User-Agent", std::string(300, 'u'));

    Response response = run(access_log(log_.logger(), log_.clock()));
    EXPECT_TRUE(log_.lines().empty());
    log_.clock().advance(std::chrono::milliseconds(3));
    finish(response, core::ByteCount(77));

    const auto lines = log_.lines();
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_TRUE(lines[0].contains("\"path\":\"/a\",\"route\":\"\",\"status\":200"));
    EXPECT_TRUE(lines[0].contains("\"bytes_out\":77,\"duration_us\":3000"));
    EXPECT_TRUE(lines[0].contains("\"peer\":\"203.0.113.7:4000\""));
    EXPECT_TRUE(lines[0].contains("\"user_agent\":\"" + std::string(200, 'u') + "\""));
    EXPECT_FALSE(lines[0].contains("secret"));
}

TEST_F(MiddlewareTest, AccessLogOfAnUnreadableTargetLeavesItOut) {
    request_.method_name = "GET";
    request_.target = "/%zz/secret?key=secret";

    Response response = run(access_log(log_.logger(), log_.clock()));
    finish(response);

    ASSERT_EQ(log_.lines().size(), 1U);
    EXPECT_TRUE(log_.lines()[0].contains("\"path\":\"(unreadable)\""));
    EXPECT_FALSE(log_.lines()[0].contains("secret"));
}

TEST_F(MiddlewareTest, NobodyLogsAPathThatHoldsASecret) {
    const SecretTest is_secret = [](std::string_view text) { return text.contains("hush"); };
    request_.method_name = "GET";
    request_.path = "/a/hush";
    answer_ = [] {
        return Response::failed(core::Error(core::Code::kNotFound, "there is no /a/hush"));
    };

    Response response = run(access_log(log_.logger(), log_.clock(), is_secret));
    finish(response);
    run(render_errors(log_.logger(), {}, is_secret));

    ASSERT_EQ(log_.lines().size(), 2U);
    for (const std::string& line : log_.lines()) {
        EXPECT_TRUE(line.contains("\"path\":\"(secret)\"")) << line;
        EXPECT_FALSE(line.contains("hush")) << line;
    }
}

// HTTP-13
TEST_F(MiddlewareTest, RecordMetricsCountsDurationBytesAndInFlight) {
    request_.method = Method::kGet;
    request_.route = "/a/{id}";
    request_.received = log_.clock().steady();
    request_.bytes_in = core::ByteCount(5);
    const core::Gauge& in_flight = metrics_.gauge("zona_http_requests_in_flight", "help");

    Response response = run(record_metrics(metrics_, log_.clock()));
    EXPECT_EQ(in_flight.value(), 1.0);
    finish(response, core::ByteCount(70));
    response = {};

    EXPECT_EQ(in_flight.value(), 0.0);
    const std::string text = metrics_.render_prometheus();
    const std::string labels = "{method=\"GET\",route=\"/a/{id}\"";
    EXPECT_TRUE(
        text.contains("zona_http_request_duration_seconds_count" + labels + ",status=\"200\"} 1"))
        << text;
    EXPECT_TRUE(text.contains("zona_http_request_bytes_total" + labels + "} 5"));
    EXPECT_TRUE(text.contains("zona_http_response_bytes_total" + labels + "} 70"));
}

TEST_F(MiddlewareTest, RecordMetricsForgetsAResponseThatIsDropped) {
    const core::Gauge& in_flight = metrics_.gauge("zona_http_requests_in_flight", "help");

    (void)run(record_metrics(metrics_, log_.clock()));

    EXPECT_EQ(in_flight.value(), 0.0);
}

TEST_F(MiddlewareTest, RecordMetricsEndsInFlightOnAnException) {
    const core::Gauge& in_flight = metrics_.gauge("zona_http_requests_in_flight", "help");
    answer_ = []() -> Response { throw std::runtime_error("x"); };

    EXPECT_THROW((void)run(record_metrics(metrics_, log_.clock())), std::runtime_error);
    request_.clear();

    EXPECT_EQ(in_flight.value(), 0.0);
}

/// The value below which `share` of the observations lie, as Prometheus estimates it
/// (histogram_quantile): linear within a range.
double quantile(const core::Histogram& histogram, double share) {
    const std::vector<std::uint64_t> counts = histogram.counts();
    std::uint64_t all = 0;
    for (const std::uint64_t count : counts)
        all += count;
    double rank = share * static_cast<double>(all);
    double below = 0;
    for (std::size_t i = 0; i < histogram.bounds().size(); ++i) {
        const auto here = static_cast<double>(counts[i]);
        const double bound = histogram.bounds()[i];
        if (rank <= here) return below + (bound - below) * rank / here;
        rank -= here;
        below = bound;
    }
    return below;
}

// OBS-02
TEST_F(MiddlewareTest, RecordMetricsGivesTheQuantilesOfAKnownLoad) {
    const Middleware middleware = record_metrics(metrics_, log_.clock());
    log_.clock().advance(std::chrono::hours(1));
    request_.method = Method::kGet;
    for (int i = 1; i <= 1000; ++i) {
        request_.route = i % 2 == 0 ? "/even" : "/odd";
        request_.received = log_.clock().steady() - std::chrono::microseconds(10 * i);
        answer_ = [i] { return Response::json("{}", i % 10 == 0 ? 503 : 200); };
        run(middleware);
    }
    const auto series = [this](const char* route, const char* status) -> core::Histogram& {
        return metrics_.histogram("zona_http_request_duration_seconds", "help", {1.0},
                                  {{"method", "GET"}, {"route", route}, {"status", status}});
    };
    const auto total = [](const core::Histogram& histogram) {
        std::uint64_t all = 0;
        for (const std::uint64_t count : histogram.counts())
            all += count;
        return all;
    };

    // 10 µs, 30 µs ... 9.99 ms on /odd, none of which failed.
    EXPECT_EQ(total(series("/odd", "200")), 500U);
    EXPECT_EQ(total(series("/even", "200")), 400U);
    EXPECT_EQ(total(series("/even", "503")), 100U);
    EXPECT_NEAR(series("/odd", "200").sum(), 2.5, 1e-9);
    EXPECT_NEAR(quantile(series("/odd", "200"), 0.50), 0.00500, 0.0001);
    EXPECT_NEAR(quantile(series("/odd", "200"), 0.95), 0.00950, 0.0001);
    EXPECT_NEAR(quantile(series("/odd", "200"), 0.99), 0.00990, 0.0001);
}

// OBS-02
TEST_F(MiddlewareTest, TheRangesOfLatenciesReachFromATenthOfAMillisecondToTenSeconds) {
    const std::vector<double> bounds = core::Histogram::latency_bounds();

    EXPECT_LE(bounds.front(), 0.0001);
    EXPECT_GE(bounds.back(), 10.0);
    for (std::size_t i = 1; i < bounds.size(); ++i)
        EXPECT_LE(bounds[i] / bounds[i - 1], 2.5 + 1e-9) << "no quantile is further off than this";
}

}  // namespace
}  // namespace zona::net
