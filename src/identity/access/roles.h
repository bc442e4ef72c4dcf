/// @file
/// Roles: those that a tenant makes for itself beside the built-in ones, and what they add up to.
///
/// A role of one's own inherits others, built-in or own, and grants more, under conditions if it
/// has any: they hold for what it grants itself, not for what it inherits. It can never grant what
/// is of the installation, nor be above who makes it. Documents of the collection `roles` in the
/// core database, in the scope of their tenant. Source: AUTH-32, AUTH-33, AUTH-40, GAP-06.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "identity/access/permissions.h"
#include "store/database.h"

namespace zona::identity {

/// One line of a role.
struct Grant {
    Permission permission;
    Extent extent = Extent::kOwn;
    bool operator==(const Grant&) const = default;
};

/// A role.
struct Role {
    std::string tenant;  ///< empty: for users of no tenant
    std::string name;    ///< 1 to 64 of [a-z0-9_-], the first a letter or digit
    std::string description{};
    std::vector<std::string> inherits{};
    std::vector<Grant> grants{};
    Conditions conditions{};  ///< of `grants`
    bool built_in = false;    ///< cannot be changed
    core::SystemTime created_at{};
    core::SystemTime updated_at{};
};

/// Roles of its own that a tenant may have.
inline constexpr std::size_t kMaxRoles = 200;

/// What Roles works with; all outlive it and what it has begun.
struct RolesDeps {
    /// The core database; null while it is not open. Any thread.
    std::function<std::shared_ptr<store::Database>()> core;
    /// Told that what the roles of a tenant allow is another now, for whoever keeps it; on a thread
    /// of the database, must not call back. May be empty.
    std::function<void(const std::string& tenant)> changed{};
};

/// All members from any thread; answers come on a thread of the database. Errors of all:
/// kUnavailable while the core database is not open; those of the store.
class Roles {
  public:
    /// Asks nothing yet.
    explicit Roles(RolesDeps deps);

    /// Makes a role. Errors: kInvalidArgument: the name, a grant of what is of the installation, a
    /// condition; kNotFound: what it inherits; kConflict: the name is taken or built in, there are
    /// kMaxRoles; kAccessDenied: it allows what `by` may not.
    void create(const Subject& by, Role wanted, store::Callback<Role> done);
    /// Replaces all of a role but its name; it holds from the next request on. Errors: those of
    /// create(); kNotFound; kConflict: it would inherit itself.
    void change(const Subject& by, Role wanted, store::Callback<Role> done);
    /// Errors: kNotFound; kConflict: it is built in, a user, an invitation or a key has it, or a
    /// role inherits it; kAccessDenied: it allows what `by` may not.
    void remove(const Subject& by, const std::string& tenant, const std::string& name,
                store::Callback<Role> done);
    /// Own or built in. Errors: kNotFound.
    void find(const std::string& tenant, const std::string& name, store::Callback<Role> done);
    /// The built-in ones, then the tenant's own by age.
    void list(const std::string& tenant, store::Callback<std::vector<Role>> done);

    /// What these roles add up to now, for a Subject. One that is gone grants nothing.
    void permissions(const std::string& tenant, std::vector<std::string> roles,
                     store::Callback<std::shared_ptr<const Permissions>> done);

    /// The same within a transaction.
    static core::Result<Permissions> compile(store::Reader& core, const std::string& tenant,
                                             std::span<const std::string> roles);
    /// Whether `by` may give or take these roles: they exist, and allow nothing, under no
    /// condition, that `by` may not do always. So an Admin grants what an Admin may, and
    /// `super_admin` is granted by those who have it, to users of no tenant. Errors:
    /// kInvalidTenant; kNotFound; kAccessDenied; kInvalidArgument: too many, or one twice;
    /// `super_admin` in a tenant.
    static core::Result<void> check_grant(store::Reader& core, const Subject& by,
                                          const std::string& tenant,
                                          std::span<const std::string> roles);
    /// Whether `by` may touch somebody who has these roles: what they add up to is within what
    /// `by` may do always; one that is gone adds nothing. Errors: kInvalidTenant; kAccessDenied.
    static core::Result<void> check_reach(store::Reader& core, const Subject& by,
                                          const std::string& tenant,
                                          std::span<const std::string> roles);

  private:
    struct Body;
    std::shared_ptr<Body> body_;  ///< shared with what was begun
};

/// @{
/// A role as it is written down, without what the store knows of it:
///
///     {"name": "night-shift", "description": "", "inherits": ["user"],
///      "grants": {"utilities:execute": "all"},
///      "conditions": {"weekdays": ["mon", "tue"], "from": "22:00", "until": "06:00",
///                     "networks": ["10.0.0.0/8"]}}
///
/// Only `name` must be there. Errors: kInvalidArgument, with a JSON pointer in its details.
store::Document to_document(const Role& role);
core::Result<Role> role_from(const store::Document& document);
/// @}

/// Roles that one user may have.
inline constexpr std::size_t kMaxRolesOfUser = 32;

/// Who may do everything: the local user and root at the unix socket, an admin's key of no tenant.
Subject super_admin();
/// Who may do what an Admin of the tenant may: its admin's key.
Subject admin_of(std::string tenant);
/// Whether `by` holds, always, what `wanted` allows at any time. Errors: kAccessDenied, naming
/// `what` it is that allows more ("a role") and what it has.
core::Result<void> check_within(const Subject& by, const Permissions& wanted,
                                std::string_view what);
/// Whether the subject reaches the tenant at all. Errors: kInvalidTenant.
core::Result<void> check_tenant(const Subject& by, const std::string& tenant);

}  // namespace zona::identity
