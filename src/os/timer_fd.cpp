#include "os/timer_fd.h"

#include <algorithm>
#include <cerrno>

#include <sys/timerfd.h>

namespace zona::os {
namespace {

core::Result<void> set_timer(int fd, std::chrono::nanoseconds wait) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(wait);
    itimerspec moment{};
    moment.it_value.tv_sec = static_cast<time_t>(seconds.count());
    moment.it_value.tv_nsec = static_cast<long>((wait - seconds).count());
    if (::timerfd_settime(fd, 0, &moment, nullptr) < 0) {
        return core::Error::from_errno(errno, "set a timer");
    }
    return {};
}

}  // namespace

core::Result<UniqueFd> make_timer_fd() {
    const int fd = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (fd < 0) return core::Error::from_errno(errno, "timerfd_create");
    return UniqueFd::adopt(fd);
}

core::Result<void> arm_timer_fd(int fd, std::chrono::nanoseconds wait) {
    // Zero would disarm it.
    return set_timer(fd, std::max(wait, std::chrono::nanoseconds(1)));
}

core::Result<void> disarm_timer_fd(int fd) {
    return set_timer(fd, std::chrono::nanoseconds(0));
}

}  // namespace zona::os
