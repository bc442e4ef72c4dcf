// Any bytes, in any pieces, against the server's real connection: it must end, answer only
// well-formed responses, one per request that it took, and never 5xx but for what HTTP itself calls
// so (501, 505).
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "core/clock.h"
#include "core/metrics.h"
#include "core/random.h"
#include "net/detail/connection.h"
#include "net/detail/response_parser.h"
#include "net/network_policy.h"
#include "net/testing/memory_stream.h"

namespace zona::net {
namespace {

asio::awaitable<core::Result<Response>> echo(Request& request) {
    co_return Response::text(request.body, "application/json");
}

asio::awaitable<core::Result<Response>> parameters(Request& request) {
    Response response = Response::text("", "text/plain");
    for (const Parameter& parameter : request.parameters) {
        response.headers.add("X-" + parameter.name, parameter.value);
    }
    for (const Parameter& parameter : request.query)
        response.body += parameter.value;
    co_return response;
}

asio::awaitable<core::Result<void>> lines(BodyWriter& out) {
    ZONA_CO_TRY_VOID(co_await out.write("one\n"));
    ZONA_CO_TRY_VOID(co_await out.write("two\n"));
    co_return core::Result<void>();
}

asio::awaitable<core::Result<Response>> stream(Request&) {
    co_return Response::streaming("text/plain", lines, StreamEnd::kByItself);
}

void require(bool condition, const char* what, const std::string& output) {
    if (condition) return;
    std::cerr << what << "\n" << output << "\n";
    std::abort();
}

/// What the chain saw, in order.
struct Answered {
    std::vector<std::string> methods;
    std::vector<int> statuses;
};

class Record {
  public:
    explicit Record(Answered& answered) : answered_(&answered) {}
    void operator()(const Request& request, const Response& response) const {
        answered_->methods.push_back(request.method_name);
        answered_->statuses.push_back(response.status);
    }

  private:
    Answered* answered_;
};

/// Everything that does not depend on the input.
struct Bench {
    Bench() {
        RouteOptions any;
        any.body = BodyKind::kAny;
        add(Method::kPost, "/echo", echo, any);
        add(Method::kGet, "/echo", echo, any);
        add(Method::kGet, "/stream", stream, {});
        add(Method::kGet, "/p/{id:[a-f0-9]+}/x", parameters, {});
        add(Method::kGet, "/p/{name}", parameters, {});
        add(Method::kGet, "/p/{rest...}", parameters, {});
    }
    void add(Method method, std::string_view pattern, Handler handler, RouteOptions options) {
        if (!router.add(method, pattern, std::move(handler), std::move(options))) std::abort();
    }

    core::RealClock clock;
    core::SeededRandom random{1};
    core::MetricRegistry metrics;
    Router router;
    RateLimiter rate{clock};
};

/// As a server on the network has it, with limits that short inputs reach.
NetworkPolicy policy(Bench& bench) {
    NetworkPolicy out;
    out.hosts = HostList::parse(std::vector<std::string>{"zona.example"}).value();
    out.origins = OriginList::parse(std::vector<std::string>{"https://panel.example"}).value();
    out.compress.above = core::ByteCount(16);
    out.rate = &bench.rate;
    return out;
}

Application application(Bench& bench, Answered& answered) {
    std::vector<Middleware> all = {Record(answered), security_headers()};
    std::ranges::move(network_middlewares(policy(bench)), std::back_inserter(all));
    all.push_back(render_errors(core::Logger()));
    all.push_back(refuse_faults());
    all.push_back(refuse_unrouted(bench.router));
    const Router* router = &bench.router;
    return {Chain(std::move(all), [router](Request& request) { return router->dispatch(request); }),
            [router](Request& head) { return router->match(head); }};
}

void check(const std::string& output, const Answered& answered) {
    std::string_view rest = output;
    for (std::size_t i = 0; i < answered.methods.size(); ++i) {
        detail::ResponseParser parser(answered.methods[i]);
        const auto used = parser.feed(rest, [](std::string_view) { return true; });
        require(used.has_value(), "an answer is malformed", output);
        require(parser.end_of_input().has_value(), "an answer is not complete", output);
        require(parser.status() == answered.statuses[i], "an answer is out of order", output);
        const int status = parser.status();
        require(status < 500 || status == 501 || status == 505, "a server error", output);
        rest.remove_prefix(*used);
    }
    require(rest.empty(), "more was sent than was answered", output);
}

/// Lets go of the connection when it has ended, as a server does.
asio::awaitable<void> serve(std::shared_ptr<detail::Connection> connection) {
    co_await connection->serve();
}

}  // namespace
}  // namespace zona::net

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace zona::net;
    static Bench bench;
    if (size < 2) return 0;

    MemoryStream::Wire wire;
    wire.pieces = {data[0], data[1]};
    if (data[0] == 0) wire.pieces.clear();
    wire.input.assign(reinterpret_cast<const char*>(data) + 2, size - 2);

    ServerOptions options;
    options.head = zona::core::ByteCount(2048);
    options.head_fields = 20;
    options.body = zona::core::ByteCount(4096);
    Answered answered;
    asio::io_context context(1);
    const auto shared = std::make_shared<detail::Shared>(context.get_executor(), options,
                                                         application(bench, answered), bench.clock,
                                                         zona::core::Logger());
    auto connection = std::make_shared<detail::Connection>(
        shared, std::make_unique<MemoryStream>(context.get_executor(), wire),
        TcpPeer{"192.0.2.1", 40000});
    auto stop = connection->cancellation();
    shared->tasks.spawn("connection", serve(std::move(connection)), std::move(stop));
    context.run();

    require(shared->connections.empty(), "the connection did not end", wire.output);
    check(wire.output, answered);
    return 0;
}
