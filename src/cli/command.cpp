#include "cli/command.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/detail/account.h"
#include "cli/detail/carry_out.h"
#include "cli/detail/parse.h"
#include "cli/detail/place.h"
#include "cli/detail/verbs.h"
#include "os/child.h"
#include "os/spawn.h"
#include "os/terminal.h"

namespace zona::cli {
namespace {

using core::Error;

Screen screen_for(const Surroundings& surroundings, Colours colours) {
    Screen terminals;
    terminals.out_is_terminal = os::is_terminal(surroundings.out_fd);
    terminals.err_is_terminal = os::is_terminal(surroundings.err_fd);
    if (terminals.out_is_terminal) terminals.columns = os::terminal_columns(surroundings.out_fd);
    return screen_of(surroundings.environment, colours, terminals);
}

/// Tells an error in the form that was asked for. Returns its exit status.
int tell(Console& console, OutputFormat format, const Error& error) {
    if (format == OutputFormat::kJson) {
        console.out(error_json(error));
        console.flush();
    } else {
        console.error(error_text(error));
    }
    return core::info(error.code()).exit_status;
}

/// What the state of stdout makes of an exit status. A reader that went away is no failure.
int with_output(Console& console, int status) {
    console.flush();
    const std::optional<Error>& broken = console.broken();
    if (!broken || broken->system_error() == EPIPE) return status;
    console.error(error_text(*broken));
    return status == kAllWell ? core::info(broken->code()).exit_status : status;
}

Status carry_out(const Surroundings& surroundings, const Command& command, RemoteWay* way,
                 Console& console) {
    if (command.verb == Verb::kContext) {
        return contexts(console, command.global, std::get<ContextOptions>(command.options),
                        {surroundings.cwd, surroundings.environment}, surroundings.user_home);
    }
    ZONA_TRY(const Place place, find_place(command.global, surroundings.environment,
                                           surroundings.user_home, surroundings.cwd));
    if (!place.remote) return carry_out_here(surroundings, command, console);
    if (way == nullptr) return hand_over(surroundings);
    return carry_out_there(surroundings, command, *place.remote, *way, console);
}

int answer(const Surroundings& surroundings, const Parsed& parsed, RemoteWay* way) {
    const auto* command = std::get_if<Command>(&parsed);
    const GlobalOptions global = command != nullptr ? command->global : GlobalOptions{};
    FdConsole console(screen_for(surroundings, global.colours), global.talk, surroundings.out_fd,
                      surroundings.err_fd);
    if (const auto* help = std::get_if<HelpText>(&parsed)) {
        console.out(help->text);
        return with_output(console, kAllWell);
    }
    if (const auto* version = std::get_if<VersionRequest>(&parsed)) {
        console.out(version->global.format == OutputFormat::kJson
                        ? "{\"success\":true,\"data\":{\"version\":\"" ZONA_VERSION "\"}}\n"
                        : ZONA_VERSION "\n");
        return with_output(console, kAllWell);
    }
    const Status status = carry_out(surroundings, *command, way, console);
    console.end_progress();
    if (status) return with_output(console, *status);
    return with_output(console, tell(console, global.format, status.error()));
}

}  // namespace

Surroundings surroundings_of_process(int argc, char** argv) {
    Surroundings surroundings;
    surroundings.arguments.assign(argv + (argc > 0 ? 1 : 0), argv + argc);
    for (char** entry = environ; *entry != nullptr; ++entry) {
        surroundings.environment.emplace_back(*entry);
    }
    std::error_code gone;
    surroundings.cwd = std::filesystem::current_path(gone).string();
    surroundings.uid = geteuid();
    // Looked up only when needed: the user database may load libraries.
    if (std::getenv("HOME") == nullptr) {
        surroundings.user_home = os::find_user(surroundings.uid).home;
    }
    return surroundings;
}

std::string home_of(const Surroundings& surroundings, const std::string& given) {
    std::string home(given.empty() ? variable(surroundings.environment, "ZONA_HOME") : given);
    if (home.empty()) home = usual_home(surroundings);
    if (home.empty()) return home;
    std::filesystem::path path(home);
    if (path.is_relative()) path = std::filesystem::path(surroundings.cwd) / path;
    std::string normal = path.lexically_normal().string();
    while (normal.size() > 1 && normal.ends_with('/'))
        normal.pop_back();
    return normal;
}

int answer_command(const Surroundings& surroundings, RemoteWay* way) {
    os::ignore_signal(SIGPIPE);
    const auto parsed = parse(surroundings.arguments);
    if (parsed) return answer(surroundings, *parsed, way);
    FdConsole console(screen_for(surroundings, Colours::kNever), Talk::kNormal, surroundings.out_fd,
                      surroundings.err_fd);
    const OutputFormat format =
        wants_json(surroundings.arguments) ? OutputFormat::kJson : OutputFormat::kText;
    return with_output(console, tell(console, format, parsed.error()));
}

int run_command(const Surroundings& surroundings) {
    return answer_command(surroundings, nullptr);
}

}  // namespace zona::cli
