/// @file
/// Moving bytes out of pipes and FIFOs without reading them: splice(2), tee(2), and what a pipe
/// holds.
///
/// These are the calls of a hot path, so they return a small Transfer instead of a Result: no text
/// is made for an EAGAIN. EINTR is retried here. None of them waits for a pipe, whatever the
/// descriptor's mode; writing to a file may wait for its disk. No function throws. Any thread, but
/// two threads that take from one pipe share its bytes between them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace zona::os {

/// What one call moved.
///
/// | bytes | error_number | meaning |
/// |---|---|---|
/// | > 0 | 0 | that many bytes went over, perhaps fewer than asked for |
/// | 0 | EAGAIN | the source is empty, or the target pipe is full |
/// | 0 | other | the target refuses: ENOSPC, EDQUOT, EFBIG, EIO; EINVAL: it cannot be spliced to |
struct Transfer {
    std::size_t bytes = 0;
    int error_number = 0;
};

/// Moves up to `most` bytes from a pipe to `file` at `offset`, which must not be opened with
/// O_APPEND.
///
/// Exact under SIGKILL: what has left the pipe is in the file and what is not in the file is still
/// in the pipe, at any moment that a survivor can look at (splice(2); the kernel consumes a pipe
/// buffer by the number of bytes that the file took). A full disk gives the bytes that fitted, then
/// ENOSPC.
Transfer splice_to_file(int pipe, int file, std::uint64_t offset, std::size_t most) noexcept;

/// Moves up to `most` bytes from a pipe to a character device such as /dev/null, without an offset.
Transfer splice_to_device(int pipe, int device, std::size_t most) noexcept;

/// Duplicates up to `most` bytes of `from` into the pipe `into`; nothing is consumed. Bytes are
/// shared, not copied (tee(2)). `into` gets fewer when it has fewer free buffers.
Transfer tee_pipe(int from, int into, std::size_t most) noexcept;

/// One read(2). EAGAIN when nothing is there; 0 bytes without an error is the end of a file.
Transfer read_once(int fd, std::span<std::byte> into) noexcept;
/// One pwrite(2); a short count is a success.
Transfer write_once_at(int file, std::span<const std::byte> data, std::uint64_t offset) noexcept;
/// One write(2) to a non-blocking pipe: all or nothing up to PIPE_BUF (4,096) bytes, see pipe(7).
Transfer write_once(int fd, std::span<const std::byte> data) noexcept;

/// How many bytes could be read now (FIONREAD); 0 also for a descriptor that cannot tell.
std::size_t bytes_in_pipe(int pipe) noexcept;
/// Whether a writer would have to wait. A pipe is full when its buffers are used up, which small or
/// odd writes do before its capacity in bytes is reached.
bool pipe_is_full(int pipe) noexcept;
/// F_GETPIPE_SZ; 0 for what is not a pipe.
std::size_t pipe_capacity(int pipe) noexcept;
/// Asks for a capacity of `wanted` bytes (F_SETPIPE_SZ) and returns the one in force afterwards:
/// the old one when the kernel refuses (fs.pipe-max-size, fs.pipe-user-pages-soft for an
/// unprivileged user).
std::size_t grow_pipe(int pipe, std::size_t wanted) noexcept;

}  // namespace zona::os
