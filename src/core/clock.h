/// @file
/// Time as an injected dependency: no part of zona asks the system for the time by itself.
///
/// Two scales, kept apart by type. *Steady* time never jumps and is the only one used for waiting,
/// backoff and deadlines. *System* time is what people and other machines read (logs, start times,
/// API); it jumps when the host's clock is set. The composition root makes one RealClock and hands
/// it down; tests use core/testing/fake_clock.h. All members may be called from any thread.
#pragma once

#include <chrono>

namespace zona::core {

/// A moment on CLOCK_MONOTONIC: comparable within one boot of the host, meaningless elsewhere.
using SteadyTime = std::chrono::steady_clock::time_point;

/// A moment in UTC with nanosecond resolution, counted from 1970; ends in the year 2262.
using SystemTime = std::chrono::sys_time<std::chrono::nanoseconds>;

/// Where the present moment comes from.
class Clock {
  public:
    Clock() = default;
    Clock(const Clock&) = delete;
    Clock& operator=(const Clock&) = delete;
    virtual ~Clock() = default;

    /// Never decreases. Does not count while the host is suspended.
    virtual SteadyTime steady() const = 0;
    /// May jump in both directions; never use a difference of two of these as a duration of work.
    virtual SystemTime system() const = 0;
};

/// The clocks of the host (clock_gettime(2): CLOCK_MONOTONIC and CLOCK_REALTIME, both without a
/// system call).
class RealClock final : public Clock {
  public:
    SteadyTime steady() const override { return std::chrono::steady_clock::now(); }
    SystemTime system() const override {
        return std::chrono::time_point_cast<std::chrono::nanoseconds>(
            std::chrono::system_clock::now());
    }
};

}  // namespace zona::core
