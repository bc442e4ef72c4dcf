#include "identity/access/roles.h"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "identity/detail/fields.h"
#include "identity/keys/key_store.h"
#include "identity/users/collections.h"

namespace zona::identity {

using core::Code;
using core::Error;
using core::Result;
using store::Collection;
using store::Reader;
using store::Record;
using store::Writer;

struct Roles::Body {
    RolesDeps deps;
};

namespace {

Result<Collection> roles_of(const std::string& tenant) {
    ZONA_TRY(store::Scope scope, detail::scope_of(tenant));
    return Collection(roles_spec(), std::move(scope));
}

Error no_role(const std::string& name) {
    return {Code::kNotFound,
            fmt::format("there is no role '{}' in this tenant (zona role list)", name)};
}

Role of_built_in(const BuiltInRole& from, const std::string& tenant) {
    Role out{.tenant = tenant,
             .name = std::string(from.name),
             .description = std::string(from.description)};
    out.built_in = true;
    for (std::size_t r = 0; r < kResources; ++r) {
        for (std::size_t a = 0; a < kActions; ++a) {
            const Permission one{static_cast<Resource>(r), static_cast<Action>(a)};
            const Extent extent = from.permissions.always.of(one);
            if (extent != Extent::kNone) out.grants.push_back({one, extent});
        }
    }
    return out;
}

Result<Role> of_record(const Record& record, const std::string& tenant) {
    ZONA_TRY(Role role, role_from(*record.document));
    role.tenant = tenant;
    role.created_at = record.created;
    role.updated_at = record.updated;
    return role;
}

/// An own role; none if there is none.
Result<std::optional<Role>> find_own(Reader& core, const std::string& tenant,
                                     const std::string& name) {
    ZONA_TRY(const Collection roles, roles_of(tenant));
    if (name.empty() || name.size() > store::kMaxIdBytes) return std::nullopt;
    ZONA_TRY(const std::optional<Record> found, core.find(roles, name));
    if (!found) return std::nullopt;
    ZONA_TRY(Role role, of_record(*found, tenant));
    return std::optional(std::move(role));
}

/// Whether a role of this name may be had there.
Result<void> check_there(Reader& core, const std::string& tenant, const std::string& name) {
    if (const BuiltInRole* built_in = find_built_in(name)) {
        if (!built_in->permissions.crosses_tenants || tenant.empty()) return {};
        return Error(Code::kInvalidArgument,
                     fmt::format("the role {} is for users of no tenant", name));
    }
    ZONA_TRY(const std::optional<Role> own, find_own(core, tenant, name));
    if (own) return {};
    return no_role(name);
}

/// Adds up roles and what they inherit, each once.
class Sum {
  public:
    Sum(Reader& core, const std::string& tenant) : core_(core), tenant_(tenant) {}

    Result<void> add(const std::string& name) {
        if (!seen_.insert(name).second) return {};
        if (const BuiltInRole* built_in = find_built_in(name)) {
            // A document that somebody has put a tenant's user of this role into grants nothing.
            if (built_in->permissions.crosses_tenants && !tenant_.empty()) return {};
            out_.always.add(built_in->permissions.always);
            out_.crosses_tenants |= built_in->permissions.crosses_tenants;
            return {};
        }
        ZONA_TRY(const std::optional<Role> own, find_own(core_, tenant_, name));
        if (!own) return {};
        return add(*own);
    }

    Result<void> add(const Role& role) {
        Grants grants;
        for (const Grant& one : role.grants)
            grants.add(one.permission, one.extent);
        if (role.conditions.is_empty()) {
            out_.always.add(grants);
        } else {
            out_.sometimes.push_back({role.conditions, grants});
        }
        for (const std::string& inherited : role.inherits)
            ZONA_TRY_VOID(add(inherited));
        return {};
    }

    Permissions take() { return std::move(out_); }

