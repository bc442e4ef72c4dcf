#include "net/cookie.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/text.h"

namespace zona::net {
namespace {

constexpr std::string_view kHostPrefix = "__Host-";

std::string_view to_string(SameSite same_site, bool over_tls) {
    if (same_site == SameSite::kStrict) return "Strict";
    // Browsers take None only together with Secure.
    return same_site == SameSite::kNone && over_tls ? "None" : "Lax";
}

std::string_view unquoted(std::string_view value) {
    const bool is_quoted = value.size() >= 2 && value.starts_with('"') && value.ends_with('"');
    return is_quoted ? value.substr(1, value.size() - 2) : value;
}

}  // namespace

std::optional<std::string_view> find_cookie(const Headers& headers, std::string_view name) {
    std::optional<std::string_view> found;
    for (std::string_view rest : headers.find_all("Cookie")) {
        while (!rest.empty()) {
            const std::size_t end = std::min(rest.find(';'), rest.size());
            const std::string_view pair = rest.substr(0, end);
            rest.remove_prefix(std::min(end + 1, rest.size()));
            const std::size_t equals = pair.find('=');
            if (equals == std::string_view::npos || core::trimmed(pair.substr(0, equals)) != name)
                continue;
            const std::string_view value = unquoted(core::trimmed(pair.substr(equals + 1)));
            if (found && *found != value) return std::nullopt;
            found = value;
        }
    }
    return found;
}

std::string cookie_name(std::string_view name, const Request& request) {
    return fmt::format("{}{}", request.over_tls ? kHostPrefix : "", name);
}

std::optional<std::string_view> find_own_cookie(const Request& request, std::string_view name) {
    return find_cookie(request.headers, cookie_name(name, request));
}

std::string set_cookie(const Cookie& cookie, const Request& request) {
    std::string out = fmt::format("{}={}; Path=/; SameSite={}", cookie_name(cookie.name, request),
                                  cookie.value, to_string(cookie.same_site, request.over_tls));
    if (cookie.life) out += fmt::format("; Max-Age={}", cookie.life->count());
    if (cookie.scripts == Scripts::kMayNotRead) out += "; HttpOnly";
    if (request.over_tls) out += "; Secure";
    return out;
}

}  // namespace zona::net
