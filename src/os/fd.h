/// @file
/// Owned file descriptors and the small file operations that the upper modules need.
///
/// Everything opens with O_CLOEXEC. EINTR is retried here; no caller sees it. No function throws.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "core/result.h"

namespace zona::os {

/// A descriptor with one owner; closed when it dies. Moving into an owner closes what it held.
class UniqueFd {
  public:
    UniqueFd() = default;
    /// Takes over `fd`; -1 is "none".
    static UniqueFd adopt(int fd) { return UniqueFd(fd); }
    UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        if (this != &other) {
            reset();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    UniqueFd(const UniqueFd&) = delete;
    UniqueFd& operator=(const UniqueFd&) = delete;
    ~UniqueFd() { reset(); }

    int get() const { return fd_; }
    bool valid() const { return fd_ >= 0; }
    explicit operator bool() const { return valid(); }
    /// Gives the descriptor away; this owner is empty afterwards.
    [[nodiscard]] int release() && { return std::exchange(fd_, -1); }
    /// Closes now, ignoring the result. Idempotent.
    void reset();
    /// Closes now and reports what close(2) said; the descriptor is gone either way.
    core::Result<void> close() &&;

  private:
    explicit UniqueFd(int fd) : fd_(fd) {}
    int fd_ = -1;
};

/// A pipe: read end and write end, both O_CLOEXEC.
struct Pipe {
    UniqueFd read;
    UniqueFd write;
};

/// open(2) with O_CLOEXEC added. Errors: from errno, the message names the path.
core::Result<UniqueFd> open_file(const std::string& path, int flags, mode_t mode = 0600);
/// openat(2) below a held directory.
core::Result<UniqueFd> open_at(const UniqueFd& directory, const std::string& name, int flags,
                               mode_t mode = 0600);
/// pipe2(2) with `flags` and O_CLOEXEC. Errors: from errno.
core::Result<Pipe> make_pipe(int flags = 0);
/// A non-blocking eventfd of value 0, O_CLOEXEC. Errors: from errno.
core::Result<UniqueFd> make_eventfd();
/// Adds 1 to an eventfd's counter. Async-signal-safe; a full counter is already a pending wake-up.
void notify_eventfd(int fd) noexcept;
/// Takes the counter of a non-blocking eventfd; 0 when nothing is pending.
std::uint64_t drain_eventfd(int fd) noexcept;
/// A second descriptor of the same open file, above the standard streams, O_CLOEXEC. Errors: from
/// errno.
core::Result<UniqueFd> duplicate(int fd);
/// 0 lets an executed program inherit it, anything else does not. Errors: from errno.
core::Result<void> set_close_on_exec(int fd, int on);
/// Of the open file: what shares it does not block either. Errors: from errno.
core::Result<void> set_nonblocking(int fd);

/// Reads what is there, up to the span's size. 0 is end of file; nullopt is EAGAIN.
core::Result<std::optional<std::size_t>> read_some(int fd, std::span<std::byte> into);
/// pread(2), once: fewer bytes than asked for near the end of the file, 0 at it. Errors: from
/// errno.
core::Result<std::size_t> read_at(int fd, std::span<std::byte> into, std::uint64_t offset);
/// Writes all of it or fails; a partial write before an error leaves the first bytes written.
core::Result<void> write_all(int fd, std::string_view data);
/// The same from `offset` on; the position of the file stays. Errors of both: from errno.
core::Result<void> write_all_at(int fd, std::string_view data, std::uint64_t offset);

/// The whole file as text. Errors: kNotFound, kTooLarge over `limit` bytes, others from errno.
core::Result<std::string> read_file(const std::string& path, std::size_t limit = 64U << 20U);
/// Replaces `path` so that a crash or power cut leaves the old or the new content, never a mixture:
/// writes `path`.tmp, fsync, rename, fsync of the directory.
core::Result<void> replace_file(const std::string& path, std::string_view content, mode_t mode);
/// Cuts the file to `size` bytes. Works on a full disk, where nothing can be written.
core::Result<void> truncate_file(int fd, std::uint64_t size);
/// fdatasync(2): returns when the content and the size survive a power cut. Errors: from errno.
core::Result<void> sync_data(int fd);
/// Has the disk begin with what was written and waits there, so that a later sync_data() waits for
/// less. It promises nothing, and where it cannot be done it does nothing. sync_file_range(2).
void start_writeback(int fd) noexcept;
/// What sync_data() does, for the names in a directory. Errors: from errno, the message names the
/// path.
core::Result<void> sync_directory(const std::string& path);

/// What stat(2) says, of it what is used.
struct FileStat {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::uint64_t allocated = 0;  ///< bytes on disk
    mode_t mode = 0;
    uid_t uid = 0;
    std::int64_t mtime_ns = 0;
};
/// Of an open file. Errors: from errno.
core::Result<FileStat> stat_fd(int fd);
/// nullopt when nothing is there.
core::Result<std::optional<FileStat>> stat_path(const std::string& path);

/// Whether this process may write to what is there (faccessat(2) with AT_EACCESS).
bool may_write(const std::string& path) noexcept;
/// mkdir -p with `mode` for the last component and 0755 for those it makes on the way.
core::Result<void> make_directories(const std::string& path, mode_t mode);
/// The names in a directory, sorted, without "." and "..".
core::Result<std::vector<std::string>> list_directory(const std::string& path);
core::Result<void> remove_file(const std::string& path);  ///< missing is success
/// rename(2): replaces `to` at once. Errors: from errno, the message names `to`.
core::Result<void> rename_file(const std::string& from, const std::string& to);
/// Makes a FIFO of mode 0600 unless one is there already; kConflict if something else is.
core::Result<void> make_fifo(const std::string& path);
/// fchown(2). Errors: from errno; kForbidden without privilege.
core::Result<void> change_owner(int fd, uid_t uid, gid_t gid);
/// flock(2), exclusive, not waiting. kConflict when another open file description holds it.
core::Result<void> lock_exclusive(int fd);

/// The absolute path of this executable (from /proc/self/exe).
core::Result<std::string> self_executable();
}  // namespace zona::os
