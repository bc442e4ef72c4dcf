/// @file
/// What PMDaemon's clients find at zona beside its own API: refusals in PMDaemon's words.
///
/// The operations themselves are among those of add_daemon_routes(); docs/compatibility.md says
/// what is the same, what is better and what is different.
#pragma once

#include "net/middleware.h"

namespace zona::api {

/// Gives what is refused on PMDaemon's paths before a handler sees it, for want of a key or of a
/// fitting query, the form that its documents promise: {"success":false,"error":{"code","message",
/// "details"},"message"} with its codes. Statuses 400, 401, 403, 404 and 409 only; others keep
/// zona's envelope, which has the same outline. Stands right around render_errors: last in the
/// `outer` of make_application(). Stateless. Source: PM-48; docs/compatibility.md.
net::Middleware render_pmdaemon_errors();

}  // namespace zona::api
