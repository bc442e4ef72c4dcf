// The routes of /api/v1/audit, and of each tenant's own record.
#pragma once

#include "api/service.h"

namespace zona::api {

struct DaemonApiDeps;

/// What `deps` refers to outlives the service; null where nobody asks.
core::Result<void> add_audit_routes(Service& service, const DaemonApiDeps* deps);

}  // namespace zona::api
