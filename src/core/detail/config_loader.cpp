#include "core/detail/config_loader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/detail/read_file.h"
#include "core/text.h"

namespace zona::core::detail {
namespace {

constexpr ByteCount kMostFileBytes = ByteCount::mib(1);
constexpr ByteCount kMostSecretBytes = ByteCount::kib(64);

std::string below(const std::string& directory, const std::string& path) {
    if (directory.empty() || path.empty() || path.starts_with('/')) return path;
    return directory.ends_with('/') ? directory + path : directory + "/" + path;
}

std::string without_newline(std::string text) {
    if (text.ends_with('\n')) text.pop_back();
    if (text.ends_with('\r')) text.pop_back();
    return text;
}

}  // namespace

bool is_member_name(std::string_view name) {
    constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789_.-";
    return !name.empty() && name.size() <= 64 &&
           name.find_first_not_of(kAllowed) == std::string_view::npos;
}

std::string to_json_text(std::string_view text) {
    std::string quoted;
    append_json_string(quoted, text.substr(0, 128));
    return quoted;
}

ConfigLoader::ConfigLoader(const SettingTable& table, const ConfigInputs& inputs)
    : table_(table), inputs_(inputs) {
    for (const auto& [name, value] : inputs.environment) {
        if (!value.empty()) variables_.emplace(name, value);
    }
}

Result<std::shared_ptr<const ConfigSnapshot>> ConfigLoader::load() {
    read_file();
    read_environment();
    read_flags();
    std::map<std::string, ConfigSnapshot::Item> items = assemble();
    if (!mistakes_.empty()) return error();
    return std::make_shared<const ConfigSnapshot>(std::move(items), file_, std::move(warnings_));
}

std::optional<std::string> ConfigLoader::find_file() {
    if (!inputs_.file.empty()) return inputs_.file;
    std::optional<std::string> found;
    if (inputs_.home.empty()) return found;
    for (const char* name : {"zona.toml", "zona.yaml", "zona.yml"}) {
        std::string path = below(inputs_.home, name);
        if (const Result<std::string> content = detail::read_file(path, kMostFileBytes);
            !content && content.error().code() == Code::kNotFound) {
            continue;
        }
        if (found) {
            mistake(path, fmt::format("{} exists too", *found), "keep one of the two files");
        } else {
            found = std::move(path);
        }
    }
    return found;
}

void ConfigLoader::read_file() {
    const std::optional<std::string> path = find_file();
    if (!path) return;
    file_ = *path;
    const Result<std::string> content = detail::read_file(*path, kMostFileBytes);
    if (!content) {
        code_ = content.error().code();
        return mistake("", content.error().message());
    }
    read_text(*path, *content);
}

void ConfigLoader::mistake(std::string where, std::string problem, std::string hint) {
    mistakes_.push_back({std::move(where), std::move(problem), std::move(hint)});
}

std::string ConfigLoader::key_hint(std::string_view key) const {
    const std::optional<std::string> meant = table_.nearest_key(key);
    return meant ? fmt::format("did you mean '{}'?", *meant) : std::string();
}

Error ConfigLoader::error() const {
    const Detail& first = mistakes_.front();
    std::string message =
        first.where.empty() ? first.problem : fmt::format("{}: {}", first.where, first.problem);
    if (!first.hint.empty()) message += fmt::format(" ({})", first.hint);
    if (mistakes_.size() > 1) {
        message = fmt::format("{} mistakes in the configuration; the first: {}", mistakes_.size(),
                              message);
    }
    Error error(mistakes_.size() == 1 ? code_ : Code::kInvalidArgument, std::move(message));
    for (const Detail& detail : mistakes_)
        error.detail(detail);
    return error;
}

void ConfigLoader::add_text(const Setting& setting, std::string key, std::string_view text,
                            ConfigSource source, std::string name) {
    Result<SettingValue> value = parse_setting(setting, text);
    if (!value) return mistake(std::move(name), fmt::format("{} {}", key, value.error().message()));
    candidates_.push_back(
        {std::move(key), &setting, std::move(*value), source, "", std::move(name)});
}

void ConfigLoader::read_environment() {
    for (const Setting& setting : table_.settings()) {
        const std::string name = setting.environment_name();
        if (setting.is_family()) continue;
        if (const auto found = variables_.find(name); found != variables_.end()) {
            add_text(setting, setting.key, found->second, ConfigSource::kEnvironment, name);
        }
        const auto file = variables_.find(name + "_FILE");
        if (setting.type != SettingType::kSecret || file == variables_.end()) continue;
        if (variables_.contains(name)) {
            mistake(name + "_FILE", fmt::format("{} is set too", name), "unset one of the two");
        }
        SecretFile path{below(inputs_.home, std::string(file->second))};
        candidates_.push_back({setting.key, &setting, std::move(path), ConfigSource::kEnvironment,
                               "", name + "_FILE"});
    }
    for (const auto& [name, text] : variables_) {
        for (const Setting& setting : table_.settings()) {
            if (!setting.is_family() || !name.starts_with(setting.environment_name())) continue;
            read_family_variable(setting, std::string(name), std::string(text));
        }
    }
    warn_about_variables();
}

void ConfigLoader::read_family_variable(const Setting& setting, const std::string& name,
                                        const std::string& text) {
    const std::string rest = name.substr(setting.environment_name().size());
    std::string member;
    for (std::size_t i = 0; i < rest.size(); ++i) {
        const char c = rest[i];
        if (c == '_' && i + 1 < rest.size() && rest[i + 1] == '_') {
            member += '.';
            ++i;
        } else {
            member += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        }
    }
    const std::string section = setting.key.substr(0, setting.key.size() - 1);
    if (!is_member_name(member)) return mistake(name, "names no member of " + setting.key);
    add_text(setting, section + member, text, ConfigSource::kEnvironment, name);
}

void ConfigLoader::warn_about_variables() {
    constexpr std::string_view kPrefix = "ZONA_";
    std::vector<std::string> known;
    for (const Setting& setting : table_.settings()) {
        if (!setting.is_family())
            known.push_back(setting.environment_name().substr(kPrefix.size()));
    }
    for (const auto& [name, text] : variables_) {
        if (!name.starts_with(kPrefix)) continue;
        const std::string rest(name.substr(kPrefix.size()));
        const std::optional<std::string> meant = nearest(rest, known);
        const bool is_secret_file = std::ranges::any_of(
            known, [&](const std::string& setting) { return rest == setting + "_FILE"; });
        if (!meant || *meant == rest || is_secret_file) continue;
        warnings_.push_back({std::string(name), "no setting has this variable",
                             fmt::format("did you mean ZONA_{}?", *meant)});
    }
}

void ConfigLoader::read_flags() {
    for (const auto& [key, text] : inputs_.flags) {
        std::string name = fmt::format("--set {}", key);
        const Setting* setting = table_.find(key);
        if (setting == nullptr) {
            mistake("--set", fmt::format("unknown key {}", to_json_text(key)), key_hint(key));
        } else if (setting->type == SettingType::kSecret) {
            mistake(std::move(name), "a secret on the command line is visible to every user",
                    fmt::format("set {}_FILE to the path of a file", setting->environment_name()));
        } else if (setting->is_family() && !is_member_name(key.substr(setting->key.size() - 1))) {
            mistake("--set",
                    fmt::format("{} names no member of {}", to_json_text(key), setting->key));
        } else {
            add_text(*setting, key, text, ConfigSource::kFlag, std::move(name));
        }
    }
}

std::string ConfigLoader::choose_profile() const {
    const Setting* setting = table_.find("profile");
    if (setting == nullptr) return "";
    std::string profile = setting->default_value;
    ConfigSource best = ConfigSource::kDefault;
    for (const Candidate& candidate : candidates_) {
        if (candidate.setting != setting || candidate.source < best) continue;
        best = candidate.source;
        profile = std::get<std::string>(std::get<SettingValue>(candidate.value));
    }
    return profile;
}

SettingValue ConfigLoader::default_value(const Setting& setting, const std::string& profile,
                                         ConfigSource& source) const {
    if (setting.type == SettingType::kSecret) return Secret();
    std::string_view text = setting.default_value;
    for (const auto& [name, value] : setting.profile_defaults) {
        if (name != profile) continue;
        text = value;
        source = ConfigSource::kProfile;
    }
    // The table has checked its own defaults.
    return parse_setting(setting, text).value();
}

std::map<std::string, ConfigSnapshot::Item> ConfigLoader::assemble() {
    const std::string profile = choose_profile();
    std::map<std::string, ConfigSnapshot::Item> items;
    for (const Setting& setting : table_.settings()) {
        if (setting.is_family()) continue;
        ConfigSnapshot::Item item;
        item.value = rooted(setting, default_value(setting, profile, item.source));
        items.emplace(setting.key, std::move(item));
    }
    // Of several candidates for one key the highest wins; only that one's secret is read.
    const auto rank = [](const Candidate& candidate) {
        return std::pair(candidate.source, !candidate.profile.empty());
    };
    std::map<std::string, const Candidate*> winners;
    for (const Candidate& candidate : candidates_) {
        if (!candidate.profile.empty() && candidate.profile != profile) continue;
        const Candidate*& winner = winners[candidate.key];
        if (winner == nullptr || rank(candidate) >= rank(*winner)) winner = &candidate;
    }
    for (const auto& [key, candidate] : winners)
        apply(*candidate, items);
    return items;
}

void ConfigLoader::apply(const Candidate& candidate,
                         std::map<std::string, ConfigSnapshot::Item>& items) {
    std::optional<SettingValue> value = resolve(candidate);
    if (!value) return;
    ConfigSnapshot::Item item;
    item.value = rooted(*candidate.setting, std::move(*value));
    item.source = candidate.source;
    if (candidate.source == ConfigSource::kFile) {
        item.file = candidate.name;
        item.line = candidate.line;
    }
    items.insert_or_assign(candidate.key, std::move(item));
}

std::optional<SettingValue> ConfigLoader::resolve(const Candidate& candidate) {
    if (const auto* value = std::get_if<SettingValue>(&candidate.value)) return *value;
    const std::string where =
        candidate.line > 0 ? fmt::format("{}:{}", candidate.name, candidate.line) : candidate.name;
    if (const auto* variable = std::get_if<SecretVariable>(&candidate.value)) {
        const auto found = variables_.find(variable->name);
        if (found != variables_.end()) return Secret(std::string(found->second));
        mistake(where, fmt::format("{}: the variable {} is not set", candidate.key,
                                   to_json_text(variable->name)));
        return std::nullopt;
    }
    const std::string& path = std::get<SecretFile>(candidate.value).path;
    Result<std::string> content = detail::read_file(path, kMostSecretBytes);
    if (content) return Secret(without_newline(std::move(*content)));
    mistake(where, fmt::format("{}: {}", candidate.key, content.error().message()));
    return std::nullopt;
}

SettingValue ConfigLoader::rooted(const Setting& setting, SettingValue value) const {
    if (setting.type == SettingType::kPath) {
        std::string& path = std::get<std::string>(value);
        path = below(inputs_.home, path);
    }
    return value;
}

}  // namespace zona::core::detail
