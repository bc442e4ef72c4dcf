#include "identity/sessions/token_map.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace zona::identity {

using core::SystemTime;

std::size_t TokenMap::Hash::operator()(const Key& key) const noexcept {
    std::size_t out = 0;
    std::memcpy(&out, key.data(), sizeof out);
    return out;
}

TokenMap::TokenMap(const TokenMapOptions& options) : options_(options) {}

bool TokenMap::is_over(const Entry& entry, SystemTime now) const {
    return now >= entry.end || now >= entry.last_used + options_.idle;
}

/// By another byte than the table's hash.
TokenMap::Shard& TokenMap::shard_of(const Key& key) {
    return shards_[std::to_integer<std::size_t>(key.back()) % kShards];
}

std::optional<TokenMap::Hit> TokenMap::use(const Key& key, SystemTime now) {
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.entries.find(key);
    if (found == shard.entries.end()) return std::nullopt;
    Entry& entry = found->second;
    if (is_over(entry, now)) {
        shard.entries.erase(found);
        --size_;
        return std::nullopt;
    }
    entry.last_used = std::max(entry.last_used, now);
    const bool touch = now - entry.touched >= options_.touch;
    if (touch) entry.touched = now;
    return Hit{.who = entry.who, .touch = touch};
}

bool TokenMap::keep(const Key& key, Known known, SystemTime now, std::uint64_t epoch) {
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    // Under the lock: a forget() that grows it now takes the entry out when it comes to the shard.
    if (epoch_.load() != epoch) return false;
    Entry entry{.who = std::move(known.who),
                .end = known.end,
                .last_used = now,
                .touched = known.last_used};
    if (is_over(entry, now)) return false;
    if (shard.entries.size() >= std::max<std::size_t>(1, options_.capacity / kShards))
        make_room(shard, now);
    if (shard.entries.insert_or_assign(key, std::move(entry)).second) ++size_;
    return true;
}

std::size_t TokenMap::forget(const std::function<bool(const Principal&)>& which) {
    ++epoch_;
    std::size_t forgotten = 0;
    for (Shard& shard : shards_) {
        const std::lock_guard lock(shard.mutex);
        forgotten += erase_if(shard, [&](const Entry& entry) { return which(*entry.who); });
    }
    return forgotten;
}

std::size_t TokenMap::remove_over(SystemTime now) {
    std::size_t removed = 0;
    for (Shard& shard : shards_) {
        const std::lock_guard lock(shard.mutex);
        removed += erase_if(shard, [&](const Entry& entry) { return is_over(entry, now); });
    }
    return removed;
}

std::size_t TokenMap::erase_if(Shard& shard, const std::function<bool(const Entry&)>& which) {
    const std::size_t erased =
        std::erase_if(shard.entries, [&](const auto& one) { return which(one.second); });
    size_ -= erased;
    return erased;
}

void TokenMap::make_room(Shard& shard, SystemTime now) {
    if (erase_if(shard, [&](const Entry& entry) { return is_over(entry, now); }) > 0) return;
    const auto oldest = std::ranges::min_element(
        shard.entries, {}, [](const auto& one) { return one.second.last_used; });
    if (oldest == shard.entries.end()) return;
    shard.entries.erase(oldest);
    --size_;
}

}  // namespace zona::identity
