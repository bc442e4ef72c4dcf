#include "os/tcp_socket.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "os/socket_io.h"

namespace zona::os {
namespace {

namespace ip = boost::asio::ip;

core::Result<ip::tcp::endpoint> endpoint_of(const TcpAddress& address) {
    boost::system::error_code error;
    const ip::address host = ip::make_address(address.host, error);
    if (!error) return ip::tcp::endpoint(host, address.port);
    return core::Error(core::Code::kInvalidArgument,
                       fmt::format("'{}' is no numeric address", address.host));
}

/// What getsockname(2) and getpeername(2) say.
template <class Ask>
core::Result<TcpAddress> address_by(Ask ask, int fd, const char* what) {
    ip::tcp::endpoint endpoint;
    auto length = static_cast<socklen_t>(endpoint.capacity());
    if (ask(fd, endpoint.data(), &length) < 0) {
        core::Error error = core::Error::from_errno(errno, what);
        if (error.system_error() == ENOTCONN)
            return std::move(error).recode(core::Code::kUnavailable);
        return error;
    }
    const auto family = endpoint.data()->sa_family;
    if (family != AF_INET && family != AF_INET6)
        return core::Error(core::Code::kUnsupported, "the socket is not of TCP");
    return TcpAddress{endpoint.address().to_string(), endpoint.port()};
}

core::Result<void> set_option(int fd, int level, int name, int value, const char* what) {
    if (::setsockopt(fd, level, name, &value, sizeof value) == 0) return {};
    return core::Error::from_errno(errno, what);
}

}  // namespace

core::Result<UniqueFd> tcp_socket(int family) {
    const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return core::Error::from_errno(errno, "socket");
    return UniqueFd::adopt(fd);
}

core::Result<TcpAddress> TcpAddress::parse(std::string_view text) {
    TcpAddress out;
    const std::size_t colon = text.rfind(':');
    std::string_view host = text.substr(0, colon);
    const std::string_view port = colon == std::string_view::npos ? "" : text.substr(colon + 1);
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    if (bracketed) host = host.substr(1, host.size() - 2);
    out.host = host;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    const auto endpoint = endpoint_of(out);
    const bool good = !port.empty() && error == std::errc() && end == port.data() + port.size() &&
                      endpoint && bracketed == endpoint->address().is_v6() && !host.contains('%');
    if (good) return out;
    return core::Error(core::Code::kInvalidArgument,
                       fmt::format("'{}' is no address with a port, like 127.0.0.1:8063, "
                                   "0.0.0.0:8063 or [::1]:8063",
                                   text));
}

bool TcpAddress::is_loopback() const {
    const auto endpoint = endpoint_of(*this);
    if (!endpoint) return false;
    const ip::address address = endpoint->address();
    if (address.is_v6() && address.to_v6().is_v4_mapped())
        return ip::make_address_v4(ip::v4_mapped, address.to_v6()).is_loopback();
    return address.is_loopback();
}

std::string TcpAddress::to_string() const {
    return host.contains(':') ? fmt::format("[{}]:{}", host, port)
                              : fmt::format("{}:{}", host, port);
}

core::Result<UniqueFd> listen_tcp(const TcpAddress& address, int backlog, ReusePort reuse) {
    ZONA_TRY(const ip::tcp::endpoint endpoint, endpoint_of(address));
    ZONA_TRY(UniqueFd fd, tcp_socket(endpoint.protocol().family()));
    ZONA_TRY_VOID(set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR"));
    if (reuse == ReusePort::kYes)
        ZONA_TRY_VOID(set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT"));
    if (endpoint.address().is_v6()) {
        ZONA_TRY_VOID(set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY"));
    }
    if (::bind(fd.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0 &&
        ::listen(fd.get(), backlog) == 0) {
        return fd;
    }
    core::Error error =
        core::Error::from_errno(errno, fmt::format("listen on {}", address.to_string()));
    if (error.system_error() == EADDRINUSE) return std::move(error).recode(core::Code::kConflict);
    return error;
}

core::Result<UniqueFd> connect_tcp(const TcpAddress& address) {
    ZONA_TRY(const ip::tcp::endpoint endpoint, endpoint_of(address));
    ZONA_TRY(UniqueFd fd, tcp_socket(endpoint.protocol().family()));
    while (::connect(fd.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) < 0) {
        if (errno == EINTR) continue;
        return core::Error::from_errno(errno, fmt::format("connect to {}", address.to_string()));
    }
    return fd;
}

core::Result<UniqueFd> connect_tcp(const TcpAddress& address, std::chrono::nanoseconds limit) {
    ZONA_TRY(const ip::tcp::endpoint endpoint, endpoint_of(address));
    ZONA_TRY(UniqueFd fd, tcp_socket(endpoint.protocol().family()));
    ZONA_TRY_VOID(set_nonblocking(fd.get()));
    const std::string what = fmt::format("connect to {}", address.to_string());
    if (::connect(fd.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0)
        return fd;
    if (errno != EINPROGRESS && errno != EINTR) return core::Error::from_errno(errno, what);
    ZONA_TRY(const SocketReady ready, wait_ready(fd.get(), WaitFor::kWritable, limit));
    if (!ready.any()) return core::Error(core::Code::kTimeout, what + ": no answer in time");
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) < 0) error = errno;
    if (error != 0) return core::Error::from_errno(error, what);
    return fd;
}

core::Result<std::vector<TcpAddress>> resolve(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* found = nullptr;
    boost::system::error_code numeric;
    const ip::address address = ip::make_address(host, numeric);
    if (!numeric) return std::vector<TcpAddress>{{address.to_string(), port}};
    const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
    if (error != 0) {
        return core::Error(
            core::Code::kUnavailable,
            fmt::format("the host '{}' cannot be found: {}", host, ::gai_strerror(error)));
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
    std::vector<TcpAddress> out;
    for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
        ip::tcp::endpoint endpoint;
        if (one->ai_addrlen > endpoint.capacity()) continue;
        std::memcpy(endpoint.data(), one->ai_addr, one->ai_addrlen);
        out.push_back({endpoint.address().to_string(), port});
    }
    return out;
}

core::Result<TcpAddress> local_address(int fd) {
    return address_by(::getsockname, fd, "getsockname");
}

core::Result<TcpAddress> peer_address(int fd) {
    return address_by(::getpeername, fd, "getpeername");
}

core::Result<void> prepare_connection(int fd) {
    ZONA_TRY_VOID(set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY"));
    ZONA_TRY_VOID(set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE"));
    ZONA_TRY_VOID(set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60, "TCP_KEEPIDLE"));
    ZONA_TRY_VOID(set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 20, "TCP_KEEPINTVL"));
    return set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3, "TCP_KEEPCNT");
}

}  // namespace zona::os
