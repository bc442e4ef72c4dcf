// Where a home's core database is, if it is not a file of it.
#pragma once

#include <string>

#include "core/result.h"

namespace zona::tenancy {
struct TenantsOptions;
}

namespace zona::tenancy::detail {

/// Where a home keeps which core database it belongs to.
std::string core_host_file(const std::string& directory);

/// A setting that leaves out where the core database is leaves that alone. Errors: kConflict,
/// naming the place; kInvalidArgument: a file for all tenants, and several hosts.
core::Result<void> check_core_host(const TenantsOptions& options);

}  // namespace zona::tenancy::detail
