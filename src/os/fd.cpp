#include "os/fd.h"

#include <algorithm>
#include <cerrno>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace zona::os {
namespace {

core::Error failed(std::string_view what, const std::string& name) {
    return core::Error::from_errno(errno, fmt::format("{} {}", what, name));
}

template <class Call>
auto retry(Call call) {
    auto result = call();
    while (result < 0 && errno == EINTR)
        result = call();
    return result;
}

FileStat to_stat(const struct stat& s) {
    return FileStat{.device = s.st_dev,
                    .inode = s.st_ino,
                    .size = static_cast<std::uint64_t>(s.st_size),
                    .allocated = static_cast<std::uint64_t>(s.st_blocks) * 512,
                    .mode = s.st_mode,
                    .uid = s.st_uid,
                    .mtime_ns = s.st_mtim.tv_sec * 1'000'000'000LL + s.st_mtim.tv_nsec};
}

}  // namespace

void UniqueFd::reset() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

core::Result<void> UniqueFd::close() && {
    // Linux frees the number even when close reports EINTR, so it is never retried.
    if (fd_ >= 0 && ::close(std::exchange(fd_, -1)) < 0 && errno != EINTR) {
        return core::Error::from_errno(errno, "close");
    }
    return {};
}

core::Result<UniqueFd> open_file(const std::string& path, int flags, mode_t mode) {
    const int fd = retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC, mode); });
    if (fd < 0) return failed("open", path);
    return UniqueFd::adopt(fd);
}

core::Result<UniqueFd> open_at(const UniqueFd& directory, const std::string& name, int flags,
                               mode_t mode) {
    const int fd =
        retry([&] { return ::openat(directory.get(), name.c_str(), flags | O_CLOEXEC, mode); });
    if (fd < 0) return failed("open", name);
    return UniqueFd::adopt(fd);
}

core::Result<Pipe> make_pipe(int flags) {
    int ends[2];
    if (::pipe2(ends, flags | O_CLOEXEC) < 0) return core::Error::from_errno(errno, "pipe");
    return Pipe{UniqueFd::adopt(ends[0]), UniqueFd::adopt(ends[1])};
}

core::Result<UniqueFd> make_eventfd() {
    const int fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) return core::Error::from_errno(errno, "eventfd");
    return UniqueFd::adopt(fd);
}

