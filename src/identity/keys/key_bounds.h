/// @file
/// What bounds a key whatever it is asked with: its rate, and that a viewer's changes nothing. Each
/// a middleware of its own, for behind authenticate(), at the place that section 8.7 gives it:
/// nobody is refused by them whose tenant is not served. Who asks by something else passes.
#pragma once

#include "identity/keys/api_keys.h"
#include "net/middleware.h"

namespace zona::identity {

/// A key oftener than its rate allows: 429 TOO_MANY_REQUESTS, with Retry-After. `keys` outlives the
/// chain. Source: AUTH-28, SEC-15.
net::Middleware limit_keys(ApiKeys& keys);

/// A viewer's key by another method than GET, HEAD and OPTIONS, where the route is not open: 403
/// ACCESS_DENIED. A key that was taken back meanwhile: 401 UNAUTHENTICATED. `keys` outlives the
/// chain. Source: PM-51, AUTH-28.
net::Middleware refuse_viewers(const ApiKeys& keys);

}  // namespace zona::identity
