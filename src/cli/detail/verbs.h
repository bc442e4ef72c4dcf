/// @file
/// What each verb does. Each returns the command's exit status, or the error that ends it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cli/detail/console.h"
#include "cli/detail/log_printer.h"
#include "cli/detail/logins.h"
#include "cli/detail/model.h"
#include "cli/detail/options.h"
#include "cli/detail/remote.h"
#include "cli/detail/request.h"
#include "cli/detail/session.h"
#include "core/clock.h"

namespace zona::cli {

/// What a verb works with. All references outlive it.
struct Context {
    Session& session;
    Console& console;
    const core::Clock& clock;
    Interrupts& interrupts;
    GlobalOptions global;
    Caller caller;
    std::string home;           ///< absolute
    bool home_is_usual = true;  ///< the commands that we suggest need no --home
    /// Another zona; then `caller` is what it may know of us, and `home` is empty. nullptr: ours.
    const Remote* remote = nullptr;
    std::string cwd_here{};  ///< only beside `remote`: where the command was typed
    /// Only beside `remote`: who has signed in there, and what is shown instead of a login.
    const Logins* logins = nullptr;
    std::string key_origin{};  ///< "the key of ZONA_API_KEY"; empty: none

    bool wants_json() const { return global.format == OutputFormat::kJson; }
};

using Status = core::Result<int>;

inline constexpr int kAllWell = 0;
/// A process ended at once or was not started.
inline constexpr int kProcessFailed = 1;
inline constexpr int kInterrupted = 130;

Status start(Context& context, const StartOptions& options);
/// stop, restart, delete, reset.
Status operate(Context& context, Verb verb, const SelectOptions& options);
Status scale(Context& context, const ScaleOptions& options);
Status send_signal(Context& context, const SignalOptions& options);
Status send_line(Context& context, const SendOptions& options);
Status save(Context& context, const SaveOptions& options);
Status resurrect(Context& context);

Status list(Context& context, const SelectOptions& options);
Status describe(Context& context, const SelectOptions& options);
Status why(Context& context, const WhyOptions& options);
Status show_environment(Context& context, const SelectOptions& options);
Status print_jlist(Context& context);
Status doctor(Context& context);
Status config(Context& context, const ConfigOptions& options);
Status keys(Context& context, const KeyOptions& options);
Status vault(Context& context, const VaultOptions& options);
Status tenants(Context& context, const TenantOptions& options);
Status users(Context& context, const UserOptions& options);
Status roles(Context& context, const RoleOptions& options);
Status providers(Context& context, const ProviderOptions& options);
Status login(Context& context, const LoginOptions& options);
Status logout(Context& context);
Status whoami(Context& context);
Status passwd(Context& context, const LoginOptions& options);
Status factor(Context& context, const FactorOptions& options);
Status sessions(Context& context, const SessionOptions& options);
Status jobs(Context& context, const JobOptions& options);
Status cache(Context& context, const CacheOptions& options);
Status audit(Context& context, const AuditOptions& options);
Status license(Context& context, const LicenseOptions& options);
Status executions(Context& context, const ExecutionOptions& options);
Status backups(Context& context, const BackupOptions& options);
Status store(Context& context, const StoreOptions& options);

Status ping(Context& context);
Status kill(Context& context);
Status web(Context& context, const WebOptions& options);
Status logs(Context& context, const LogsOptions& options);
Status run(Context& context, const RunOptions& options);

/// `zona context`: needs no zona. `global` has what kAdd adds.
Status contexts(Console& console, const GlobalOptions& global, const ContextOptions& options,
                const Caller& caller, std::string_view user_home);

// Shared by several of them.

/// Reads an ecosystem file. Errors: kNotFound, kTooLarge over 10 MB, kInvalidArgument when it is
/// not UTF-8.
core::Result<FileContent> read_ecosystem_file(const Context& context, const std::string& name);

/// Prints the table of all processes and what became of those that were started.
core::Result<void> show_outcomes(Context& context, std::span<const Outcome> outcomes);
/// kAllWell, or kProcessFailed when one failed.
int status_of(std::span<const Outcome> outcomes);

/// How a change is told: "sent SIGUSR1 to" before, or " stopped" behind the process's name.
struct Telling {
    std::string doing;   ///< progress: "stopping api"
    std::string before;  ///< "SIGUSR1 sent to "
    std::string behind;  ///< "  stopped"
    bool shows_table = true;
};

/// Prints what became of each process; the status that it asks for: of the first error, else that
/// of the outcomes. With --json it prints nothing.
Status tell_results(Context& context, std::span<const OperationResult> results,
                    const Telling& telling);

/// Whether the end of a task is waited for.
enum class Waiting : std::uint8_t { kNo, kYes };
/// Waits for the end of the task that `begun`, the answer, is about, and tells its outcome; or
/// tells that it goes on.
Status end_of_task(Context& context, const Answer& begun, Waiting waiting);

/// Prints an answer as it came, for --json, and ends its line.
void print_body(Context& context, const Answer& answer);

/// What an answer says, for people. Nothing: --json prints all of it as it came, and that is done.
/// Errors: those of Answer::data().
core::Result<std::optional<boost::json::value>> data_to_tell(Context& context,
                                                             const Answer& answer);

/// The password in a file, a path as typed in `directory`, or in stdin for `-`; without the ends of
/// its lines. Empty for no file. Errors: those of reading; kInvalidArgument: an empty one, or over
/// 1024 bytes.
core::Result<core::Secret> password_in(const std::string& file, std::string_view directory);
/// A path as typed in `directory`, which is absolute.
std::string absolute(std::string_view path, std::string_view directory);

/// Becomes zonad, which does some things without a zona that runs. Returns only if that fails.
Status become_maintenance(const Context& context, const std::vector<std::string>& arguments);

/// Tells of executions that a change has begun, if `data`, its answer, is one.
void tell_begun(Context& context, const boost::json::value& data);

/// Tells of variables that cannot be sent.
void warn_of_environment(Context& context);

/// Shuts zona down and waits until the keeper has ended; the answer to the shutdown. `interrupts`:
/// as in Patience.
core::Result<Answer> shut_down_and_wait(Context& context, int interrupts);

/// Why following a log ended.
enum class FollowEnd : std::uint8_t {
    kInterrupted,   ///< Ctrl-C
    kEnded,         ///< the stream ended, or the watcher said enough
    kZonaStopped,   ///< somebody shut zona down
    kOutputClosed,  ///< nobody reads our output any more
};

/// Asked now and then while a log is followed.
class LogWatcher {
  public:
    LogWatcher() = default;
    LogWatcher(const LogWatcher&) = delete;
    LogWatcher& operator=(const LogWatcher&) = delete;
    virtual ~LogWatcher() = default;
    /// Whether following goes on. After false, what still arrives at once is printed.
    virtual bool goes_on() = 0;
};

/// Prints the log stream until it ends, over connections that break. `watcher` may be null.
core::Result<FollowEnd> follow(Context& context, const LogsOptions& options, LogPrinter& printer,
                               LogWatcher* watcher);

}  // namespace zona::cli
