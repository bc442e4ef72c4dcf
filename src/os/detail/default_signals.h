/// @file
/// Every signal's disposition back to its default: for a process that is about to execute a
/// program.
#pragma once

namespace zona::os::detail {

/// Sets SIG_DFL for all 64 signals, by the system call itself: libc's functions refuse the two that
/// it keeps for its threads, and a starter can have left those ignored, too. The mask stays as it
/// is. Async-signal-safe; also for a child that shares its parent's memory.
/// Source: signal(7), sigaction(2).
void default_dispositions() noexcept;

}  // namespace zona::os::detail
