#include "core/setting.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <stdexcept>

#include <fmt/format.h>

#include "core/text.h"

namespace zona::core {
namespace {

using std::chrono::milliseconds;

std::string shorten(std::string_view text) {
    std::string shown = to_valid_utf8(text.substr(0, 64));
    std::ranges::replace_if(shown, [](char c) { return has_control_characters({&c, 1}); }, '?');
    return shown;
}

Error refuse(std::string message) {
    return Error(Code::kInvalidArgument, std::move(message));
}

/// How a number of a ranged type is written.
std::string range_end(const Setting& setting, std::int64_t value) {
    if (setting.type == SettingType::kDuration) return exact_duration(milliseconds(value));
    if (setting.type == SettingType::kSize) return exact_size(ByteCount(value));
    return fmt::format("{}", value);
}

Result<void> check_range(const Setting& setting, std::int64_t value) {
    if (value >= setting.least && value <= setting.most) return {};
    if (setting.most == std::numeric_limits<std::int64_t>::max()) {
        return refuse(fmt::format("must be at least {}, not {}", range_end(setting, setting.least),
                                  range_end(setting, value)));
    }
    return refuse(fmt::format("must be from {} to {}, not {}", range_end(setting, setting.least),
                              range_end(setting, setting.most), range_end(setting, value)));
}

/// Puts the text before a message such as "not a duration; ...".
Error named(const Error& error, std::string_view text) {
    return refuse(fmt::format("'{}' is {}", shorten(text), error.message()));
}

Result<SettingValue> parse_choice(const Setting& setting, std::string_view text) {
    const std::string choice(text);
    if (std::ranges::find(setting.choices, choice) != setting.choices.end())
        return SettingValue(choice);
    return refuse(fmt::format("'{}' is not one of {}{}", shorten(text),
                              fmt::join(setting.choices, ", "), suggestion(text, setting.choices)));
}

Result<SettingValue> parse_text(std::string_view text) {
    if (has_control_characters(text)) return refuse("may not have control characters");
    return SettingValue(std::string(text));
}

}  // namespace

std::string Setting::environment_name() const {
    std::string name = "ZONA_";
    for (const char c : is_family() ? std::string_view(key).substr(0, key.size() - 1) : key) {
        name += c == '.' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return name;
}

std::string Setting::type_text() const {
    const bool open = most == std::numeric_limits<std::int64_t>::max();
    const std::string range =
        open ? fmt::format("at least {}", range_end(*this, least))
             : fmt::format("{} to {}", range_end(*this, least), range_end(*this, most));
    switch (type) {
        case SettingType::kText:
            return "text";
        case SettingType::kPath:
            return "path";
        case SettingType::kBoolean:
            return "true or false";
        case SettingType::kInteger:
            return "number, " + range;
        case SettingType::kDuration:
            return "duration, " + range;
        case SettingType::kSize:
            return "size, " + range;
        case SettingType::kChoice:
            return fmt::format("{}", fmt::join(choices, ", "));
        case SettingType::kSecret:
            return "secret";
    }
    return "";
}

Result<SettingValue> parse_setting(const Setting& setting, std::string_view text) {
    switch (setting.type) {
        case SettingType::kText:
        case SettingType::kPath:
            return parse_text(text);
        case SettingType::kBoolean:
            if (text == "true" || text == "false") return SettingValue(text == "true");
            return refuse(fmt::format("must be true or false, not '{}'", shorten(text)));
        case SettingType::kInteger: {
            Result<std::int64_t> number = parse_integer(text);
            if (!number) return named(number.take_error(), text);
            ZONA_TRY_VOID(check_range(setting, *number));
            return SettingValue(*number);
        }
        case SettingType::kDuration: {
            Result<milliseconds> duration = parse_duration(text);
            if (!duration) return named(duration.take_error(), text);
            ZONA_TRY_VOID(check_range(setting, duration->count()));
            return SettingValue(*duration);
        }
        case SettingType::kSize: {
            Result<ByteCount> size = parse_size(text);
            if (!size) return named(size.take_error(), text);
            ZONA_TRY_VOID(check_range(setting, size->bytes()));
            return SettingValue(*size);
        }
        case SettingType::kChoice:
            return parse_choice(setting, text);
        case SettingType::kSecret:
            return SettingValue(Secret(std::string(text)));
    }
    return Error(Code::kInternal, "a setting of no known type");
}

std::string show_value(const SettingValue& value) {
    struct Show {
        std::string operator()(const std::string& text) const { return text; }
        std::string operator()(bool flag) const { return flag ? "true" : "false"; }
        std::string operator()(std::int64_t number) const { return fmt::format("{}", number); }
        std::string operator()(milliseconds duration) const { return exact_duration(duration); }
        std::string operator()(ByteCount size) const { return exact_size(size); }
        std::string operator()(const Secret& secret) const { return secret.empty() ? "" : "***"; }
    };
    return std::visit(Show(), value);
}

SettingTable::SettingTable(std::vector<Setting> settings) : settings_(std::move(settings)) {
    std::set<std::string> names;
    const auto require = [](bool holds, const Setting& setting, std::string_view rule) {
        if (!holds) throw std::invalid_argument(fmt::format("setting {}: {}", setting.key, rule));
    };
    const auto check_default = [&](const Setting& setting, const std::string& value) {
        const Result<SettingValue> parsed = parse_setting(setting, value);
        if (!parsed) require(false, setting, "its default: " + parsed.error().message());
    };
    for (const Setting& setting : settings_) {
        require(names.insert(setting.key).second, setting, "declared twice");
        require(names.insert(setting.environment_name()).second, setting, "environment name taken");
        require(!setting.description.empty(), setting, "needs a description");
        keys_.push_back(setting.key);
        if (setting.is_family() || setting.type == SettingType::kSecret) continue;
        check_default(setting, setting.default_value);
    }
    for (const Setting& setting : settings_) {
        for (const auto& [profile, value] : setting.profile_defaults) {
            require(std::ranges::find(profiles(), profile) != profiles().end(), setting,
                    "a default for an unknown profile");
            check_default(setting, value);
        }
    }
}

const Setting* SettingTable::find(std::string_view key) const {
    for (const Setting& setting : settings_) {
        if (!setting.is_family() && key == setting.key) return &setting;
        const std::string_view section =
            std::string_view(setting.key).substr(0, setting.key.size() - 1);
        if (setting.is_family() && key.size() > section.size() && key.starts_with(section)) {
            return &setting;
        }
    }
    return nullptr;
}

bool SettingTable::is_section(std::string_view path) const {
    return std::ranges::any_of(settings_, [path](const Setting& setting) {
        return setting.key.size() > path.size() && setting.key.starts_with(path) &&
               setting.key[path.size()] == '.';
    });
}

std::optional<std::string> SettingTable::nearest_key(std::string_view key) const {
    if (std::optional<std::string> meant = nearest(key, keys_)) return meant;
    // The right name in the wrong section, or without one.
    const std::string_view name = key.substr(key.rfind('.') + 1);
    std::vector<std::string> names;
    names.reserve(keys_.size());
    for (const std::string& known : keys_)
        names.push_back(known.substr(known.rfind('.') + 1));
    const std::optional<std::string> meant = nearest(name, names);
    if (!meant) return std::nullopt;
    return keys_[static_cast<std::size_t>(std::ranges::find(names, *meant) - names.begin())];
}

std::span<const std::string> SettingTable::profiles() const {
    const Setting* profile = find("profile");
    return profile == nullptr ? std::span<const std::string>() : profile->choices;
}

std::string render_settings_markdown(const SettingTable& table) {
    std::string out =
        "# Configuration\n\n"
        "<!-- Generated by scripts/generate-configuration-doc from the table in "
        "src/core/settings.cpp; edit that, not this file. -->\n\n"
        "Values are looked for in this order; a later one wins: built-in default, default of the "
        "profile,\n"
        "`zona.toml` or `zona.yaml` in zona's home (there `[profiles.NAME]` overrides the rest "
        "when that\n"
        "profile is active), the environment of the daemon, `--set KEY=VALUE` of the command that "
        "starts zona (and of all daemons after it). `zona config show` says for every "
        "value where it\n"
        "came from. All mistakes are reported at once, and a daemon does not start with any.\n\n"
        "Durations are milliseconds or have a unit (`250ms`, `5s`, `1m30s`, `2h`), sizes are bytes "
        "or have a\n"
        "unit (`64K`, `100MB`, `1.5G`; powers of 1024). A relative path counts from zona's home. A "
        "secret is\n"
        "never written into the file: give `{file = \"path\"}`, `{env = \"NAME\"}` or `<key>_file "
        "= \"path\"`\n"
        "there, or set its variable.\n\n"
        "| Key | Type | Default | Environment | Reload | Meaning |\n|---|---|---|---|---|---|\n";
    for (const Setting& setting : table.settings()) {
        const std::string variable =
            setting.environment_name() + (setting.is_family() ? "NAME" : "");
        const bool has_default = !setting.is_family() && !setting.default_value.empty();
        fmt::format_to(
            std::back_inserter(out), "| `{}` | {} | {} | `{}` | {} | {} |\n", setting.key,
            setting.type_text(), has_default ? "`" + setting.default_value + "`" : "", variable,
            setting.reload == ReloadMode::kHot ? "at once" : "restart", setting.description);
    }
    std::string profiles;
    for (const std::string& profile : table.profiles()) {
        for (const Setting& setting : table.settings()) {
            for (const auto& [name, value] : setting.profile_defaults) {
                if (name != profile) continue;
                fmt::format_to(std::back_inserter(profiles), "| `{}` | `{}` | `{}` |\n", profile,
                               setting.key, value);
            }
        }
    }
    if (!profiles.empty()) {
        out += "\n## Profiles\n\n| Profile | Key | Default |\n|---|---|---|\n" + profiles;
    }
    return out;
}

}  // namespace zona::core
