#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/detail/carry_out.h"
#include "cli/detail/logins.h"
#include "cli/detail/signed_in_api.h"
#include "os/exec.h"
#include "os/fd.h"

namespace zona::cli {
namespace {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;

/// How long an error waits for the other zona's version.
constexpr std::chrono::seconds kVersionWithin{2};
constexpr int kUnauthenticated = 401;

/// What a process over there gets unless the user says more: without PATH no interpreter is found.
constexpr std::string_view kUsualPath =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Variables that are about reaching other zonas: none of a process's business.
bool is_ours(std::string_view entry) {
    for (const std::string_view name : {"ZONA_API_KEY=", "ZONA_KEY_FILE=", "ZONA_HOST=",
                                        "ZONA_CONTEXT=", "ZONA_CLIENT_CERT=", "ZONA_CLIENT_KEY="}) {
        if (entry.starts_with(name)) return true;
    }
    return false;
}

std::string_view given_directory(const Command& command) {
    if (const auto* run = std::get_if<RunOptions>(&command.options)) return run->cwd;
    if (const auto* start = std::get_if<StartOptions>(&command.options)) {
        for (const AppSetting& setting : start->settings) {
            if (setting.key == "cwd") return setting.text;
        }
    }
    return {};
}

SentVariables variables_of(const Command& command) {
    if (const auto* run = std::get_if<RunOptions>(&command.options)) return run->variables;
    if (const auto* start = std::get_if<StartOptions>(&command.options)) return start->variables;
    if (const auto* select = std::get_if<SelectOptions>(&command.options)) return select->variables;
    return SentVariables::kNone;
}

/// Where the key came from, for someone whose key was not taken.
std::string origin_of_key(const Remote& remote, std::span<const std::string> environment) {
    if (!remote.key_file.empty())
        return fmt::format("the key of {}", escape_control(remote.key_file));
    if (const auto file = variable(environment, "ZONA_KEY_FILE"); !file.empty())
        return fmt::format("the key of {} (ZONA_KEY_FILE)", escape_control(file));
    return variable(environment, "ZONA_API_KEY").empty() ? "" : "the key of ZONA_API_KEY";
}

Error without_access(Error error, const Remote& remote, const std::string& key_origin) {
    std::string shown = key_origin;
    if (shown.empty() && !remote.client_cert.empty())
        shown = fmt::format("the certificate of {}", escape_control(remote.client_cert));
    if (shown.empty()) {
        return Error(
                   Code::kUnauthenticated,
                   fmt::format("{} wants an API key, or a user who has signed in", remote.label()))
            .detail({"", "",
                     fmt::format("`zona login {}` signs in; or give --key-file FILE, or set "
                                 "ZONA_KEY_FILE or ZONA_API_KEY: the first key is in the file "
                                 "api-key of the home over there",
                                 remote.flags())});
    }
    return std::move(error).context(fmt::format("{} does not take {}", remote.label(), shown));
}

/// Verbs that show name and password themselves.
bool shows_password(Verb verb) {
    return verb == Verb::kLogin || verb == Verb::kPasswd;
}

/// The version of the zona that answers; empty when it does not say.
std::string version_there(Session& session, const core::Clock& clock) {
    Patience patience;
    patience.deadline = core::Deadline::after(clock, kVersionWithin);
    const auto pong = session.ask(get("/api/v1/ping"), patience);
    if (!pong) return {};
    const auto data = pong->data();
    if (!data || !data->is_object()) return {};
    const json::value* daemon = data->get_object().if_contains("daemon");
    return daemon != nullptr && daemon->is_object() ? text_of(daemon->get_object(), "version") : "";
}

/// Whether the cause may be that the two understand each other badly.
bool may_be_of_the_version(Code code) {
    return code == Code::kInvalidArgument || code == Code::kNotFound || code == Code::kInternal ||
           code == Code::kMethodNotAllowed || code == Code::kUnsupported;
}

/// The error with what only matters between hosts. `wants_key`: a 401 is for want of one.
Error explained(Error error, Session& session, const Remote& remote, const Context& context,
                bool wants_key) {
    const int status = session.last_status();
    // One that names a field is of what was asked for, not of the key.
    const bool is_of_a_field =
        std::ranges::any_of(error.details(), [](const auto& d) { return !d.where.empty(); });
    if (status == kUnauthenticated && wants_key && !is_of_a_field)
        return without_access(std::move(error), remote, context.key_origin);
    if (status < 400 || !may_be_of_the_version(error.code())) return error;
    const std::string version = version_there(session, context.clock);
    if (!version.empty() && version != ZONA_VERSION) {
        error.detail(
            {"",
             fmt::format("{} is zona {}, this command is {}", remote.label(),
                         escape_control(version), ZONA_VERSION),
             "use the command of that version if the one does not know what the other means"});
    }
    return error;
}

bool starts_something(Verb verb) {
    return verb == Verb::kStart || verb == Verb::kRun;
}

/// Asked when a start failed and no directory was given: paths may have meant another one.
void tell_directory(Error& error, const Command& command, const Remote& remote) {
    const bool is_about_paths =
        error.code() == Code::kNotFound || error.code() == Code::kInvalidArgument;
    if (!starts_something(command.verb) || !is_about_paths || !given_directory(command).empty())
        return;
    error.detail({"", "",
                  fmt::format("relative paths start from / on {}, unless --cwd says otherwise",
                              remote.label())});
}

/// Never asked: no command starts a zona on another host.
class NoStarter final : public DaemonStarter {
  public:
    Result<DaemonStart> start() override {
        return Error(Code::kUnavailable, "zona does not run there");
    }
    bool has_orphans() const override { return false; }
};

}  // namespace

Result<Caller> caller_there(const Surroundings& surroundings, const Command& command,
                            const Remote& remote) {
    const std::string directory(given_directory(command));
    if (!directory.empty() && !directory.starts_with('/')) {
        return Error(Code::kInvalidArgument,
                     fmt::format("--cwd {}: a directory of {} has to be absolute",
                                 escape_control(directory), remote.label()));
    }
    Caller caller;
    caller.cwd = directory.empty() ? "/" : directory;
    if (variables_of(command) == SentVariables::kOfThisShell) {
        for (const std::string& entry : surroundings.environment) {
            if (!is_ours(entry)) caller.environment.push_back(entry);
        }
        return caller;
    }
    const auto* select = std::get_if<SelectOptions>(&command.options);
    if (select != nullptr && select->update_environment) {
        return Error(Code::kInvalidArgument,
                     fmt::format("--update-env would send the variables of this shell to {}",
                                 remote.label()))
            .detail({"", "", "add --env-from-here if that is meant"});
    }
    caller.environment.emplace_back(kUsualPath);
    return caller;
}

Status carry_out_there(const Surroundings& surroundings, const Command& command,
                       const Remote& remote, RemoteWay& way, Console& console) {
    ZONA_TRY(Caller caller, caller_there(surroundings, command, remote));
    ZONA_TRY(const core::Secret key,
             read_key(remote, surroundings.environment, surroundings.cwd, console));
    if (!remote.client_cert.empty()) {
        const std::string& file =
            remote.client_key.empty() ? remote.client_cert : remote.client_key;
        warn_of_readers(file, "key of the certificate", console);
    }
    const core::RealClock clock;
    SignalInterrupts signals;
    NoInterrupts none;
    const bool catches = command.verb == Verb::kRun || command.verb == Verb::kLogs;
    if (catches) ZONA_TRY_VOID(signals.watch());
    Interrupts& interrupts = catches ? static_cast<Interrupts&>(signals) : none;
    const bool signs_in = shows_password(command.verb);
    ZONA_TRY(std::unique_ptr<Api> api,
             way.open(remote, signs_in ? core::Secret() : key, clock, interrupts));
    const Logins logins(logins_path(surroundings.environment, surroundings.user_home));
    std::optional<Login> login;
    if (key.empty() && !signs_in) {
        ZONA_TRY(login, logins.find(remote.url()));
    }
    if (login) api = std::make_unique<SignedInApi>(std::move(api), logins, *login, clock);

    // Who answers is said before anything is done, so that nobody acts on the wrong host unawares.
    if (command.global.format == OutputFormat::kText)
        console.note(fmt::format("zona: on {}\n", remote.label()));
    NoStarter starter;
    Session session({*api, starter, console, clock, interrupts, remote.label()},
                    DaemonNeed::kNeverStarts, command.global.timeout);
    Context context{session,
                    console,
                    clock,
                    interrupts,
                    command.global,
                    std::move(caller),
                    {},
                    true,
                    &remote,
                    surroundings.cwd,
                    &logins,
                    origin_of_key(remote, surroundings.environment)};
    Status status = carry_out_verb(context, command);
    if (status) return status;
    Error error = status.take_error();
    tell_directory(error, command, remote);
    return explained(std::move(error), session, remote, context, !login && !signs_in);
}

Error hand_over(const Surroundings& surroundings) {
    const auto own = os::self_executable();
    if (!own) return own.error();
    const auto program = find_companion(*own, "zona-remote");
    if (!program) return program.error();
    std::vector<std::string> arguments{"zona"};
    arguments.insert(arguments.end(), surroundings.arguments.begin(), surroundings.arguments.end());
    return os::execute(*program, arguments, surroundings.environment);
}

}  // namespace zona::cli
