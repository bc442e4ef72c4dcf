/// @file
/// Router: which handler answers a request. It knows patterns, methods and header conditions, no
/// business rule.
///
/// Built once at start-up, then only read: add() belongs to one thread before the first dispatch(),
/// everything else is const and may be called from any thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "net/http.h"

namespace zona::net {

/// Answers one request. The request lives until the response is sent, so a streamed body may refer
/// to it.
///
/// Errors become the error envelope. When the request's deadline passes, what the handler awaits is
/// cancelled (terminal): Asio operations end with operation_aborted and the handler returns soon;
/// one that does not is overtaken: the client gets 504 and the late response is dropped.
using Handler = std::function<asio::awaitable<core::Result<Response>>(Request&)>;

/// Something that a request must fulfil for a route to be chosen, beside path and method.
class Condition {
  public:
    /// Its Accept header takes `media_type` ("application/x-ndjson"). No Accept header takes
    /// everything, q=0 is a refusal. Source: RFC 9110 section 12.5.1.
    static Condition accepts(std::string media_type);
    /// It has this header, with exactly this value unless `value` is empty.
    static Condition header(std::string name, std::string value = {});
    /// Any other rule over the head of the request (its body is not there yet). Must be quick and
    /// not throw.
    static Condition holds(std::function<bool(const Request&)> predicate);

    bool operator()(const Request& request) const { return predicate_(request); }

  private:
    explicit Condition(std::function<bool(const Request&)> predicate)
        : predicate_(std::move(predicate)) {}
    std::function<bool(const Request&)> predicate_;
};

/// What a route takes as request body.
enum class BodyKind : std::uint8_t {
    kByMethod,  ///< kJson for POST, PUT and PATCH, kNone for the others
    kNone,      ///< a body is a mistake: 400
    kJson,      ///< absent, or of one Content-Type application/json without an encoding: else 415
    kAny,
};

/// What one request may cost. Unset: the server's own limit.
struct RequestLimits {
    std::optional<core::ByteCount> body;
    /// From the first byte to the handler's return; zero: no limit.
    std::optional<std::chrono::milliseconds> time;
};

/// What whoever adds a route wants to find again when a request has matched it.
class RouteContext {
  public:
    RouteContext() = default;
    RouteContext(const RouteContext&) = delete;
    RouteContext& operator=(const RouteContext&) = delete;
    virtual ~RouteContext() = default;
};

/// What a route takes, may cost and asks for beyond pattern and method.
struct RouteOptions {
    BodyKind body = BodyKind::kByMethod;
    RequestLimits limits;
    std::vector<Condition> conditions;      ///< all must hold
    const RouteContext* context = nullptr;  ///< outlives the router
    bool open = false;                      ///< for whom nobody has to know who asks (AUTH-13)
};

/// A route as registered, for documents and tests.
struct RouteInfo {
    Method method;
    std::string pattern;
};

/// A route as the router keeps it.
struct Route;

/// How the route that `request` has matched was added; null where there is none.
const RouteOptions* options_of(const Request& request);

/// Routes by path pattern, method and conditions.
///
/// A pattern is a path of segments, each one of
/// - `literal`: the same text, case-sensitive, compared with the decoded segment
/// - `{name:regex}`: an ECMAScript regular expression that matches the whole segment, of 256 bytes
///   at most
/// - `{name}`: any segment that is not empty
/// - `{name...}`, only last: the whole rest of the path, slashes included
///
/// At each segment the kinds are tried in this order, several expressions in the order of their
/// registration, and the search goes back when a more literal beginning leads nowhere. A path that
/// ends in '/' is another path.
///
/// | request                                           | answer |
/// | ---                                               | --- |
/// | path and method match, conditions hold            | the handler's |
/// | HEAD where only GET is registered                 | GET's, sent without its body |
/// | OPTIONS where none is registered, or OPTIONS *    | 204 with Allow |
/// | path matches, method does not                     | 405 METHOD_NOT_ALLOWED with Allow |
/// | path and method match, no route's conditions hold | 406 INVALID_ARGUMENT |
/// | no pattern matches                                | the fallback's, else 404 NOT_FOUND |
class Router {
  public:
    Router();
    ~Router();
    Router(Router&&) noexcept;
    Router& operator=(Router&&) noexcept;

    /// Adds a route. Routes of one pattern and method differ by their conditions: those with
    /// conditions are tried first, in the order of registration.
    ///
    /// Errors: kInvalidArgument for a pattern that cannot be read (the message says where) or a
    /// parameter named twice. kConflict when the same method and pattern are there without
    /// conditions. Nothing is added then.
    core::Result<void> add(Method method, std::string_view pattern, Handler handler,
                           RouteOptions options = {});

    /// `explain` says why there is nothing at a path that no pattern matches; nullopt leaves it to
    /// the answer above. Such requests have no route in logs and metrics, whatever it says. It must
    /// be quick and not throw.
    void set_fallback(std::function<std::optional<core::Error>(const Request&)> explain);

    /// Finds the route of `head`, a request whose body need not be there yet, and fills in
    /// Request::matched, route and parameters. Its limits; the server's where there is no route.
    RequestLimits match(Request& head) const;

    /// One of the answers above to a request for which match() has found no route.
    Response refusal(const Request& request) const;

    /// Answers a request by the route that match() has found: what the handler does, or a refusal
    /// of a body that the route does not take. An exception of the handler passes through.
    /// Precondition: there is a route.
    asio::awaitable<core::Result<Response>> dispatch(Request& request) const;

    /// All routes, ordered by pattern, then method.
    std::vector<RouteInfo> routes() const;

  private:
    struct Node;
    struct Match;
    Match find(const Request& request) const;

    std::unique_ptr<Node> root_;
    std::function<std::optional<core::Error>(const Request&)> fallback_;
};

}  // namespace zona::net
