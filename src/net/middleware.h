/// @file
/// Middleware: what every request passes on its way to the router, and every response on its way
/// back.
///
/// A middleware may answer itself, change the request before those behind it see it, or the
/// response after. The route is found first of all (Router::match), so each of them knows it, and
/// what has none is refused before anybody asks who sent it. The order that zona uses, outermost
/// first (make_application):
///
/// | Middleware          | What it does |
/// | ---                 | --- |
/// | correlate           | gives request and response the correlation id |
/// | access_log          | one line when the last byte is sent: also for 404, 413 and malformed |
/// | record_metrics      | duration, bytes, in-flight by method, route pattern and status |
/// | security_headers    | on every response |
/// | (outer)             | what the network needs (net/network_policy.h): compression, entity tags, |
/// |                     | rate, origin and CORS; sees answers rendered, refuses by a Fault |
/// | render_errors       | the one place where errors become the envelope, and are logged |
/// | refuse_faults       | answers what the server found wrong with the request itself |
/// | negotiate_websocket | where a handler opens a WebSocket: refuses what is no handshake |
/// | refuse_unrouted     | 404, 405, 406 |
/// | (inner)             | authentication and what else is added: see requests that have a route |
/// | Router              | media type, the handler |
///
/// Each is made by a factory below and can be tested alone with a Next of the test's own.
/// Source: HTTP-07, HTTP-10, HTTP-15, OBS-16, GAP-56, GAP-57.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/random.h"
#include "net/http.h"
#include "net/router.h"

namespace zona::net {

/// What answers a request that no middleware answered: the router, or a test's stand-in.
using Endpoint = std::function<asio::awaitable<core::Result<Response>>(Request&)>;

/// What a middleware says of a request: nothing, and the next one looks at it; or what is to be
/// waited for, which gives the answer, or nothing after all.
using Decision = std::optional<asio::awaitable<std::optional<Response>>>;
/// The decision to answer so.
Decision answer_with(Response response);

/// One station of a chain. Each part may be missing.
///
/// The parts are plain functions and a chain is one coroutine, however many stations it has: a
/// coroutine for each would cost as much as all else that they do.
struct Middleware {
    /// Looks at a request, or changes it.
    using Before = std::function<Decision(Request&)>;
    /// Changes what those behind it, or its own `before`, have answered. Must not throw.
    using After = std::function<void(Request&, Response&)>;
    /// Answers in the place of those behind it that have thrown; what they would do to the
    /// response is left out.
    using Caught = std::function<Response(const Request&, const std::exception_ptr&)>;

    /// From a callable of that shape.
    template <class Callable>
        requires std::is_invocable_r_v<Decision, Callable&, Request&>
    Middleware(Callable does) : before(std::move(does)) {}
    /// From a callable of the other shape.
    template <class Callable>
        requires std::is_invocable_r_v<void, Callable&, Request&, Response&>
    Middleware(Callable does) : after(std::move(does)) {}
    /// From its parts.
    Middleware(Before first, After last, Caught otherwise = {})
        : before(std::move(first)), after(std::move(last)), caught(std::move(otherwise)) {}

    Before before;
    After after;
    Caught caught;
};

/// Middlewares in order around an endpoint. Immutable, and must outlive the requests in it. One
/// executor: some middlewares keep state without locks, so every server has a chain of its own.
class Chain {
  public:
    /// The first middleware is the outermost: it sees the request first and the response last.
    Chain(std::vector<Middleware> middlewares, Endpoint endpoint)
        : middlewares_(std::move(middlewares)), endpoint_(std::move(endpoint)) {}

    /// The answer. An error of the endpoint is one that is still to be rendered
    /// (Response::failed); an exception that no middleware catches passes through.
    asio::awaitable<Response> operator()(Request& request) const;

  private:
    Response catch_at(std::size_t& index, const Request& request,
                      const std::exception_ptr& thrown) const;

