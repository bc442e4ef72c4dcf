#include "identity/caller.h"

#include <utility>

#include "identity/access/roles.h"

namespace zona::identity {
namespace {

/// Reads everything, of the installation too if it is of no tenant.
std::shared_ptr<const Permissions> reader(bool of_a_tenant) {
    Permissions out;
    for (std::size_t i = 0; i < kResources; ++i) {
        const auto resource = static_cast<Resource>(i);
        if (of_a_tenant && is_of_installation(resource)) continue;
        out.always.add({resource, Action::kRead}, Extent::kAll);
    }
    out.crosses_tenants = !of_a_tenant;
    return std::make_shared<const Permissions>(std::move(out));
}

}  // namespace

void set_caller(net::Request& request, std::shared_ptr<const Principal> user,
                std::shared_ptr<const Permissions> permissions) {
    request.principal = user->to_string();
    request.tenant = user->tenant;
    request.may_change =
        permissions->always.of({Resource::kProcesses, Action::kExecute}) == Extent::kAll;
    request.user = std::move(user);
    request.permissions = std::move(permissions);
}

const Principal* user_of(const net::Request& request) {
    return static_cast<const Principal*>(request.user.get());
}

Subject subject_of(const net::Request& request) {
    if (const Principal* user = user_of(request)) {
        return {.tenant = user->tenant,
                .user_id = user->user_id,
                .permissions = std::static_pointer_cast<const Permissions>(request.permissions)};
    }
    if (request.may_change)
        return request.tenant.empty() ? super_admin() : admin_of(request.tenant);
    if (!request.credential) return {};
    static const auto kAll = reader(false);
    static const auto kTenant = reader(true);
    return {.tenant = request.tenant, .permissions = request.tenant.empty() ? kAll : kTenant};
}

}  // namespace zona::identity
