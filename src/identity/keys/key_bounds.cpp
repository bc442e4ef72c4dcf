#include "identity/keys/key_bounds.h"

#include <chrono>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "net/router.h"

namespace zona::identity {
namespace {

using core::Code;
using core::Error;
using net::Request;
using net::Response;

bool reads_only(net::Method method) {
    return method == net::Method::kGet || method == net::Method::kHead ||
           method == net::Method::kOptions;
}

bool is_open(const Request& request) {
    const net::RouteOptions* const route = net::options_of(request);
    return route != nullptr && route->open;
}

net::Decision refuse(Code code, std::string message) {
    return net::answer_with(Response::failed(Error(code, std::move(message))));
}

}  // namespace

net::Middleware limit_keys(ApiKeys& keys) {
    return [&keys](const Request& request) -> net::Decision {
        if (!request.credential) return {};
        const auto excess = keys.take_turn(*request.credential);
        if (!excess) return {};
        Response refused = Response::failed(Error(
            Code::kTooManyRequests,
            fmt::format("more than {} requests per second came with the key '{}' ({} at once)",
                        excess->rate.per_second, excess->name, excess->rate.burst)));
        const auto wait = std::chrono::ceil<std::chrono::seconds>(excess->wait);
        refused.headers.set("Retry-After", std::to_string(wait.count()));
        return net::answer_with(std::move(refused));
    };
}

net::Middleware refuse_viewers(const ApiKeys& keys) {
    return [&keys](const Request& request) -> net::Decision {
        if (!request.credential || reads_only(request.method) || is_open(request)) return {};
        const auto scope = keys.scope_of(*request.credential);
        if (!scope) return refuse(Code::kUnauthenticated, "the API key is not valid here");
        if (*scope != Scope::kViewer) return {};
        return refuse(Code::kAccessDenied,
                      fmt::format("the {} is a viewer's, which may only read", request.principal));
    };
}

}  // namespace zona::identity
