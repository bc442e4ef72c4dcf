/// @file
/// Being told that a file or directory changed, instead of looking.
///
/// One inotify instance with any number of watches. The descriptor is non-blocking: wait for it to
/// be readable in the event loop, then take what there is. Notification is a hint: an overflow
/// loses events and says so, a path may mean another file by the time the event is read. Threading:
/// one thread at a time. Source: inotify(7).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/inotify.h>

#include "core/result.h"
#include "os/fd.h"

namespace zona::os {

/// One change, as the kernel tells it.
struct InotifyEvent {
    int watch = -1;            ///< as add() returned it; -1 for an overflow
    std::uint32_t mask = 0;    ///< IN_MODIFY, IN_CREATE, ... ; IN_IGNORED: the watch is gone
    std::uint32_t cookie = 0;  ///< pairs IN_MOVED_FROM with IN_MOVED_TO
    std::string name;          ///< the entry's name, for a watched directory

    /// Events were lost (the queue is limited by fs.inotify.max_queued_events): look at everything
    /// again.
    bool overflow() const { return (mask & IN_Q_OVERFLOW) != 0; }
};

/// One inotify instance, closed with this object.
class Inotify {
  public:
    /// Errors: kResourceExhausted when fs.inotify.max_user_instances or the fd limit is reached.
    static core::Result<Inotify> open();

    /// Watches `path` for `mask`; the same file again changes its mask and gives the same number.
    /// Errors: kNotFound, kForbidden, kResourceExhausted (fs.inotify.max_user_watches; the message
    /// says so).
    core::Result<int> add(const std::string& path, std::uint32_t mask);
    /// Ends a watch; one that has ended by itself is success. An IN_IGNORED event follows.
    core::Result<void> remove(int watch);
    /// All events that are there, oldest first; empty when there are none. Never waits.
    core::Result<std::vector<InotifyEvent>> take();

    /// For the event loop. Borrowed.
    int fd() const { return fd_.get(); }

  private:
    explicit Inotify(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
};

}  // namespace zona::os
