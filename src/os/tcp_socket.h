/// @file
/// TCP sockets: addresses, listening, who is at the other end.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "os/fd.h"

namespace zona::os {

/// An IPv4 or IPv6 address with a port.
struct TcpAddress {
    std::string host;  ///< numeric: "127.0.0.1", "::1"
    std::uint16_t port = 0;

    /// "127.0.0.1:8063", "[::1]:8063", "0.0.0.0:8063"; no names, which would need a resolver.
    /// kInvalidArgument: anything else; the message says what an address looks like.
    static core::Result<TcpAddress> parse(std::string_view text);
    /// Whether only this host reaches it: 127.0.0.0/8, ::1, and the former mapped into IPv6.
    bool is_loopback() const;
    /// As parse() takes it.
    std::string to_string() const;

    bool operator==(const TcpAddress&) const = default;
};

/// Whether several sockets may listen on one address, each with a queue of its own; all of them,
/// and all of one user, say so. The kernel deals connections out by a hash of both addresses.
enum class ReusePort : std::uint8_t { kNo, kYes };

/// Binds and listens, O_CLOEXEC; port 0 takes a free one (local_address() tells which).
///
/// SO_REUSEADDR: connections of an earlier listener in TIME_WAIT do not matter. An IPv6 socket
/// takes no IPv4 connections. Errors: kConflict when the address is taken, kForbidden for a port
/// below 1024 without the right, else from errno; the message names the address. Source: tcp(7),
/// ip(7).
core::Result<UniqueFd> listen_tcp(const TcpAddress& address, int backlog,
                                  ReusePort reuse = ReusePort::kNo);

/// A socket of AF_INET or AF_INET6 that is nothing yet, O_CLOEXEC. Errors: from errno.
core::Result<UniqueFd> tcp_socket(int family);

/// Connects, blocking. kUnavailable: nobody listens; else from errno, naming the address.
core::Result<UniqueFd> connect_tcp(const TcpAddress& address);
/// The same within `limit`, else kTimeout; the socket does not block from then on.
core::Result<UniqueFd> connect_tcp(const TcpAddress& address, std::chrono::nanoseconds limit);

/// The addresses of a host by its name, in the order in which they are to be tried; of a numeric
/// address itself. Waits as long as the host's resolver wants. kUnavailable: there are none, naming
/// the host. Source: getaddrinfo(3).
core::Result<std::vector<TcpAddress>> resolve(const std::string& host, std::uint16_t port);

/// Where a socket is bound. Errors: from errno; kUnsupported for another family.
core::Result<TcpAddress> local_address(int fd);
/// Who is at the other end. Errors: as above; kUnavailable when the connection is gone.
core::Result<TcpAddress> peer_address(int fd);

/// Sends small answers at once (TCP_NODELAY), and finds out that a peer has vanished without a word
/// (SO_KEEPALIVE: after 60 s of silence, three probes 20 s apart).
core::Result<void> prepare_connection(int fd);

}  // namespace zona::os
