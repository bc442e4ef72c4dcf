/// @file
/// Cookies: what a browser sends, and what it is to keep.
///
/// Pure functions, any thread. Source: RFC 6265, and 6265bis for the prefix `__Host-`; SEC-13.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/headers.h"
#include "net/http.h"

namespace zona::net {

/// The value of the cookie `name`, a view into `headers`; quotes around it are left out, nothing is
/// decoded. Nullopt: there is none, or there are several that differ: a page that may set cookies
/// beside ours would choose which of them counts.
std::optional<std::string_view> find_cookie(const Headers& headers, std::string_view name);

/// Which requests of other sites' pages a browser sends a cookie with.
enum class SameSite : std::uint8_t {
    kStrict,  ///< none
    kLax,     ///< those that follow a link to zona by GET
    kNone,    ///< all; over TLS alone, elsewhere it is kLax
};
/// Whether scripts of zona's own pages may read a cookie.
enum class Scripts : std::uint8_t { kMayNotRead, kMayRead };

/// A cookie that is to be kept.
struct Cookie {
    std::string_view name;  ///< a token of RFC 9110
    std::string value;      ///< printable ASCII without space, `"`, `,`, `;` and `\`
    SameSite same_site = SameSite::kLax;
    Scripts scripts = Scripts::kMayNotRead;
    /// None: until the browser ends; zero: not any more.
    std::optional<std::chrono::seconds> life{};
};

/// What a cookie is called in a request and its answer: over TLS `__Host-` stands before its name,
/// so that only this host can have set it, over TLS, for all of its paths.
std::string cookie_name(std::string_view name, const Request& request);

/// find_cookie() of cookie_name(): over TLS the one without the prefix does not count.
std::optional<std::string_view> find_own_cookie(const Request& request, std::string_view name);

/// The value of Set-Cookie in the answer to `request`: of this host alone, for all of its paths,
/// over TLS never without it.
std::string set_cookie(const Cookie& cookie, const Request& request);

}  // namespace zona::net
