#include "net/outgoing/circuit_breaker.h"

#include <algorithm>

#include <fmt/format.h>

namespace zona::net {

using core::Code;
using core::Error;

core::Result<void> CircuitBreaker::begin() {
    const std::lock_guard lock(mutex_);
    if (state_ == State::kClosed) return {};
    const auto left = open_until_ - clock_.steady();
    if (state_ == State::kHalfOpen || left > std::chrono::nanoseconds(0)) {
        const auto wait = std::chrono::ceil<std::chrono::seconds>(left);
        return Error(Code::kUnavailable,
                     fmt::format("it has failed {} times in a row; it is tried again in {} s",
                                 failures_, std::max<std::int64_t>(wait.count(), 1)));
    }
    state_ = State::kHalfOpen;
    return {};
}

void CircuitBreaker::ended(bool well) {
    const std::lock_guard lock(mutex_);
    if (well) {
        state_ = State::kClosed;
        failures_ = openings_ = 0;
        return;
    }
    ++failures_;
    // What was under way when it opened says nothing new.
    if (state_ == State::kOpen) return;
    if (state_ == State::kClosed && failures_ < options_.failures) return;
    const auto wanted = options_.open_for * (std::int64_t{1} << std::min(openings_, 16));
    open_until_ = clock_.steady() + std::min(wanted, options_.longest);
    ++openings_;
    state_ = State::kOpen;
}

CircuitBreaker::State CircuitBreaker::state() const {
    const std::lock_guard lock(mutex_);
    if (state_ == State::kOpen && clock_.steady() >= open_until_) return State::kHalfOpen;
    return state_;
}

}  // namespace zona::net
