#include "cli/detail/carry_out.h"

#include "cli/detail/daemon_start.h"
#include "cli/detail/unix_api.h"

namespace zona::cli {
namespace {

using core::Code;
using core::Error;

/// A verb that sends relative paths needs a directory to resolve them against.
bool needs_directory(Verb verb) {
    return verb == Verb::kStart || verb == Verb::kRestart || verb == Verb::kRun;
}

/// Verbs about who asks, and who may.
Status carry_out_on_identity(Context& context, const Command& command) {
    const VerbOptions& options = command.options;
    switch (command.verb) {
        case Verb::kKey:
            return keys(context, std::get<KeyOptions>(options));
        case Verb::kUser:
            return users(context, std::get<UserOptions>(options));
        case Verb::kRole:
            return roles(context, std::get<RoleOptions>(options));
        case Verb::kIdp:
            return providers(context, std::get<ProviderOptions>(options));
        case Verb::kLogin:
            return login(context, std::get<LoginOptions>(options));
        case Verb::kLogout:
            return logout(context);
        case Verb::kWhoami:
            return whoami(context);
        case Verb::kPasswd:
            return passwd(context, std::get<LoginOptions>(options));
        case Verb::kSession:
            return sessions(context, std::get<SessionOptions>(options));
        case Verb::kFactor:
            return factor(context, std::get<FactorOptions>(options));
        default:
            return Error(Code::kInternal, "this verb is about nobody");
    }
}

/// Verbs that are not about processes, nor about the daemon itself.
Status carry_out_on_data(Context& context, const Command& command) {
    const VerbOptions& options = command.options;
    switch (command.verb) {
        case Verb::kExecution:
            return executions(context, std::get<ExecutionOptions>(options));
        case Verb::kJob:
            return jobs(context, std::get<JobOptions>(options));
        case Verb::kCache:
            return cache(context, std::get<CacheOptions>(options));
        case Verb::kAudit:
            return audit(context, std::get<AuditOptions>(options));
        case Verb::kLicense:
            return license(context, std::get<LicenseOptions>(options));
        case Verb::kTenant:
            return tenants(context, std::get<TenantOptions>(options));
        case Verb::kKey:
        case Verb::kUser:
        case Verb::kRole:
        case Verb::kIdp:
        case Verb::kLogin:
        case Verb::kLogout:
        case Verb::kWhoami:
        case Verb::kPasswd:
        case Verb::kSession:
        case Verb::kFactor:
            return carry_out_on_identity(context, command);
        case Verb::kBackup:
            return backups(context, std::get<BackupOptions>(options));
        case Verb::kStore:
            return store(context, std::get<StoreOptions>(options));
        case Verb::kVault:
            return vault(context, std::get<VaultOptions>(options));
        case Verb::kStart:
        case Verb::kStop:
        case Verb::kRestart:
        case Verb::kDelete:
        case Verb::kScale:
        case Verb::kReset:
        case Verb::kSignal:
        case Verb::kSend:
        case Verb::kRun:
        case Verb::kList:
        case Verb::kDescribe:
        case Verb::kWhy:
        case Verb::kLogs:
        case Verb::kEnv:
        case Verb::kJlist:
        case Verb::kSave:
        case Verb::kResurrect:
        case Verb::kPing:
        case Verb::kKill:
        case Verb::kDoctor:
        case Verb::kWeb:
        case Verb::kConfig:
        case Verb::kContext:
        case Verb::kHelp:
            break;
    }
    return Error(Code::kInternal, "this verb is for no zona");
}

}  // namespace

Status carry_out_verb(Context& context, const Command& command) {
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
        case Verb::kWeb:
            return web(context, std::get<WebOptions>(options));
        case Verb::kConfig:
            return config(context, std::get<ConfigOptions>(options));
        default:
            return carry_out_on_data(context, command);
    }
}

std::string usual_home(const Surroundings& surroundings) {
    if (surroundings.uid == 0) return "/var/lib/zona";
    const std::string home = std::string(variable(surroundings.environment, "HOME"));
    const std::string& base = home.empty() ? surroundings.user_home : home;
    return base.empty() ? "" : base + "/.zona";
}

Status carry_out_here(const Surroundings& surroundings, const Command& command, Console& console) {
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
    Status status = carry_out_verb(context, command);
    // A start that failed has said why.
    if (status && !command.global.settings.empty() && !session.started_daemon()) {
        console.note("--set had no effect: it is for the command that starts zona\n");
    }
    return status;
}

}  // namespace zona::cli
