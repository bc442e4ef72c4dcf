/// @file
/// The guard against requests that a browser was tricked into: DNS rebinding and cross-site
/// requests.
#pragma once

#include <string_view>

#include "net/middleware.h"
#include "net/origin.h"

namespace zona::net {

/// Says of a request's target, as it was sent, whether something is so. Null: of none.
using PathTest = bool (*)(std::string_view target);

/// Refuses requests over TCP that no page or program of the user's can have meant for this server:
///
/// | Request | Answer |
/// | --- | --- |
/// | Host, or the host of an absolute target, is none of `hosts` | 421 INVALID_ARGUMENT, naming `api.hosts` |
/// | unsafe, and Origin is neither the own one nor in `origins`; "null" never is | 403 FORBIDDEN |
/// | unsafe, Sec-Fetch-Site: cross-site, and no Origin of `origins` | 403 FORBIDDEN |
///
/// The last two are not for a path whose forms come from pages of others by nature (`is_for_all`):
/// what answers there takes nothing for the caller's that a browser adds by itself.
///
/// The first is what a page sees that had its own name pointed at this server's address (DNS
/// rebinding): to the browser it is the same origin, so only the name tells. Unsafe is every method
/// but GET, HEAD and OPTIONS, and every upgrade (a WebSocket knows no CORS). The own origin has the
/// host and port of Host; https always fits, so that a proxy may speak TLS in front. Programs,
/// which send neither header, pass. HTTP/1.0 without a Host passes: no browser sends that.
///
/// Requests over the unix socket are not checked: no browser reaches it. It stands outside of
/// cors() so that a preflight under a foreign name is refused, too, and before authentication,
/// which must not count as the caller's what a foreign page sends. Source: Fetch Metadata; RFC 9110
/// section 7.4; PM-52, GAP-47.
Middleware guard_origin(HostList hosts, OriginList origins, PathTest is_for_all = nullptr);

/// Whether this value of an Origin header is the own one, as the table says. Any thread.
bool is_own_origin(std::string_view origin, const Request& request);
/// Whether a URL, the value of a Referer say, is one of the own origin. Any thread.
bool is_own_url(std::string_view url, const Request& request);

}  // namespace zona::net
