#include "os/epoll.h"

#include <algorithm>
#include <cerrno>
#include <limits>

namespace zona::os {
namespace {

epoll_event event_of(std::uint64_t key, Trigger trigger) {
    epoll_event event = {};
    if (trigger != Trigger::kOff) event.events = EPOLLIN;
    if (trigger == Trigger::kEdge) event.events |= EPOLLET;
    event.data.u64 = key;
    return event;
}

int to_milliseconds(std::optional<std::chrono::nanoseconds> timeout) {
    if (!timeout) return -1;
    const auto whole = std::chrono::ceil<std::chrono::milliseconds>(*timeout).count();
    return static_cast<int>(std::clamp<std::int64_t>(whole, 0, std::numeric_limits<int>::max()));
}

}  // namespace

core::Result<Epoll> Epoll::open() {
    const int fd = ::epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) return core::Error::from_errno(errno, "epoll_create");
    return Epoll(UniqueFd::adopt(fd));
}

core::Result<void> Epoll::add(int fd, std::uint64_t key, Trigger trigger) {
    epoll_event event = event_of(key, trigger);
    if (::epoll_ctl(fd_.get(), EPOLL_CTL_ADD, fd, &event) < 0) {
        return core::Error::from_errno(errno, "epoll_ctl(EPOLL_CTL_ADD)");
    }
    return {};
}

core::Result<void> Epoll::change(int fd, std::uint64_t key, Trigger trigger) {
    epoll_event event = event_of(key, trigger);
    if (::epoll_ctl(fd_.get(), EPOLL_CTL_MOD, fd, &event) < 0) {
        return core::Error::from_errno(errno, "epoll_ctl(EPOLL_CTL_MOD)");
    }
    return {};
}

void Epoll::remove(int fd) {
    ::epoll_ctl(fd_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

std::span<const std::uint64_t> Epoll::wait(std::optional<std::chrono::nanoseconds> timeout) {
    std::array<epoll_event, kBatch> events;
    const int n = ::epoll_wait(fd_.get(), events.data(), static_cast<int>(events.size()),
                               to_milliseconds(timeout));
    const std::size_t count = n < 0 ? 0 : static_cast<std::size_t>(n);
    for (std::size_t i = 0; i < count; ++i)
        keys_[i] = events[i].data.u64;
    return std::span<const std::uint64_t>(keys_.data(), count);
}

}  // namespace zona::os
