#include "cache/detail/shard.h"

#include <algorithm>
#include <utility>

namespace zona::cache::detail {
namespace {

/// What an allocation takes beside what was asked for, rounded up (glibc).
constexpr std::size_t kAllocation = 16;
/// Of its shard, which the small queue may take before it gives way: a tenth, as in the paper.
constexpr std::size_t kSmallPart = 10;
/// Larger than this part of a shard is not kept.
constexpr std::size_t kLargestPart = 4;

std::size_t text_bytes(const std::string& text) {
    constexpr std::size_t kInline = 15;
    return text.capacity() <= kInline ? 0 : text.capacity() + 1 + kAllocation;
}

std::size_t cost_of(const Entry& entry) {
    std::size_t cost = sizeof(Entry) + kAllocation + text_bytes(entry.key.text());
    if (!entry.marks.empty())
        cost += (entry.marks.capacity() * sizeof(entry.marks.front())) + kAllocation;
    // The counters of make_shared stand before the value.
    constexpr std::size_t kCounters = 16;
    if (entry.value)
        cost += sizeof(Value) + kCounters + kAllocation + text_bytes(entry.value->bytes);
    return cost;
}

}  // namespace

Shard::~Shard() {
    for (Queue* queue : {&small_, &main_})
        queue->clear_and_dispose([](Entry* entry) { delete entry; });
}

std::size_t Shard::table_bytes() const {
    // One byte of metadata for each place of an open-addressing table.
    const std::size_t places = entries_.bucket_count() * (sizeof(Named) + sizeof(Entry*) + 2);
    const std::size_t ghosts =
        (ghosts_.size() * sizeof(std::uint64_t)) + (ghost_set_.bucket_count() * 10);
    return places + ghosts;
}

Entry* Shard::find(const Key& key) {
    const auto at = entries_.find(name_of(key));
    return at == entries_.end() ? nullptr : at->second;
}

bool Shard::insert(std::unique_ptr<Entry> made) {
    made->cost = cost_of(*made);
    Entry* before = find(made->key);
    if (made->cost > most_ / kLargestPart) {
        if (before != nullptr) erase(*before);
        return false;
    }
    if (before != nullptr) {
        made->uses = before->uses;
        made->is_main = before->is_main;
        erase(*before);
    } else if (ghost_set_.contains(made->key.hash())) {
        made->is_main = true;
    }
    Entry& entry = *made.release();
    entries_.emplace(name_of(entry.key), &entry);
    entry.meter.bytes.add(static_cast<double>(entry.cost));
    entry.meter.entries.add(1);
    enqueue(entry);
    make_room();
    return true;
}

void Shard::enqueue(Entry& entry) {
    if (entry.is_main) {
        main_.push_front(entry);
        main_bytes_ += entry.cost;
    } else {
        small_.push_front(entry);
        small_bytes_ += entry.cost;
    }
}

void Shard::erase(Entry& entry) {
    Queue& queue = entry.is_main ? main_ : small_;
    (entry.is_main ? main_bytes_ : small_bytes_) -= entry.cost;
    queue.erase(queue.iterator_to(entry));
    drop(entry);
}

void Shard::drop(Entry& entry) {
    entries_.erase(name_of(entry.key));
    entry.meter.bytes.add(-static_cast<double>(entry.cost));
    entry.meter.entries.add(-1);
    delete &entry;
}

void Shard::make_room() {
    while (bytes() > most_ && !entries_.empty()) {
        const bool small_is_full = small_bytes_ * kSmallPart >= most_;
        if (!small_.empty() && (small_is_full || main_.empty())) {
            shrink_small();
        } else {
            shrink_main();
        }
    }
}

void Shard::shrink_small() {
    Entry& oldest = small_.back();
    small_.pop_back();
    small_bytes_ -= oldest.cost;
    if (oldest.uses > 0 && oldest.value) {
        oldest.uses = 0;
        oldest.is_main = true;
        return enqueue(oldest);
    }
    remember(oldest.key.hash());
    oldest.meter.evictions.add();
    drop(oldest);
}

void Shard::shrink_main() {
    Entry& oldest = main_.back();
    main_.pop_back();
    main_bytes_ -= oldest.cost;
    if (oldest.uses > 0 && oldest.value) {
        --oldest.uses;
        return enqueue(oldest);
    }
    oldest.meter.evictions.add();
    drop(oldest);
}

void Shard::remember(std::uint64_t hash) {
    if (!ghost_set_.insert(hash).second) return;
    ghosts_.push_back(hash);
    const std::size_t most = std::max<std::size_t>(main_.size(), 16);
    while (ghosts_.size() > most) {
        ghost_set_.erase(ghosts_.front());
        ghosts_.pop_front();
    }
}

}  // namespace zona::cache::detail
