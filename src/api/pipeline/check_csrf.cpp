#include <optional>
#include <span>
#include <utility>

#include "api/pipeline.h"
#include "api/pipeline/csrf.h"
#include "api/pipeline/route.h"
#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "identity/caller.h"
#include "net/form.h"
#include "net/guard_origin.h"

namespace zona::api {
namespace {

constexpr std::string_view kPurpose = "zona csrf 1";

net::Decision refuse(std::string message) {
    return net::answer_with(net::Response::failed(core::Error(core::Code::kCsrf, message)));
}

bool changes(const net::Request& request) {
    const bool reads = request.method == net::Method::kGet ||
                       request.method == net::Method::kHead ||
                       request.method == net::Method::kOptions;
    return !reads || operation_of(request).changes_by_get;
}

net::Decision check(const net::Request& request) {
    if (!identity::is_by_cookie(request)) return {};
    const auto origin = request.headers.find("Origin");
    if (origin && !net::is_own_origin(*origin, request))
        return refuse("a page of another origin has sent the request with the user's cookie");
    // It cannot show a token, and knows no CORS.
    if (net::asks_for_websocket(request) && !origin)
        return refuse("a WebSocket by a cookie is opened by a page, which has an Origin");
    if (!changes(request)) return {};
    const auto referer = request.headers.find("Referer");
    if (!origin && referer && !net::is_own_url(*referer, request))
        return refuse("a page of another site has sent the request with the user's cookie");
    if (shows_csrf_token(request, request.token)) return {};
    return refuse(
        "the request has the cookie of a session and not its X-CSRF-Token, which a page of zona's "
        "would have sent");
}

}  // namespace

std::string csrf_token(std::string_view cookie) {
    return crypto::base64url(
        crypto::hmac_sha256(std::as_bytes(std::span(cookie)), std::as_bytes(std::span(kPurpose))));
}

bool shows_csrf_token(const net::Request& request, std::string_view cookie) {
    std::optional<std::string> shown;
    if (const auto header = request.headers.find(kCsrfHeader)) {
        shown = *header;
    } else {
        shown = net::form_value(request, kCsrfField);
    }
    return shown && crypto::same_bytes(*shown, csrf_token(cookie));
}

net::Middleware check_csrf() {
    return check;
}

}  // namespace zona::api
