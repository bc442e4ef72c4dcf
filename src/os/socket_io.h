/// @file
/// Reading and writing a connected stream socket without blocking and without SIGPIPE, and waiting
/// for it.
///
/// For programs without an event loop: the command talks to the daemon with these. Nothing throws.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "core/result.h"

namespace zona::os {

/// What a socket is ready for. An end of input, a hang-up and an error make it readable: reading
/// says which.
struct SocketReady {
    bool readable = false;
    bool writable = false;
    bool any() const { return readable || writable; }
};

/// What to wait for.
enum class WaitFor : unsigned char { kReadable, kWritable, kEither };

/// Waits until `fd` is ready or `limit` is over (then nothing is ready); nanoseconds::max() waits
/// for ever, 0 looks. Errors: from errno. A signal does not end the wait. Source: ppoll(2).
core::Result<SocketReady> wait_ready(int fd, WaitFor what, std::chrono::nanoseconds limit);

/// Sends what fits; nullopt when nothing does now.
/// Errors: from errno; EPIPE and ECONNRESET, a peer that is gone, are kUnavailable. Source:
/// send(2), MSG_NOSIGNAL.
core::Result<std::optional<std::size_t>> send_some(int fd, std::string_view data);

/// Receives what is there; 0 is the end of input, nullopt is nothing yet.
/// Errors: from errno; ECONNRESET is kUnavailable.
core::Result<std::optional<std::size_t>> receive_some(int fd, std::span<char> into);

}  // namespace zona::os
