/// @file
/// Another build type: what tenants have goes from a database of each to one of all, or back.
///
/// It is done by a start, before anything is served (build_type.h says who asks for it): so nobody
/// writes meanwhile, and nothing has to be held back. Whoever dies on the way leaves the old or the
/// new, and the next start goes on. Source: TEN-01, GAP-08, docs/adr/0011-moving-tenants.md.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "core/log.h"
#include "core/result.h"
#include "store/database.h"
#include "tenancy/build_type.h"
#include "tenancy/tenant_databases.h"
#include "tenancy/tenant_registry.h"

namespace zona::tenancy {

/// What it works with; all outlive the call.
struct BuildTypeChange {
    store::Database& core;
    TenantRegistry& registry;
    TenantDatabases& separate;  ///< that nobody else uses
    TenantDatabases& shared;    ///< that nobody else uses
    BuildType to = BuildType::kMssp;
    /// Where the database of a tenant is from now on: of its own, or as it is with one for all.
    std::function<DatabaseAddress(const std::string& code)> place_of;
    /// Is told how it comes along; an error ends the work.
    std::function<core::Result<void>(const std::string& step)> tell;
    core::Logger log;
};

/// Copies what each tenant has that was not erased, in the order of their making, compares counts
/// and hashes, and records the type when all are there. It takes reading all twice from either
/// side. Goes on with what an earlier try has copied. Blocks.
/// Errors: kConflict: a restore, move or erasure that was begun is not done; a copy is not the
///         same. Those of the databases, naming the tenant, and of `tell`. After each of them the
///         old ones are as they were, and are what counts.
core::Result<void> change_build_type(const BuildTypeChange& change);

/// Removes what tenants had under the former type, which change_build_type() leaves, and says so in
/// the record. `remove_shared` takes the file of all tenants away; empty: it is in MongoDB, where
/// their documents are removed and nothing else. May be done again. Blocks. Errors: those of the
/// databases and disks; something is left then.
core::Result<void> remove_former(const BuildTypeChange& change,
                                 const std::function<core::Result<void>()>& remove_shared);

}  // namespace zona::tenancy
