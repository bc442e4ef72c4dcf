// Another user or password of a tenant's database, before it is kept.
#pragma once

#include "core/result.h"
#include "tenancy/session_map.h"
#include "tenancy/tenant.h"
#include "tenancy/tenant_databases.h"

namespace zona::tenancy::detail {

/// Whether `tenant` could have its database as its address says. Blocks, as long as a connection
/// may take. Errors: as Tenants::update().
core::Result<void> try_login(const Tenant& tenant, BuildType build_type, const SessionMap& sessions,
                             TenantDatabases& databases);

}  // namespace zona::tenancy::detail
