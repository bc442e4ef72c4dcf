// The routes of users, invitations and roles, which are those of one tenant, or of none.
#pragma once

#include <string>
#include <vector>

#include "api/daemon_api.h"
#include "api/detail/request_body.h"
#include "api/detail/route_table.h"
#include "api/service.h"
#include "identity/access/roles.h"
#include "identity/caller.h"
#include "identity/sessions/session.h"
#include "identity/users/users.h"

namespace zona::api {

/// @{
/// Adds the operations. Both may be null where nobody asks; else they outlive the service.
core::Result<void> add_user_routes(Service& service, const IdentityDeps* deps,
                                   tenancy::Tenants* tenants);
core::Result<void> add_invitation_routes(Service& service, const IdentityDeps* deps,
                                         tenancy::Tenants* tenants);
core::Result<void> add_role_routes(Service& service, const IdentityDeps* deps,
                                   tenancy::Tenants* tenants);
/// Those of identity providers, and of signing in by them.
core::Result<void> add_provider_routes(Service& service, const IdentityDeps* deps,
                                       tenancy::Tenants* tenants);
/// Where browsers bring answers by SAML.
inline constexpr const char* kProviderAnswersPath =
    "/api/v1/service-providers/{tenant}/{provider}/answers";
/// Those of zona as a service provider of SAML. Source: AUTH-26, GAP-10.
core::Result<void> add_service_provider_routes(Service& service, const IdentityDeps* deps);
/// Those of sign-in, tokens and sessions.
core::Result<void> add_session_routes(Service& service, const IdentityDeps* deps,
                                      tenancy::Tenants* tenants);
/// Pages: signing in, also by an identity provider, signing out, and one's own sessions. Source:
/// SEC-13, GAP-10.
core::Result<void> add_sign_in_pages(Service& service, const DaemonApiDeps* deps);
core::Result<void> add_account_pages(Service& service, const DaemonApiDeps* deps);
/// Those of one's own second factor. Source: AUTH-31.
core::Result<void> add_second_factor_routes(Service& service, const IdentityDeps* deps);
/// Those that move the end of a session. Source: AUTH-15, GAP-13.
core::Result<void> add_session_end_routes(Service& service, const DaemonApiDeps* deps);
/// @}

using identity::subject_of;

/// The tenant that the path names, as identity knows it: empty for kNoTenant. Errors: kNotFound:
/// there is none, or it was erased.
net::asio::awaitable<core::Result<std::string>> tenant_in(const Call& call,
                                                          tenancy::Tenants& tenants);
/// As answers show it.
std::string shown_tenant(const std::string& tenant);

/// @{
/// What the operations have in common.
ParameterSpec tenant_parameter();
std::vector<ErrorSpec> identity_errors();
Shape roles_shape(std::string doc);
std::vector<std::string> texts_of(const boost::json::value& list);
/// @}

/// @{
/// What every way to sign in ends with: a session of who was let in, noted in the request for the
/// record and the logs; a new place is told. `method` is as in a Session. Errors: kUnavailable:
/// there are no sessions yet; those of Sessions::begin().
Answer begin_session(Call& call, const IdentityDeps& deps, identity::SignedIn who,
                     std::string method);
/// Its answer.
AnswerSpec tokens_answer(const char* description);
/// The same in a browser: a session in cookies, and on to `next` (local_path()). Browsers are to
/// follow that by GET, so what they come from may have been a POST. Errors: as begin_session().
Answer begin_browser_session(Call& call, const IdentityDeps& deps, identity::SignedIn who,
                             std::string method, std::string next);
/// @}

/// What the body says that somebody signs in with, and which name the request goes by; `tenant`,
/// `name`, `password` and `code`.
identity::Credentials credentials_in(Call& call);
/// Who they are, counted as a try. Errors: kUnavailable: there are no sessions yet, and nobody is
/// counted; those of Users::sign_in().
net::asio::awaitable<core::Result<identity::SignedIn>> check_credentials(Call& call,
                                                                         const IdentityDeps& deps);
/// "password", "password+code".
std::string method_of(const identity::SignedIn& who);
/// The user who asks. Errors: kConflict: it is a key, or the unix socket.
core::Result<const identity::Principal*> user_with_session(const net::Request& request);
/// Errors: kUnavailable: not open yet.
core::Result<std::shared_ptr<identity::Sessions>> open_sessions(const IdentityDeps& deps);
/// Who is at the other end; of the unix socket no address.
identity::Client client_of(const net::Request& request);

}  // namespace zona::api
