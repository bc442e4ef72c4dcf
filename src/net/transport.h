/// @file
/// ClientTransport: how a client reaches its server, and where that is. TLS is in net/tls_client.h,
/// so that a program without it does not link it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/deadline.h"
#include "core/result.h"

namespace zona::net {

/// A connection that can be made anew. One thread at a time.
class ClientTransport {
  public:
    ClientTransport() = default;
    ClientTransport(const ClientTransport&) = delete;
    ClientTransport& operator=(const ClientTransport&) = delete;
    virtual ~ClientTransport() = default;

    /// Connects, instead of a connection that may be there. Errors: those of HttpClient.
    virtual core::Result<void> connect(core::Deadline deadline, const core::Clock& clock) = 0;
    /// Whether there is a connection on which a request can be sent: open, and nothing waits on it
    /// that nobody asked for.
    virtual bool usable() = 0;
    /// Closes the connection, if there is one.
    virtual void close() = 0;

    /// Sends a part; nullopt when nothing can be sent now.
    virtual core::Result<std::optional<std::size_t>> send(std::string_view data) = 0;
    /// Receives a part; 0 is the end, nullopt nothing yet.
    virtual core::Result<std::optional<std::size_t>> receive(std::span<char> into) = 0;
    /// Whether receive() brings something though fd() is not readable.
    virtual bool has_pending() const { return false; }

    /// What to wait for; -1 without a connection.
    virtual int fd() const = 0;
    /// The value of the header Host.
    virtual std::string_view host() const = 0;
};

/// Where a zona is that is reached over the network.
struct RemoteEndpoint {
    /// Whether TLS is spoken: kHttps.
    enum class Scheme : std::uint8_t { kHttp, kHttps };

    static constexpr std::uint16_t kDefaultPort = 8063;

    Scheme scheme = Scheme::kHttps;
    std::string host;  ///< a name or a numeric address, without brackets
    std::uint16_t port = kDefaultPort;

    /// Of "https://zona.example", "http://127.0.0.1:8063", "https://[::1]:8063/"; without a port it
    /// is 8063. kInvalidArgument: anything else, with user, path or query too; the message says
    /// what one looks like.
    static core::Result<RemoteEndpoint> parse(std::string_view url);
    /// "zona.example:8063", "[::1]:8063".
    std::string authority() const;
    /// Whether only this host is reached: localhost, 127.0.0.0/8, ::1.
    bool is_loopback() const;

    bool operator==(const RemoteEndpoint&) const = default;
};

/// The SHA-256 of a certificate as people copy it, with colons or without, in any case: 64 digits
/// in lower case. Errors: kInvalidArgument.
core::Result<std::string> parse_fingerprint(std::string_view text);

/// Over a unix socket. `path` may be longer than the 107 bytes of a socket address.
std::unique_ptr<ClientTransport> unix_transport(std::string path);

/// Over TCP, unprotected; the scheme of `endpoint` does not matter. All addresses of the host are
/// tried in order.
std::unique_ptr<ClientTransport> tcp_transport(const RemoteEndpoint& endpoint);

}  // namespace zona::net
