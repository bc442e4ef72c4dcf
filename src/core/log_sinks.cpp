#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "core/log.h"

namespace zona::core {
namespace {

int open_for_append(const std::string& path) {
    return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

/// How many bytes the file took.
std::size_t append(int fd, std::string_view bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t written = ::write(fd, bytes.data() + done, bytes.size() - done);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) break;
        done += static_cast<std::size_t>(written);
    }
    return done;
}

class FileSink final : public LogSink {
  public:
    FileSink(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
    ~FileSink() override { ::close(fd_); }

    std::size_t write(std::string_view lines) override {
        // What a full disk cut off stays one broken line instead of spoiling the next.
        if (torn_ && append(fd_, "\n") == 0) return 0;
        const std::size_t taken = append(fd_, lines);
        torn_ = taken > 0 && lines[taken - 1] != '\n';
        return taken;
    }

    Result<void> reopen() override {
        const int fd = open_for_append(path_);
        if (fd < 0) return Error::from_errno(errno, fmt::format("reopen the log file {}", path_));
        ::close(std::exchange(fd_, fd));
        torn_ = false;
        return {};
    }

  private:
    std::string path_;
    int fd_;
    bool torn_ = false;
};

}  // namespace

Result<std::unique_ptr<LogSink>> make_file_sink(std::string path) {
    const int fd = open_for_append(path);
    if (fd < 0) return Error::from_errno(errno, fmt::format("open the log file {}", path));
    return std::make_unique<FileSink>(std::move(path), fd);
}

}  // namespace zona::core
