/// @file
/// The flags of each verb, and the reading of words by them. Keeps the parser library to itself.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/detail/verb.h"
#include "core/result.h"

namespace zona::cli {

/// How the value of an app's flag is read.
enum class ValueKind : std::uint8_t {
    kText,
    kInteger,
    kInstances,
    kDuration,
    kWords,
    kTrueFlag,
    kFalseFlag,
    kPipeFlag
};

/// A flag of `zona start` that is one key of an app.
struct AppFlag {
    const char* names;
    const char* key;
    ValueKind kind;
    const char* value;
    const char* help;
};

inline constexpr std::array kAppFlags = {
    AppFlag{"-n,--name", "name", ValueKind::kText, "NAME", "name in the list"},
    AppFlag{"-i,--instances", "instances", ValueKind::kInstances, "N",
            "how many; max: one per CPU, -N: so many fewer"},
    AppFlag{"--cwd", "cwd", ValueKind::kText, "DIR", "working directory (else this one)"},
    AppFlag{"--namespace", "namespace", ValueKind::kText, "NAME", "group to select it by"},
    AppFlag{"--interpreter", "interpreter", ValueKind::kText, "PROGRAM",
            "what runs the script (else by extension); none: the script itself"},
    AppFlag{"--interpreter-args,--node-args", "interpreter_args", ValueKind::kWords, "WORDS",
            "arguments of the interpreter"},
    AppFlag{"--no-autorestart", "autorestart", ValueKind::kFalseFlag, "",
            "do not start it again when it ends"},
    AppFlag{"--restart-delay", "restart_delay", ValueKind::kDuration, "TIME",
            "wait before a restart"},
    AppFlag{"--exp-backoff-restart-delay", "exp_backoff_restart_delay", ValueKind::kDuration,
            "TIME", "first wait before a restart; it grows"},
    AppFlag{"--max-restarts", "max_restarts", ValueKind::kInteger, "N",
            "hold it after so many early ends"},
    AppFlag{"--min-uptime", "min_uptime", ValueKind::kDuration, "TIME",
            "an end before this is early"},
    AppFlag{"--kill-timeout", "kill_timeout", ValueKind::kDuration, "TIME",
            "from the stop signal to SIGKILL"},
    AppFlag{"--kill-signal", "kill_signal", ValueKind::kText, "SIGNAL", "the stop signal"},
    AppFlag{"-o,--out-file,--output", "out_file", ValueKind::kText, "FILE", "where stdout goes"},
    AppFlag{"--error-file,--error", "error_file", ValueKind::kText, "FILE", "where stderr goes"},
    AppFlag{"--merge-logs", "merge_logs", ValueKind::kTrueFlag, "", "one file for all instances"},
    AppFlag{"--user", "user", ValueKind::kText, "NAME", "user to run as"},
    AppFlag{"--group", "group", ValueKind::kText, "NAME", "group to run as"},
    AppFlag{"--umask", "umask", ValueKind::kText, "OCTAL", "file mode mask, as 022"},
    AppFlag{"--nice", "nice", ValueKind::kInteger, "N", "-20 (first) to 19 (last)"},
    AppFlag{"--stdin", "stdin", ValueKind::kPipeFlag, "", "let `zona send` write to its stdin"},
};

/// A flag without a value.
inline bool is_switch(ValueKind kind) {
    return kind == ValueKind::kTrueFlag || kind == ValueKind::kFalseFlag ||
           kind == ValueKind::kPipeFlag;
}

/// A command line behind its verb: every flag's text as it was typed.
struct RawWords {
    std::string home;
    std::vector<std::string> settings;
    std::string timeout;
    // An empty text is not the same as none: it would act on this host instead of another one.
    std::optional<std::string> host;
    std::string port;  ///< of `web`
    std::optional<std::string> context;
    std::optional<std::string> key_file;
    std::optional<std::string> ca_file;
    std::optional<std::string> fingerprint;
    std::optional<std::string> client_cert;
    std::optional<std::string> client_key;
    bool insecure = false;
    std::string entity;  ///< of `cache`, as the following
    std::string pattern;
    std::string tag;
    bool json = false;
    bool no_color = false;
    bool silent = false;
    bool help = false;
    bool version = false;

    std::vector<std::string> positionals;
    std::array<std::string, kAppFlags.size()> app_values;
    std::array<bool, kAppFlags.size()> app_switches{};
    std::vector<std::string> environment;
    std::vector<std::string> only;
    bool no_wait = false;
    std::string cursor;
    std::string actor;
    std::string action;
    std::string resource;
    std::string category;
    std::string outcome;
    std::string from;
    std::string limit;
    std::string format;
    std::string head;
    std::string reason;
    std::string tenant_name;
    std::string roles;
    std::string password_file;
    std::string description;
    std::string inherits;
    std::vector<std::string> grants;
    std::string issuer;  ///< of `idp`, as the following
    std::string client_id;
    std::string metadata;
    bool saml = false;
    std::string secret_file;
    std::vector<std::string> groups;
    std::string name_claim;
    std::string groups_claim;
    std::string scopes;
    bool create_users = false;
    bool off = false;
    std::string weekdays;
    std::string until;
    std::string networks;
    std::string confirm;
    bool all = false;
    bool archives = false;
    std::string email;
    std::string user;  ///< of `login`, `passwd` and `session`, as the following
    std::string session;
    std::string code;
    bool password_stdin = false;
    std::string provider;  ///< of `login`
    std::string requests_per_second;
    std::string concurrent_requests;
    std::string storage_bytes;
    std::string of;
    std::string at;
    std::string shares;
    std::string to;
    std::string db_host;
    std::string db_name;
    std::string db_username;
    std::string build_type;
    std::string db_password_file;
    std::string root_key;
    std::string needed;
    std::string total;
    bool replace = false;
    bool keep_backups = false;
    bool open_secrets = false;
    bool update_env = false;
    bool env_from_here = false;
    std::string run_cwd;
    std::string scope;
    std::string tenant;
    std::string expires;
    std::string overlap;
    std::string certificate;
    std::string allow;
    std::string rate;
    std::string burst;
    std::string rotate_every;
    bool process = false;
    bool tree = false;
    std::string lines;
    std::string since;
    std::string last;
    bool out = false;
    bool err = false;
    bool no_stream = false;
    bool raw = false;
    bool force = false;
};

/// Reads the words behind a verb. Builds the parser of this verb only: that is most of its cost.
/// Errors: kInvalidArgument for an unknown flag (with the nearest one) or a missing value.
core::Result<RawWords> read_words(Verb verb, std::span<const std::string> words);

/// The whole of `zona VERB --help`.
std::string verb_help(Verb verb);

}  // namespace zona::cli
