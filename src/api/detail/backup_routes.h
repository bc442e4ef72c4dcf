// The routes of operations on all that a tenant, or the installation, has: backups, restores,
// exports, moves, erasure, checks.
#pragma once

#include "api/daemon_api.h"
#include "api/detail/tasks.h"
#include "api/service.h"

namespace zona::api {

/// Adds them, and what they begin to `tasks`. Both outlive the service; null where nobody asks.
core::Result<void> add_backup_routes(Service& service, const DaemonApiDeps* deps, Tasks* tasks);

}  // namespace zona::api
