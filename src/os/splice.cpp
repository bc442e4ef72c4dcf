#include "os/splice.h"

#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace zona::os {
namespace {

template <class Call>
Transfer transfer(Call call) {
    ssize_t n = call();
    while (n < 0 && errno == EINTR)
        n = call();
    if (n < 0) return {.bytes = 0, .error_number = errno};
    return {.bytes = static_cast<std::size_t>(n), .error_number = 0};
}

/// A pipe that all writers have closed gives 0; ours never has, but "nothing there" is what it
/// means.
Transfer empty_is_again(Transfer moved) {
    if (moved.bytes == 0 && moved.error_number == 0) moved.error_number = EAGAIN;
    return moved;
}

}  // namespace

Transfer splice_to_file(int pipe, int file, std::uint64_t offset, std::size_t most) noexcept {
    return empty_is_again(transfer([&] {
        auto position = static_cast<off64_t>(offset);
        return ::splice(pipe, nullptr, file, &position, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    }));
}

Transfer splice_to_device(int pipe, int device, std::size_t most) noexcept {
    return empty_is_again(transfer([&] {
        return ::splice(pipe, nullptr, device, nullptr, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    }));
}

Transfer tee_pipe(int from, int into, std::size_t most) noexcept {
    return empty_is_again(transfer([&] { return ::tee(from, into, most, SPLICE_F_NONBLOCK); }));
}

Transfer read_once(int fd, std::span<std::byte> into) noexcept {
    return transfer([&] { return ::read(fd, into.data(), into.size()); });
}

Transfer write_once_at(int file, std::span<const std::byte> data, std::uint64_t offset) noexcept {
    return transfer(
        [&] { return ::pwrite(file, data.data(), data.size(), static_cast<off_t>(offset)); });
}

Transfer write_once(int fd, std::span<const std::byte> data) noexcept {
    return transfer([&] { return ::write(fd, data.data(), data.size()); });
}

std::size_t bytes_in_pipe(int pipe) noexcept {
    int count = 0;
    if (::ioctl(pipe, FIONREAD, &count) < 0 || count < 0) return 0;
    return static_cast<std::size_t>(count);
}

bool pipe_is_full(int pipe) noexcept {
    pollfd entry = {.fd = pipe, .events = POLLOUT, .revents = 0};
    int n = ::poll(&entry, 1, 0);
    while (n < 0 && errno == EINTR)
        n = ::poll(&entry, 1, 0);
    return (entry.revents & POLLOUT) == 0;
}

std::size_t pipe_capacity(int pipe) noexcept {
    const int size = ::fcntl(pipe, F_GETPIPE_SZ);
    return size < 0 ? 0 : static_cast<std::size_t>(size);
}

std::size_t grow_pipe(int pipe, std::size_t wanted) noexcept {
    const int size = ::fcntl(pipe, F_SETPIPE_SZ, static_cast<int>(wanted));
    return size < 0 ? pipe_capacity(pipe) : static_cast<std::size_t>(size);
}

}  // namespace zona::os
