/// @file
/// Shard: a part of the first level. S3-FIFO: a small queue that new entries pass, a main queue for
/// those that were read in it, and the hashes of those that left the small one unread lately, which
/// go to the main queue at once if they come again. Not thread-safe: its owner locks `mutex`.
///
/// Source: Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <boost/intrusive/list.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "cache/memory_cache.h"

namespace zona::cache::detail {

/// A value with its key, or the floor that a removed key has left (no value).
struct Entry : boost::intrusive::list_base_hook<> {
    Entry(const Key& name, Found content, std::int64_t lowest, const Stamp& began,
          TenantMeter& tenant)
        : key(name), value(std::move(content)), floor(lowest), stamp(began), meter(tenant) {}

    Key key;
    Found value;
    std::int64_t floor;  ///< the lowest version that may take its place
    Stamp stamp;
    TenantMeter& meter;
    std::vector<std::uint32_t> marks;  ///< of its tags
    std::size_t cost = 0;
    std::uint8_t uses = 0;
    bool is_main = false;
};

class Shard {
  public:
    std::mutex mutex;

    void set_most_bytes(std::size_t bytes) { most_ = bytes; }
    /// Null: not here.
    Entry* find(const Key& key);
    /// Counts a read.
    static void touch(Entry& entry) {
        if (entry.uses < kMostUses) ++entry.uses;
    }
    /// In place of what has its key, which keeps its rank. False: it is too large.
    bool insert(std::unique_ptr<Entry> entry);
    void erase(Entry& entry);
    /// Calls `drop(const Entry&)` for every one, and erases those for which it is true.
    template <class Drop>
    void erase_if(Drop drop) {
        for (Queue* queue : {&small_, &main_}) {
            for (auto at = queue->begin(); at != queue->end();) {
                Entry& entry = *at++;
                if (drop(entry)) erase(entry);
            }
        }
    }
    std::size_t bytes() const { return small_bytes_ + main_bytes_ + table_bytes(); }
    std::size_t entries() const { return entries_.size(); }

    Shard() = default;
    Shard(const Shard&) = delete;
    Shard& operator=(const Shard&) = delete;
    ~Shard();

  private:
    static constexpr std::uint8_t kMostUses = 3;

    struct Named {
        std::uint64_t hash;
        std::string_view text;
        bool operator==(const Named& other) const {
            return hash == other.hash && text == other.text;
        }
    };
    struct NamedHash {
        using is_avalanching = void;
        std::size_t operator()(const Named& name) const { return name.hash; }
    };
    struct SameHash {
        using is_avalanching = void;
        std::size_t operator()(std::uint64_t hash) const { return hash; }
    };
    using Queue = boost::intrusive::list<Entry>;

    static Named name_of(const Key& key) { return {key.hash(), key.text()}; }
    std::size_t table_bytes() const;
    void enqueue(Entry& entry);
    void make_room();
    void shrink_small();
    void shrink_main();
    void remember(std::uint64_t hash);
    void drop(Entry& entry);

    std::size_t most_ = 0;
    boost::unordered_flat_map<Named, Entry*, NamedHash> entries_;
    Queue small_;  ///< newest first
    Queue main_;
    std::size_t small_bytes_ = 0;
    std::size_t main_bytes_ = 0;
    std::deque<std::uint64_t> ghosts_;  ///< oldest first
    boost::unordered_flat_set<std::uint64_t, SameHash> ghost_set_;
};

}  // namespace zona::cache::detail