    std::vector<Middleware> middlewares_;
    Endpoint endpoint_;
};

/// What a server serves.
struct Application {
    Chain chain;
    /// Finds the route of a request whose body is still to be read, and says what that takes. Once
    /// for each; empty: the server's limits hold for all.
    std::function<RequestLimits(Request& head)> find_route;
};

/// Whether a text must not be logged, as one that holds a key. From any thread.
using SecretTest = std::function<bool(std::string_view)>;

/// Gives an error another form than the envelope, for routes with shapes of their own; nothing: the
/// envelope. `shown` is what this client may see, `status` the one that is answered. From any
/// thread.
using ErrorForm = std::function<std::optional<Response>(const Request& request,
                                                        const core::Error& shown, int status)>;

/// What the standard chain needs. All must outlive the application.
struct ApplicationDeps {
    const core::Clock& clock;
    core::Random& random;
    core::MetricRegistry& metrics;
    core::Logger access;        ///< category of the access lines, e.g. "http.access"
    core::Logger log;           ///< category of failed requests, e.g. "http"
    SecretTest is_secret = {};  ///< of paths; empty: none is
    ErrorForm error_form = {};  ///< empty: always the envelope
};

/// The chain above around `router`, which must outlive it, with `inner` right before the router and
/// `outer` around the rendering of errors. Counts those, zona_http_errors_total{code}, and measures
/// what the router's handlers take, zona_http_handler_duration_seconds{method,route}, exceptions
/// left out. Source: OBS-03.
Application make_application(const Router& router, const ApplicationDeps& deps,
                             std::vector<Middleware> inner = {},
                             std::vector<Middleware> outer = {});

/// Takes the client's X-Correlation-Id if it matches [A-Za-z0-9._-]{1,64}, else makes one that is
/// unique among all runs of all servers (64 random bits, drawn once, and a counter). The response
/// gets it as X-Correlation-Id.
Middleware correlate(core::Random& random);

/// Writes one line of level info per response, when its last byte is sent or its client is gone:
/// method, path (never the query: it may hold what should not be kept), route, status, bytes_in,
/// bytes_out, duration_us (first byte in to last byte out), peer, principal (who asked, empty
/// while unknown), user_agent (200 bytes of it), correlation_id, outcome. The lines of one round of
/// the event loop are written together at its end: what a killed daemon had answered within its
/// last fractions of a millisecond may be missing.
///
/// A path for which `is_secret` holds is told as "(secret)".
Middleware access_log(core::Logger log, const core::Clock& clock, SecretTest is_secret = {});

/// zona_http_request_duration_seconds{method,route,status}: first byte in to response ready, so
/// that slow readers and open streams do not blur it; zona_http_request_bytes_total and
/// zona_http_response_bytes_total {method,route}; zona_http_requests_in_flight. `route` is the
/// pattern, "unmatched" where there is none.
Middleware record_metrics(core::MetricRegistry& metrics, const core::Clock& clock);

/// Adds, where the handler has not set them: X-Content-Type-Options: nosniff, X-Frame-Options:
/// DENY, Referrer-Policy: no-referrer, Cache-Control: no-store, Cross-Origin-Resource-Policy:
/// same-origin, Content-Security-Policy: default-src 'none' and with it what that does not cover
/// (frame-ancestors, base-uri, form-action); over TLS also Strict-Transport-Security for a year
/// (RFC 6797 section 7.2). Source: SEC-21, PM-48.
Middleware security_headers();

/// Makes Response::failed() and exceptions into the error envelope with the correlation id, without
/// paths for a client over TCP (shown_to). Header fields of the failed response (Allow,
/// Retry-After) are kept.
///
/// Errors are logged at the level that the table of codes gives them; an exception is an error of
/// code INTERNAL whose text goes to the log alone.
///
/// `form` may give them another shape; of a secret path neither it nor the message is logged.
Middleware render_errors(core::Logger log, ErrorForm form = {}, SecretTest is_secret = {});

/// Answers a request with a Fault by it; the rest of the chain sees only requests without one.
Middleware refuse_faults();

/// Answers what has no route, as Router says; the rest of the chain sees only requests that have
/// one. `router` outlives it. Source: HTTP-02, HTTP-03.
Middleware refuse_unrouted(const Router& router);

/// Looks at each Response::websocket() whether its request is a valid opening handshake, and
/// chooses the subprotocol. Otherwise:
///
/// | Request | Answer |
/// | --- | --- |
/// | no GET of HTTP/1.1 with Upgrade: websocket and Connection: Upgrade | 426 with Upgrade |
/// | another Sec-WebSocket-Version than 13, or none | 426 with Sec-WebSocket-Version: 13 |
/// | Sec-WebSocket-Key missing, twice, or not 16 bytes in base64 | 400 INVALID_ARGUMENT |
///
/// Source: RFC 6455 section 4.2; PM-56, PM-58.
Middleware negotiate_websocket();

}  // namespace zona::net
