/// @file
/// Ecosystem files: apps described in JSON, YAML or TOML, read into AppSpec values.
///
/// Pure functions over text: no file is opened, no environment is read, any thread. What the keys
/// mean stands in docs/ecosystem.md, which a test holds to ecosystem_keys().
///
/// Two sets of rules (design decision 17):
/// | | native | PM2's |
/// |---|---|---|
/// | which | a file named `zona.*`, or with a top-level `zona: 1` | every other file |
/// | unknown key, key of a later version | error | warning, ignored |
/// | key given twice | error | JSON: the last counts, warning; else error |
/// | `${VAR}`, `${VAR:-default}`, `$$` | replaced in every text value | left as they are |
/// | names | `[A-Za-z0-9_.@/ -]{1,128}` | kept as they are |
/// | `maxRestarts` for `max_restarts` | error | accepted |
/// Everything else is the same for both: keys, aliases, defaults, coercions.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/byte_count.h"
#include "core/result.h"
#include "process/app_spec.h"

namespace zona::process {

/// A file's text and what surrounds it.
struct EcosystemInput {
    /// As the user gave it. The extension chooses the syntax (`.yaml`, `.yml`, `.toml`; else JSON),
    /// the last component may say `zona.`, and every message begins with it.
    std::string name;
    std::string content;
    /// What relative paths start from: for a file its directory, for a command the caller's.
    /// Absolute.
    std::string cwd;
    /// CPUs that may be used (affinity and quota), for `instances: max`.
    int cpus = 1;
    /// The caller's variables: HOME for `~/`, and all of them for `${VAR}`.
    std::map<std::string, std::string> environment;
};

/// Whose rules a file is read by: kNative when its name begins with "zona." or it has a key `zona`.
enum class EcosystemRules : std::uint8_t { kNative, kPm2 };

/// What a file described: at least one app, each one valid, no two with one name in one namespace.
struct Ecosystem {
    std::vector<AppSpec> apps;  ///< in the file's order
    /// One line each, "FILE:LINE:COLUMN: what; what to do", for the user to see.
    std::vector<std::string> warnings;
    EcosystemRules rules = EcosystemRules::kPm2;
};

/// The limit of a file's size, and of its text after interpolation.
constexpr core::ByteCount kMaxEcosystemBytes = core::ByteCount::mib(10);
/// Apps in one file; over it the file is refused.
constexpr std::size_t kMaxApps = 10'000;

/// Reads an ecosystem file: `apps: [...]` or `pm2: ...` at the top, a bare list of apps, or one
/// bare app.
///
/// Reports all problems at once, each with its place; a syntax error ends the reading and is the
/// only one. `script` and `interpreter` stay as given; `cwd`, `out_file` and `error_file` come out
/// absolute. A leading `~/` is the caller's HOME. A relative log file must stay below the app's or
/// the input's directory. No message holds the value of a variable or an argument, nor, names of
/// apps apart, a text that came by interpolation.
///
/// Errors  kTooLarge: over kMaxEcosystemBytes. kUnsupported: a JavaScript file (`.js`, `.cjs`,
///         `.mjs`, `.ts`), a process-compose file. kInvalidArgument: all else, one Detail per
///         problem with `where` = "FILE:LINE:COLUMN"; at most 100 are listed.
/// Source  PM-62; PM2's file format (process-managers.md sections 1.2, 2.2 and 6); YAML 1.2, TOML
///         1.0, JSON5.
core::Result<Ecosystem> parse_ecosystem(const EcosystemInput& input);

/// Reads the `apps` of an API request: `content` is the JSON text of a list of apps or of one app.
///
/// As parse_ecosystem by the native rules, but without interpolation (the caller's shell did its
/// own). `where` of a problem is its place in the request: "apps[0].env.NAME".
///
/// Errors  as parse_ecosystem.
core::Result<Ecosystem> parse_apps(const EcosystemInput& input);

/// One key of an app, for documents and help.
struct KeyInfo {
    std::string_view name;
    std::string_view type;
    std::string_view default_value;  ///< as it is written in JSON; empty: none, or not a constant
    std::vector<std::string_view> aliases;
    std::string_view meaning;
};

/// Every key that is in force, in the order of the document.
std::vector<KeyInfo> ecosystem_keys();

/// PM2's and zona's keys that a later version will take: warned about in PM2's files, refused in
/// native ones.
std::vector<std::string_view> later_ecosystem_keys();

}  // namespace zona::process
