#include "net/router.h"

#include <algorithm>
#include <array>
#include <map>
#include <regex>
#include <tuple>

#include <fmt/format.h>

#include "core/text.h"
#include "net/detail/pattern.h"

namespace zona::net {
namespace {

using Kind = detail::PatternSegment::Kind;

/// std::regex recurses once per character: its input is bounded, and so is its stack.
constexpr std::size_t kMaxRegexInput = 256;
/// A path is quoted in an error message up to this length.
constexpr std::size_t kMaxQuoted = 200;
constexpr std::size_t kMethods = static_cast<std::size_t>(Method::kOther);

using MethodSet = std::array<bool, kMethods>;

/// The first ';'-separated part of a header element, and whether its q parameter is zero.
struct AcceptRange {
    std::string_view type;
    bool refused = false;
};

AcceptRange parse_range(std::string_view element) {
    AcceptRange out;
    std::size_t end = element.find(';');
    out.type = core::trimmed(element.substr(0, end));
    while (end != std::string_view::npos) {
        element.remove_prefix(end + 1);
        end = element.find(';');
        const std::string_view parameter = core::trimmed(element.substr(0, end));
        if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) continue;
        const std::string_view q = parameter.substr(2);
        out.refused = q.find_first_not_of("0.") == std::string_view::npos;
    }
    return out;
}

/// How exactly a range names a type: 2 itself, 1 its "type/*", 0 "*/*", -1 not at all.
int closeness(std::string_view range, std::string_view type) {
    if (equal_ignoring_case(range, type)) return 2;
    if (range == "*/*") return 0;
    const std::string_view major = type.substr(0, type.find('/') + 1);
    const bool any_of_type = range.size() == major.size() + 1 && range.ends_with('*') &&
                             equal_ignoring_case(range.substr(0, major.size()), major);
    return any_of_type ? 1 : -1;
}

bool accept_takes(const Request& request, std::string_view type) {
    const std::vector<std::string_view> lines = request.headers.find_all("Accept");
    if (lines.empty()) return true;
    int best = -1;
    bool taken = false;
    for (std::string_view rest : lines) {
        while (!rest.empty()) {
            const std::size_t comma = std::min(rest.find(','), rest.size());
            const AcceptRange range = parse_range(rest.substr(0, comma));
            rest.remove_prefix(std::min(comma + 1, rest.size()));
            const int fit = closeness(range.type, type);
            if (fit < 0 || fit < best) continue;
            best = fit;
            taken = !range.refused;
        }
    }
    return taken;
}

/// Two types would let two readers choose.
bool is_json(const Headers& headers) {
    const std::vector<std::string_view> types = headers.find_all("Content-Type");
    if (types.size() != 1) return false;
    const std::string_view type = types.front();
    return equal_ignoring_case(core::trimmed(type.substr(0, type.find(';'))), "application/json");
}

bool is_encoded(const Headers& headers) {
    const auto encoding = headers.find("Content-Encoding");
    return encoding.has_value() && !equal_ignoring_case(*encoding, "identity");
}

BodyKind body_kind(const RouteOptions& options, Method method) {
    if (options.body != BodyKind::kByMethod) return options.body;
    const bool writes =
        method == Method::kPost || method == Method::kPut || method == Method::kPatch;
    return writes ? BodyKind::kJson : BodyKind::kNone;
}

std::optional<core::Error> body_mistake(const Request& request, const RouteOptions& options) {
    if (request.body.empty()) return std::nullopt;
    const BodyKind kind = body_kind(options, request.method);
    if (kind == BodyKind::kNone) {
        return core::Error(core::Code::kInvalidArgument,
                           fmt::format("{} {} takes no request body; leave it out",
                                       request.method_name, request.route));
    }
    if (kind == BodyKind::kJson && is_encoded(request.headers)) {
        return core::Error(core::Code::kUnsupportedMedia,
                           "the request body must not be compressed; leave Content-Encoding out");
    }
    if (kind == BodyKind::kJson && !is_json(request.headers)) {
        return core::Error(core::Code::kUnsupportedMedia,
                           "the request body must be JSON; send the header "
                           "Content-Type: application/json");
    }
    return std::nullopt;
}

std::string allow_value(const MethodSet& methods) {
    std::string out;
    for (std::size_t i = 0; i < kMethods; ++i) {
        const auto method = static_cast<Method>(i);
        const bool implied =
            method == Method::kOptions ||
            (method == Method::kHead && methods[static_cast<std::size_t>(Method::kGet)]);
        if (!methods.at(i) && !implied) continue;
        if (!out.empty()) out += ", ";
        out += to_string(method);
    }
    return out;
}

asio::awaitable<core::Result<Response>> refused(core::Error error) {
    co_return error;
}

std::string quoted(std::string_view text) {
    if (text.size() <= kMaxQuoted) return std::string(text);
    return std::string(text.substr(0, kMaxQuoted)) + "...";
}

}  // namespace

