#include "os/tcp_socket.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace zona::os {
namespace {

struct Native {
    sockaddr_storage value{};
    socklen_t length = sizeof value;

    sockaddr* get() { return reinterpret_cast<sockaddr*>(&value); }
};

bool is_ipv6(const TcpAddress& address) {
    return address.host.contains(':');
}

/// nullopt: the host is no numeric address.
std::optional<Native> native_of(const TcpAddress& address) {
    Native out;
    if (is_ipv6(address)) {
        auto& v6 = reinterpret_cast<sockaddr_in6&>(out.value);
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(address.port);
        out.length = sizeof v6;
        if (::inet_pton(AF_INET6, address.host.c_str(), &v6.sin6_addr) != 1) return std::nullopt;
        return out;
    }
    auto& v4 = reinterpret_cast<sockaddr_in&>(out.value);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    out.length = sizeof v4;
    if (::inet_pton(AF_INET, address.host.c_str(), &v4.sin_addr) != 1) return std::nullopt;
    return out;
}

core::Result<TcpAddress> address_of(const Native& native) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (native.value.ss_family == AF_INET6) {
        const auto& v6 = reinterpret_cast<const sockaddr_in6&>(native.value);
        ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
        return TcpAddress{text.data(), ntohs(v6.sin6_port)};
    }
    if (native.value.ss_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(native.value);
        ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
        return TcpAddress{text.data(), ntohs(v4.sin_port)};
    }
    return core::Error(core::Code::kUnsupported, "the socket is not of TCP");
}

core::Result<void> set_option(int fd, int level, int name, int value, const char* what) {
    if (::setsockopt(fd, level, name, &value, sizeof value) == 0) return {};
    return core::Error::from_errno(errno, what);
}

}  // namespace

core::Result<TcpAddress> TcpAddress::parse(std::string_view text) {
    TcpAddress out;
    const std::size_t colon = text.rfind(':');
    std::string_view host = text.substr(0, colon);
    const std::string_view port = colon == std::string_view::npos ? "" : text.substr(colon + 1);
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    if (bracketed) host = host.substr(1, host.size() - 2);
    out.host = host;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    const bool good = !port.empty() && error == std::errc() && end == port.data() + port.size() &&
                      bracketed == is_ipv6(out) && native_of(out);
    if (good) return out;
    return core::Error(core::Code::kInvalidArgument,
                       fmt::format("'{}' is no address with a port, like 127.0.0.1:8063, "
                                   "0.0.0.0:8063 or [::1]:8063",
                                   text));
}

bool TcpAddress::is_loopback() const {
    const auto native = native_of(*this);
    if (!native) return false;
    if (!is_ipv6(*this)) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(native->value);
        return (ntohl(v4.sin_addr.s_addr) >> 24U) == IN_LOOPBACKNET;
    }
    const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(native->value).sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(&v6) ||
           (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == IN_LOOPBACKNET);
}

std::string TcpAddress::to_string() const {
    return is_ipv6(*this) ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

core::Result<UniqueFd> listen_tcp(const TcpAddress& address, int backlog) {
    const std::string what = fmt::format("listen on {}", address.to_string());
    auto native = native_of(address);
    if (!native) {
        return core::Error(core::Code::kInvalidArgument,
                           fmt::format("{}: no numeric address", what));
    }
    const int number = ::socket(native->value.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (number < 0) return core::Error::from_errno(errno, what);
    UniqueFd fd = UniqueFd::adopt(number);
    ZONA_TRY_VOID(set_option(number, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR"));
    if (is_ipv6(address)) {
        ZONA_TRY_VOID(set_option(number, IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY"));
    }
    if (::bind(number, native->get(), native->length) < 0 || ::listen(number, backlog) < 0) {
        core::Error error = core::Error::from_errno(errno, what);
        if (error.system_error() == EADDRINUSE)
            return std::move(error).recode(core::Code::kConflict);
        return error;
    }
    return fd;
}

core::Result<UniqueFd> connect_tcp(const TcpAddress& address) {
    const std::string what = fmt::format("connect to {}", address.to_string());
    auto native = native_of(address);
    if (!native) {
        return core::Error(core::Code::kInvalidArgument,
                           fmt::format("{}: no numeric address", what));
    }
    const int number = ::socket(native->value.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (number < 0) return core::Error::from_errno(errno, what);
    UniqueFd fd = UniqueFd::adopt(number);
    while (::connect(number, native->get(), native->length) < 0) {
        if (errno == EINTR) continue;
        return core::Error::from_errno(errno, what);
    }
    return fd;
}

core::Result<TcpAddress> local_address(int fd) {
    Native native;
    if (::getsockname(fd, native.get(), &native.length) < 0)
        return core::Error::from_errno(errno, "getsockname");
    return address_of(native);
}

core::Result<TcpAddress> peer_address(int fd) {
    Native native;
    if (::getpeername(fd, native.get(), &native.length) < 0) {
        core::Error error = core::Error::from_errno(errno, "getpeername");
        if (error.system_error() == ENOTCONN)
            return std::move(error).recode(core::Code::kUnavailable);
        return error;
    }
    return address_of(native);
}

core::Result<void> prepare_connection(int fd) {
    ZONA_TRY_VOID(set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY"));
    ZONA_TRY_VOID(set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE"));
    ZONA_TRY_VOID(set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60, "TCP_KEEPIDLE"));
    ZONA_TRY_VOID(set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 20, "TCP_KEEPINTVL"));
    return set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3, "TCP_KEEPCNT");
}

}  // namespace zona::os
