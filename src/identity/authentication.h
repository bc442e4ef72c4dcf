/// @file
/// The middleware that finds out who asks, before any handler sees the request.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "identity/access/permission_cache.h"
#include "identity/keys/api_keys.h"
#include "identity/sessions/sessions.h"
#include "net/middleware.h"

namespace zona::identity {

/// WWW-Authenticate of every 401 but those about a token.
inline constexpr const char* kChallenge = "Bearer realm=\"zona\"";

/// What is asked of clients over the network.
enum class Demand : std::uint8_t {
    kKey,
    kNothing,  ///< everybody is an admin: for development, on loopback only (GAP-47)
};

/// How strict it is, and how it slows guessing.
struct AuthenticationOptions {
    Demand demand = Demand::kKey;
    /// A refusal is held back, each one of an address twice as long as its last, so that guessing
    /// is slow. Good keys are never held back: others may share their address.
    std::chrono::milliseconds first_delay{50};
    std::chrono::milliseconds longest_delay{2000};
    /// An address is forgiven after so long without a failure.
    std::chrono::seconds forgiven_after{600};
    /// How often the key of an open stream is looked at again.
    std::chrono::milliseconds recheck{1000};
};

/// Who knows who somebody is; all outlive the chain, and what it has answered.
struct Authorities {
    ApiKeys& keys;
    /// The sessions of users; null while the core database is not open. Empty: there are no users.
    std::function<std::shared_ptr<Sessions>()> sessions = {};
    /// Of users and keys with roles; not null where there are any.
    PermissionCache* permissions = nullptr;
};

/// Finds out who asks, and notes it in the request (caller.h), or answers in the handler's place:
///
/// | Request | Answer |
/// | --- | --- |
/// | over the unix socket, whose mode keeps others out | handled, as a Super Admin |
/// | without a key or token, where the route is open (RouteOptions::open) | handled |
/// | without a key or token | 401 UNAUTHENTICATED, naming the forms |
/// | a key that is malformed, unknown or expired | 401 UNAUTHENTICATED, after a delay |
/// | a key while the core database is away | 503 UNAVAILABLE; while it is opened, waits |
/// | a token that is none, or not signed here | 401 INVALID_TOKEN, after a delay |
/// | a token without a session | 401 UNKNOWN_TOKEN, after a delay |
/// | a token whose time is over | 401 TOKEN_EXPIRED, once; then it is unknown |
/// | a token while the core database is not open | 503 UNAVAILABLE |
/// | neither, and a cookie, where the route is not open | as a token that is in it |
/// | two different ones | 400 INVALID_ARGUMENT |
/// | a key or token in the path or the query, where proxies log it | 400 INVALID_ARGUMENT |
/// | a token in the path of the one route that takes it (kTokenPath) | as without |
/// | neither key nor token, a client certificate that is registered as a key | as with this key |
/// | the same, one that is not, where the route is not open | 401 UNAUTHENTICATED, after a delay |
/// | a client certificate that is not good any more, whatever else | 401, after a delay |
///
/// Keys and tokens are taken from `Authorization: Bearer TEXT`, keys also from
/// `Authorization: ApiKey KEY` and `X-API-Key: KEY`. A browser cannot set these when it opens a
/// WebSocket: on such a request, and on no other, an offered subprotocol `zona.key.TEXT` is another
/// place. It is taken out of Sec-WebSocket-Protocol before anybody behind sees it, so it is never
/// answered; offer the one that is to be spoken (`zona.v1`) beside it. A bearer's text that does
/// not begin as a key is a token. The cookie kSessionCookie is that of a session which began in a
/// browser; beside an Authorization or X-API-Key, and on an open route, it is not looked at, and no
/// token is taken from it, nor its text from a header. Every 401 has WWW-Authenticate (RFC 9110
/// section 11.6.1, RFC 6750 section 3). Failures are counted in
/// zona_authentication_failures_total{reason}, and logged with the address, the first and then ever
/// rarer; the text that was shown goes nowhere. A path with a key in it stays in the request:
/// whoever logs it asks is_secret_path().
///
/// What a key may at all is asked later, in its place (keys/key_bounds.h).
///
/// Beside a key or a token a certificate is a second method (methods.h), if it is registered for
/// the same tenant: it says that the request comes from where the tenant lets it come from, and the
/// key or token who asks. It is of the connection, so it holds for each request that comes over it.
///
/// What a key or token has opened does not outlive it: within AuthenticationOptions::recheck of its
/// end, revoked or expired, or of a change of what the user's roles allow, a WebSocket is closed
/// with 1008, and a stream that would not end by itself (StreamEnd::kOnDrain) is cut. As long as it
/// is open its session is in use.
///
/// One middleware may stand in the chains of several servers that run at the same time: then they
/// count failures together. `clock` and `metrics` must outlive the chain. Source: PM-50, PM-51,
/// PM-52, PM-56, PM-58, AUTH-01..AUTH-06, AUTH-11, AUTH-28, AUTH-30, AUTH-41, SEC-13, SEC-15.
net::Middleware authenticate(Authorities authorities, AuthenticationOptions options,
                             const core::Clock& clock, core::Logger log,
                             core::MetricRegistry& metrics);

}  // namespace zona::identity
