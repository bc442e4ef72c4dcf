// The routes of operations on all that a tenant, or the installation, has: backups, restores,
// exports, moves, erasure, checks.
#pragma once

#include "api/daemon_api.h"
#include "api/detail/executions.h"
#include "api/service.h"

namespace zona::api {

/// Adds them. `deps` and `executions` outlive the service; null where nobody asks.
core::Result<void> add_backup_routes(Service& service, const DaemonApiDeps* deps,
                                     Executions* executions);

}  // namespace zona::api
