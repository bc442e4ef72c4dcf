/// @file
/// What listening sockets of all families have in common.
#pragma once

#include <cstdint>
#include <optional>

#include "core/result.h"
#include "os/fd.h"

namespace zona::os {

/// What kind of address clients connect to; kTcp is IPv4 and IPv6.
enum class SocketFamily : std::uint8_t { kUnix, kTcp };

/// Of a listening stream socket. kInvalidArgument: it is no socket, or does not listen;
/// kUnsupported: of another family or type.
core::Result<SocketFamily> family_of_listening(int fd);

/// Of a connected stream socket. Errors: as above, kInvalidArgument for no socket.
core::Result<SocketFamily> family_of(int fd);

/// The next waiting connection of a non-blocking listening socket, O_CLOEXEC and non-blocking; none
/// if nobody waits (or the one that waited has gone). Errors from errno, such as EMFILE.
core::Result<std::optional<UniqueFd>> accept_connection(int listening_fd);

/// The socket listens no more, in whatever process it is open: who connects is refused, and who
/// waits to be accepted is cut. Errors from errno. Source: shutdown(2).
core::Result<void> stop_listening(int listening_fd);

}  // namespace zona::os
