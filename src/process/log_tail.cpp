#include "process/log_tail.h"

#include <algorithm>
#include <csignal>
#include <span>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>

#include "core/text.h"
#include "os/child.h"
#include "os/fd.h"
#include "process/supervisor.h"

namespace zona::process {
namespace {

constexpr std::uint64_t kMostBytes = 8192;
constexpr std::size_t kMostLine = 1000;

struct Saying {
    std::string_view text;  ///< in a line of stderr
    std::string_view hint;
};

constexpr Saying kSayings[] = {
    {"EADDRINUSE", "the port is in use: find its holder with `ss -ltnp`, or give another port"},
    {"ddress already in use",
     "the port is in use: find its holder with `ss -ltnp`, or give another port"},
    {"ModuleNotFoundError",
     "install the missing Python module, or set `interpreter` to the virtual environment's python"},
    {"Cannot find module",
     "run `npm install` in the app's directory, or check the path of the script"},
    {"ERR_MODULE_NOT_FOUND",
     "run `npm install` in the app's directory, or check the path of the script"},
    {"EACCES", "the app's user may not use that file or port: check `user` and the permissions"},
    {"ermission denied",
     "the app's user may not use that file or port: check `user` and the permissions"},
    {"SyntaxError",
     "the script does not parse: correct it, or check that `interpreter` is the right one"},
    {"No space left on device", "the disk is full: free some space"},
    {"Too many open files", "raise `limits: {nofile: ...}`"},
    {"error while loading shared libraries",
     "install the library that is named, or set LD_LIBRARY_PATH in `env`"},
};

}  // namespace

std::vector<std::string> tail_lines(const std::string& path, std::uint64_t begin, std::uint64_t end,
                                    std::size_t most) {
    std::vector<std::string> lines;
    if (end <= begin) return lines;
    const auto fd = os::open_file(path, O_RDONLY);
    if (!fd) return lines;
    const std::uint64_t from = std::max(begin, end > kMostBytes ? end - kMostBytes : 0);
    std::string text(end - from, '\0');
    const auto got = os::read_at(fd->get(), std::as_writable_bytes(std::span(text)), from);
    if (!got) return lines;
    text.resize(*got);
    if (!text.empty() && text.back() == '\n') text.pop_back();
    std::size_t stop = text.size();
    while (lines.size() < most) {
        const std::size_t newline = stop == 0 ? std::string::npos : text.rfind('\n', stop - 1);
        const std::size_t start = newline == std::string::npos ? 0 : newline + 1;
        lines.push_back(core::to_valid_utf8(
            std::string_view(text).substr(start, std::min(stop - start, kMostLine))));
        if (newline == std::string::npos) break;
        stop = newline;
    }
    std::ranges::reverse(lines);
    return lines;
}

std::string hint_for(const AppSpec& spec, const ExitView& exit,
                     const std::vector<std::string>& stderr_tail) {
    for (const std::string& line : stderr_tail) {
        for (const Saying& saying : kSayings) {
            if (line.find(saying.text) != std::string::npos) return std::string(saying.hint);
        }
    }
    switch (exit.cause) {
        case ExitView::Cause::kOutOfMemory:
            return "it was killed for want of memory: give the host or its group more, or the app "
                   "less to do";
        case ExitView::Cause::kSignaled:
            if (exit.signal == SIGSEGV || exit.signal == SIGABRT || exit.signal == SIGBUS) {
                return fmt::format(
                    "it crashed with {}: run it in a debugger, or allow core files with `limits: "
                    "{{core: unlimited}}`",
                    os::signal_name(exit.signal));
            }
            return fmt::format("somebody sent it {}", os::signal_name(exit.signal));
        case ExitView::Cause::kExited:
            if (exit.code == 127) return "a command in it was not found: check PATH in `env`";
            if (exit.code == 126) return "a command in it is not executable";
            if (exit.code == 0 && spec.autorestart) {
                return "it ended without an error: a program that goes into the background by "
                       "itself must stay in "
                       "the foreground here, and one that is meant to end wants `autorestart: "
                       "false`";
            }
            return fmt::format("see its whole output with `zona logs {}`", spec.name);
        default:
            return "";
    }
}

}  // namespace zona::process
