// The routes of /api/v1/tenants, and the one of the specification beside them.
#pragma once

#include "api/service.h"

namespace zona::tenancy {
class Tenants;
}

namespace zona::api {

/// `tenants` outlives the service; null where nobody asks.
core::Result<void> add_tenant_routes(Service& service, tenancy::Tenants* tenants);

}  // namespace zona::api
