/// @file
/// A private home for tests of log capture, and writers that are real processes.
#pragma once

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "os/fd.h"
#include "process/capture.h"

namespace zona::process {

/// Waits for a condition that another thread or process brings about; false after 20 s without it.
inline bool eventually(const std::function<bool()>& condition) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > limit) return false;
        std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    return true;
}

/// "<prefix>-000001 xxx…\n", each of `width` bytes, numbered from `first`.
inline std::string numbered_lines(std::string_view prefix, int first, int count,
                                  std::size_t width) {
    std::string text;
    for (int i = first; i < first + count; ++i) {
        std::string line = fmt::format("{}-{:08} ", prefix, i);
        line.resize(width - 1, 'x');
        text += line + "\n";
    }
    return text;
}

/// What is wrong with the numbered lines of `prefix` in `text`: empty when each of
/// first..first+count-1 is there once, whole and in order.
inline std::string check_numbered(std::string_view text, std::string_view prefix, int first,
                                  int count, std::size_t width) {
    int expected = first;
    const std::string start = std::string(prefix) + "-";
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        const std::string_view line = text.substr(at, end - at);
        at = end + 1;
        if (!line.starts_with(start)) continue;
        const std::string wanted = numbered_lines(prefix, expected, 1, width);
        if (fmt::format("{}\n", line) != wanted) {
            return fmt::format("expected {}, got '{}'", expected, line.substr(0, 60));
        }
        ++expected;
    }
    if (expected == first + count) return "";
    return fmt::format("{} lines of {}", expected - first, count);
}

/// A process that writes a text to a descriptor and exits. Killed and reaped at the latest with
/// this object.
class WriterProcess {
  public:
    /// Writes `times` times `text`, `piece` bytes a write(2).
    WriterProcess(int fd, const std::string& text, std::size_t piece = 65536, int times = 1) {
        pid_ = ::fork();
        if (pid_ != 0) return;
        for (int i = 0; i < times; ++i) {
            for (std::size_t at = 0; at < text.size(); at += piece) {
                const std::size_t size = std::min(piece, text.size() - at);
                if (::write(fd, text.data() + at, size) != static_cast<ssize_t>(size)) ::_exit(1);
            }
        }
        ::_exit(0);
    }
    WriterProcess(const WriterProcess&) = delete;
    WriterProcess& operator=(const WriterProcess&) = delete;
    ~WriterProcess() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    /// Its exit status, once it has ended.
    int wait() {
        int status = 0;
        ::waitpid(std::exchange(pid_, 0), &status, 0);
        return status;
    }

  private:
    pid_t pid_ = 0;
};

/// A home directory with a Capture that can be ended and begun anew.
class CaptureHome : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "zona-capture-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        home_ = pattern;
        std::filesystem::create_directories(home_ + "/run/fifo");
        options_.fifo_directory = home_ + "/run/fifo";
        options_.index_directory = home_ + "/state/log-index";
    }
    void TearDown() override {
        capture_.reset();
        std::filesystem::remove_all(home_);
    }

    std::string path(std::string_view name) const { return fmt::format("{}/{}", home_, name); }
    std::string text(std::string_view name) const {
        return os::read_file(path(name)).value_or(std::string("<missing>"));
    }
    std::uintmax_t size(std::string_view name) const {
        std::error_code error;
        const auto bytes = std::filesystem::file_size(path(name), error);
        return error ? 0 : bytes;
    }

    void start() {
        auto started = Capture::start(options_, clock_, core::Logger());
        ASSERT_TRUE(started) << started.error().message();
        capture_ = std::move(*started);
    }
    LogTargets targets(std::string_view out, std::string_view err) const {
        LogTargets made;
        made.out_file = path(out);
        made.error_file = path(err);
        made.owner = {.uid = ::geteuid(), .gid = ::getegid()};
        return made;
    }
    core::Result<void> attach(std::uint32_t slot, std::string_view out, std::string_view err) {
        return capture_->attach(slot, targets(out, err));
    }
    ChildStreams streams(std::uint32_t slot) { return capture_->open_for_child(slot).value(); }
    static void put(const os::UniqueFd& stream, std::string_view bytes) {
        ASSERT_TRUE(os::write_all(stream.get(), bytes));
    }
    static std::size_t open_descriptors() {
        std::size_t count = 0;
        for ([[maybe_unused]] const auto& entry :
             std::filesystem::directory_iterator("/proc/self/fd"))
            ++count;
        return count;
    }

    core::RealClock clock_;
    CaptureOptions options_;
    std::string home_;
    std::unique_ptr<Capture> capture_;
};

}  // namespace zona::process