Condition Condition::accepts(std::string media_type) {
    return Condition([type = std::move(media_type)](const Request& request) {
        return accept_takes(request, type);
    });
}

Condition Condition::header(std::string name, std::string value) {
    return Condition([name = std::move(name), value = std::move(value)](const Request& request) {
        const auto found = request.headers.find(name);
        return found.has_value() && (value.empty() || *found == value);
    });
}

Condition Condition::holds(std::function<bool(const Request&)> predicate) {
    return Condition(std::move(predicate));
}

struct Route {
    Method method;
    std::string pattern;
    std::vector<std::string> names;  ///< of the parameters, in the order of the path
    Handler handler;
    RouteOptions options;

    bool fits(const Request& request) const {
        return std::ranges::all_of(options.conditions,
                                   [&](const Condition& condition) { return condition(request); });
    }
};

/// One segment of the tree of patterns. Parameter names belong to the routes: two patterns may name
/// the same place differently.
struct Router::Node {
    struct Expression {
        std::string text;
        std::regex compiled;
        std::unique_ptr<Node> node;

        bool matches(const std::string& segment) const;
    };

    std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
    std::vector<Expression> expressions;
    std::unique_ptr<Node> parameter;
    std::unique_ptr<Node> rest;
    /// Those with conditions first. Pointers into these are handed out by find(): nothing is added
    /// afterwards.
    std::vector<std::unique_ptr<Route>> routes;

    core::Result<Node*> child(const detail::PatternSegment& segment, std::string_view pattern);
};

bool Router::Node::Expression::matches(const std::string& segment) const {
    if (segment.size() > kMaxRegexInput) return false;
    try {
        return std::regex_match(segment, compiled);
    } catch (const std::regex_error&) {
        return false;  // error_complexity, error_stack: this text is not one that the pattern means
    }
}

core::Result<Router::Node*> Router::Node::child(const detail::PatternSegment& segment,
                                                std::string_view pattern) {
    std::unique_ptr<Node>* slot = nullptr;
    if (segment.kind == Kind::kLiteral) {
        slot = &literals[segment.text];
    } else if (segment.kind == Kind::kParameter) {
        slot = &parameter;
    } else if (segment.kind == Kind::kRest) {
        slot = &rest;
    } else {
        const auto known = std::ranges::find(expressions, segment.text, &Expression::text);
        if (known != expressions.end()) return known->node.get();
        try {
            expressions.push_back(
                {segment.text,
                 std::regex(segment.text, std::regex::ECMAScript | std::regex::optimize), nullptr});
        } catch (const std::regex_error& error) {
            return core::Error(core::Code::kInvalidArgument,
                               fmt::format("route pattern '{}': the expression '{}' is wrong: {}",
                                           pattern, segment.text, error.what()));
        }
        slot = &expressions.back().node;
    }
    if (*slot == nullptr) *slot = std::make_unique<Node>();
    return slot->get();
}

/// The outcome of a search, and its state while it runs.
struct Router::Match {
    const Route* route = nullptr;
    std::vector<std::size_t> captured;  ///< indexes of the segments that are parameters
    bool path_known = false;
    bool method_known = false;
    MethodSet allowed{};

    /// Takes the best route of `node` for `request`; false if none fits.
    bool take(const Node& node, const Request& request);
    /// Depth first from `node`, at segment `index`.
    bool descend(const Node& node, const Request& request, std::size_t index);
    bool descend_captured(const Node& node, const Request& request, std::size_t index);
};

bool Router::Match::take(const Node& node, const Request& request) {
    const Route* get_for_head = nullptr;
    for (const auto& candidate : node.routes) {
        path_known = true;
        allowed.at(static_cast<std::size_t>(candidate->method)) = true;
        const bool head = request.method == Method::kHead && candidate->method == Method::kGet;
        if (candidate->method != request.method && !head) continue;
        method_known = true;
        if (!candidate->fits(request)) continue;
        if (!head) {
            route = candidate.get();
            return true;
        }
        if (get_for_head == nullptr) get_for_head = candidate.get();
    }
    route = get_for_head;
    return route != nullptr;
}

bool Router::Match::descend_captured(const Node& node, const Request& request, std::size_t index) {
    captured.push_back(index);
    if (descend(node, request, index + 1)) return true;
    captured.pop_back();
    return false;
}

bool Router::Match::descend(const Node& node, const Request& request, std::size_t index) {
    if (index == request.segments.size()) return take(node, request);
    const std::string& segment = request.segments[index];
    const auto literal = node.literals.find(segment);
    if (literal != node.literals.end() && descend(*literal->second, request, index + 1)) {
        return true;
    }
    if (!segment.empty()) {
        for (const Node::Expression& expression : node.expressions) {
            if (!expression.matches(segment)) continue;
            if (descend_captured(*expression.node, request, index)) return true;
        }
        if (node.parameter != nullptr && descend_captured(*node.parameter, request, index)) {
            return true;
        }
    }
    if (node.rest == nullptr) return false;
    captured.push_back(index);
    if (take(*node.rest, request)) return true;
    captured.pop_back();
    return false;
}

