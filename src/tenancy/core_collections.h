/// @file
/// The collections of the core database: those that belong to the installation, not to a tenant.
/// Source: TEN-06, TEN-07, TEN-11, DATA-08, DATA-09, DATA-15, DATA-17, DATA-18.
#pragma once

#include <vector>

#include "store/collection.h"

namespace zona::tenancy {

/// `tenants`: by code.
const store::CollectionSpec& tenants_spec();
/// `tenant_history`: every state that a tenant's record had, by a number of their own.
const store::CollectionSpec& tenant_history_spec();
/// `tenant_databases`: TENANTDB, by number.
const store::CollectionSpec& tenant_databases_spec();
/// `tenant_backups`: TENANTBACKUP, by number.
const store::CollectionSpec& tenant_backups_spec();
/// `tenant_work`: what is being done to a tenant as a whole and goes on after a restart, by code.
const store::CollectionSpec& tenant_work_spec();
/// `license_info`: by license_type.
const store::CollectionSpec& license_info_spec();
/// `system_config`: by key.
const store::CollectionSpec& system_config_spec();

/// All of them, those of the jobs, of identity and `counters`: what the core database is opened
/// with.
std::vector<const store::CollectionSpec*> core_collections();

}  // namespace zona::tenancy
