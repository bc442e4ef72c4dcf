#include "net/guard_origin.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/format.h>

namespace zona::net {
namespace {

constexpr int kMisdirected = 421;

Fault misdirected(std::string_view host) {
    constexpr std::size_t kMaxQuoted = 253;
    return {core::Error(core::Code::kInvalidArgument,
                        fmt::format("this server does not go by the name '{}'; if it should, add "
                                    "the name to the setting api.hosts",
                                    host.substr(0, kMaxQuoted))),
            kMisdirected};
}

Fault cross_site(std::string_view problem) {
    return {core::Error(core::Code::kForbidden,
                        fmt::format("{}; the setting api.cors_origins names the pages that may "
                                    "change something here",
                                    problem)),
            0};
}

/// The authority of an absolute-form target.
std::optional<std::string_view> target_authority(std::string_view target) {
    const std::size_t colon = target.find("://");
    if (target.starts_with('/') || colon == std::string_view::npos) return std::nullopt;
    target.remove_prefix(colon + 3);
    return target.substr(0, target.find_first_of("/?"));
}

bool is_unsafe(const Request& request) {
    const bool reads = request.method == Method::kGet || request.method == Method::kHead ||
                       request.method == Method::kOptions;
    return !reads || request.headers.has("Upgrade");
}

class GuardOrigin {
  public:
    GuardOrigin(HostList hosts, OriginList origins, PathTest is_for_all)
        : hosts_(std::move(hosts)), origins_(std::move(origins)), is_for_all_(is_for_all) {}

    Decision operator()(Request& request) const {
        const bool from_afar = std::holds_alternative<TcpPeer>(request.peer);
        if (from_afar && !request.fault.has_value()) request.fault = mistake(request);
        return {};
    }

  private:
    std::optional<Fault> mistake(const Request& request) const {
        const auto host = request.headers.find("Host");
        for (const auto& name : {host, target_authority(request.target)}) {
            if (!name.has_value()) continue;
            const auto authority = Authority::parse(*name);
            if (!authority.has_value() || !hosts_.serves(*authority)) return misdirected(*name);
        }
        return is_unsafe(request) ? foreign_page(request) : std::nullopt;
    }

    std::optional<Fault> foreign_page(const Request& request) const {
        if (is_for_all_ != nullptr && is_for_all_(request.target)) return std::nullopt;
        const auto origin = request.headers.find("Origin");
        if (origin.has_value() && origins_.allows(*origin)) return std::nullopt;
        if (origin.has_value() && !is_own_origin(*origin, request))
            return cross_site("the request comes from a page of another origin");
        if (request.headers.find("Sec-Fetch-Site") == "cross-site")
            return cross_site("the browser says that a page of another site sent the request");
        return std::nullopt;
    }

    HostList hosts_;
    OriginList origins_;
    PathTest is_for_all_;
};

}  // namespace

bool is_own_origin(std::string_view origin, const Request& request) {
    const auto page = Origin::parse(origin);
    // A proxy in front may speak TLS where we do not, never the other way round.
    if (!page.has_value() || (request.over_tls && page->scheme != "https")) return false;
    // The port of a Host without one is that of the origin's scheme.
    const std::string_view host = request.headers.find("Host").value_or("");
    const auto own = Origin::parse(fmt::format("{}://{}", page->scheme, host));
    return own.has_value() && *own == *page;
}

bool is_own_url(std::string_view url, const Request& request) {
    const std::size_t scheme = url.find("://");
    if (scheme == std::string_view::npos) return false;
    return is_own_origin(url.substr(0, url.find_first_of("/?#", scheme + 3)), request);
}

Middleware guard_origin(HostList hosts, OriginList origins, PathTest is_for_all) {
    return GuardOrigin(std::move(hosts), std::move(origins), is_for_all);
}

}  // namespace zona::net
