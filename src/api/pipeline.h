/// @file
/// What every request passes between the one that finds out who asks and its controller, in the
/// order of section 8.2: the first check that fails decides the answer.
///
/// | Step | Refuses by |
/// | --- | --- |
/// | route found (net::refuse_unrouted) | NOT_FOUND, METHOD_NOT_ALLOWED |
/// | sender known (identity::authenticate) | UNAUTHENTICATED |
/// | close_routes | UNAUTHENTICATED: nobody is known, and the open route was closed |
/// | resolve_tenant | INVALID_TENANT; ACCESS_DENIED for what is about all of zona |
/// | select_session | INVALID_TENANT, TENANT_INACTIVE, SESSION_ERROR: the tenant of the sender |
/// | identity::limit_keys | TOO_MANY_REQUESTS: a key oftener than its rate allows |
/// | check_csrf | CSRF_TOKEN_INVALID: a browser's session, and no proof that its page asks |
/// | require_methods | UNAUTHENTICATED: one method was shown, and two are asked for |
/// | identity::refuse_viewers | ACCESS_DENIED: a viewer's key, and no method that reads |
/// | authorise | ACCESS_DENIED, INVALID_TENANT: what roles or a key do not allow |
/// | check_license | LICENSE_REQUIRED: what the tenant's licence turns off, or not any more allows |
/// | admit_tenant | TOO_MANY_REQUESTS, when the tenant's quota is used up |
/// | announce_retry, on the way back | says when to come again after a SESSION_ERROR (GAP-12) |
/// | controller (Service): input, work, answer | INVALID_ARGUMENT and those of the operation |
///
/// Each is made by a factory of its own and can be tested alone. They see requests that have
/// matched a route of a Service. Source: HTTP-03, HTTP-09, AUTH-12, AUTH-43.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/log.h"
#include "core/result.h"
#include "net/middleware.h"

namespace zona::core {
class Clock;
class MetricRegistry;
}  // namespace zona::core

namespace zona::identity {
class ApiKeys;
class MethodPolicies;
}  // namespace zona::identity

namespace zona::tenancy {
class Admission;
class Licensing;
}  // namespace zona::tenancy

namespace zona::api {

class Service;

/// operationIds.
using OperationNames = std::set<std::string, std::less<>>;

/// Whether requests for a tenant can be served now; any thread.
using TenantCheck = std::function<core::Result<void>(std::string_view code)>;

/// What is open to everybody, in the order of their declaration: all that Access::kOpen names, and
/// nothing else (AUTH-13, GAP-10).
std::vector<std::string> open_operations(const Service& service);

/// Names of operations, separated by commas, that are to be open no more. Errors: kInvalidArgument,
/// naming one that is not open.
core::Result<OperationNames> parse_closed_routes(std::string_view text, const Service& service);

/// Asks for a key or a session where one of these operations is asked for. Source: AUTH-13.
net::Middleware close_routes(OperationNames closed);

/// Whether who asks may reach the tenant that the path names, or all of zona: a sender that is
/// bound to a tenant reaches nothing else, and learns nothing of whether it exists. Source: TEN-15,
/// TEN-16, GAP-40.
net::Middleware resolve_tenant();

/// Whether the tenant that who asks is bound to exists, is active, and has a database now: what
/// `check` says, which must wait for nothing. Source: AUTH-07..AUTH-09, GAP-12.
net::Middleware select_session(TenantCheck check);

/// Whether a request by the cookie of a session comes from a page of zona's: its Origin is the own
/// one, if there is one, and a WebSocket has one; what changes anything shows the session's token
/// (pipeline/csrf.h), and where it has no Origin but a Referer, that is a page of ours. Keys and
/// bearers of tokens are asked for none of it. Source: SEC-13, SEC-31.
net::Middleware check_csrf();

/// Whether who asks has shown enough for their tenant and the installation, as `policies` say,
/// which outlive the chain. What is about who asks is served in any case, so that a second factor
/// can be set up and a session ended. Source: AUTH-31.
net::Middleware require_methods(const identity::MethodPolicies& policies);

/// Whether who asks may do it, by the roles of a user or the rights of a key, at this time and from
/// this address, on something of the tenant at least; whose thing it is only a controller knows.
/// Refusals are logged by `log` and counted. `clock` and `metrics` outlive the chain. Source:
/// AUTH-10, AUTH-32..AUTH-35, AUTH-41.
net::Middleware authorise(const core::Clock& clock, core::Logger log,
                          core::MetricRegistry& metrics);

/// Whether the licence that the tenant is under, or for what is of none the installation, has the
/// operation's feature turned on and, for a change, is valid. `licensing` outlives the chain.
/// Source: LIC-06, LIC-07, LIC-10, LIC-11.
net::Middleware check_license(const tenancy::Licensing& licensing);

/// A place for the request among those of its tenant, until it is answered; `admission` outlives
/// the chain. Source: TEN-40.
net::Middleware admit_tenant(tenancy::Admission& admission);

/// Retry-After for a tenant whose database cannot be had now. Source: AUTH-09, GAP-12.
net::Middleware announce_retry();

/// What they work with; all outlive the chain.
struct PipelineDeps {
    TenantCheck check_tenant;  ///< tenancy::Tenants::check()
    tenancy::Admission& admission;
    const tenancy::Licensing& licensing;
    const core::Clock& clock;
    core::MetricRegistry& metrics;
    core::Logger log;  ///< category `security`
    const identity::MethodPolicies& methods;
    OperationNames closed_routes{};
    identity::ApiKeys* keys = nullptr;  ///< null: nobody asks with one
};

/// All of them behind `authenticate`, in order.
std::vector<net::Middleware> pipeline(std::vector<net::Middleware> authenticate,
                                      const PipelineDeps& deps);

}  // namespace zona::api
