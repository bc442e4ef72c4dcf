// The routes of /api/v1/tenants/{code}/settings: what a tenant keeps for itself.
#pragma once

#include "api/daemon_api.h"
#include "api/service.h"

namespace zona::api {

/// `deps` are those of the daemon; null where nobody asks.
core::Result<void> add_tenant_setting_routes(Service& service, const DaemonApiDeps* deps);

}  // namespace zona::api
