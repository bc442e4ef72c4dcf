#include "tenancy/detail/login.h"

#include <fmt/format.h>

namespace zona::tenancy::detail {

using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr const char* kUsername = "db_username";

Error invalid(std::string message, std::string hint) {
    return Error(Code::kInvalidArgument, std::move(message))
        .detail({kUsername, "", std::move(hint)});
}

}  // namespace

Result<void> try_login(const Tenant& tenant, BuildType build_type, const SessionMap& sessions,
                       TenantDatabases& databases) {
    const DatabaseAddress& database = tenant.database;
    if (build_type == BuildType::kSingleTenant) {
        return invalid("all tenants have one database here, whose user and password are settings",
                       "set mongo.username and mongo.password, and restart zona");
    }
    if (!is_mongo_host(database.host)) {
        return invalid(
            fmt::format("the tenant {} has no database in MongoDB, and no user and password",
                        tenant.code),
            fmt::format("`zona tenant move {0} --to mongodb://HOST` takes it there, with "
                        "--db-username and --db-password-file; `zona vault rotate {0}` gives a "
                        "file other keys",
                        tenant.code));
    }
    if (database.username.empty() && !database.password.empty())
        return invalid("a password is given, and no user whose it is", "name the user");
    if (sessions.is_held(tenant.code)) {
        return Error(Code::kConflict,
                     fmt::format("the tenant {} is being moved, restored or erased", tenant.code))
            .detail({kUsername, "", "say it again when that is over: zona execution list"});
    }
    auto probed = databases.probe(tenant);
    if (probed) return {};
    return probed.take_error()
        .context(fmt::format("the tenant {} stays as it was", tenant.code))
        .detail({kUsername, "its database was tried with it", ""});
}

}  // namespace zona::tenancy::detail
