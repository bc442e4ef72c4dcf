/// @file
/// Where the command writes: stdout for what was asked for, stderr for errors, notes and progress.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cli/detail/options.h"
#include "cli/detail/text.h"
#include "core/result.h"

namespace zona::cli {

/// What the outputs can show.
struct Screen {
    bool out_is_terminal = false;
    bool err_is_terminal = false;
    bool unicode = false;                ///< the locale's encoding is UTF-8
    bool colours = false;                ///< of stdout
    std::optional<std::size_t> columns;  ///< of stdout, when it is a terminal

    Sgr sgr() const { return colours ? Sgr::kKeep : Sgr::kDrop; }
    Ellipsis ellipsis() const { return unicode ? Ellipsis::kUnicode : Ellipsis::kAscii; }
};

/// What the environment and the user's flag say about two outputs that are terminals or not.
/// NO_COLOR (any value) and TERM=dumb switch colours off; LC_ALL, LC_CTYPE and LANG, in this order,
/// name the encoding.
Screen screen_of(std::span<const std::string> environment, Colours colours, Screen terminals);

enum class Colour : std::uint8_t {
    kNone,
    kBold,
    kDim,
    kRed,
    kGreen,
    kYellow,
    kBlue,
    kMagenta,
    kCyan
};

/// `text` in a colour if the screen has colours, else unchanged.
std::string paint(const Screen& screen, Colour colour, std::string_view text);

/// Two buffered outputs and a progress line. Subclasses say where the bytes go. One thread.
///
/// A failure to write is kept, not thrown away: broken() tells it, and the command's exit status
/// with it. Text must be printable already (text.h).
class Console {
  public:
    Console(Screen screen, Talk talk) : screen_(screen), talk_(talk) {}
    Console(const Console&) = delete;
    Console& operator=(const Console&) = delete;
    virtual ~Console() = default;

    const Screen& screen() const { return screen_; }

    /// What was asked for. Appended to a buffer that flush() or a full one writes.
    void out(std::string_view text);
    /// Remarks for people on stdout that --silent leaves away.
    void remark(std::string_view text);
    /// Errors and warnings. Never left away; written at once, after what is buffered.
    void error(std::string_view text);
    /// Notes for people on stderr that --silent leaves away.
    void note(std::string_view text);
    /// Replaces the progress line on stderr; nothing when that is no terminal, or with --silent.
    void progress(std::string_view text);
    /// Takes the progress line away.
    void end_progress();
    void flush();

    /// Why stdout can no longer be written, if so.
    const std::optional<core::Error>& broken() const { return broken_; }

  protected:
    enum class Output : std::uint8_t { kOut, kError };
    virtual core::Result<void> write(Output output, std::string_view text) = 0;

  private:
    Screen screen_;
    Talk talk_;
    std::string buffer_;
    bool shows_progress_ = false;
    std::optional<core::Error> broken_;
};

/// A console on two file descriptors, which stay the caller's.
class FdConsole final : public Console {
  public:
    FdConsole(Screen screen, Talk talk, int out_fd, int err_fd)
        : Console(screen, talk), out_fd_(out_fd), err_fd_(err_fd) {}

  protected:
    core::Result<void> write(Output output, std::string_view text) override;

  private:
    int out_fd_;
    int err_fd_;
};

}  // namespace zona::cli
