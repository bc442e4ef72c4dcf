#include "cli/command.h"

#include <csignal>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "cli/detail/account.h"
#include "cli/detail/parse.h"
#include "cli/detail/unix_api.h"
#include "cli/detail/verbs.h"
#include "os/child.h"
#include "os/terminal.h"

namespace zona::cli {
namespace {

using core::Code;
using core::Error;

std::string value_of(const Surroundings& surroundings, std::string_view name) {
    for (const std::string& entry : surroundings.environment) {
        if (entry.starts_with(name) && entry.size() > name.size() && entry[name.size()] == '=') {
            return entry.substr(name.size() + 1);
        }
    }
    return {};
}

std::string usual_home(const Surroundings& surroundings) {
    if (surroundings.uid == 0) return "/var/lib/zona";
    const std::string home = value_of(surroundings, "HOME");
    const std::string& base = home.empty() ? surroundings.user_home : home;
    return base.empty() ? "" : base + "/.zona";
}

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

Status carry_out(Context& context, const Command& command) {
    const VerbOptions& options = command.options;
    switch (command.verb) {
        case Verb::kStart:
            return start(context, std::get<StartOptions>(options));
        case Verb::kStop:
        case Verb::kRestart:
        case Verb::kDelete:
        case Verb::kReset:
            return operate(context, command.verb, std::get<SelectOptions>(options));
        case Verb::kScale:
            return scale(context, std::get<ScaleOptions>(options));
        case Verb::kSignal:
            return send_signal(context, std::get<SignalOptions>(options));
        case Verb::kSend:
            return send_line(context, std::get<SendOptions>(options));
        case Verb::kRun:
            return run(context, std::get<RunOptions>(options));
        case Verb::kList:
            return list(context, std::get<SelectOptions>(options));
        case Verb::kDescribe:
            return describe(context, std::get<SelectOptions>(options));
        case Verb::kWhy:
            return why(context, std::get<WhyOptions>(options));
        case Verb::kLogs:
            return logs(context, std::get<LogsOptions>(options));
        case Verb::kEnv:
            return show_environment(context, std::get<SelectOptions>(options));
        case Verb::kJlist:
            return print_jlist(context);
        case Verb::kSave:
            return save(context, std::get<SaveOptions>(options));
        case Verb::kResurrect:
            return resurrect(context);
        case Verb::kPing:
            return ping(context);
        case Verb::kKill:
            return kill(context);
        case Verb::kDoctor:
            return doctor(context);
        case Verb::kConfig:
            return config(context, std::get<ConfigOptions>(options));
        case Verb::kHelp:
            break;
    }
    return Error(Code::kInternal, "help is no command");
}

/// A verb that sends relative paths needs a directory to resolve them against.
bool needs_directory(Verb verb) {
    return verb == Verb::kStart || verb == Verb::kRestart || verb == Verb::kRun;
}

Status carry_out_in(const Surroundings& surroundings, const Command& command, Console& console) {
    if (surroundings.cwd.empty() && needs_directory(command.verb)) {
        return Error(Code::kNotFound, "the current directory no longer exists")
            .detail({"", "", "change to another one, and give the command again"});
    }
    const std::string home = home_of(surroundings, command.global.home.value_or(""));
    if (home.empty()) {
        return Error(Code::kInvalidArgument, "zona's home is unknown: HOME is not set")
            .detail({"", "", "give --home DIR or set ZONA_HOME"});
    }
    const core::RealClock clock;
    SignalInterrupts signals;
    NoInterrupts none;
    const bool catches = command.verb == Verb::kRun || command.verb == Verb::kLogs;
    if (catches) ZONA_TRY_VOID(signals.watch());
    Interrupts& interrupts = catches ? static_cast<Interrupts&>(signals) : none;

    UnixApi api(home + "/api.sock", clock, interrupts);
    KeeperStarter starter({home, surroundings.environment, command.global.settings}, clock, console,
                          interrupts);
    Session session({api, starter, console, clock, interrupts}, info(command.verb).daemon,
                    command.global.timeout);
    Context context{session,        console,
                    clock,          interrupts,
                    command.global, {surroundings.cwd, surroundings.environment},
                    home,           home == usual_home(surroundings)};
    Status status = carry_out(context, command);
    // A start that failed has said why.
    if (status && !command.global.settings.empty() && !session.started_daemon()) {
        console.note("--set had no effect: it is for the command that starts zona\n");
    }
    return status;
}

/// What the state of stdout makes of an exit status. A reader that went away is no failure.
int with_output(Console& console, int status) {
    console.flush();
    const std::optional<Error>& broken = console.broken();
    if (!broken || broken->system_error() == EPIPE) return status;
    console.error(error_text(*broken));
    return status == kAllWell ? core::info(broken->code()).exit_status : status;
}

int answer(const Surroundings& surroundings, const Parsed& parsed) {
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
    const Status status = carry_out_in(surroundings, *command, console);
    console.end_progress();
    if (status) return with_output(console, *status);
    return with_output(console, tell(console, global.format, status.error()));
}

}  // namespace

std::string home_of(const Surroundings& surroundings, const std::string& given) {
    std::string home = given.empty() ? value_of(surroundings, "ZONA_HOME") : given;
    if (home.empty()) home = usual_home(surroundings);
    if (home.empty()) return home;
    std::filesystem::path path(home);
    if (path.is_relative()) path = std::filesystem::path(surroundings.cwd) / path;
    std::string normal = path.lexically_normal().string();
    while (normal.size() > 1 && normal.ends_with('/'))
        normal.pop_back();
    return normal;
}

int run_command(const Surroundings& surroundings) {
    os::ignore_signal(SIGPIPE);
    const auto parsed = parse(surroundings.arguments);
    if (parsed) return answer(surroundings, *parsed);
    FdConsole console(screen_for(surroundings, Colours::kNever), Talk::kNormal, surroundings.out_fd,
                      surroundings.err_fd);
    const OutputFormat format =
        wants_json(surroundings.arguments) ? OutputFormat::kJson : OutputFormat::kText;
    return with_output(console, tell(console, format, parsed.error()));
}

}  // namespace zona::cli
