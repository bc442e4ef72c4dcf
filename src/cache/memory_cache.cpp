#include "cache/memory_cache.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <utility>
#include <vector>

#include "cache/detail/shard.h"

namespace zona::cache {
namespace {

using detail::Entry;
using detail::Shard;

/// Marks of groups, and of keys. A power of two.
constexpr std::size_t kMarks = 2048;
/// The mark that every entry has.
constexpr std::uint64_t kEverything = 0;

/// Epochs by hash, each the last at which something was invalidated.
class Marks {
  public:
    static std::uint32_t place_of(std::uint64_t hash) {
        return static_cast<std::uint32_t>(hash & (kMarks - 1));
    }
    std::uint64_t at(std::uint32_t place) const {
        return epochs_[place].load(std::memory_order_acquire);
    }
    std::uint64_t of(std::uint64_t hash) const { return at(place_of(hash)); }
    /// Never backwards.
    void raise(std::uint64_t hash, std::uint64_t epoch) {
        std::atomic<std::uint64_t>& mark = epochs_[place_of(hash)];
        std::uint64_t seen = mark.load(std::memory_order_relaxed);
        while (seen < epoch &&
               !mark.compare_exchange_weak(seen, epoch, std::memory_order_acq_rel)) {
        }
    }

  private:
    std::array<std::atomic<std::uint64_t>, kMarks> epochs_{};
};

std::uint64_t tenant_hash(std::string_view tenant) {
    return hash_of(tenant) ^ 0x9E3779B97F4A7C15U;
}

}  // namespace

struct MemoryCache::State {
    State(const MemoryOptions& wanted, const core::Clock& time, Meter& counts)
        : options(wanted),
          clock(time),
          meter(counts),
          shards(std::bit_ceil(std::max<std::size_t>(wanted.shards, 1))) {
        for (Shard& shard : shards)
            shard.set_most_bytes(options.bytes / shards.size());
    }

    /// The low bits choose a place in the shard's table.
    Shard& shard_of(const Key& key) { return shards[(key.hash() >> 48U) & (shards.size() - 1)]; }

    /// Whether a group that the key is in was invalidated since.
    bool is_marked(const Key& key, std::span<const std::uint32_t> marks,
                   std::uint64_t since) const {
        if (groups.of(kEverything) > since || groups.of(tenant_hash(key.tenant())) > since)
            return true;
        return std::ranges::any_of(marks,
                                   [&](std::uint32_t place) { return groups.at(place) > since; });
    }

    bool has_expired(const Entry& entry, core::SteadyTime now) const {
        return now - entry.stamp.at >= options.ttl ||
               is_marked(entry.key, entry.marks, entry.stamp.epoch);
    }

    bool is_believed(const Entry& entry, core::SteadyTime now) const {
        const core::SteadyTime known(
            std::chrono::nanoseconds(confirmed.load(std::memory_order_acquire)));
        return now - std::max(entry.stamp.at, known) < options.staleness;
    }

    /// Whether a load that began then may have missed something about the key.
    bool is_late(const Key& key, const Stamp& began) const {
        return loads.of(key.hash()) > began.epoch ||
               loads.of(tenant_hash(key.tenant())) > began.epoch || is_marked(key, {}, began.epoch);
    }

    std::uint64_t next_epoch() { return epoch.fetch_add(1, std::memory_order_acq_rel) + 1; }

    bool insert(Shard& shard, const Key& key, Found value, std::span<const std::string> tags,
                const Stamp& began) {
        auto entry =
            std::make_unique<Entry>(key, std::move(value), 0, began, meter.of(key.tenant()));
        entry->floor = entry->value->version;
        entry->marks.reserve(tags.size());
        for (const std::string& tag : tags)
            entry->marks.push_back(Marks::place_of(tag_hash(key.tenant(), tag)));
        if (is_marked(key, entry->marks, began.epoch)) return false;
        return shard.insert(std::move(entry));
    }

    /// `tenant` is escaped.
    static std::uint64_t tag_hash(std::string_view tenant, std::string_view tag) {
        return hash_of(std::string(tenant) + '/' + escaped(tag));
    }

    /// The version below which nothing may take the place of `entry`.
    std::int64_t floor_of(const Entry* entry, core::SteadyTime now) const {
        if (entry == nullptr) return 0;
        const bool is_over =
            entry->value ? has_expired(*entry, now) : now - entry->stamp.at >= options.floor;
        return is_over ? 0 : entry->floor;
    }

