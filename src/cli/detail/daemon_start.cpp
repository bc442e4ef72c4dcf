#include "cli/detail/daemon_start.h"

#include <algorithm>
#include <array>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/detail/model.h"
#include "core/deadline.h"
#include "core/json.h"
#include "os/daemonize.h"
#include "os/terminal.h"
#include "process/orphans.h"

namespace zona::cli {
namespace {

using core::Code;
using core::Error;
using core::Result;

constexpr std::chrono::seconds kReadyWithin{60};
constexpr std::chrono::seconds kProgressAfter{1};
constexpr std::string_view kUsualPath =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::size_t kLongestLine = 64U << 10U;

bool is_passed_on(std::string_view name) {
    constexpr std::array<std::string_view, 5> kNames = {"PATH", "HOME", "LANG", "TZ", "USER"};
    // About reaching other zonas: the command's alone, and one is a secret.
    constexpr std::array<std::string_view, 6> kNotThese = {"ZONA_API_KEY",     "ZONA_KEY_FILE",
                                                           "ZONA_HOST",        "ZONA_CONTEXT",
                                                           "ZONA_CLIENT_CERT", "ZONA_CLIENT_KEY"};
    if (std::ranges::find(kNotThese, name) != kNotThese.end()) return false;
    return std::ranges::find(kNames, name) != kNames.end() || name.starts_with("LC_") ||
           name.starts_with("ZONA_");
}

}  // namespace

std::vector<std::string> daemon_environment(std::span<const std::string> environment) {
    std::vector<std::string> kept;
    for (const std::string& entry : environment) {
        const std::size_t equals = entry.find('=');
        if (equals != std::string::npos && is_passed_on(entry.substr(0, equals))) {
            kept.push_back(entry);
        }
    }
    const auto is_path = [](const std::string& entry) { return entry.starts_with("PATH="); };
    if (std::ranges::none_of(kept, is_path)) kept.emplace_back(kUsualPath);
    return kept;
}

Result<DaemonStart> read_ready_line(std::string_view line, std::string_view home) {
    const std::string log = fmt::format("{}/logs/keeper.log", home);
    if (line.empty()) {
        return Error(Code::kUnavailable,
                     fmt::format("zona-keeper ended before it was ready, see {}", log));
    }
    if (line == "ok") return DaemonStart::kStarted;
    const auto said = core::parse_json(line);
    if (!said || !said->is_object()) {
        return Error(Code::kInternal,
                     fmt::format("zona-keeper said something unexpected, see {}", log));
    }
    Error error = read_error_object(*said);
    if (error.code() == Code::kConflict) return DaemonStart::kAlreadyRunning;
    if (std::string hint = text_of(said->get_object(), "hint"); !hint.empty()) {
        error.detail({"", "", std::move(hint)});
    }
    return error;
}

Result<std::string> find_companion(const std::string& own_executable, std::string_view name) {
    const std::string folder = own_executable.substr(0, own_executable.rfind('/'));
    const std::array places = {fmt::format("{}/{}", folder, name),
                               fmt::format("{}/../libexec/zona/{}", folder, name)};
    for (const std::string& place : places) {
        const auto found = os::stat_path(place);
        if (found && found->has_value()) return place;
    }
    return Error(Code::kNotFound, fmt::format("{} is not installed beside this command", name))
        .detail({"", fmt::format("looked for {} and {}", places[0], places[1]),
                 "install the whole package, or build all targets"});
}

Result<std::string> find_keeper(const std::string& own_executable) {
    return find_companion(own_executable, "zona-keeper");
}

Result<DaemonStart> KeeperStarter::start() {
    ZONA_TRY(const std::string own, os::self_executable());
    ZONA_TRY(const std::string keeper, find_keeper(own));
    os::DaemonPlan plan;
    plan.executable = keeper;
    plan.arguments = {"zona-keeper", "--home", options_.home, "--ready-fd",
                      std::to_string(os::kReadyFd)};
    for (const std::string& setting : options_.settings) {
        plan.arguments.emplace_back("--set");
        plan.arguments.push_back(setting);
    }
    plan.environment = daemon_environment(options_.environment);
    ZONA_TRY(const os::UniqueFd ready, os::start_daemon(plan));
    ZONA_TRY(const std::string line, read_line(ready));
    return read_ready_line(line, options_.home);
}

bool KeeperStarter::has_orphans() const {
    // What cannot be read says nothing; a start would name it.
    return process::has_living_processes(options_.home).value_or(false);
}

Result<std::string> KeeperStarter::read_line(const os::UniqueFd& ready) {
    const core::Deadline deadline = core::Deadline::after(clock_, kReadyWithin);
    const core::Deadline quiet = core::Deadline::after(clock_, kProgressAfter);
    std::string line;
    while (line.size() < kLongestLine) {
        const std::array fds = {ready.get(), interrupts_.fd()};
        const bool shows = quiet.expired(clock_);
        if (shows) console_.progress("starting zona ...");
        const auto until = shows ? deadline : core::Deadline::earlier(deadline, quiet);
        ZONA_TRY(const auto which, os::wait_readable(fds, until.remaining(clock_)));
        if (deadline.expired(clock_)) {
            return Error(Code::kTimeout, "zona-keeper did not become ready within a minute")
                .detail({"", "", fmt::format("see {}/logs/keeper.log", options_.home)});
        }
        if (interrupts_.count() >= 2) return Error(Code::kCancelled, "interrupted");
        if (which != std::size_t{0}) continue;
        std::array<std::byte, 4096> buffer;
        ZONA_TRY(const auto size, os::read_some(ready.get(), buffer));
        const std::size_t count = size.value_or(0);
        if (count == 0) break;
        line.append(reinterpret_cast<const char*>(buffer.data()), count);
        if (const std::size_t end = line.find('\n'); end != std::string::npos) {
            line.resize(end);
            break;
        }
    }
    console_.end_progress();
    return line;
}

}  // namespace zona::cli
