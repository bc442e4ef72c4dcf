/// @file
/// What a command line says, as values: the result of parsing, before anything is asked or done.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cli/detail/data_options.h"
#include "cli/detail/verb.h"

namespace zona::cli {

enum class OutputFormat : std::uint8_t { kText, kJson };
enum class Colours : std::uint8_t { kWhenTerminal, kNever };
enum class Talk : std::uint8_t { kNormal, kSilent };
/// Whether a change is answered after its effect (processes ready or gone) or at once.
enum class Wait : std::uint8_t { kForEffect, kNo };
/// Whether a key may go over the network unprotected.
enum class Unprotected : std::uint8_t { kRefused, kAllowed };
/// Which variables a process on another host gets: none of this shell's, unless that is asked for.
enum class SentVariables : std::uint8_t { kNone, kOfThisShell };

struct GlobalOptions {
    std::optional<std::string> home;  ///< as typed
    /// SECTION.KEY=VALUE each, for a daemon that this command starts.
    std::vector<std::string> settings;
    OutputFormat format = OutputFormat::kText;
    Colours colours = Colours::kWhenTerminal;
    Talk talk = Talk::kNormal;
    /// For one answer of the daemon. None: 10 s for reads, no limit for changes.
    std::optional<std::chrono::milliseconds> timeout;

    // Which zona, if not this host's (place.h). As typed.
    std::optional<std::string> host;
    std::optional<std::string> context;
    std::optional<std::string> key_file;
    std::optional<std::string> ca_file;
    std::optional<std::string> fingerprint;
    std::optional<std::string> client_cert;
    std::optional<std::string> client_key;
    Unprotected unprotected = Unprotected::kRefused;
};

/// One setting of an app: its key in an ecosystem file and the value as it was typed. `number` and
/// `list` say how it goes into the request's JSON.
struct AppSetting {
    enum class Kind : std::uint8_t { kText, kNumber, kBoolean, kList };
    std::string key;
    Kind kind = Kind::kText;
    std::string text;
    std::int64_t number = 0;  ///< also of kBoolean: 0 or 1
    std::vector<std::string> list;
    std::string flag;  ///< how it was typed, for messages: "--instances"
};

struct StartOptions {
    std::vector<std::string> targets;
    std::vector<AppSetting> settings;  ///< in the order of the table of flags
    std::vector<std::pair<std::string, std::string>> environment;  ///< of -e, in order
    std::vector<std::string> only;
    std::vector<std::string> arguments;  ///< behind --
    SentVariables variables = SentVariables::kNone;
    Wait wait = Wait::kForEffect;
};

/// stop, restart, delete, reset, list, describe, env.
struct SelectOptions {
    std::vector<std::string> selectors;
    bool update_environment = false;  ///< restart only
    Wait wait = Wait::kForEffect;
    SentVariables variables = SentVariables::kNone;  ///< restart only
};

struct ScaleOptions {
    std::string app;
    std::string instances;  ///< "4", "+2" or "-1": checked
    Wait wait = Wait::kForEffect;
};

enum class SignalTarget : std::uint8_t { kGroup, kProcess, kTree };

struct SignalOptions {
    std::string signal;  ///< as typed; the daemon knows the names
    std::vector<std::string> selectors;
    SignalTarget target = SignalTarget::kGroup;
};

struct SendOptions {
    std::string selector;
    std::string line;
};

struct WhyOptions {
    std::vector<std::string> selectors;
    int last = 3;  ///< ends per process, newest first
};

enum class LogStreams : std::uint8_t { kAll, kOut, kError };
enum class LogFollow : std::uint8_t { kFollow, kNo };
/// kRaw: the line alone, without the process's name before it.
enum class LogPrefix : std::uint8_t { kName, kRaw };

/// kFiles: the last lines stand below the names of their files.
enum class LogHeaders : std::uint8_t { kFiles, kNone };

struct LogsOptions {
    std::vector<std::string> selectors;
    int lines = 15;  ///< per process
    LogStreams streams = LogStreams::kAll;
    std::string since;  ///< empty: none
    LogFollow follow = LogFollow::kFollow;
    LogPrefix prefix = LogPrefix::kName;
    LogHeaders headers = LogHeaders::kFiles;
};

struct SaveOptions {
    bool force = false;
};

struct RunOptions {
    std::string file;
    std::vector<std::string> only;
    std::string cwd;  ///< on another host: what relative paths start from; may be empty
    SentVariables variables = SentVariables::kNone;
};

enum class ConfigAction : std::uint8_t { kShow, kReload, kLogLevel };

struct ConfigOptions {
    ConfigAction action = ConfigAction::kShow;
    std::string category;  ///< kLogLevel: empty means show all
    std::string level;
};

enum class KeyAction : std::uint8_t {
    kList,
    kShow,
    kCreate,
    kRotate,
    kRenew,  ///< the key that asks
    kRevoke,
    kExportShares,  ///< of the root key; no zona is asked
    kImportShares
};

/// Texts as typed: the API checks them.
struct KeyOptions {
    KeyAction action = KeyAction::kList;
    std::string name;
    std::string scope;               ///< kCreate; empty: viewer
    std::vector<std::string> allow;  ///< kCreate: permissions, instead of a scope
    std::vector<std::string> roles;  ///< kCreate: the same
    std::string rate;                ///< kCreate; empty: as the API has it
    std::string burst;               ///< kCreate; empty: twice the rate
    std::string rotate_every;        ///< kCreate; empty: never
    std::string tenant;              ///< whose keys; empty: all, kCreate: it reaches all
    std::string certificate;         ///< kCreate, kRotate, kRenew: a file in PEM
    std::string expires;             ///< kCreate; empty: never
    std::string overlap;             ///< kRotate, kRenew; empty: the API's own
    std::string needed;              ///< kExportShares: how many make the key; empty: 2
    std::string total;               ///< kExportShares; empty: 3
    std::string file;                ///< kImportShares: holds the shares, one a line
    std::string to;                  ///< kImportShares: the file of the key that is made
};

enum class ExecutionAction : std::uint8_t { kList, kShow, kWait, kCancel, kRetry };

struct ExecutionOptions {
    ExecutionAction action = ExecutionAction::kList;
    std::string id;  ///< of all but kList
};

enum class ContextAction : std::uint8_t { kList, kShow, kUse, kAdd, kRemove };

/// What kAdd adds stands in the global options.
struct ContextOptions {
    ContextAction action = ContextAction::kList;
    std::string name;
};

/// Where `zona web` listens.
struct WebOptions {
    std::string address;  ///< "127.0.0.1:9615"
};

/// ping, kill, doctor, jlist, resurrect, logout, whoami.
struct NoOptions {};

using VerbOptions =
    std::variant<NoOptions, StartOptions, SelectOptions, ScaleOptions, SignalOptions, SendOptions,
                 WhyOptions, LogsOptions, SaveOptions, RunOptions, ConfigOptions, KeyOptions,
                 TenantOptions, UserOptions, RoleOptions, JobOptions, CacheOptions, VaultOptions,
                 BackupOptions, StoreOptions, ExecutionOptions, ContextOptions, WebOptions,
                 AuditOptions, LoginOptions, SessionOptions, LicenseOptions, FactorOptions,
                 ProviderOptions>;

/// A command to carry out.
struct Command {
    Verb verb = Verb::kList;
    GlobalOptions global;
    VerbOptions options;
};

/// A text to print instead: help.
struct HelpText {
    std::string text;
};

/// The version was asked for.
struct VersionRequest {
    GlobalOptions global;
};

using Parsed = std::variant<Command, HelpText, VersionRequest>;

}  // namespace zona::cli