    MemoryOptions options;
    const core::Clock& clock;
    Meter& meter;
    std::vector<Shard> shards;
    std::atomic<std::uint64_t> epoch{1};
    std::atomic<std::int64_t> confirmed{std::chrono::nanoseconds::min().count() / 2};
    Marks groups;  ///< what makes entries invalid
    Marks loads;   ///< what makes loads too late
};

MemoryCache::MemoryCache(MemoryOptions options, const core::Clock& clock, Meter& meter)
    : state_(std::make_unique<State>(options, clock, meter)) {}

MemoryCache::~MemoryCache() = default;

Found MemoryCache::find(const Key& key) {
    State& state = *state_;
    Shard& shard = state.shard_of(key);
    const core::SteadyTime now = state.clock.steady();
    {
        const std::lock_guard lock(shard.mutex);
        Entry* entry = shard.find(key);
        if (entry != nullptr && entry->value) {
            if (state.has_expired(*entry, now)) {
                shard.erase(*entry);
            } else if (state.is_believed(*entry, now)) {
                Shard::touch(*entry);
                entry->meter.memory_hits.add();
                return entry->value;
            }
        }
    }
    state.meter.of(key.tenant()).memory_misses.add();
    return nullptr;
}

Stamp MemoryCache::stamp() const {
    return {.epoch = state_->epoch.load(std::memory_order_acquire), .at = state_->clock.steady()};
}

bool MemoryCache::is_current(const Key& key, const Stamp& began) const {
    return !state_->is_late(key, began);
}

bool MemoryCache::is_outdated(const Key& key, std::int64_t version) const {
    State& state = *state_;
    Shard& shard = state.shard_of(key);
    const core::SteadyTime now = state.clock.steady();
    const std::lock_guard lock(shard.mutex);
    return version < state.floor_of(shard.find(key), now);
}

bool MemoryCache::put(const Key& key, Found value, std::span<const std::string> tags,
                      const Stamp& began) {
    State& state = *state_;
    const core::SteadyTime now = state.clock.steady();
    if (!value || now - began.at >= state.options.floor) return false;
    Shard& shard = state.shard_of(key);
    const std::lock_guard lock(shard.mutex);
    if (state.is_late(key, began)) return false;
    if (value->version < state.floor_of(shard.find(key), now)) return false;
    return state.insert(shard, key, std::move(value), tags, began);
}

void MemoryCache::write(const Key& key, Found value, std::span<const std::string> tags) {
    State& state = *state_;
    if (!value || value->version == 0) return remove(key);
    state.loads.raise(key.hash(), state.next_epoch());
    const Stamp now = stamp();
    Shard& shard = state.shard_of(key);
    const std::lock_guard lock(shard.mutex);
    if (value->version < state.floor_of(shard.find(key), now.at)) return;
    state.insert(shard, key, std::move(value), tags, now);
}

void MemoryCache::remove(const Key& key, std::int64_t floor) {
    State& state = *state_;
    state.loads.raise(key.hash(), state.next_epoch());
    const Stamp now = stamp();
    Shard& shard = state.shard_of(key);
    const std::lock_guard lock(shard.mutex);
    Entry* entry = shard.find(key);
    const std::int64_t lowest = std::max(floor, state.floor_of(entry, now.at));
    if (lowest > 0) {
        shard.insert(
            std::make_unique<Entry>(key, nullptr, lowest, now, state.meter.of(key.tenant())));
    } else if (entry != nullptr) {
        shard.erase(*entry);
    }
}

void MemoryCache::outdate(const Key& key, std::int64_t version) {
    State& state = *state_;
    state.loads.raise(key.hash(), state.next_epoch());
    Shard& shard = state.shard_of(key);
    const std::lock_guard lock(shard.mutex);
    Entry* entry = shard.find(key);
    if (entry != nullptr && entry->value && entry->value->version < version) shard.erase(*entry);
}

void MemoryCache::invalidate_tag(std::string_view tenant, std::string_view tag) {
    const std::string name = escaped(tenant);
    const std::uint64_t epoch = state_->next_epoch();
    state_->loads.raise(tenant_hash(name), epoch);
    state_->groups.raise(State::tag_hash(name, tag), epoch);
}

void MemoryCache::invalidate_tenant(std::string_view tenant) {
    state_->groups.raise(tenant_hash(escaped(tenant)), state_->next_epoch());
}

void MemoryCache::invalidate_all() {
    state_->groups.raise(kEverything, state_->next_epoch());
}

std::size_t MemoryCache::invalidate(const Pattern& pattern) {
    State& state = *state_;
    state.loads.raise(tenant_hash(escaped(pattern.tenant)), state.next_epoch());
    std::size_t count = 0;
    for (Shard& shard : state.shards) {
        const std::lock_guard lock(shard.mutex);
        shard.erase_if([&](const Entry& entry) {
            const bool is_meant = entry.value && pattern.matches(entry.key, entry.value->version);
            count += is_meant ? 1 : 0;
            return is_meant;
        });
    }
    return count;
}

void MemoryCache::confirm(core::SteadyTime moment) {
    const std::int64_t at = moment.time_since_epoch().count();
    std::int64_t seen = state_->confirmed.load(std::memory_order_relaxed);
    while (seen < at && !state_->confirmed.compare_exchange_weak(seen, at)) {
    }
}

MemoryUse MemoryCache::use() const {
    MemoryUse out;
    for (Shard& shard : state_->shards) {
        const std::lock_guard lock(shard.mutex);
        out.entries += shard.entries();
        out.bytes += shard.bytes();
    }
    return out;
}

std::size_t MemoryCache::most_bytes() const {
    return state_->options.bytes;
}

}  // namespace zona::cache
