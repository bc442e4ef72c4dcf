#include "net/cors.h"

#include <string>
#include <utility>

#include "net/detail/vary.h"

namespace zona::net {
namespace {

constexpr std::string_view kMethods = "GET, HEAD, POST, PUT, PATCH, DELETE";
constexpr std::string_view kRequestHeaders =
    "Authorization, X-API-Key, Content-Type, X-Correlation-Id, Last-Event-ID, If-None-Match";
constexpr std::string_view kExposedHeaders = "X-Correlation-Id, ETag, Retry-After, Link";
constexpr std::string_view kMaxAge = "600";

class Cors {
  public:
    explicit Cors(OriginList origins) : origins_(std::move(origins)) {}

    asio::awaitable<Response> operator()(Request& request, const Next& next) const {
        const bool concerned = !origins_.empty() || request.headers.has("Origin");
        return concerned ? decide(request, next) : next(request);
    }

  private:
    asio::awaitable<Response> decide(Request& request, Next next) const {
        const std::string origin(request.headers.find("Origin").value_or(""));
        const bool allowed = origins_.allows(origin);
        const bool preflight = request.method == Method::kOptions && !origin.empty() &&
                               request.headers.has("Access-Control-Request-Method");
        Response response;
        if (preflight && allowed && !request.fault.has_value()) {
            response = accept_preflight();
        } else {
            if (preflight && !allowed && !request.fault.has_value()) request.fault = refusal();
            response = co_await next(request);
        }
        if (!origins_.empty() && !origins_.any()) detail::add_vary(response.headers, "Origin");
        if (allowed) {
            response.headers.set("Access-Control-Allow-Origin", origins_.any() ? "*" : origin);
            if (!preflight) response.headers.set("Access-Control-Expose-Headers", kExposedHeaders);
        }
        co_return response;
    }

    static Response accept_preflight() {
        Response out;
        out.status = 204;
        out.headers.add("Access-Control-Allow-Methods", kMethods);
        out.headers.add("Access-Control-Allow-Headers", kRequestHeaders);
        out.headers.add("Access-Control-Max-Age", kMaxAge);
        return out;
    }
    static Fault refusal() {
        return {core::Error(core::Code::kForbidden,
                            "pages of this origin may not use the API; the setting "
                            "api.cors_origins names those that may"),
                0};
    }

    OriginList origins_;
};

}  // namespace

Middleware cors(OriginList origins) {
    return Cors(std::move(origins));
}

}  // namespace zona::net
