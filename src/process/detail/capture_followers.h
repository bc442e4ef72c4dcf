/// @file
/// Who wants to know that a slot's log files grew.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace zona::process::detail {

/// Any thread. Owned by the Capture and its Subscriptions together.
class CaptureFollowers {
  public:
    explicit CaptureFollowers(std::uint32_t slots);

    std::uint64_t add(std::span<const std::uint32_t> slots, std::function<void()> wake);
    void remove(std::uint64_t id);
    void rearm(std::uint64_t id);

    /// One relaxed load.
    bool followed(std::uint32_t slot) const {
        return followed_[slot].load(std::memory_order_relaxed);
    }
    /// Calls the armed followers of a slot and disarms them.
    void wake(std::uint32_t slot);

  private:
    struct Follower {
        std::vector<std::uint32_t> slots;
        std::function<void()> wake;
        bool armed = true;
    };

    const std::uint32_t slots_;
    std::unique_ptr<std::atomic<bool>[]> followed_;
    std::mutex mutex_;  // guards everything below
    std::uint64_t next_id_ = 1;
    std::map<std::uint64_t, Follower> followers_;
    std::map<std::uint32_t, std::vector<std::uint64_t>> by_slot_;
};

}  // namespace zona::process::detail
