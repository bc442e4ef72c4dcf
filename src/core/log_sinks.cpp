#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#define SPDLOG_HEADER_ONLY
#define SPDLOG_LEVEL_NAMES {"trace", "debug", "info", "warn", "error", "fatal", "off"}
#include <cerrno>
#include <exception>
#include <utility>

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/sinks/base_sink.h>

#include "core/log.h"

namespace zona::core {
namespace {

static_assert(static_cast<int>(LogLevel::kFatal) == static_cast<int>(spdlog::level::critical) &&
                  static_cast<int>(LogLevel::kTrace) == static_cast<int>(spdlog::level::trace),
              "levels are cast to spdlog's");

int open_for_append(const std::string& path) {
    return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

/// spdlog's own file sinks buffer in a FILE, which repeats or tears lines after a failed write, and
/// its 1.10 cannot reopen. No mutex: Logging has one.
class AppendFileSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
  public:
    AppendFileSink(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
    ~AppendFileSink() override { ::close(fd_); }

    Result<void> reopen() {
        const int fd = open_for_append(path_);
        if (fd < 0) return Error::from_errno(errno, fmt::format("reopen the log file {}", path_));
        ::close(std::exchange(fd_, fd));
        torn_ = false;
        return {};
    }

  private:
    void sink_it_(const spdlog::details::log_msg& message) override {
        spdlog::memory_buf_t line;
        // What a full disk cut off stays one broken line instead of spoiling the next.
        if (torn_) line.push_back('\n');
        formatter_->format(message, line);
        const char* at = line.begin();
        while (at != line.end()) {
            const ssize_t written = ::write(fd_, at, static_cast<std::size_t>(line.end() - at));
            if (written < 0 && errno == EINTR) continue;
            if (written <= 0) {
                const int number = written < 0 ? errno : ENOSPC;
                torn_ = torn_ || at != line.begin();
                throw spdlog::spdlog_ex(path_, number);
            }
            at += written;
        }
        torn_ = false;
    }
    void flush_() override {}

    std::string path_;
    int fd_;
    bool torn_ = false;
};

/// Renders a record and gives it to a sink of spdlog.
class SpdlogSink final : public LogSink {
  public:
    SpdlogSink(std::shared_ptr<spdlog::sinks::sink> sink, LogForm form)
        : sink_(std::move(sink)), form_(form) {
        const char* pattern = form == LogForm::kText ? "%H:%M:%S.%e %^%-5l%$ %n: %v" : "%v";
        sink_->set_formatter(std::make_unique<spdlog::pattern_formatter>(
            pattern, spdlog::pattern_time_type::local, "\n"));
    }

    Result<void> write(const LogRecord& record) override {
        try {
            const std::string line =
                form_ == LogForm::kText ? render_text(record) : render_json(record);
            const auto time =
                std::chrono::time_point_cast<spdlog::log_clock::duration>(record.time);
            const spdlog::details::log_msg message(
                spdlog::log_clock::time_point(time.time_since_epoch()), {},
                {record.category.data(), record.category.size()},
                static_cast<spdlog::level::level_enum>(record.level), line);
            sink_->log(message);
            return {};
        } catch (const std::exception& failure) {
            return Error(Code::kResourceExhausted,
                         fmt::format("write a log line: {}", failure.what()));
        }
    }

    Result<void> reopen() override {
        auto* file = dynamic_cast<AppendFileSink*>(sink_.get());
        return file == nullptr ? Result<void>() : file->reopen();
    }

  private:
    // spdlog wants its sinks shared; this is the only owner.
    std::shared_ptr<spdlog::sinks::sink> sink_;
    LogForm form_;
};

}  // namespace

Result<std::unique_ptr<LogSink>> make_file_sink(std::string path) {
    const int fd = open_for_append(path);
    if (fd < 0) return Error::from_errno(errno, fmt::format("open the log file {}", path));
    auto sink = std::make_shared<AppendFileSink>(std::move(path), fd);
    return std::make_unique<SpdlogSink>(std::move(sink), LogForm::kJson);
}

std::unique_ptr<LogSink> make_stderr_sink(LogForm form) {
    if (form == LogForm::kAuto)
        form = ::isatty(STDERR_FILENO) == 1 ? LogForm::kText : LogForm::kJson;
    auto sink = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_st>(
        form == LogForm::kText ? spdlog::color_mode::automatic : spdlog::color_mode::never);
    return std::make_unique<SpdlogSink>(std::move(sink), form);
}

}  // namespace zona::core
