#include "cli/detail/console.h"

#include <fmt/format.h>

#include "core/text.h"
#include "os/fd.h"

namespace zona::cli {
namespace {

constexpr std::size_t kBufferBytes = 64U << 10U;

std::string_view value_of(std::span<const std::string> environment, std::string_view name) {
    for (const std::string& entry : environment) {
        if (entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name)) {
            return std::string_view(entry).substr(name.size() + 1);
        }
    }
    return {};
}

bool says_utf8(std::span<const std::string> environment) {
    for (const std::string_view name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        const std::string value = core::lower_ascii(value_of(environment, name));
        if (value.empty()) continue;
        return value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
    }
    return false;
}

int code_of(Colour colour) {
    switch (colour) {
        case Colour::kNone:
            return 0;
        case Colour::kBold:
            return 1;
        case Colour::kDim:
            return 2;
        case Colour::kRed:
            return 31;
        case Colour::kGreen:
            return 32;
        case Colour::kYellow:
            return 33;
        case Colour::kBlue:
            return 34;
        case Colour::kMagenta:
            return 35;
        case Colour::kCyan:
            return 36;
    }
    return 0;
}

}  // namespace

Screen screen_of(std::span<const std::string> environment, Colours colours, Screen terminals) {
    Screen screen = terminals;
    screen.unicode = says_utf8(environment);
    screen.colours = screen.out_is_terminal && colours == Colours::kWhenTerminal &&
                     value_of(environment, "NO_COLOR").empty() &&
                     value_of(environment, "TERM") != "dumb";
    if (!screen.out_is_terminal) screen.columns.reset();
    return screen;
}

std::string paint(const Screen& screen, Colour colour, std::string_view text) {
    if (!screen.colours || colour == Colour::kNone) return std::string(text);
    return fmt::format("\x1b[{}m{}\x1b[0m", code_of(colour), text);
}

void Console::out(std::string_view text) {
    end_progress();
    buffer_ += text;
    if (buffer_.size() >= kBufferBytes) flush();
}

void Console::remark(std::string_view text) {
    if (talk_ == Talk::kNormal) out(text);
}

void Console::error(std::string_view text) {
    end_progress();
    flush();
    // Nowhere is left to say that stderr cannot be written.
    static_cast<void>(write(Output::kError, text));
}

void Console::note(std::string_view text) {
    if (talk_ == Talk::kNormal) error(text);
}

void Console::progress(std::string_view text) {
    if (!screen_.err_is_terminal || talk_ == Talk::kSilent) return;
    flush();
    static_cast<void>(write(Output::kError, fmt::format("\r\x1b[K{}", text)));
    shows_progress_ = true;
}

void Console::end_progress() {
    if (!shows_progress_) return;
    shows_progress_ = false;
    static_cast<void>(write(Output::kError, "\r\x1b[K"));
}

void Console::flush() {
    if (buffer_.empty()) return;
    const std::string text = std::exchange(buffer_, {});
    if (broken_) return;
    if (auto written = write(Output::kOut, text); !written) broken_ = written.take_error();
}

core::Result<void> FdConsole::write(Output output, std::string_view text) {
    auto written = os::write_all(output == Output::kOut ? out_fd_ : err_fd_, text);
    if (written) return {};
    return core::Error::from_errno(written.error().system_error(), "cannot write the output");
}

}  // namespace zona::cli
