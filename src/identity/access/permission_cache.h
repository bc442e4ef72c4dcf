/// @file
/// PermissionCache: what sets of roles allow, kept so that a request finds it without a database.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/clock.h"
#include "identity/access/roles.h"

namespace zona::identity {

/// How long roles are believed that could not be read anew. As kFollowTrust: while the core
/// database is away whoever is known goes on as they were.
inline constexpr std::chrono::seconds kRolesTrusted{20};

/// Any thread.
class PermissionCache {
  public:
    /// What was read is believed for `fresh`; zero: until forget(). Both references outlive it, and
    /// what it has begun. For a core database that other instances change `fresh` is how long a
    /// role of theirs may hold on here.
    PermissionCache(Roles& roles, const core::Clock& clock, std::chrono::milliseconds fresh);

    /// What these roles of a tenant (empty: of none) add up to, in their order; null: it has to be
    /// asked for. Waits for nothing.
    std::shared_ptr<const Permissions> find(const std::string& tenant,
                                            const std::vector<std::string>& roles) const;
    /// The same, read where it is not known. Errors: those of Roles::permissions(), where nothing
    /// was read for kRolesTrusted.
    void get(const std::string& tenant, const std::vector<std::string>& roles,
             store::Callback<std::shared_ptr<const Permissions>> done);
    /// What a tenant's roles allow is another now: for RolesDeps::changed.
    void forget(const std::string& tenant);

  private:
    struct Known {
        std::string tenant;
        std::shared_ptr<const Permissions> permissions;
        core::SteadyTime read_at;
    };
    static std::string key_of(const std::string& tenant, const std::vector<std::string>& roles);
    std::shared_ptr<const Permissions> read_within(const std::string& key,
                                                   std::chrono::milliseconds age) const;

    Roles& roles_;
    const core::Clock& clock_;
    const std::chrono::milliseconds fresh_;
    mutable std::mutex mutex_;
    std::unordered_map<std::string, Known> known_;  // guarded by mutex_
    std::atomic<std::uint64_t> epoch_ = 0;          ///< grows with each forget()
};

}  // namespace zona::identity