  private:
    Reader& core_;
    const std::string& tenant_;
    std::set<std::string> seen_;
    Permissions out_;
};

/// Follows what is inherited. Errors: kConflict when it leads back to `name`.
Result<void> check_acyclic(Reader& core, const Role& wanted) {
    std::set<std::string> seen;
    std::vector<std::string> next = wanted.inherits;
    while (!next.empty()) {
        const std::string name = std::move(next.back());
        next.pop_back();
        if (name == wanted.name) {
            return Error(Code::kConflict,
                         fmt::format("the role {} would inherit itself", wanted.name))
                .detail({"/inherits", "", "take out what leads back to it",
                         core::Detail::Place::kPointer});
        }
        if (!seen.insert(name).second || find_built_in(name) != nullptr) continue;
        ZONA_TRY(const std::optional<Role> own, find_own(core, wanted.tenant, name));
        if (own) next.insert(next.end(), own->inherits.begin(), own->inherits.end());
    }
    return {};
}

Result<void> check_role(Reader& core, const Subject& by, const Role& wanted) {
    ZONA_TRY_VOID(check_tenant(by, wanted.tenant));
    if (find_built_in(wanted.name) != nullptr) {
        return Error(Code::kConflict,
                     fmt::format("the role {} is built in and stays as it is", wanted.name));
    }
    for (const Grant& one : wanted.grants) {
        if (wanted.tenant.empty() || !is_of_installation(one.permission.resource)) continue;
        return Error(Code::kInvalidArgument,
                     fmt::format("{} is of the installation: no role of a tenant grants it",
                                 to_string(one.permission)));
    }
    for (const std::string& inherited : wanted.inherits)
        ZONA_TRY_VOID(check_there(core, wanted.tenant, inherited));
    ZONA_TRY_VOID(check_acyclic(core, wanted));
    Sum sum(core, wanted.tenant);
    ZONA_TRY_VOID(sum.add(wanted));
    return check_within(by, sum.take(), "a role");
}

/// Errors: kConflict, naming one who has the role.
Result<void> check_unused(Reader& core, const std::string& tenant, const std::string& name) {
    ZONA_TRY(const store::Scope scope, detail::scope_of(tenant));
    struct Use {
        const store::CollectionSpec& spec;
        const char* key;
    };
    const Use uses[] = {
        {users_spec(), "roles"}, {invitations_spec(), "roles"}, {roles_spec(), "inherits"}};
    for (const Use& use : uses) {
        const auto look = [&](const Record& record) -> Result<void> {
            if (!detail::holds(detail::texts_in(*record.document, use.key), name)) return {};
            return Error(Code::kConflict, fmt::format("the role {} is in use: {} {} has it", name,
                                                      use.spec.name, store::to_string(record.id)));
        };
        ZONA_TRY_VOID(detail::for_each(core, Collection(use.spec, scope), look));
    }
    ZONA_TRY(const std::optional<std::string> key, find_key_with_role(core, tenant, name));
    if (!key) return {};
    return Error(Code::kConflict,
                 fmt::format("the role {} is in use: the API key {} has it", name, *key));
}

Result<Role> put(Writer& core, const Subject& by, const Role& wanted, bool is_new) {
    ZONA_TRY_VOID(check_role(core, by, wanted));
    ZONA_TRY(const Collection roles, roles_of(wanted.tenant));
    ZONA_TRY(const std::optional<Role> there, find_own(core, wanted.tenant, wanted.name));
    if (there && is_new)
        return Error(Code::kConflict, fmt::format("there is a role {} already", wanted.name));
    if (!there && !is_new) return no_role(wanted.name);
    if (there) {
        Sum before(core, wanted.tenant);
        ZONA_TRY_VOID(before.add(*there));
        ZONA_TRY_VOID(check_within(by, before.take(), "a role"));
        ZONA_TRY(const Record stored, core.replace(roles, wanted.name, to_document(wanted)));
        return of_record(stored, wanted.tenant);
    }
    const store::Query all{.filter = {}, .sort = {}, .walk = store::Walk::kAllow};
    ZONA_TRY(const std::uint64_t count, core.count(roles, all));
    if (count >= kMaxRoles)
        return Error(Code::kConflict, fmt::format("a tenant has at most {} roles", kMaxRoles));
    ZONA_TRY(const Record stored, core.insert(roles, wanted.name, to_document(wanted)));
    return of_record(stored, wanted.tenant);
}

}  // namespace

Roles::Roles(RolesDeps deps) : body_(std::make_shared<Body>(std::move(deps))) {}

namespace {

/// Tells of a change once it is durable.
auto told(std::function<void(const std::string&)> changed, store::Callback<Role> done) {
    return [changed = std::move(changed), done = std::move(done)](Result<Role> role) mutable {
        if (role && changed) changed(role->tenant);
        done(std::move(role));
    };
}

}  // namespace

void Roles::create(const Subject& by, Role wanted, store::Callback<Role> done) {
    const auto core = body_->deps.core();
    if (!core) return done(detail::core_is_closed());
    auto body = [by, wanted = std::move(wanted)](Writer& writer) {
        return put(writer, by, wanted, true);
    };
    store::write(*core, std::move(body), told(body_->deps.changed, std::move(done)));
}

void Roles::change(const Subject& by, Role wanted, store::Callback<Role> done) {
    const auto core = body_->deps.core();
    if (!core) return done(detail::core_is_closed());
    auto body = [by, wanted = std::move(wanted)](Writer& writer) {
        return put(writer, by, wanted, false);
    };
    store::write(*core, std::move(body), told(body_->deps.changed, std::move(done)));
}

void Roles::remove(const Subject& by, const std::string& tenant, const std::string& name,
                   store::Callback<Role> done) {
    const auto core = body_->deps.core();
    if (!core) return done(detail::core_is_closed());
    auto body = [by, tenant, name](Writer& writer) -> Result<Role> {
        ZONA_TRY_VOID(check_tenant(by, tenant));
        if (find_built_in(name) != nullptr)
            return Error(Code::kConflict, fmt::format("the role {} is built in", name));
        ZONA_TRY(const std::optional<Role> own, find_own(writer, tenant, name));
        if (!own) return no_role(name);
        Sum sum(writer, tenant);
        ZONA_TRY_VOID(sum.add(*own));
        ZONA_TRY_VOID(check_within(by, sum.take(), "a role"));
        ZONA_TRY_VOID(check_unused(writer, tenant, name));
        ZONA_TRY(const Collection roles, roles_of(tenant));
        ZONA_TRY([[maybe_unused]] const bool was_there, writer.remove(roles, name));
        return *own;
    };
    store::write(*core, std::move(body), told(body_->deps.changed, std::move(done)));
}

void Roles::find(const std::string& tenant, const std::string& name, store::Callback<Role> done) {
    if (const BuiltInRole* built_in = find_built_in(name))
        return done(of_built_in(*built_in, tenant));
    const auto core = body_->deps.core();
    if (!core) return done(detail::core_is_closed());
    auto body = [tenant, name](Reader& reader) -> Result<Role> {
        ZONA_TRY(const std::optional<Role> own, find_own(reader, tenant, name));
        if (!own) return no_role(name);
        return *own;
    };
    store::read(*core, std::move(body), std::move(done));
}

void Roles::list(const std::string& tenant, store::Callback<std::vector<Role>> done) {
    const auto core = body_->deps.core();
    if (!core) return done(detail::core_is_closed());
    auto body = [tenant](Reader& reader) -> Result<std::vector<Role>> {
        std::vector<Role> all;
        for (const BuiltInRole& built_in : built_in_roles()) {
            if (!built_in.permissions.crosses_tenants || tenant.empty())
                all.push_back(of_built_in(built_in, tenant));
        }
        ZONA_TRY(const Collection roles, roles_of(tenant));
        const auto keep = [&](const Record& record) -> Result<void> {
            ZONA_TRY(Role role, of_record(record, tenant));
            all.push_back(std::move(role));
            return {};
        };
        ZONA_TRY_VOID(detail::for_each(reader, roles, keep));
        return all;
    };
    store::read(*core, std::move(body), std::move(done));
}

void Roles::permissions(const std::string& tenant, std::vector<std::string> roles,
                        store::Callback<std::shared_ptr<const Permissions>> done) {
    const auto core = body_->deps.core();
    if (!core) return done(detail::core_is_closed());
    auto body = [tenant, roles = std::move(roles)](
                    Reader& reader) -> Result<std::shared_ptr<const Permissions>> {
        ZONA_TRY(Permissions compiled, compile(reader, tenant, roles));
        return std::make_shared<const Permissions>(std::move(compiled));
    };
    store::read(*core, std::move(body), std::move(done));
}

Result<Permissions> Roles::compile(Reader& core, const std::string& tenant,
                                   std::span<const std::string> roles) {
    Sum sum(core, tenant);
    for (const std::string& name : roles)
        ZONA_TRY_VOID(sum.add(name));
    return sum.take();
}

Result<void> Roles::check_grant(Reader& core, const Subject& by, const std::string& tenant,
                                std::span<const std::string> roles) {
    ZONA_TRY_VOID(check_tenant(by, tenant));
    if (roles.size() > kMaxRolesOfUser)
        return Error(Code::kInvalidArgument,
                     fmt::format("nobody has more than {} roles", kMaxRolesOfUser));
    for (const std::string& name : roles) {
        if (std::ranges::count(roles, name) > 1)
            return Error(Code::kInvalidArgument, fmt::format("the role {} is there twice", name));
        ZONA_TRY_VOID(check_there(core, tenant, name));
    }
    return check_reach(core, by, tenant, roles);
}

Result<void> Roles::check_reach(Reader& core, const Subject& by, const std::string& tenant,
                                std::span<const std::string> roles) {
    ZONA_TRY_VOID(check_tenant(by, tenant));
    ZONA_TRY(const Permissions held, compile(core, tenant, roles));
    return check_within(by, held, "a role");
}

Subject super_admin() {
    // The built-in roles are never destroyed: nobody has to own this one.
    const BuiltInRole* role = find_built_in("super_admin");
    return {.tenant = {},
            .user_id = 0,
            .permissions = {std::shared_ptr<const void>(), &role->permissions}};
}

Subject admin_of(std::string tenant) {
    const BuiltInRole* role = find_built_in("admin");
    return {.tenant = std::move(tenant),
            .user_id = 0,
            .permissions = {std::shared_ptr<const void>(), &role->permissions}};
}

Result<void> check_within(const Subject& by, const Permissions& wanted, std::string_view what) {
    const auto denied = [&](const std::string& excess) {
        return Error(Code::kAccessDenied,
                     fmt::format("{} that allows more than yours cannot be given, taken or made by "
                                 "you: it has {}",
                                 what, excess));
    };
    if (!by.permissions) return denied("permissions, and you have none");
    if (wanted.crosses_tenants && !by.permissions->crosses_tenants) return denied("every tenant");
    Grants all = wanted.always;
    for (const ConditionalGrants& one : wanted.sometimes)
        all.add(one.grants);
    if (const auto lacking = by.permissions->always.lacks(all)) return denied(to_string(*lacking));
    return {};
}

Result<void> check_tenant(const Subject& by, const std::string& tenant) {
    const bool crosses = by.permissions && by.permissions->crosses_tenants;
    if (crosses || (!tenant.empty() && by.tenant == tenant)) return {};
    return Error(Code::kInvalidTenant, "the tenant of the request is not yours");
}

}  // namespace zona::identity
