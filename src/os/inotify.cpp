#include "os/inotify.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <unistd.h>

namespace zona::os {

core::Result<Inotify> Inotify::open() {
    const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd >= 0) return Inotify(UniqueFd::adopt(fd));
    const int number = errno;
    return core::Error::from_errno(
        number, number == EMFILE
                    ? "start inotify (raise fs.inotify.max_user_instances or the fd limit)"
                    : "start inotify");
}

core::Result<int> Inotify::add(const std::string& path, std::uint32_t mask) {
    const int watch = ::inotify_add_watch(fd_.get(), path.c_str(), mask);
    if (watch >= 0) return watch;
    const int number = errno;
    return core::Error::from_errno(
        number, fmt::format("watch {}{}", path,
                            number == ENOSPC ? " (raise fs.inotify.max_user_watches)" : ""));
}

core::Result<void> Inotify::remove(int watch) {
    if (::inotify_rm_watch(fd_.get(), watch) == 0 || errno == EINVAL) return {};
    return core::Error::from_errno(errno, "end an inotify watch");
}

core::Result<std::vector<InotifyEvent>> Inotify::take() {
    std::vector<InotifyEvent> out;
    alignas(inotify_event) std::array<std::byte, 16384> buffer;
    for (;;) {
        ZONA_TRY(const auto n, read_some(fd_.get(), buffer));
        if (!n || *n == 0) return out;
        for (std::size_t at = 0; at + sizeof(inotify_event) <= *n;) {
            inotify_event head;
            std::memcpy(&head, buffer.data() + at, sizeof head);
            at += sizeof head;
            InotifyEvent& event = out.emplace_back(
                InotifyEvent{.watch = head.wd, .mask = head.mask, .cookie = head.cookie});
            // The name is padded with NULs.
            const auto* name = reinterpret_cast<const char*>(buffer.data() + at);
            event.name.assign(name, ::strnlen(name, head.len));
            at += head.len;
        }
    }
}

}  // namespace zona::os
