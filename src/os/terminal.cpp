#include "os/terminal.h"

#include <algorithm>
#include <cerrno>
#include <vector>

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace zona::os {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using SteadyClock = std::chrono::steady_clock;

int poll_timeout(std::optional<SteadyClock::time_point> end) {
    if (!end) return -1;
    const nanoseconds left = std::max(*end - SteadyClock::now(), nanoseconds(0));
    const auto ms = std::chrono::ceil<milliseconds>(left).count();
    return static_cast<int>(std::min<milliseconds::rep>(ms, 3'600'000));
}

}  // namespace

bool is_terminal(int fd) {
    return isatty(fd) == 1;
}

std::optional<std::size_t> terminal_columns(int fd) {
    winsize size = {};
    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return std::nullopt;
    return size.ws_col;
}

core::Result<std::optional<std::size_t>> wait_readable(std::span<const int> fds,
                                                       std::optional<nanoseconds> timeout) {
    std::vector<pollfd> entries;
    for (const int fd : fds)
        entries.push_back({fd, POLLIN, 0});
    std::optional<SteadyClock::time_point> end;
    if (timeout)
        end = SteadyClock::now() + std::min<nanoseconds>(*timeout, std::chrono::hours(24 * 365));
    while (true) {
        const int ready = poll(entries.data(), entries.size(), poll_timeout(end));
        if (ready < 0 && errno != EINTR) return core::Error::from_errno(errno, "poll");
        for (std::size_t i = 0; i < entries.size() && ready > 0; ++i) {
            if (entries[i].revents != 0) return std::optional(i);
        }
        if (end && SteadyClock::now() >= *end) return std::optional<std::size_t>();
    }
}

}  // namespace zona::os
