#include "os/terminal.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "os/fd.h"

namespace zona::os {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using SteadyClock = std::chrono::steady_clock;

int poll_timeout(std::optional<SteadyClock::time_point> end) {
    if (!end) return -1;
    const nanoseconds left = std::max(*end - SteadyClock::now(), nanoseconds(0));
    const auto ms = std::chrono::ceil<milliseconds>(left).count();
    return static_cast<int>(std::min<milliseconds::rep>(ms, 3'600'000));
}

constexpr std::size_t kLongestLine = 1024;

/// Bytes that must not stay in memory that is given back.
class WipedLine {
  public:
    ~WipedLine() { explicit_bzero(text_.data(), text_.size()); }
    bool add(char c) {
        if (size_ == text_.size()) return false;
        text_.at(size_++) = c;
        return true;
    }
    /// Takes the last character away, which in UTF-8 may be several bytes.
    void drop_last() {
        while (size_ > 0 && (static_cast<unsigned char>(text_.at(size_ - 1)) & 0xC0U) == 0x80U)
            --size_;
        if (size_ > 0) --size_;
    }
    void clear() { size_ = 0; }
    bool empty() const { return size_ == 0; }
    core::Secret take() const { return core::Secret(std::string(text_.data(), size_)); }

  private:
    std::array<char, kLongestLine> text_{};
    std::size_t size_ = 0;
};

/// A terminal that shows nothing, and leaves signs and lines to whoever reads; until it goes.
class UnseenTyping {
  public:
    explicit UnseenTyping(int terminal) : terminal_(terminal) {
        is_set_ = tcgetattr(terminal, &before_) == 0;
        if (!is_set_) return;
        termios quiet = before_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | ISIG);
        quiet.c_cc[VMIN] = 1;
        quiet.c_cc[VTIME] = 0;
        is_set_ = tcsetattr(terminal, TCSAFLUSH, &quiet) == 0;
    }
    UnseenTyping(const UnseenTyping&) = delete;
    UnseenTyping& operator=(const UnseenTyping&) = delete;
    ~UnseenTyping() {
        if (is_set_) tcsetattr(terminal_, TCSAFLUSH, &before_);
    }
    bool is_set() const { return is_set_; }
    bool means(char typed, int which) const {
        const cc_t sign = before_.c_cc[which];
        return sign != _POSIX_VDISABLE && static_cast<cc_t>(typed) == sign;
    }

  private:
    int terminal_;
    bool is_set_ = false;
    termios before_{};
};

core::Error cancelled() {
    return {core::Code::kCancelled, "nothing was entered"};
}

core::Result<core::Secret> read_line(int in, const UnseenTyping& typing) {
    WipedLine line;
    while (true) {
        std::byte read{};
        ZONA_TRY(const auto size, read_some(in, std::span(&read, 1)));
        if (!size) {
            ZONA_TRY_VOID(wait_readable(std::array{in}, std::nullopt));
            continue;
        }
        const char typed = static_cast<char>(read);
        if (*size == 0 || typing.means(typed, VINTR) || typing.means(typed, VQUIT))
            return cancelled();
        if (typed == '\n' || typed == '\r') return line.take();
        if (typing.means(typed, VEOF)) {
            if (line.empty()) return cancelled();
            return line.take();
        }
        if (typing.means(typed, VERASE) || typed == '\b' || typed == '\x7f') {
            line.drop_last();
        } else if (typing.means(typed, VKILL)) {
            line.clear();
        } else if (!line.add(typed)) {
            return core::Error(core::Code::kTooLarge, "the line is over 1024 bytes");
        }
    }
}

}  // namespace

core::Result<core::Secret> read_unseen(int in, int out, std::string_view prompt) {
    const UnseenTyping typing(in);
    if (!typing.is_set()) return core::Error::from_errno(errno, "cannot ask at the terminal");
    ZONA_TRY_VOID(write_all(out, prompt));
    auto line = read_line(in, typing);
    ZONA_TRY_VOID(write_all(out, "\n"));
    return line;
}

bool is_terminal(int fd) {
    return isatty(fd) == 1;
}

std::optional<std::size_t> terminal_columns(int fd) {
    winsize size = {};
    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return std::nullopt;
    return size.ws_col;
}

core::Result<std::optional<std::size_t>> wait_readable(std::span<const int> fds,
                                                       std::optional<nanoseconds> timeout) {
    std::vector<pollfd> entries;
    for (const int fd : fds)
        entries.push_back({fd, POLLIN, 0});
    std::optional<SteadyClock::time_point> end;
    if (timeout)
        end = SteadyClock::now() + std::min<nanoseconds>(*timeout, std::chrono::hours(24 * 365));
    while (true) {
        const int ready = poll(entries.data(), entries.size(), poll_timeout(end));
        if (ready < 0 && errno != EINTR) return core::Error::from_errno(errno, "poll");
        for (std::size_t i = 0; i < entries.size() && ready > 0; ++i) {
            if (entries[i].revents != 0) return std::optional(i);
        }
        if (end && SteadyClock::now() >= *end) return std::optional<std::size_t>();
    }
}

}  // namespace zona::os
