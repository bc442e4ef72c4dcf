#include <algorithm>
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

class CategorySink final : public LogSink {
  public:
    CategorySink(std::unique_ptr<LogSink> sink, std::vector<std::string> categories)
        : sink_(std::move(sink)), categories_(std::move(categories)) {}

    std::size_t write(std::string_view lines) override {
        std::string wanted;
        for (std::size_t at = 0; at < lines.size(); at = end_of_line(lines, at)) {
            const std::string_view line = lines.substr(at, end_of_line(lines, at) - at);
            if (is_wanted(line)) wanted += line;
        }
        if (wanted.empty() || sink_->write(wanted) == wanted.size()) return lines.size();
        // Which of them are lost nobody can say of a file that is cut.
        return 0;
    }

    Result<void> reopen() override { return sink_->reopen(); }

  private:
    static std::size_t end_of_line(std::string_view lines, std::size_t at) {
        const std::size_t end = lines.find('\n', at);
        return end == std::string_view::npos ? lines.size() : end + 1;
    }

    /// Before the category there is nothing that anybody else has written (append_line).
    bool is_wanted(std::string_view line) const {
        constexpr std::string_view kKey = R"("category":")";
        const std::size_t key = line.find(kKey);
        if (key == std::string_view::npos) return false;
        const std::string_view rest = line.substr(key + kKey.size());
        const std::string_view category = rest.substr(0, rest.find('"'));
        return std::ranges::any_of(categories_, [&](const std::string& one) {
            return category.starts_with(one) &&
                   (category.size() == one.size() || category[one.size()] == '.');
        });
    }

    std::unique_ptr<LogSink> sink_;
    std::vector<std::string> categories_;
};

}  // namespace

std::unique_ptr<LogSink> make_category_sink(std::unique_ptr<LogSink> sink,
                                            std::vector<std::string> categories) {
    return std::make_unique<CategorySink>(std::move(sink), std::move(categories));
}

Result<std::unique_ptr<LogSink>> make_file_sink(std::string path) {
    const int fd = open_for_append(path);
    if (fd < 0) return Error::from_errno(errno, fmt::format("open the log file {}", path));
    return std::make_unique<FileSink>(std::move(path), fd);
}

}  // namespace zona::core
