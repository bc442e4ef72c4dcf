/// @file
/// The verbs of the command: one table from which the parser, the help, the suggestions and
/// docs/cli.md are made.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace zona::cli {

enum class Verb : std::uint8_t {
    kStart,
    kStop,
    kRestart,
    kDelete,
    kScale,
    kReset,
    kSignal,
    kSend,
    kRun,
    kList,
    kDescribe,
    kWhy,
    kLogs,
    kEnv,
    kExecution,
    kJlist,
    kSave,
    kResurrect,
    kPing,
    kKill,
    kDoctor,
    kWeb,
    kConfig,
    kKey,
    kTenant,
    kUser,
    kRole,
    kIdp,
    kJob,
    kCache,
    kBackup,
    kStore,
    kVault,
    kAudit,
    kLicense,
    kContext,
    kLogin,
    kLogout,
    kWhoami,
    kPasswd,
    kSession,
    kFactor,
    kHelp,
};

/// Under which heading `zona --help` shows a verb.
enum class VerbGroup : std::uint8_t { kProcesses, kLook, kKeep, kZona };

/// Whether a verb starts the daemon when none runs.
enum class DaemonNeed : std::uint8_t {
    kStartsIt,  ///< changes something, so it needs one
    /// Only looks, or ends it: a daemon started for that would surprise, unless processes live on
    /// without one.
    kNeverStarts
};

struct Example {
    std::string_view command;
    std::string_view what;
};

/// One row of the table. All texts are static.
struct VerbInfo {
    Verb verb;
    std::string_view name;
    std::vector<std::string_view> aliases;
    VerbGroup group;
    DaemonNeed daemon;
    std::string_view synopsis;     ///< behind the name: "TARGET... [OPTIONS]"
    std::string_view summary;      ///< one line of `zona --help`
    std::string_view description;  ///< paragraph of `zona VERB --help`; may be empty
    std::vector<Example> examples;
};

/// All verbs in the order of `zona --help`.
const std::vector<VerbInfo>& all_verbs();
const VerbInfo& info(Verb verb);
/// By name or alias, in any case of letters (PM2's `sendSignal`); nullptr when unknown.
const VerbInfo* find_verb(std::string_view name);
std::string_view heading(VerbGroup group);

/// "; did you mean 'x'?" or nothing.
std::string verb_suggestion(std::string_view name);

/// The whole of `zona --help`.
std::string general_help();

}  // namespace zona::cli
