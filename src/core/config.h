/// @file
/// The configuration of one program: values, where each came from, and how to reload them.
///
/// Precedence, the last one wins (ARCH-05): default < profile < file < environment < flag. In the
/// file, [profiles.NAME] overrides the rest of the file while that profile is active.
///
/// Secrets (SEC-27) come from outside of the configuration: as `key = {file = "path"}`, `key = {env
/// = "NAME"}` or `key_file = "path"` in the file, or as the variable ZONA_KEY or ZONA_KEY_FILE. A
/// secret written into the file or given as a flag (visible to every user in /proc) is refused. A
/// relative path counts from the file's directory, a newline at the end of a secret's file is not
/// part of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/byte_count.h"
#include "core/result.h"
#include "core/secret.h"
#include "core/setting.h"

namespace zona::core {

/// In rising precedence.
enum class ConfigSource : std::uint8_t { kDefault, kProfile, kFile, kEnvironment, kFlag };

/// "default", "profile", "file", "environment", "flag".
std::string_view to_string(ConfigSource source);

/// Where a program looks for its values.
struct ConfigInputs {
    /// Searched for zona.toml, zona.yaml and zona.yml, of which at most one may exist; also the
    /// base of relative paths. Empty: no search.
    std::string home = {};
    /// Given by the user instead of the search: must exist.
    std::string file = {};
    /// Names and values, e.g. the process's own; names without "ZONA_" matter only for {env =
    /// "NAME"}. An empty value counts as not set.
    std::vector<std::pair<std::string, std::string>> environment = {};
    /// Keys and values of --set.
    std::vector<std::pair<std::string, std::string>> flags = {};
};

/// One value as `zona config show` prints it.
struct ConfigEntry {
    std::string key;
    std::string value;  ///< "***" for a secret
    ConfigSource source;
    std::string file;  ///< for kFile
    int line;          ///< for kFile, else 0
    /// What a changed file says, if that takes effect only after a restart.
    std::optional<std::string> pending;
};

/// All values at one moment. Immutable; any thread.
///
/// Asking for a key that the table does not have, or as another type than the table's, is a mistake
/// in the program and throws std::invalid_argument.
class ConfigSnapshot {
  public:
    /// A value and where it came from.
    struct Item {
        SettingValue value;
        ConfigSource source = ConfigSource::kDefault;
        std::string file = {};
        int line = 0;
        std::optional<SettingValue> pending = {};
    };

    /// For Config: what it is given is not checked.
    explicit ConfigSnapshot(std::map<std::string, Item> items, std::string file,
                            std::vector<Detail> warnings);

    const std::string& text(std::string_view key) const;  ///< also of choices and paths
    /// @{
    /// The value of a key whose type in the table is that of the name.
    bool boolean(std::string_view key) const;
    std::int64_t integer(std::string_view key) const;
    std::chrono::milliseconds duration(std::string_view key) const;
    ByteCount size(std::string_view key) const;
    const Secret& secret(std::string_view key) const;
    /// @}

    /// Member name and text of the members of a family, for "log.levels".
    std::map<std::string, std::string> family(std::string_view section) const;

    /// Every value in the order of keys, secrets masked.
    std::vector<ConfigEntry> entries() const;

    /// The configuration file that was read; empty if there is none.
    const std::string& file() const { return file_; }

    /// What is odd without being wrong: a ZONA_ variable that looks like a mistyped setting.
    const std::vector<Detail>& warnings() const { return warnings_; }

    const std::map<std::string, Item>& items() const { return items_; }

  private:
    template <class T>
    const T& get(std::string_view key) const;

    std::map<std::string, Item> items_;
    std::string file_;
    std::vector<Detail> warnings_;
};

/// What a reload did.
struct ReloadReport {
    std::vector<std::string>
        changed;  ///< keys whose configured value differs from the one in effect
    std::vector<std::string> needs_restart;  ///< those of them that are not in effect yet
};

/// Loads and reloads. Any thread.
class Config {
  public:
    /// Reads all sources. `table` must outlive this.
    ///
    /// Errors: kInvalidArgument with one Detail for every mistake in every source (where:
    /// "path:line", the variable or "--set key"; problem; hint with the nearest valid key), or the
    /// code of what went wrong with the file (kNotFound, kForbidden, kTooLarge). Source: ARCH-02.
    static Result<std::unique_ptr<Config>> load(const SettingTable& table, ConfigInputs inputs);

    /// The values in effect. Keep the pointer for one operation, not longer.
    std::shared_ptr<const ConfigSnapshot> snapshot() const;

    /// Reads the file and the files of secrets again; environment and flags stay as they were at
    /// the start.
    ///
    /// Values of settings that reload are in effect from then on; those of the others are shown as
    /// pending and stay as they were until the restart. Errors: as load(); the old values stay in
    /// effect, all of them.
    Result<ReloadReport> reload();

  private:
    Config(const SettingTable& table, ConfigInputs inputs,
           std::shared_ptr<const ConfigSnapshot> snapshot);

    const SettingTable& table_;
    const ConfigInputs inputs_;
    std::mutex reload_mutex_;  // held over a whole reload
    mutable std::mutex mutex_;
    // Guarded by mutex_; shared with readers that keep it over a reload.
    std::shared_ptr<const ConfigSnapshot> snapshot_;
};

}  // namespace zona::core
