/// @file
/// Who asks, as a request carries it from authentication to controllers.
#pragma once

#include <memory>

#include "identity/access/permissions.h"
#include "identity/principal.h"
#include "net/http.h"

namespace zona::identity {

/// Says that a user asks, who may do what `permissions` holds.
void set_caller(net::Request& request, std::shared_ptr<const Principal> user,
                std::shared_ptr<const Permissions> permissions);

/// The user who asks; null: a key, the unix socket, or nobody.
const Principal* user_of(const net::Request& request);

/// Who asks, for decide(): a user with their permissions; an admin's key as the admin that it is,
/// of its tenant or of all; the unix socket as a Super Admin; a viewer's key may read. Nobody, on
/// an open route, may do nothing. Source: AUTH-11, GAP-07.
Subject subject_of(const net::Request& request);

}  // namespace zona::identity
