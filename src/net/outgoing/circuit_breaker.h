/// @file
/// CircuitBreaker: who has failed several times in a row is left alone for a while.
///
/// Closed, every call is let through. After CircuitOptions::failures failures in a row it is open:
/// calls fail at once. When its time is over it is half open: one call is let through, whose end
/// closes it, or opens it for twice as long, up to a bound. Source: REL-11.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>

#include "core/clock.h"
#include "core/result.h"

namespace zona::net {

/// When it opens, and for how long.
struct CircuitOptions {
    int failures = 5;  ///< in a row
    std::chrono::milliseconds open_for{1000};
    std::chrono::milliseconds longest{30'000};
};

/// Any thread.
class CircuitBreaker {
  public:
    /// See the top.
    enum class State : std::uint8_t { kClosed, kOpen, kHalfOpen };

    /// `clock` must outlive it.
    explicit CircuitBreaker(const core::Clock& clock, CircuitOptions options = {})
        : clock_(clock), options_(options) {}

    /// Lets one call through: ended() must follow. Errors: kUnavailable: it is open, or the one
    /// call that tries it is under way; the message says for how long.
    core::Result<void> begin();
    /// Whether the call that begin() let through reached somebody who works.
    void ended(bool well);

    /// What the next call would meet.
    State state() const;

  private:
    const core::Clock& clock_;
    const CircuitOptions options_;
    mutable std::mutex mutex_;
    /// @{
    /// Guarded by mutex_.
    State state_ = State::kClosed;
    int failures_ = 0;
    int openings_ = 0;  ///< in a row
    core::SteadyTime open_until_{};
    /// @}
};

}  // namespace zona::net
