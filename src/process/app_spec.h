/// @file
/// AppSpec: the one validated description of an app, whatever format it was written in.
///
/// Every front end (ecosystem files, the API's `apps`, later process-compose and supervisord files)
/// produces AppSpec values and nothing else reaches the supervisor, so a setting that is not here
/// cannot bypass the checks (PM-60, PM-62). A plain value: no third-party type, no system call,
/// free to copy, any thread. All defaults stand in the member initialisers below and nowhere else.
#pragma once

#include <chrono>
#include <csignal>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/resource.h>

#include "core/result.h"

namespace zona::process {

/// The explicit maxima of an app's settings (design decision 11); every message about one names it.
struct SpecLimits {
    static constexpr std::size_t kNameBytes = 128;  ///< name and namespace
    static constexpr std::size_t kPathBytes = 4095;
    static constexpr std::size_t kUserBytes = 256;
    static constexpr std::size_t kVariableNameBytes = 1024;
    /// One argument, or one `NAME=value`: the kernel's MAX_ARG_STRLEN less its NUL, execve(2).
    static constexpr std::size_t kArgumentBytes = 131071;
    static constexpr std::size_t kArguments = 65536;
    static constexpr std::size_t kVariables = 65536;
    /// All arguments together, and all variables together; half of what Linux grants at an 8 MB
    /// stack.
    static constexpr std::size_t kArgumentListBytes = 1024UL * 1024;
    static constexpr int kInstances = 10000;
    static constexpr int kRestarts = 2147483647;
    static constexpr int kStopExitCodes = 256;
    static constexpr std::chrono::milliseconds kDuration = std::chrono::hours(24);
};

/// Where a child's standard input comes from.
enum class StdinMode : std::uint8_t {
    kNull,  ///< /dev/null
    kPipe,  ///< a pipe that `zona send` writes to
};

/// One resource limit, setrlimit(2). No value means unlimited.
struct LimitPair {
    std::optional<std::uint64_t> soft;
    std::optional<std::uint64_t> hard;
    bool operator==(const LimitPair&) const = default;
};

/// One app: what to run, as whom, how often, how it restarts, stops and logs.
///
/// Paths other than `script` and `interpreter` are absolute. docs/ecosystem.md explains every
/// setting.
struct AppSpec {
    std::string name;
    std::string namespace_ = "default";
    /// As given: an absolute path, a path relative to `cwd`, a name on PATH, or a command line.
    std::string script;
    std::vector<std::string> args;
    /// None: chosen by the script's extension. "none": the script executes itself.
    std::optional<std::string> interpreter;
    std::vector<std::string> interpreter_args;
    std::string cwd;
    /// The file's variables only; the caller's are added by the supervisor (design decision 18).
    std::map<std::string, std::string> env;
    int instances = 1;

    std::optional<std::string> user;          ///< name or number; none: the daemon's
    std::optional<std::string> group;         ///< name or number; none: the user's primary group
    std::optional<unsigned> umask;            ///< none: the daemon's
    std::optional<int> nice;                  ///< absolute, -20..19; none: the daemon's
    std::map<std::string, LimitPair> limits;  ///< keys: limit_names()

    bool autorestart = true;
    std::chrono::milliseconds restart_delay{0};
    /// The first delay of an exponential backoff, which replaces `restart_delay`; 0 = off.
    std::chrono::milliseconds exp_backoff_restart_delay{0};
    /// Unstable ends (runs shorter than `min_uptime`) until the app is `errored`.
    int max_restarts = 16;
    std::chrono::milliseconds min_uptime{1000};
    std::vector<int> stop_exit_codes;  ///< exits with one of these are not restarted

    std::chrono::milliseconds kill_timeout{
        1600};  ///< from the signal to SIGKILL; 0 = SIGKILL at once
    int kill_signal = SIGINT;

    std::optional<std::string> out_file;    ///< none: the supervisor's default place
    std::optional<std::string> error_file;  ///< none: the supervisor's default place
    bool merge_logs = false;                ///< all instances write to one file
    StdinMode stdin_mode = StdinMode::kNull;

    bool operator==(const AppSpec&) const = default;
};

/// Which names are allowed (design decision 17).
enum class NameRule : std::uint8_t {
    kNative,   ///< `[A-Za-z0-9_.@/ -]{1,128}`, no space at either end
    kForeign,  ///< kept as another program's file has them: any UTF-8 without control characters
};

/// Whether a finding may quote the value it is about.
enum class ValueDisplay : std::uint8_t {
    kShown,
    kHidden,  ///< something of the spec came from the caller's environment and may be a secret
};

/// Checks everything that can be checked without looking at the system.
///
/// Under both rules a name is not empty, not all digits, not `all`, and has no `..` component. Text
/// is UTF-8 without NUL; names, paths, users and variable names have no control characters; values
/// of variables and arguments may have newlines. Log files are absolute without `..`; numbers and
/// lists keep to SpecLimits.
///
/// Errors  kInvalidArgument with one detail per problem; `where` is the setting as the ecosystem
///         file spells it ("restart_delay", "args[3]", "env.NAME"). Values of variables and
///         arguments are never quoted, others by `display`.
/// Source  PM-62, design decisions 11 and 17.
core::Result<void> validate(const AppSpec& spec, NameRule rule = NameRule::kNative,
                            ValueDisplay display = ValueDisplay::kShown);

/// A name as it appears in the names of files.
///
/// What is no letter or digit of ASCII, no dot and no '-' becomes '-', and so does a dot at the
/// beginning: "a/b.c" → "a-b.c", "my_app 1" → "my-app-1", ".." → "-.". Never empty, never holds a
/// '/'.
///
/// Several names may have one result ("a b", "a-b"): a file's name also needs the pm_id.
/// Source  PM2 7 (process-managers.md section 6).
std::string path_safe_name(std::string_view name);

/// A resource limit by the name that files use.
struct LimitName {
    std::string_view name;  ///< "nofile", as in limits.conf(5)
    int resource;           ///< RLIMIT_*
};

/// All of them, sorted by name.
std::span<const LimitName> limit_names();

/// RLIMIT_* for a name of limit_names(); none for any other text.
std::optional<int> limit_resource(std::string_view name);

/// Number of instances for an `instances` setting: `wanted` > 0 is itself, 0 all CPUs, negative
/// CPUs + `wanted`, at least 1.
/// @param cpus  those that this process may use, by affinity and CPU quota; values below 1 count
/// as 1. Source  PM2's ecosystem file; pm2#4347 (the quota counts).
int resolve_instances(std::int64_t wanted, int cpus);

/// `path` made absolute against `base` and freed of ".", ".." and doubled slashes, without looking
/// at the file system (a symbolic link before ".." is not followed). Precondition: `base` is
/// absolute.
std::string resolve_path(std::string_view base, std::string_view path);

}  // namespace zona::process
