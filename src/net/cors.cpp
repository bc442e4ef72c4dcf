#include "net/cors.h"

#include <memory>
#include <string>
#include <string_view>
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

    Decision decide(Request& request) const {
        if (!is_preflight(request) || request.fault.has_value()) return {};
        if (origins_.allows(origin_of(request))) return answer_with(accept_preflight());
        request.fault = refusal();
        return {};
    }

    void tell(const Request& request, Response& response) const {
        if (!origins_.empty() && !origins_.any()) detail::add_vary(response.headers, "Origin");
        if (!request.headers.has("Origin")) return;
        const std::string_view origin = origin_of(request);
        if (!origins_.allows(origin)) return;
        response.headers.set("Access-Control-Allow-Origin", origins_.any() ? "*" : origin);
        if (!is_preflight(request))
            response.headers.set("Access-Control-Expose-Headers", kExposedHeaders);
    }

  private:
    static std::string_view origin_of(const Request& request) {
        return request.headers.find("Origin").value_or("");
    }
    static bool is_preflight(const Request& request) {
        return request.method == Method::kOptions && !origin_of(request).empty() &&
               request.headers.has("Access-Control-Request-Method");
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
    const auto shared = std::make_shared<const Cors>(std::move(origins));
    return {[shared](Request& request) { return shared->decide(request); },
            [shared](Request& request, Response& response) { shared->tell(request, response); }};
}

}  // namespace zona::net
