/// @file
/// Terminals, and waiting for descriptors: what an interactive command asks the system.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>

#include "core/result.h"

namespace zona::os {

/// isatty(3).
bool is_terminal(int fd);

/// The width in columns of the terminal behind `fd`; nullopt when it is none or does not know.
std::optional<std::size_t> terminal_columns(int fd);

/// Waits until one of the descriptors can be read without waiting (data, end of file, an error).
///
/// A negative descriptor is skipped. @param timeout  none: no limit; less than a millisecond counts
/// as one, so that a caller in a loop does not spin.
/// @return  the index of the first such descriptor; nullopt when the time is over.
/// Errors:  from errno of poll(2). EINTR waits on.
core::Result<std::optional<std::size_t>> wait_readable(
    std::span<const int> fds, std::optional<std::chrono::nanoseconds> timeout);

}  // namespace zona::os
