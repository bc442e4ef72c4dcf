/// @file
/// Who asks, as a request carries it from authentication to controllers.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "identity/access/methods.h"
#include "identity/access/permissions.h"
#include "identity/principal.h"
#include "net/http.h"

namespace zona::identity {

/// What the cookie of a session is called (net::cookie_name()).
inline constexpr std::string_view kSessionCookie = "zona_session";

/// Says that a user asks, who may do what `permissions` holds.
void set_caller(net::Request& request, std::shared_ptr<const Principal> user,
                std::shared_ptr<const Permissions> permissions);

/// Says that a key asks, which may do what `permissions` holds; it was shown as a text, or as a
/// certificate (`how`).
void set_key(net::Request& request, const Principal& key,
             std::shared_ptr<const Permissions> permissions, Method how = Method::kKey);

/// Says that somebody asks who may do everything: the unix socket, or whoever it is where nobody is
/// asked who they are.
void set_unbounded(net::Request& request, std::string principal);

/// Says that something more was shown.
void add_method(net::Request& request, Method method);
/// By what it was known who asks; everything for whom nothing is asked of.
Methods methods_of(const net::Request& request);

/// The user who asks; null: a key, the unix socket, or nobody.
const Principal* user_of(const net::Request& request);

/// Whether who asks was known by a cookie, which a browser sends whichever page asks it to. Source:
/// SEC-13, SEC-31.
bool is_by_cookie(const net::Request& request);

/// Who asks, for decide(), whoever it is. Nobody, on an open route, may do nothing.
/// Source: AUTH-11, GAP-07.
Subject subject_of(const net::Request& request);

}  // namespace zona::identity
