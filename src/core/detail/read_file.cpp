#include "core/detail/read_file.h"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/text.h"

namespace zona::core::detail {
namespace {

Result<std::string> read_all(int fd, const std::string& path, ByteCount limit) {
    struct stat status{};
    if (::fstat(fd, &status) != 0) return Error::from_errno(errno, fmt::format("read {}", path));
    if (!S_ISREG(status.st_mode)) {
        return Error(Code::kInvalidArgument,
                     fmt::format("read {}: it is not a regular file", path));
    }
    std::string content(limit.as_size() + 1, '\0');
    std::size_t size = 0;
    while (size < content.size()) {
        const ssize_t got = ::read(fd, content.data() + size, content.size() - size);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return Error::from_errno(errno, fmt::format("read {}", path));
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    if (size > limit.as_size()) {
        return Error(Code::kTooLarge,
                     fmt::format("{} is larger than {}", path, format_size(limit)));
    }
    content.resize(size);
    return content;
}

}  // namespace

Result<std::string> read_file(const std::string& path, ByteCount limit) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return Error::from_errno(errno, fmt::format("read {}", path));
    Result<std::string> content = read_all(fd, path, limit);
    ::close(fd);
    return content;
}

}  // namespace zona::core::detail
