// The way of a request without its socket: parsing, routing, the standard chain, and the whole
// connection.
#include <memory>
#include <string>

#include <benchmark/benchmark.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/random.h"
#include "net/detail/connection.h"
#include "net/detail/request_parser.h"
#include "net/detail/target.h"
#include "net/middleware.h"
#include "net/router.h"
#include "net/testing/memory_stream.h"

namespace zona::net {
namespace {

constexpr std::string_view kRequest =
    "GET /api/v1/processes/42/exits?limit=10 HTTP/1.1\r\n"
    "Host: zona\r\n"
    "User-Agent: zona/0.1.0\r\n"
    "Accept: application/json\r\n"
    "X-Correlation-Id: 0123456789abcdef-1\r\n"
    "\r\n";

asio::awaitable<core::Result<Response>> fixed(Request&) {
    co_return Response::success("[]");
}

/// As many routes as the first API has, and the one that is asked for among them.
Router make_router() {
    Router router;
    const auto add = [&router](Method method, std::string_view pattern) {
        if (!router.add(method, pattern, fixed).has_value()) std::abort();
    };
    for (const std::string_view noun : {"ping", "processes", "operations", "logs", "snapshots",
                                        "config", "log-levels", "host", "metrics", "shutdown"}) {
        add(Method::kGet, "/api/v1/" + std::string(noun));
        add(Method::kPost, "/api/v1/" + std::string(noun));
    }
    add(Method::kGet, "/api/v1/processes/{id}");
    add(Method::kGet, "/api/v1/processes/{id}/exits");
    add(Method::kGet, "/api/v1/processes/{id}/environment");
    return router;
}

Request parsed_request() {
    Request request;
    request.method = Method::kGet;
    request.method_name = "GET";
    request.target = "/api/v1/processes/42/exits?limit=10";
    if (!detail::parse_target(request).has_value()) std::abort();
    return request;
}

void parse_request(benchmark::State& state) {
    detail::RequestParser parser({core::ByteCount::kib(32), 100});
    Request request;
    for (auto _ : state) {
        request.clear();
        parser.begin(request);
        benchmark::DoNotOptimize(parser.feed(kRequest));
    }
}
BENCHMARK(parse_request);

void find_route(benchmark::State& state) {
    const Router router = make_router();
    Request request = parsed_request();
    for (auto _ : state) {
        request.parameters.clear();
        benchmark::DoNotOptimize(router.match(request));
    }
}
BENCHMARK(find_route);

asio::awaitable<void> dispatch_all(benchmark::State& state, const Application& application) {
    Request request = parsed_request();
    for (auto _ : state) {
        request.correlation_id = "id";
        request.parameters.clear();
        benchmark::DoNotOptimize(application.find_route(request));
        Response response = co_await application.chain(request);
        for (FinishHook& hook : response.on_finish)
            hook(request, response, {});
        benchmark::DoNotOptimize(response.status);
    }
}

void pass_the_standard_chain(benchmark::State& state) {
    const core::RealClock clock;
    core::SeededRandom random(1);
    core::MetricRegistry metrics;
    const Router router = make_router();
    const Application application =
        make_application(router, {clock, random, metrics, core::Logger(), core::Logger()});
    asio::io_context context(1);
    asio::co_spawn(context, dispatch_all(state, application), asio::detached);
    context.run();
}
BENCHMARK(pass_the_standard_chain);

/// Lets go of the connection when it has ended, as a server does.
asio::awaitable<void> serve(std::shared_ptr<detail::Connection> connection) {
    co_await connection->serve();
}

/// A hundred pipelined requests through a connection in memory: everything but the system calls.
void serve_a_connection(benchmark::State& state) {
    constexpr int kRequests = 100;
    const core::RealClock clock;
    core::SeededRandom random(1);
    core::MetricRegistry metrics;
    const Router router = make_router();
    MemoryStream::Wire wire;
    for (int i = 0; i < kRequests; ++i)
        wire.input += kRequest;
    wire.pieces.push_back(kRequest.size());
    for (auto _ : state) {
        wire.output.clear();
        wire.closed = false;
        asio::io_context context(1);
        const auto shared = std::make_shared<detail::Shared>(
            context.get_executor(), ServerOptions{},
            make_application(router, {clock, random, metrics, core::Logger(), core::Logger()}),
            clock, core::Logger());
        auto connection = std::make_shared<detail::Connection>(
            shared, std::make_unique<MemoryStream>(context.get_executor(), wire), UnixPeer{});
        auto stop = connection->cancellation();
        shared->tasks.spawn("connection", serve(std::move(connection)), std::move(stop));
        context.run();
    }
    state.SetItemsProcessed(state.iterations() * kRequests);
}
BENCHMARK(serve_a_connection);

}  // namespace
}  // namespace zona::net
