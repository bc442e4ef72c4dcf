#include "os/packet.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>

namespace zona::os {

core::Result<void> send_packet(int fd, std::span<const std::byte> packet) {
    while (::send(fd, packet.data(), packet.size(), MSG_NOSIGNAL) < 0) {
        if (errno != EINTR) return core::Error::from_errno(errno, "send to the keeper");
    }
    return {};
}

core::Result<void> send_packet(int fd, std::span<const std::byte> packet, int attached) {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    iovec bytes = {.iov_base = const_cast<std::byte*>(packet.data()), .iov_len = packet.size()};
    msghdr header{};
    header.msg_iov = &bytes;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    cmsghdr* const rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof attached);
    std::memcpy(CMSG_DATA(rights), &attached, sizeof attached);
    while (::sendmsg(fd, &header, MSG_NOSIGNAL) < 0) {
        if (errno != EINTR) return core::Error::from_errno(errno, "send to the keeper");
    }
    return {};
}

core::Result<std::optional<std::size_t>> receive_packet(int fd, std::span<std::byte> into,
                                                        std::chrono::milliseconds wait) {
    pollfd waiting = {.fd = fd, .events = POLLIN, .revents = 0};
    int rc = ::poll(&waiting, 1, static_cast<int>(wait.count()));
    while (rc < 0 && errno == EINTR)
        rc = ::poll(&waiting, 1, static_cast<int>(wait.count()));
    if (rc < 0) return core::Error::from_errno(errno, "poll");
    if (rc == 0) return std::optional<std::size_t>();
    const ssize_t n = ::recv(fd, into.data(), into.size(), MSG_DONTWAIT);
    if (n >= 0) return std::optional<std::size_t>(static_cast<std::size_t>(n));
    if (errno == EAGAIN || errno == EINTR) return std::optional<std::size_t>();
    if (errno == ECONNRESET) return std::optional<std::size_t>(0);
    return core::Error::from_errno(errno, "receive from the keeper");
}

}  // namespace zona::os
