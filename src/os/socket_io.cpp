#include "os/socket_io.h"

#include <algorithm>
#include <cerrno>
#include <ctime>

#include <poll.h>
#include <sys/socket.h>

namespace zona::os {
namespace {

using Clock = std::chrono::steady_clock;

short events_of(WaitFor what) {
    switch (what) {
        case WaitFor::kReadable:
            return POLLIN;
        case WaitFor::kWritable:
            return POLLOUT;
        case WaitFor::kEither:
            return POLLIN | POLLOUT;
    }
    return POLLIN;
}

}  // namespace

core::Result<SocketReady> wait_ready(int fd, WaitFor what, std::chrono::nanoseconds limit) {
    const bool bounded = limit != std::chrono::nanoseconds::max();
    const Clock::time_point end = bounded ? Clock::now() + limit : Clock::time_point::max();
    pollfd entry{fd, events_of(what), 0};
    while (true) {
        timespec left{};
        if (bounded) {
            const auto rest = std::max(end - Clock::now(), Clock::duration::zero());
            const auto seconds = std::chrono::floor<std::chrono::seconds>(rest);
            left.tv_sec = static_cast<time_t>(seconds.count());
            left.tv_nsec = static_cast<long>((rest - seconds).count());
        }
        const int count = ::ppoll(&entry, 1, bounded ? &left : nullptr, nullptr);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return core::Error::from_errno(errno, "wait for a socket");
        SocketReady ready;
        ready.readable = (entry.revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL)) != 0;
        ready.writable = (entry.revents & POLLOUT) != 0;
        return ready;
    }
}

core::Result<std::optional<std::size_t>> send_some(int fd, std::string_view data) {
    while (true) {
        const ssize_t sent = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) return std::optional(static_cast<std::size_t>(sent));
        if (errno == EINTR) continue;
        if (errno == EAGAIN) return std::optional<std::size_t>();
        return core::Error::from_errno(errno, "send on a socket");
    }
}

core::Result<std::optional<std::size_t>> receive_some(int fd, std::span<char> into) {
    while (true) {
        const ssize_t got = ::recv(fd, into.data(), into.size(), MSG_DONTWAIT);
        if (got >= 0) return std::optional(static_cast<std::size_t>(got));
        if (errno == EINTR) continue;
        if (errno == EAGAIN) return std::optional<std::size_t>();
        return core::Error::from_errno(errno, "receive from a socket");
    }
}

}  // namespace zona::os
