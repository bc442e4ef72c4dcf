/// @file
/// TenantDatabases whose databases are shown by a store::DatabaseMeter under their tenants' codes.
#pragma once

#include <memory>

#include "store/database_meter.h"
#include "tenancy/tenant_databases.h"

namespace zona::tenancy::detail {

/// As `inner`. `meter` outlives it.
std::unique_ptr<TenantDatabases> watched_databases(std::unique_ptr<TenantDatabases> inner,
                                                   store::DatabaseMeter& meter);

}  // namespace zona::tenancy::detail
