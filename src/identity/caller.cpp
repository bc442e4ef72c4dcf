#include "identity/caller.h"

#include <utility>

#include "identity/access/roles.h"
#include "identity/sessions/session_store.h"

namespace zona::identity {
void set_caller(net::Request& request, std::shared_ptr<const Principal> user,
                std::shared_ptr<const Permissions> permissions) {
    request.principal = user->to_string();
    request.tenant = user->tenant;
    request.may_change =
        permissions->always.of({Resource::kProcesses, Action::kExecute}) == Extent::kAll;
    request.methods = Methods(Method::kToken).bits();
    if (user->second_factor) add_method(request, Method::kSecondFactor);
    request.user = std::move(user);
    request.permissions = std::move(permissions);
}

void set_key(net::Request& request, const Principal& key,
             std::shared_ptr<const Permissions> permissions, Method how) {
    request.methods = Methods(how).bits();
    request.principal = key.to_string();
    request.tenant = key.tenant;
    request.credential = key.key_id;
    request.may_change =
        key.scope == Scope::kAdmin ||
        permissions->always.of({Resource::kProcesses, Action::kExecute}) == Extent::kAll;
    request.permissions = std::move(permissions);
}

void set_unbounded(net::Request& request, std::string principal) {
    request.principal = std::move(principal);
    request.may_change = true;
    request.methods = Methods::all().bits();
    request.permissions = super_admin().permissions;
}

void add_method(net::Request& request, Method method) {
    request.methods = methods_of(request).add(method).bits();
}

Methods methods_of(const net::Request& request) {
    return Methods::from(request.methods);
}

const Principal* user_of(const net::Request& request) {
    return static_cast<const Principal*>(request.user.get());
}

bool is_by_cookie(const net::Request& request) {
    return is_cookie_shaped(request.token);
}

Subject subject_of(const net::Request& request) {
    const Principal* const user = user_of(request);
    return {.tenant = request.tenant,
            .user_id = user == nullptr ? 0 : user->user_id,
            .permissions = std::static_pointer_cast<const Permissions>(request.permissions)};
}

}  // namespace zona::identity
