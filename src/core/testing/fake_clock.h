/// @file
/// A clock that moves only when a test says so. Thread-safe.
#pragma once

#include <atomic>

#include "core/clock.h"

namespace zona::core {

/// Starts at steady 1 h and 2026-01-01T00:00:00Z, so that neither scale is near its zero.
class FakeClock final : public Clock {
  public:
    SteadyTime steady() const override {
        return SteadyTime(std::chrono::nanoseconds(steady_ns_.load()));
    }
    SystemTime system() const override {
        return SystemTime(std::chrono::nanoseconds(system_ns_.load()));
    }

    /// Moves both scales forward by `step` (>= 0).
    void advance(std::chrono::nanoseconds step) {
        steady_ns_ += step.count();
        system_ns_ += step.count();
    }

    /// Sets the wall clock alone, as an administrator or NTP would.
    void set_system(SystemTime now) { system_ns_ = now.time_since_epoch().count(); }

  private:
    std::atomic<std::int64_t> steady_ns_{3'600'000'000'000};
    std::atomic<std::int64_t> system_ns_{1'767'225'600'000'000'000};
};

}  // namespace zona::core
