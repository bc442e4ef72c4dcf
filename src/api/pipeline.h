/// @file
/// What every request passes between the one that finds out who asks and its controller, in the
/// order of section 8.2: the first check that fails decides the answer.
///
/// | Step | Refuses by |
/// | --- | --- |
/// | route found (net::refuse_unrouted) | NOT_FOUND, METHOD_NOT_ALLOWED |
/// | sender known (identity::authenticate) | UNAUTHENTICATED |
/// | resolve_tenant | INVALID_TENANT; ACCESS_DENIED for what is about all of zona |
/// | admit_tenant | TOO_MANY_REQUESTS, when the tenant's quota is used up |
/// | announce_retry, on the way back | says when to come again after a SESSION_ERROR (GAP-12) |
/// | controller (Service): input, work, answer | INVALID_ARGUMENT and those of the operation |
///
/// Each is made by a factory of its own and can be tested alone. They see requests that have
/// matched a route of a Service. Source: HTTP-03, HTTP-09, AUTH-12, AUTH-43.
#pragma once

#include <vector>

#include "net/middleware.h"

namespace zona::tenancy {
class Admission;
}

namespace zona::api {

/// Whether who asks may reach the tenant that the path names, or all of zona: a sender that is
/// bound to a tenant reaches nothing else, and learns nothing of whether it exists. Source: TEN-15,
/// TEN-16, GAP-40.
net::Middleware resolve_tenant();

/// A place for the request among those of its tenant, until it is answered; `admission` outlives
/// the chain. Source: TEN-40.
net::Middleware admit_tenant(tenancy::Admission& admission);

/// Retry-After for a tenant whose database cannot be had now. Source: AUTH-09, GAP-12.
net::Middleware announce_retry();

/// All of them around `authenticate`, in order.
std::vector<net::Middleware> pipeline(std::vector<net::Middleware> authenticate,
                                      tenancy::Admission& admission);

}  // namespace zona::api
