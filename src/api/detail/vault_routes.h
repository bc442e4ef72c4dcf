// The routes of /api/v1/vault: the keys that tenants' data is encrypted under.
#pragma once

#include "api/daemon_api.h"
#include "api/detail/tasks.h"
#include "api/service.h"

namespace zona::api {

/// Both outlive the service; null where nobody asks.
core::Result<void> add_vault_routes(Service& service, const DaemonApiDeps* deps, Tasks* tasks);

}  // namespace zona::api
