// The route of /api/v1/build-type.
#pragma once

#include "api/daemon_api.h"
#include "api/service.h"

namespace zona::api {

/// `deps` are copied; null where nobody asks.
core::Result<void> add_build_type_route(Service& service, const DaemonApiDeps* deps);

}  // namespace zona::api
