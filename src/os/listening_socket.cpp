#include "os/listening_socket.h"

#include <cerrno>

#include <fmt/format.h>
#include <sys/socket.h>

namespace zona::os {
namespace {

std::optional<int> fact(int fd, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    if (::getsockopt(fd, SOL_SOCKET, name, &value, &size) < 0) return std::nullopt;
    return value;
}

}  // namespace

core::Result<SocketFamily> family_of(int fd) {
    const auto domain = fact(fd, SO_DOMAIN);
    if (!domain) {
        return core::Error(core::Code::kInvalidArgument, fmt::format("fd {} is not a socket", fd));
    }
    const bool tcp = *domain == AF_INET || *domain == AF_INET6;
    if ((!tcp && *domain != AF_UNIX) || fact(fd, SO_TYPE) != SOCK_STREAM) {
        return core::Error(
            core::Code::kUnsupported,
            fmt::format("the socket fd {} is neither of TCP nor a unix stream socket", fd));
    }
    return tcp ? SocketFamily::kTcp : SocketFamily::kUnix;
}

core::Result<SocketFamily> family_of_listening(int fd) {
    ZONA_TRY(const SocketFamily family, family_of(fd));
    if (fact(fd, SO_ACCEPTCONN) == 1) return family;
    return core::Error(core::Code::kInvalidArgument,
                       fmt::format("the socket fd {} does not listen", fd));
}

core::Result<std::optional<UniqueFd>> accept_connection(int listening_fd) {
    while (true) {
        const int fd = ::accept4(listening_fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) return UniqueFd::adopt(fd);
        if (errno == EINTR || errno == ECONNABORTED) continue;
        if (errno == EAGAIN) return std::nullopt;
        return core::Error::from_errno(errno, "accept");
    }
}

core::Result<void> stop_listening(int listening_fd) {
    if (::shutdown(listening_fd, SHUT_RD) == 0) return {};
    return core::Error::from_errno(errno, "shutdown");
}

}  // namespace zona::os
