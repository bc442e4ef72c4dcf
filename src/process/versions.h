/// @file
/// Versions: tells any thread whether what it knows of a process still holds, without asking the
/// supervisor's thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

namespace zona::process {

/// The state of one process at one moment: which processes there were, and how often this one had
/// changed.
struct Version {
    std::uint64_t list = 0;
    std::uint32_t slot = 0;
    std::uint64_t process = 0;
    bool operator==(const Version&) const = default;
};

/// The supervisor's thread counts every change before it answers whoever caused it; so a reader
/// that knows of an answer never takes for current what was before it. Any thread may read.
class Versions {
  public:
    /// For slots 0 to slots - 1, nothing having changed yet.
    explicit Versions(std::uint32_t slots) : processes_(slots) {}

    /// Of the process in `slot`, which must be one.
    Version of(std::uint32_t slot) const {
        return {list(), slot, processes_[slot].load(std::memory_order_acquire)};
    }
    /// Which processes there are, and what they are called.
    std::uint64_t list() const { return list_.load(std::memory_order_acquire); }
    /// Whether the process is still what it was at `known`.
    bool holds(const Version& known) const { return of(known.slot) == known; }

    /// Supervisor only.
    void changed(std::uint32_t slot) { processes_[slot].fetch_add(1, std::memory_order_release); }
    void list_changed() { list_.fetch_add(1, std::memory_order_release); }

  private:
    std::atomic<std::uint64_t> list_ = 1;
    std::vector<std::atomic<std::uint64_t>> processes_;
};

}  // namespace zona::process
