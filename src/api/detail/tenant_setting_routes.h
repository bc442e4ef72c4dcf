// The routes of /api/v1/tenants/{code}/settings: what a tenant keeps for itself.
#pragma once

#include "api/service.h"

namespace zona::tenancy {
class Tenants;
}

namespace zona::api {

/// `tenants` outlives the service; null where nobody asks.
core::Result<void> add_tenant_setting_routes(Service& service, tenancy::Tenants* tenants);

}  // namespace zona::api
