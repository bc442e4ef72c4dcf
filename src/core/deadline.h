/// @file
/// Deadline: the moment until which something may wait. Passed down instead of a timeout, so that
/// the steps of one operation share one budget. A value type; any thread.
#pragma once

#include <algorithm>

#include "core/clock.h"

namespace zona::core {

/// A moment of steady time, or never.
class Deadline {
  public:
    /// `wait` from now by `clock`; a negative wait is already over, one too long to add is never().
    static Deadline after(const Clock& clock, std::chrono::nanoseconds wait) {
        const SteadyTime now = clock.steady();
        if (wait >= SteadyTime::max() - now) return never();
        return Deadline(now + wait);
    }

    /// Exactly `moment`; SteadyTime::max() is never().
    static Deadline at(SteadyTime moment) { return Deadline(moment); }
    static Deadline never() { return Deadline(SteadyTime::max()); }

    bool is_never() const { return moment_ == SteadyTime::max(); }
    /// Whether the moment has come by `clock`, which is the one that after() was given.
    bool expired(const Clock& clock) const { return !is_never() && clock.steady() >= moment_; }

    /// What is left, never negative; nanoseconds::max() for never().
    std::chrono::nanoseconds remaining(const Clock& clock) const {
        if (is_never()) return std::chrono::nanoseconds::max();
        return std::max(moment_ - clock.steady(), std::chrono::nanoseconds(0));
    }

    /// For timers that take a moment; SteadyTime::max() for never().
    SteadyTime moment() const { return moment_; }

    /// The nearer of two, for a step with a limit of its own.
    static Deadline earlier(Deadline a, Deadline b) {
        return Deadline(std::min(a.moment_, b.moment_));
    }

    bool operator==(const Deadline&) const = default;

  private:
    explicit Deadline(SteadyTime moment) : moment_(moment) {}

    SteadyTime moment_;
};

}  // namespace zona::core
