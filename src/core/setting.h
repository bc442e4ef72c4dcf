/// @file
/// What can be configured: one table of settings, from which parsing, validation, `zona config
/// show` and docs/configuration.md are made.
///
/// A composition root makes the table once (for the daemon: core/settings.h) and gives it to
/// Config. Immutable after its construction; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/byte_count.h"
#include "core/result.h"
#include "core/secret.h"

namespace zona::core {

/// What a setting takes, as text in a file, variable or flag.
enum class SettingType : std::uint8_t {
    kText,      ///< no control characters
    kPath,      ///< a text; a relative path counts from zona's home, an empty one stays empty
    kBoolean,   ///< true or false
    kInteger,   ///< range in `least` and `most`
    kDuration,  ///< a text for parse_duration or milliseconds; range in milliseconds
    kSize,      ///< a text for parse_size or bytes; range in bytes
    kChoice,    ///< one of `choices`
    kSecret,    ///< never in the file itself nor on the command line; see Config
};

/// Whether a reload takes effect in a running daemon.
enum class ReloadMode : std::uint8_t { kHot, kRestart };

/// One setting. `key` is a dotted path of [a-z0-9_]; a last part of "*" makes a family whose
/// members are named by the user ("log.levels.*"). The name in the environment is "ZONA_" and the
/// key in capitals with '_' for
/// '.': ZONA_LOG_LEVEL; in a family the member's name follows, "__" standing for '.'.
struct Setting {
    std::string key;
    SettingType type = SettingType::kText;
    std::string default_value;  ///< as it would be written; ignored for families and secrets
    std::string description;    ///< one line for the documents
    ReloadMode reload = ReloadMode::kRestart;
    std::vector<std::string> choices = {};
    std::int64_t least = 0;
    std::int64_t most = std::numeric_limits<std::int64_t>::max();
    /// Profile and value, where a profile's default differs.
    std::vector<std::pair<std::string, std::string>> profile_defaults = {};

    bool is_family() const { return key.ends_with(".*"); }
    /// Name in the environment; for a family the part before the member's name.
    std::string environment_name() const;
    /// For documents: "duration, 1ms to 1h", "auto, cgroup2 or sweep".
    std::string type_text() const;
};

/// A parsed value: text, path and choice are std::string, the others the type of their name.
using SettingValue =
    std::variant<std::string, bool, std::int64_t, std::chrono::milliseconds, ByteCount, Secret>;

/// The value that `text` means for `setting`.
/// Errors: kInvalidArgument, the message to be read behind the key: "must be from 1 to 10, not 0".
/// The text of a secret is never in it.
Result<SettingValue> parse_setting(const Setting& setting, std::string_view text);

/// `value` as parse_setting takes it; a secret as "***", "" if it is empty.
std::string show_value(const SettingValue& value);

/// All settings of a program.
class SettingTable {
  public:
    /// Throws std::invalid_argument for a table that is wrong in itself: a key or environment name
    /// twice, a default that its own type refuses, a profile default without a setting "profile"
    /// that has that choice.
    explicit SettingTable(std::vector<Setting> settings);

    std::span<const Setting> settings() const { return settings_; }

    /// The setting that a full key belongs to, families included; nullptr if none.
    const Setting* find(std::string_view key) const;

    /// Whether some key goes on behind `path`: "api" in a table that has "api.idle_timeout".
    bool is_section(std::string_view path) const;

    /// The key nearest to `key`, for "did you mean".
    std::optional<std::string> nearest_key(std::string_view key) const;

    /// The profiles, i.e. the choices of the setting "profile"; empty if there is none.
    std::span<const std::string> profiles() const;

  private:
    std::vector<Setting> settings_;
    std::vector<std::string> keys_;
};

/// docs/configuration.md: how values are found, every setting with type, default, environment name
/// and whether it reloads, and what the profiles change.
std::string render_settings_markdown(const SettingTable& table);

}  // namespace zona::core
