// /api/v1/keys: the API keys, for admins and for the command.
#pragma once

#include "api/daemon_api.h"
#include "api/service.h"

namespace zona::api {

/// Adds the operations. Both may be null where nobody asks; else they outlive the service.
core::Result<void> add_key_routes(Service& service, const KeyDeps* deps, tenancy::Tenants* tenants);

}  // namespace zona::api
