/// @file
/// Permissions: what somebody may do, in a form that is decided in some nanoseconds.
///
/// A permission is a resource and an action; a role grants it for what one owns or for all of the
/// tenant, always or under conditions. The built-in roles are the permission matrix of document
/// 003, with Update as Create (GAP-06), Admin bounded by the own tenant (GAP-07), and "Limited" as
/// GAP-06 has it; own roles are in roles.h. Nothing is granted by default (AUTH-40). Value types
/// and pure functions; any thread. Source: AUTH-32..AUTH-40, GAP-05..GAP-07.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "identity/access/conditions.h"

namespace zona::identity {

/// What something is done to.
enum class Resource : std::uint8_t {
    // The work of a tenant: owned by who made it.
    kUtilities,
    kPlaybooks,
    kExecutions,
    kApps,
    kCases,
    kEvents,
    // The administration of a tenant.
    kUsers,
    kRoles,  ///< and who has which
    kInvitations,
    kSessions,
    kApiKeys,
    kIdentityProviders,
    kCredentials,  ///< secrets for what is called elsewhere
    kTenantSettings,
    kTenantData,  ///< exports and backups of its documents
    kTenantJobs,
    kAudit,
    kPersonalData,  ///< in clear where others see it masked
    kCache,
    // The installation, which no tenant owns.
    kTenants,  ///< the registry
    kLicense,
    kKeys,  ///< key management
    kProcesses,
    kSystem,  ///< settings, logs and state of zona and its host
};
/// How many there are.
inline constexpr std::size_t kResources = 24;

/// What is done.
enum class Action : std::uint8_t { kCreate, kRead, kUpdate, kExecute, kDelete, kAdmin };
/// How many there are.
inline constexpr std::size_t kActions = 6;

/// On how much of the tenant's.
enum class Extent : std::uint8_t { kNone, kOwn, kAll };

/// @{
/// "utilities", "create", "own": as they are written in roles and answers; and back, nullopt for
/// any other text.
std::string_view to_string(Resource resource);
std::string_view to_string(Action action);
std::string_view to_string(Extent extent);
std::optional<Resource> resource_from(std::string_view name);
std::optional<Action> action_from(std::string_view name);
std::optional<Extent> extent_from(std::string_view name);
/// @}

/// One thing that may be done or not.
struct Permission {
    Resource resource;
    Action action;
    bool operator==(const Permission&) const = default;
};
/// "utilities:create"; and back, nullopt for any other text.
std::string to_string(Permission permission);
std::optional<Permission> permission_from(std::string_view text);  ///< as to_string()

/// Whether it is of the installation: nobody of a tenant has it.
bool is_of_installation(Resource resource);

/// Which permissions are held on one's own things and which on all; all contains own.
class Grants {
  public:
    /// Adds; what is there already stays if it is more.
    Grants& add(Permission permission, Extent extent);
    /// The same of all that the other has.
    Grants& add(const Grants& other);
    /// How far it goes.
    Extent of(Permission permission) const {
        const std::size_t at = index(permission);
        if (all_[at]) return Extent::kAll;
        return own_[at] ? Extent::kOwn : Extent::kNone;
    }
    /// Whether everything in `other` is in this too.
    bool contains(const Grants& other) const;
    /// The first permission, in the order of the enumerations, that `other` has and this has not or
    /// on less.
    std::optional<Permission> lacks(const Grants& other) const;
    bool operator==(const Grants&) const = default;

  private:
    static std::size_t index(Permission permission) {
        return (static_cast<std::size_t>(permission.resource) * kActions) +
               static_cast<std::size_t>(permission.action);
    }
    using Bits = std::bitset<kResources * kActions>;
    Bits own_;  ///< a superset of all_
    Bits all_;
};

/// What holds only under conditions.
struct ConditionalGrants {
    Conditions conditions;
    Grants grants;
    bool operator==(const ConditionalGrants&) const = default;
};

/// What roles add up to: made once, when they are read, and shared by all that ask.
struct Permissions {
    Grants always;
    std::vector<ConditionalGrants> sometimes;
    /// It reaches every tenant and the installation: Super Admin, and nobody else.
    bool crosses_tenants = false;
    bool operator==(const Permissions&) const = default;
};

/// Who asks, as far as decisions need it.
struct Subject {
    std::string tenant;  ///< its code; empty: of none
    /// Of a user; 0: a key or local caller, which owns nothing.
    std::int64_t user_id = 0;
    std::shared_ptr<const Permissions> permissions;  ///< null: may do nothing
};

/// What is asked for.
struct Object {
    std::string_view tenant;  ///< whose it is; empty: the installation's
    /// Of the user who made it; nullopt: nobody, or it is asked for all. What is to be made is the
    /// maker's.
    std::optional<std::int64_t> owner{};
};

/// Whether it may be done, now and from there. In this order:
///
/// | Object | Subject | Answer |
/// | --- | --- | --- |
/// | of the installation, or its resource is | of a tenant | kAccessDenied |
/// | of another tenant | does not cross tenants | kInvalidTenant |
/// | any | has the permission on all | may |
/// | its own | has the permission on its own | may |
/// | any | else | kAccessDenied |
///
/// The message names the permission, and no thing. Takes some ten nanoseconds where no
/// condition has to be looked at. Source: AUTH-33, AUTH-35, TEN-16.
core::Result<void> decide(const Subject& subject, Permission permission, const Object& object,
                          const Context& context);

/// Whether what was allowed reaches into another tenant: such an access is audited (AUTH-39,
/// GAP-07).
bool crosses(const Subject& subject, const Object& object);

/// A role that is always there, in every tenant; its name cannot be taken.
struct BuiltInRole {
    std::string_view name;  ///< "user", "creator", "admin", "super_admin"
    std::string_view description;
    Permissions permissions;
};
/// All, in the order of the matrix. `super_admin` is for users of no tenant only.
std::span<const BuiltInRole> built_in_roles();
/// The role of that name; null: none.
const BuiltInRole* find_built_in(std::string_view name);

}  // namespace zona::identity
