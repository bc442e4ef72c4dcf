/// @file
/// MemoryCache: the first level of the cache, in this process.
///
/// Bounded by bytes, all overhead counted; in shards, each with a lock of its own. What is least
/// worth keeping goes first: S3-FIFO, which reads of everything once (scans) do not spoil
/// (docs/adr/0018-cache.md has the hit ratios). No thread, no timer: what has expired is found when
/// it is read, or makes room.
///
/// *Order.* A value that was loaded before something was invalidated must not be kept after it. So
/// whoever loads takes a stamp() first and gives it with the value: put() refuses what began too
/// early. Versions guard the rest: a lower one never replaces a higher, and remove() leaves a floor
/// behind, for options.floor, below which nothing is kept. Versions of one key must rise; a
/// document that is made anew with a lower one is not cached before the floor has gone.
///
/// *Groups.* Tenants and tags are invalidated in constant time: each has, by its hash, a
/// mark in a table of fixed size, and an entry that was loaded before a mark of its own counts as
/// gone. Two groups of one mark are invalidated together, which costs a load and no truth.
///
/// Any thread. A hit takes one lock of a shard and no memory. Source: CACHE-01, CACHE-11, CACHE-13,
/// TEN-45.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "cache/key.h"
#include "cache/meter.h"
#include "core/clock.h"

namespace zona::cache {

/// What is cached: bytes that only their owner understands.
struct Value {
    std::string bytes;
    std::int64_t version = 0;  ///< of the document; 0: it has none
};
/// A value, shared with the cache. Null: there is none.
using Found = std::shared_ptr<const Value>;

/// When a load began.
struct Stamp {
    std::uint64_t epoch = 0;
    core::SteadyTime at{};
};

/// What the first level may take.
struct MemoryOptions {
    std::size_t bytes = std::size_t{64} << 20U;
    std::chrono::nanoseconds ttl = std::chrono::minutes(5);
    /// How old a value may be that nobody confirms (confirm()).
    std::chrono::nanoseconds staleness = std::chrono::nanoseconds::max();
    /// How long a removed key remembers its version, and the longest that a load may take for its
    /// value to be kept.
    std::chrono::nanoseconds floor = std::chrono::minutes(1);
    std::size_t shards = 16;  ///< a power of two
};

/// What it holds.
struct MemoryUse {
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;  ///< overhead and floors included
};

/// As the file says.
class MemoryCache {
  public:
    /// `clock` and `meter` outlive it.
    MemoryCache(MemoryOptions options, const core::Clock& clock, Meter& meter);
    ~MemoryCache();
    MemoryCache(const MemoryCache&) = delete;
    MemoryCache& operator=(const MemoryCache&) = delete;

    /// The value, if it is here and may be believed.
    Found find(const Key& key);
    /// Now, for a load that begins.
    Stamp stamp() const;
    /// Whether nothing that concerns `key` was invalidated since `began`, but what a tag of its
    /// value says.
    bool is_current(const Key& key, const Stamp& began) const;

    /// Whether a higher version of `key` is known, or this one was removed.
    bool is_outdated(const Key& key, std::int64_t version) const;

    /// Keeps what was loaded since `began`. False: something newer is known, it is too large, or
    /// the load took too long; what was there stays. `tags` are names within the key's tenant.
    bool put(const Key& key, Found value, std::span<const std::string> tags, const Stamp& began);
    /// Keeps what was written just now; loads that began before are refused from here on. Without a
    /// version the order of two writes is not known: then the key is removed.
    void write(const Key& key, Found value, std::span<const std::string> tags);
    /// Forgets the key, and refuses versions below `floor` for a while, and loads that began
    /// before.
    void remove(const Key& key, std::int64_t floor = 0);
    /// Forgets the key if its version is lower: somebody else has written that one.
    void outdate(const Key& key, std::int64_t version);

    /// @{
    /// Forgets a group, in constant time.
    void invalidate_tag(std::string_view tenant, std::string_view tag);
    void invalidate_tenant(std::string_view tenant);
    void invalidate_all();
    /// @}
    /// Forgets what the pattern means, looking at everything; how many there were.
    std::size_t invalidate(const Pattern& pattern);

    /// Everything here was found to be true at `moment`: it may be believed for another
    /// options.staleness.
    void confirm(core::SteadyTime moment);

    /// What it holds now.
    MemoryUse use() const;
    /// What it may take: options.bytes.
    std::size_t most_bytes() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace zona::cache
