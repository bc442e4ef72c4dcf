/// @file
/// Terminals, and waiting for descriptors: what an interactive command asks the system.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "core/result.h"
#include "core/secret.h"

namespace zona::os {

/// isatty(3).
bool is_terminal(int fd);

/// The width in columns of the terminal behind `fd`; nullopt when it is none or does not know.
std::optional<std::size_t> terminal_columns(int fd);

/// Asks for a line at the terminal behind `in` that is not shown while it is typed: writes `prompt`
/// to `out`, and a line break at the end. Backspace and the terminal's own characters for taking
/// back the line, for its end and for an interrupt work; the terminal is afterwards as it was.
///
/// Errors: kCancelled: interrupted (Ctrl-C), or its end (Ctrl-D) on an empty line, or nobody is
/// there any more; kTooLarge: over 1024 bytes; from errno, when `in` is no terminal. Source:
/// termios(3).
core::Result<core::Secret> read_unseen(int in, int out, std::string_view prompt);

/// Waits until one of the descriptors can be read without waiting (data, end of file, an error).
///
/// A negative descriptor is skipped. @param timeout  none: no limit; less than a millisecond counts
/// as one, so that a caller in a loop does not spin.
/// @return  the index of the first such descriptor; nullopt when the time is over.
/// Errors:  from errno of poll(2). EINTR waits on.
core::Result<std::optional<std::size_t>> wait_readable(
    std::span<const int> fds, std::optional<std::chrono::nanoseconds> timeout);

}  // namespace zona::os
