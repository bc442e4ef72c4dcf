/// @file
/// Waiting for many descriptors in a thread that has no event loop of Asio.
///
/// One epoll instance. Waiting without a time limit costs no timer: the thread sleeps until a
/// descriptor is ready. Threading: add(), change() and remove() from any thread, also while another
/// one waits; wait() from one thread. Nothing throws. Source: epoll(7), epoll_ctl(2).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

#include <sys/epoll.h>

#include "core/result.h"
#include "os/fd.h"

namespace zona::os {

/// When a watched descriptor is reported.
enum class Trigger : std::uint8_t {
    kOff,    ///< never; it stays registered
    kLevel,  ///< at each wait() as long as there is something to read
    kEdge,   ///< once per arrival of new bytes; once at change() if something is there already
};

/// One epoll instance, closed with this object.
class Epoll {
  public:
    /// Errors: kResourceExhausted when descriptors or epoll watches are used up.
    static core::Result<Epoll> open();

    /// Watches `fd` for readability; events carry `key`. Errors: kConflict (watched already),
    /// kResourceExhausted (fs.epoll.max_user_watches), kForbidden (a regular file).
    core::Result<void> add(int fd, std::uint64_t key, Trigger trigger);
    /// Changes how `fd` is watched. Errors: kNotFound (not watched).
    core::Result<void> change(int fd, std::uint64_t key, Trigger trigger);
    /// Ends the watch; not watched is success. An event that wait() has already returned stays so.
    void remove(int fd);

    /// Waits until something is ready and returns the keys of what is, each at most once.
    /// @param timeout  none: for ever. Rounded up to milliseconds; <= 0 only looks.
    /// Empty after the timeout or a signal. The span is valid until the next wait().
    std::span<const std::uint64_t> wait(std::optional<std::chrono::nanoseconds> timeout);

  private:
    static constexpr std::size_t kBatch = 64;
    explicit Epoll(UniqueFd fd) : fd_(std::move(fd)) {}
    UniqueFd fd_;
    std::array<std::uint64_t, kBatch> keys_{};
};

}  // namespace zona::os
