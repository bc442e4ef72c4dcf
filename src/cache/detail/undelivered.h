/// @file
/// Undelivered: what was changed while Redis could not be told. Until it knows, what it says of
/// these keys is not believed here. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cache/key.h"

namespace zona::cache::detail {

class Undelivered {
  public:
    /// Beyond this number whole tenants are noted instead.
    static constexpr std::size_t kMostKeys = 10'000;

    void add(const Key& key, std::int64_t floor) {
        const std::lock_guard lock(mutex_);
        const std::string tenant(key.tenant());
        if (keys_.size() >= kMostKeys && !keys_.contains(key.text())) {
            tenants_.insert(tenant);
        } else {
            std::int64_t& known = keys_[key.text()];
            known = std::max(known, floor);
        }
        update();
    }
    /// `tenant` is escaped.
    void add_tenant(std::string tenant) {
        const std::lock_guard lock(mutex_);
        tenants_.insert(std::move(tenant));
        update();
    }
    bool concerns(const Key& key) const {
        if (count_.load(std::memory_order_acquire) == 0) return false;
        const std::lock_guard lock(mutex_);
        return keys_.contains(key.text()) || tenants_.contains(std::string(key.tenant()));
    }
    std::size_t size() const { return count_.load(std::memory_order_acquire); }

    std::vector<std::pair<std::string, std::int64_t>> keys() const {
        const std::lock_guard lock(mutex_);
        return {keys_.begin(), keys_.end()};
    }
    std::vector<std::string> tenants() const {
        const std::lock_guard lock(mutex_);
        return {tenants_.begin(), tenants_.end()};
    }
    /// Redis knows of this one; a later change of the same key stays.
    void delivered(const std::string& key, std::int64_t floor) {
        const std::lock_guard lock(mutex_);
        const auto at = keys_.find(key);
        if (at != keys_.end() && at->second <= floor) keys_.erase(at);
        update();
    }
    void delivered_tenant(const std::string& tenant) {
        const std::lock_guard lock(mutex_);
        tenants_.erase(tenant);
        update();
    }

  private:
    void update() { count_.store(keys_.size() + tenants_.size(), std::memory_order_release); }

    mutable std::mutex mutex_;
    // Guarded by mutex_.
    std::map<std::string, std::int64_t> keys_;
    std::set<std::string> tenants_;
    std::atomic<std::size_t> count_{0};
};

}  // namespace zona::cache::detail