const RouteOptions* options_of(const Request& request) {
    return request.matched == nullptr ? nullptr : &request.matched->options;
}

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

core::Result<void> Router::add(Method method, std::string_view pattern, Handler handler,
                               RouteOptions options) {
    if (method == Method::kOther) {
        return core::Error(core::Code::kInvalidArgument,
                           fmt::format("route pattern '{}': OTHER is no method", pattern));
    }
    ZONA_TRY(const std::vector<detail::PatternSegment> segments, detail::parse_pattern(pattern));
    auto route = std::make_unique<Route>(
        Route{method, std::string(pattern), {}, std::move(handler), std::move(options)});
    Node* node = root_.get();
    for (const detail::PatternSegment& segment : segments) {
        ZONA_TRY(node, node->child(segment, pattern));
        if (!segment.name.empty()) route->names.push_back(segment.name);
    }
    const auto plain = [&](const std::unique_ptr<Route>& other) {
        return other->method == method && other->options.conditions.empty();
    };
    if (!route->options.conditions.empty()) {
        const auto first_plain = std::ranges::find_if(
            node->routes, [](const auto& other) { return other->options.conditions.empty(); });
        node->routes.insert(first_plain, std::move(route));
        return {};
    }
    if (std::ranges::any_of(node->routes, plain)) {
        return core::Error(core::Code::kConflict, fmt::format("route {} {} is registered twice",
                                                              to_string(method), pattern));
    }
    node->routes.push_back(std::move(route));
    return {};
}

void Router::set_fallback(std::function<std::optional<core::Error>(const Request&)> explain) {
    fallback_ = std::move(explain);
}

Router::Match Router::find(const Request& request) const {
    Match match;
    match.descend(*root_, request, 0);
    return match;
}

Response Router::refusal(const Request& request) const {
    Match match;
    if (request.path == "*") {
        match.path_known = true;
        match.allowed.fill(true);
    } else {
        match = find(request);
    }
    if (!match.path_known) {
        if (fallback_) {
            if (auto error = fallback_(request)) return Response::failed(std::move(*error));
        }
        return Response::failed(core::Error(
            core::Code::kNotFound,
            fmt::format("there is no {} {}", request.method_name, quoted(request.path))));
    }
    if (request.method == Method::kOptions) {
        Response out;
        out.status = 204;
        out.headers.add("Allow", allow_value(match.allowed));
        return out;
    }
    if (match.method_known) {
        return Response::failed(
            core::Error(core::Code::kInvalidArgument,
                        fmt::format("{} {} has no form that the request's headers (Accept) take",
                                    request.method_name, quoted(request.path))),
            406);
    }
    const std::string allow = allow_value(match.allowed);
    Response out = Response::failed(
        core::Error(core::Code::kMethodNotAllowed,
                    fmt::format("{} does not take {}; it takes {}", quoted(request.path),
                                request.method_name, allow)));
    out.headers.add("Allow", allow);
    return out;
}

RequestLimits Router::match(Request& head) const {
    const Match match = head.path == "*" ? Match() : find(head);
    head.matched = match.route;
    if (match.route == nullptr) return {};
    const Route& route = *match.route;
    head.route = route.pattern;
    for (std::size_t i = 0; i < route.names.size(); ++i) {
        const std::size_t index = match.captured[i];
        std::string value = head.segments[index];
        const bool to_the_end = i + 1 == route.names.size() && route.pattern.ends_with("...}");
        for (std::size_t next = index + 1; to_the_end && next < head.segments.size(); ++next) {
            value += '/';
            value += head.segments[next];
        }
        head.parameters.push_back({route.names[i], std::move(value)});
    }
    return route.options.limits;
}

asio::awaitable<core::Result<Response>> Router::dispatch(Request& request) const {
    const Route& route = *request.matched;
    if (auto mistake = body_mistake(request, route.options)) return refused(std::move(*mistake));
    request.handled = true;
    return route.handler(request);
}

std::vector<RouteInfo> Router::routes() const {
    std::vector<RouteInfo> out;
    const auto walk = [&out](const auto& self, const Node& node) -> void {
        for (const auto& route : node.routes)
            out.push_back({route->method, route->pattern});
        for (const auto& [text, child] : node.literals)
            self(self, *child);
        for (const auto& expression : node.expressions)
            self(self, *expression.node);
        if (node.parameter != nullptr) self(self, *node.parameter);
        if (node.rest != nullptr) self(self, *node.rest);
    };
    walk(walk, *root_);
    std::ranges::sort(out, [](const RouteInfo& a, const RouteInfo& b) {
        return std::tie(a.pattern, a.method) < std::tie(b.pattern, b.method);
    });
    return out;
}

}  // namespace zona::net
