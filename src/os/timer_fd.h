/// @file
/// A timer as a descriptor (timerfd_create(2)), on CLOCK_MONOTONIC.
///
/// For those who must not wake up while nothing is due: Asio's own timers leave theirs armed when
/// they are cancelled, and then wake up every five minutes. Nothing throws.
#pragma once

#include <chrono>

#include "core/result.h"
#include "os/fd.h"

namespace zona::os {

/// A disarmed timer, non-blocking. It is readable once it has expired, until drain_eventfd() has
/// read it. Errors: from errno.
core::Result<UniqueFd> make_timer_fd();

/// Lets it expire once, `wait` from now (at once if that is not positive), whatever was set before.
/// Errors: from errno.
core::Result<void> arm_timer_fd(int fd, std::chrono::nanoseconds wait);

/// Lets it not expire any more. Errors: from errno.
core::Result<void> disarm_timer_fd(int fd);

}  // namespace zona::os
