// The routes of /api/v1/system-settings: what holds for the whole installation.
#pragma once

#include "api/service.h"

namespace zona::tenancy {
class Tenants;
}

namespace zona::api {

/// `tenants` outlives the service; null where nobody asks.
core::Result<void> add_system_setting_routes(Service& service, tenancy::Tenants* tenants);

}  // namespace zona::api
