// The routes of /api/v1/license.
#pragma once

#include "api/daemon_api.h"
#include "api/service.h"

namespace zona::api {

/// `deps` are copied; null where nobody asks.
core::Result<void> add_license_routes(Service& service, const DaemonApiDeps* deps);

}  // namespace zona::api
