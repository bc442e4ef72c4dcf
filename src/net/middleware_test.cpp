#include "net/middleware.h"

#include <deque>
#include <future>
#include <stdexcept>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/system_error.hpp>
#include <gtest/gtest.h>

#include "core/testing/memory_log.h"

namespace zona::net {
namespace {

/// One middleware around an endpoint of the test's.
class MiddlewareTest : public testing::Test {
  protected:
    Response run(std::vector<Middleware> middlewares) {
        const Chain& chain = chains_.emplace_back(std::move(middlewares), [this](Request& request) {
            return endpoint(seen_, answer_, request);
        });
        asio::io_context context;
        auto answer = asio::co_spawn(context, chain(request_), asio::use_future);
        context.run();
        return answer.get();
    }
    Response run(Middleware middleware) {
        std::vector<Middleware> one;
        one.push_back(std::move(middleware));
        return run(std::move(one));
    }

    void finish(Response& response, core::ByteCount out = core::ByteCount(10)) {
        const Transfer transfer{out, Transfer::Outcome::kComplete};
        for (FinishHook& hook : response.on_finish)
            hook(request_, response, transfer);
    }

    static asio::awaitable<Response> endpoint(int& seen, const std::function<Response()>& answer,
                                              Request&) {
        ++seen;
        co_return answer();
    }

    std::deque<Chain> chains_;  // finish hooks refer to them
    core::MemoryLog log_;
    core::SeededRandom random_{1};
    core::MetricRegistry metrics_;
    Request request_;
    int seen_ = 0;
    std::function<Response()> answer_ = [] { return Response::success("1"); };
};

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

TEST_F(MiddlewareTest, AccessLogOfAnUnreadableTargetLeavesTheQueryOut) {
    request_.method_name = "GET";
    request_.target = "/%zz?key=secret";

    Response response = run(access_log(log_.logger(), log_.clock()));
    finish(response);

    ASSERT_EQ(log_.lines().size(), 1U);
    EXPECT_TRUE(log_.lines()[0].contains("\"path\":\"/%zz\""));
    EXPECT_FALSE(log_.lines()[0].contains("secret"));
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

    EXPECT_EQ(in_flight.value(), 0.0);
}

}  // namespace
}  // namespace zona::net
