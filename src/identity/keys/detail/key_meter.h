// What is counted of a key in memory.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "identity/keys/api_key.h"
#include "net/limit_rate.h"

namespace zona::identity::detail {

/// How a key is used: shared by the copies of its entry, so that no use is lost to a change of the
/// list. Any thread, without a lock but for the address, which whoever comes too late does not
/// note.
class KeyMeter {
  public:
    void note(core::SystemTime now, std::string_view address) {
        requests_.fetch_add(1, kOrder);
        const auto before = core::SystemTime(core::SystemTime::duration(last_.load(kOrder)));
        // Of many requests at once one tells: the others need not fight for the place.
        if (now - before < kFineness && before <= now) return;
        last_.store(now.time_since_epoch().count(), kOrder);
        const std::unique_lock lock(mutex_, std::try_to_lock);
        if (lock.owns_lock()) address_.assign(address);
    }
    void refuse() { refusals_.fetch_add(1, kOrder); }

    std::optional<std::chrono::nanoseconds> take(const net::RateLimit& rate, core::SteadyTime now) {
        Ticks before = full_at_.load(kOrder);
        while (true) {
            core::SteadyTime full_at{core::SteadyTime::duration(before)};
            if (const auto wait = net::take_token(full_at, rate, now)) return wait;
            if (full_at_.compare_exchange_weak(before, full_at.time_since_epoch().count(), kOrder))
                return std::nullopt;
        }
    }

    /// What was noted since it was last taken to be written down.
    KeyUsage take_unwritten() {
        KeyUsage out{.requests = requests_.exchange(0, kOrder),
                     .refusals = refusals_.exchange(0, kOrder)};
        note_last(out);
        return out;
    }
    void give_back(const KeyUsage& uses) {
        requests_.fetch_add(uses.requests, kOrder);
        refusals_.fetch_add(uses.refusals, kOrder);
    }
    /// Adds what is not written down.
    void add_to(KeyUsage& written) const {
        written.requests += requests_.load(kOrder);
        written.refusals += refusals_.load(kOrder);
        note_last(written);
    }

  private:
    void note_last(KeyUsage& in) const {
        const Ticks last = last_.load(kOrder);
        const core::SystemTime used{core::SystemTime::duration(last)};
        if (last == kNever || (in.last_used_at && *in.last_used_at >= used)) return;
        in.last_used_at = used;
        const std::lock_guard lock(mutex_);
        in.last_address = address_;
    }

    using Ticks = core::SystemTime::duration::rep;
    static constexpr auto kOrder = std::memory_order_relaxed;
    static constexpr std::chrono::milliseconds kFineness{1};
    static constexpr Ticks kNever = 0;
    std::atomic<Ticks> last_ = kNever;
    std::atomic<std::uint64_t> requests_ = 0;
    std::atomic<std::uint64_t> refusals_ = 0;
    std::atomic<Ticks> full_at_ = 0;  ///< when its bucket is full, by the steady clock
    mutable std::mutex mutex_;
    std::string address_;  // guarded by mutex_
};

}  // namespace zona::identity::detail
