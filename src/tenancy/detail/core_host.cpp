#include "tenancy/detail/core_host.h"

#include <fmt/format.h>

#include "os/fd.h"
#include "tenancy/tenants.h"

namespace zona::tenancy::detail {

using core::Code;
using core::Error;
using core::Result;

std::string core_host_file(const std::string& directory) {
    return directory + "/core-host";
}

Result<void> check_core_host(const TenantsOptions& options) {
    const bool is_shared = !options.core.uri.empty();
    ZONA_TRY(const auto there, os::stat_path(options.directory + "/core.db"));
    if (is_shared && options.build_type == BuildType::kSingleTenant && options.mongo.uri.empty()) {
        return Error(Code::kInvalidArgument,
                     "the one database of all tenants is a file of this host's, and "
                     "tenancy.core_host says that several hosts serve them")
            .detail({"mongo.uri", "", "name a server for it"});
    }
    if (is_shared || there) return {};
    ZONA_TRY(const auto before, os::stat_path(core_host_file(options.directory)));
    if (!before) return {};
    ZONA_TRY(const std::string place, os::read_file(core_host_file(options.directory)));
    return Error(Code::kConflict,
                 fmt::format("the core database of this home is in MongoDB, {}, and "
                             "tenancy.core_host does not say so",
                             place))
        .detail({"tenancy.core_host", "", "set it, or take another home"});
}

}  // namespace zona::tenancy::detail
