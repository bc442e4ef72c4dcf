#include "identity/access/permissions.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace zona::identity {

using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr std::array<std::string_view, kResources> kResourceNames{
    "utilities",   "playbooks",       "executions",
    "apps",        "cases",           "events",
    "users",       "roles",           "invitations",
    "sessions",    "api_keys",        "identity_providers",
    "credentials", "tenant_settings", "tenant_data",
    "tenant_jobs", "audit",           "personal_data",
    "cache",       "tenants",         "license",
    "keys",        "processes",       "system"};
static_assert(std::to_underlying(Resource::kSystem) + 1 == kResources);

constexpr std::array<std::string_view, kActions> kActionNames{"create",  "read",   "update",
                                                              "execute", "delete", "admin"};
static_assert(std::to_underlying(Action::kAdmin) + 1 == kActions);

constexpr std::array<std::string_view, 3> kExtentNames{"none", "own", "all"};

template <class E, std::size_t N>
std::optional<E> from_name(const std::array<std::string_view, N>& names, std::string_view name) {
    const auto at = std::ranges::find(names, name);
    if (at == names.end()) return std::nullopt;
    return static_cast<E>(at - names.begin());
}

/// What is the work of a tenant: the columns of the matrix.
constexpr Resource kWork[] = {Resource::kUtilities, Resource::kPlaybooks, Resource::kExecutions,
                              Resource::kApps,      Resource::kCases,     Resource::kEvents};

/// One line of the matrix for all work; Update is as Create (GAP-06).
Grants work(Extent create, Extent read, Extent execute, Extent remove) {
    Grants out;
    for (const Resource resource : kWork) {
        out.add({resource, Action::kCreate}, create);
        out.add({resource, Action::kUpdate}, create);
        out.add({resource, Action::kRead}, read);
        out.add({resource, Action::kExecute}, execute);
        out.add({resource, Action::kDelete}, remove);
    }
    return out;
}

/// Everything, or all but what is of the installation.
Grants everything(bool of_installation) {
    Grants out;
    for (std::size_t r = 0; r < kResources; ++r) {
        const auto resource = static_cast<Resource>(r);
        if (is_of_installation(resource) && !of_installation) continue;
        for (std::size_t a = 0; a < kActions; ++a)
            out.add({resource, static_cast<Action>(a)}, Extent::kAll);
    }
    return out;
}

}  // namespace

std::string_view to_string(Resource resource) {
    return kResourceNames.at(static_cast<std::size_t>(resource));
}

std::string_view to_string(Action action) {
    return kActionNames.at(static_cast<std::size_t>(action));
}

std::string_view to_string(Extent extent) {
    return kExtentNames.at(static_cast<std::size_t>(extent));
}

std::optional<Resource> resource_from(std::string_view name) {
    return from_name<Resource>(kResourceNames, name);
}

std::optional<Action> action_from(std::string_view name) {
    return from_name<Action>(kActionNames, name);
}

std::optional<Extent> extent_from(std::string_view name) {
    return from_name<Extent>(kExtentNames, name);
}

std::string to_string(Permission permission) {
    return fmt::format("{}:{}", to_string(permission.resource), to_string(permission.action));
}

std::optional<Permission> permission_from(std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto resource = resource_from(text.substr(0, colon));
    const auto action = action_from(text.substr(colon + 1));
    if (!resource || !action) return std::nullopt;
    return Permission{.resource = *resource, .action = *action};
}

bool is_of_installation(Resource resource) {
    return resource >= Resource::kTenants;
}

Grants& Grants::add(Permission permission, Extent extent) {
    if (extent != Extent::kNone) own_.set(index(permission));
    if (extent == Extent::kAll) all_.set(index(permission));
    return *this;
}

Grants& Grants::add(const Grants& other) {
    own_ |= other.own_;
    all_ |= other.all_;
    return *this;
}

bool Grants::contains(const Grants& other) const {
    return (other.own_ & ~own_).none() && (other.all_ & ~all_).none();
}

std::optional<Permission> Grants::lacks(const Grants& other) const {
    const Bits missing = (other.own_ & ~own_) | (other.all_ & ~all_);
    for (std::size_t at = 0; at < missing.size(); ++at) {
        if (missing[at]) {
            return Permission{static_cast<Resource>(at / kActions),
                              static_cast<Action>(at % kActions)};
        }
    }
    return std::nullopt;
}

Result<void> decide(const Subject& subject, Permission permission, const Object& object,
                    const Context& context) {
    const auto denied = [&] {
        return Error(Code::kAccessDenied,
                     fmt::format("this needs the permission {}, which you do not have for it",
                                 to_string(permission)));
    };
    if (!subject.permissions) return denied();
    const Permissions& held = *subject.permissions;
    if (object.tenant.empty() || is_of_installation(permission.resource)) {
        if (!subject.tenant.empty()) return denied();
    } else if (object.tenant != subject.tenant && !held.crosses_tenants) {
        return Error(Code::kInvalidTenant, "the tenant of the request is not yours");
    }
    const bool owned =
        object.owner.has_value() && subject.user_id != 0 && *object.owner == subject.user_id;
    const auto suffices = [&](const Grants& grants) {
        const Extent extent = grants.of(permission);
        return extent == Extent::kAll || (extent == Extent::kOwn && owned);
    };
    if (suffices(held.always)) return {};
    for (const ConditionalGrants& one : held.sometimes) {
        if (suffices(one.grants) && one.conditions.hold(context)) return {};
    }
    return denied();
}

bool crosses(const Subject& subject, const Object& object) {
    return !object.tenant.empty() && object.tenant != subject.tenant;
}

std::span<const BuiltInRole> built_in_roles() {
    using enum Extent;
    static const std::array<BuiltInRole, 4> kRoles{
        {{.name = "user",
          .description = "Makes, reads and runs its own; removes nothing.",
          .permissions = {.always = work(kOwn, kOwn, kOwn, kNone), .sometimes = {}}},
         {.name = "creator",
          .description = "Makes, reads, runs and removes its own.",
          .permissions = {.always = work(kOwn, kOwn, kOwn, kOwn), .sometimes = {}}},
         {.name = "admin",
          .description = "Everything within its tenant.",
          .permissions = {.always = everything(false), .sometimes = {}}},
         {.name = "super_admin",
          .description = "Everything, in every tenant and of the installation.",
          .permissions = {.always = everything(true), .sometimes = {}, .crosses_tenants = true}}}};
    return kRoles;
}

const BuiltInRole* find_built_in(std::string_view name) {
    const auto all = built_in_roles();
    const auto at = std::ranges::find(all, name, &BuiltInRole::name);
    return at == all.end() ? nullptr : &*at;
}

}  // namespace zona::identity
