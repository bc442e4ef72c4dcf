#include "identity/access/permission_cache.h"

#include <utility>

namespace zona::identity {
namespace {

/// Over it all is forgotten: nobody has so many sets of roles.
constexpr std::size_t kMostSets = 4096;

}  // namespace

PermissionCache::PermissionCache(Roles& roles, const core::Clock& clock,
                                 std::chrono::milliseconds fresh)
    : roles_(roles), clock_(clock), fresh_(fresh) {}

/// No code and no name of a role holds a blank.
std::string PermissionCache::key_of(const std::string& tenant,
                                    const std::vector<std::string>& roles) {
    std::string key = tenant;
    for (const std::string& role : roles) {
        key += ' ';
        key += role;
    }
    return key;
}

std::shared_ptr<const Permissions> PermissionCache::find(
    const std::string& tenant, const std::vector<std::string>& roles) const {
    return read_within(key_of(tenant, roles), fresh_);
}

std::shared_ptr<const Permissions> PermissionCache::read_within(
    const std::string& key, std::chrono::milliseconds age) const {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(key);
    if (found == known_.end()) return nullptr;
    const bool stale = fresh_.count() > 0 && clock_.steady() - found->second.read_at > age;
    return stale ? nullptr : found->second.permissions;
}

void PermissionCache::get(const std::string& tenant, const std::vector<std::string>& roles,
                          store::Callback<std::shared_ptr<const Permissions>> done) {
    if (auto known = find(tenant, roles)) return done(std::move(known));
    const std::uint64_t epoch = epoch_;
    const core::SteadyTime now = clock_.steady();
    roles_.permissions(
        tenant, roles,
        [this, tenant, key = key_of(tenant, roles), epoch, now,
         done = std::move(done)](core::Result<std::shared_ptr<const Permissions>> read) mutable {
            if (!read) {
                if (auto last = read_within(key, kRolesTrusted)) return done(std::move(last));
                return done(read.take_error());
            }
            {
                const std::lock_guard lock(mutex_);
                if (known_.size() >= kMostSets) known_.clear();
                // What was read before a change may be what was before it.
                if (epoch == epoch_)
                    known_.insert_or_assign(std::move(key), Known{tenant, *read, now});
            }
            done(std::move(read));
        });
}

void PermissionCache::forget(const std::string& tenant) {
    const std::lock_guard lock(mutex_);
    ++epoch_;
    std::erase_if(known_, [&](const auto& one) { return one.second.tenant == tenant; });
}

}  // namespace zona::identity
