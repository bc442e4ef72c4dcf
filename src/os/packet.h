/// @file
/// Packets over a SOCK_SEQPACKET socket, with bounded waits.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>

#include "core/result.h"

namespace zona::os {

/// Sends one packet, never raising SIGPIPE. kUnavailable: the peer is gone.
core::Result<void> send_packet(int fd, std::span<const std::byte> packet);
/// Sends a packet with a copy of the descriptor `attached` (unix(7), SCM_RIGHTS).
core::Result<void> send_packet(int fd, std::span<const std::byte> packet, int attached);
/// Receives one packet; nullopt after `wait` without one. 0 bytes: the peer is gone.
core::Result<std::optional<std::size_t>> receive_packet(int fd, std::span<std::byte> into,
                                                        std::chrono::milliseconds wait);

}  // namespace zona::os