void notify_eventfd(int fd) noexcept {
    const std::uint64_t one = 1;
    while (::write(fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

std::uint64_t drain_eventfd(int fd) noexcept {
    std::uint64_t count = 0;
    while (::read(fd, &count, sizeof count) < 0 && errno == EINTR) {
    }
    return count;
}

core::Result<UniqueFd> duplicate(int fd) {
    const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) return core::Error::from_errno(errno, "dup");
    return UniqueFd::adopt(copy);
}

core::Result<void> set_close_on_exec(int fd, int on) {
    if (::fcntl(fd, F_SETFD, on != 0 ? FD_CLOEXEC : 0) < 0) {
        return core::Error::from_errno(errno, "fcntl(F_SETFD)");
    }
    return {};
}

core::Result<void> set_nonblocking(int fd) {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        return core::Error::from_errno(errno, "fcntl(F_SETFL)");
    }
    return {};
}

core::Result<std::optional<std::size_t>> read_some(int fd, std::span<std::byte> into) {
    const ssize_t n = retry([&] { return ::read(fd, into.data(), into.size()); });
    if (n >= 0) return std::optional<std::size_t>(static_cast<std::size_t>(n));
    if (errno == EAGAIN) return std::optional<std::size_t>();
    return core::Error::from_errno(errno, "read");
}

core::Result<std::size_t> read_at(int fd, std::span<std::byte> into, std::uint64_t offset) {
    const ssize_t n =
        retry([&] { return ::pread(fd, into.data(), into.size(), static_cast<off_t>(offset)); });
    if (n < 0) return core::Error::from_errno(errno, "pread");
    return static_cast<std::size_t>(n);
}

core::Result<void> write_all(int fd, std::string_view data) {
    while (!data.empty()) {
        const ssize_t n = retry([&] { return ::write(fd, data.data(), data.size()); });
        if (n < 0) return core::Error::from_errno(errno, "write");
        data.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
}

core::Result<void> write_all_at(int fd, std::string_view data, std::uint64_t offset) {
    while (!data.empty()) {
        const ssize_t n = retry(
            [&] { return ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset)); });
        if (n < 0) return core::Error::from_errno(errno, "pwrite");
        data.remove_prefix(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
    return {};
}

core::Result<std::string> read_file(const std::string& path, std::size_t limit) {
    ZONA_TRY(UniqueFd fd, open_file(path, O_RDONLY));
    std::string text;
    for (;;) {
        const std::size_t used = text.size();
        if (used > limit) {
            return core::Error(core::Code::kTooLarge,
                               fmt::format("{} is larger than {} bytes", path, limit));
        }
        text.resize(used + std::min<std::size_t>(std::max<std::size_t>(used, 4096), 1U << 20U));
        const ssize_t n =
            retry([&] { return ::read(fd.get(), text.data() + used, text.size() - used); });
        if (n < 0) return failed("read", path);
        text.resize(used + static_cast<std::size_t>(n));
        if (n == 0) return text;
    }
}

core::Result<void> replace_file(const std::string& path, std::string_view content, mode_t mode) {
    const std::string temporary = path + ".tmp";
    ZONA_TRY(UniqueFd fd, open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode));
    if (auto written = write_all(fd.get(), content); !written) {
        ::unlink(temporary.c_str());
        return std::move(written.take_error().context(temporary));
    }
    if (auto synced = sync_data(fd.get()); !synced) {
        ::unlink(temporary.c_str());
        return std::move(synced.take_error().context(temporary));
    }
    ZONA_TRY_VOID(std::move(fd).close());
    ZONA_TRY_VOID(rename_file(temporary, path));
    const auto slash = path.rfind('/');
    return sync_directory(slash == std::string::npos ? "." : path.substr(0, slash));
}

core::Result<void> truncate_file(int fd, std::uint64_t size) {
    if (retry([&] { return ::ftruncate(fd, static_cast<off_t>(size)); }) < 0) {
        return core::Error::from_errno(errno, "ftruncate");
    }
    return {};
}

core::Result<void> sync_data(int fd) {
    if (retry([&] { return ::fdatasync(fd); }) < 0) {
        return core::Error::from_errno(errno, "fdatasync");
    }
    return {};
}

void start_writeback(int fd) noexcept {
    ::sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

core::Result<void> sync_directory(const std::string& path) {
    ZONA_TRY(UniqueFd fd, open_file(path, O_RDONLY | O_DIRECTORY));
    if (retry([&] { return ::fsync(fd.get()); }) < 0) return failed("fsync", path);
    return {};
}

core::Result<FileStat> stat_fd(int fd) {
    struct stat s;
    if (::fstat(fd, &s) < 0) return core::Error::from_errno(errno, "fstat");
    return to_stat(s);
}

core::Result<std::optional<FileStat>> stat_path(const std::string& path) {
    struct stat s;
    if (::stat(path.c_str(), &s) == 0) return std::optional<FileStat>(to_stat(s));
    if (errno == ENOENT || errno == ENOTDIR) return std::optional<FileStat>();
    return failed("stat", path);
}

core::Result<void> make_directories(const std::string& path, mode_t mode) {
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
        if (::mkdir(path.substr(0, slash).c_str(), 0755) < 0 && errno != EEXIST) {
            return failed("make directory", path.substr(0, slash));
        }
    }
    if (::mkdir(path.c_str(), mode) == 0) return {};
    if (errno != EEXIST) return failed("make directory", path);
    struct stat s;
    if (::stat(path.c_str(), &s) < 0) return failed("stat", path);
    if (!S_ISDIR(s.st_mode)) {
        return core::Error(core::Code::kConflict, fmt::format("{} is not a directory", path));
    }
    return {};
}

core::Result<std::vector<std::string>> list_directory(const std::string& path) {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), &::closedir);
    if (directory == nullptr) return failed("open directory", path);
    std::vector<std::string> names;
    for (;;) {
        errno = 0;
        const dirent* entry = ::readdir(directory.get());
        if (entry == nullptr && errno != 0) return failed("read directory", path);
        if (entry == nullptr) break;
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
    }
    std::ranges::sort(names);
    return names;
}

core::Result<void> remove_file(const std::string& path) {
    if (::unlink(path.c_str()) < 0 && errno != ENOENT) return failed("remove", path);
    return {};
}

core::Result<void> rename_file(const std::string& from, const std::string& to) {
    if (::rename(from.c_str(), to.c_str()) < 0) return failed("rename to", to);
    return {};
}

bool may_write(const std::string& path) noexcept {
    return ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0;
}

core::Result<void> make_fifo(const std::string& path) {
    if (::mkfifo(path.c_str(), 0600) == 0) return {};
    if (errno != EEXIST) return failed("make FIFO", path);
    struct stat s;
    if (::lstat(path.c_str(), &s) < 0) return failed("stat", path);
    if (!S_ISFIFO(s.st_mode)) {
        return core::Error(core::Code::kConflict, fmt::format("{} is not a FIFO", path));
    }
    return {};
}

core::Result<void> change_owner(int fd, uid_t uid, gid_t gid) {
    if (::fchown(fd, uid, gid) < 0) return core::Error::from_errno(errno, "fchown");
    return {};
}

core::Result<void> lock_exclusive(int fd) {
    if (retry([&] { return ::flock(fd, LOCK_EX | LOCK_NB); }) == 0) return {};
    if (errno == EWOULDBLOCK)
        return core::Error(core::Code::kConflict, "locked by another process");
    return core::Error::from_errno(errno, "flock");
}

core::Result<std::string> self_executable() {
    std::string path(4096, '\0');
    const ssize_t n = ::readlink("/proc/self/exe", path.data(), path.size());
    if (n < 0) return core::Error::from_errno(errno, "readlink /proc/self/exe");
    path.resize(static_cast<std::size_t>(n));
    return path;
}

}  // namespace zona::os
