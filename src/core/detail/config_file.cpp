// The part of ConfigLoader that walks the tree of the configuration file.
#include <algorithm>

#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "core/detail/config_loader.h"
#include "core/text.h"

namespace zona::core::detail {
namespace {

namespace json = boost::json;

std::string dotted(const std::string& section, std::string_view key) {
    return section.empty() ? std::string(key) : fmt::format("{}.{}", section, key);
}

std::string directory_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

/// The text of a scalar that fits the type; nullopt if it is of another kind.
std::optional<std::string> text_of(SettingType type, const json::value& value) {
    const bool number_fits = type == SettingType::kInteger || type == SettingType::kDuration ||
                             type == SettingType::kSize;
    const bool text_fits = type != SettingType::kInteger && type != SettingType::kBoolean;
    if (value.is_string() && text_fits) return std::string(value.get_string());
    if (value.is_number() && number_fits) return to_json(value);
    if (value.is_bool() && type == SettingType::kBoolean) return to_json(value);
    return std::nullopt;
}

std::string_view wanted(SettingType type) {
    switch (type) {
        case SettingType::kBoolean:
            return "must be true or false";
        case SettingType::kInteger:
            return "must be a whole number";
        case SettingType::kDuration:
            return "must be a duration: milliseconds or a text such as \"5s\"";
        case SettingType::kSize:
            return "must be a size: bytes or a text such as \"64K\"";
        case SettingType::kText:
        case SettingType::kPath:
        case SettingType::kChoice:
        case SettingType::kSecret:
            break;
    }
    return "must be a text in quotes";
}

}  // namespace

void ConfigLoader::mistake_at(const Place& place, std::string problem, std::string hint) {
    Detail detail{place.document.where(place.pointer), std::move(problem), std::move(hint)};
    file_mistakes_.emplace(place.document.position(place.pointer).line, std::move(detail));
}

void ConfigLoader::read_text(const std::string& path, std::string_view text) {
    const std::optional<DocumentFormat> format = document_format(path);
    if (!format || *format == DocumentFormat::kJson) {
        return mistake(path, "the file's name must end in .toml, .yaml or .yml");
    }
    const Result<Document> document = parse_document(text, *format, path);
    if (!document) return mistake("", document.error().message());
    if (!document->value().is_object()) return mistake(path, "must hold keys and values");
    read_section(document->value(), Place{*document, path, "", "", ""});
    for (auto& [line, detail] : file_mistakes_)
        mistakes_.push_back(std::move(detail));
    file_mistakes_.clear();
}

void ConfigLoader::read_section(const json::value& section, const Place& place) {
    for (const auto& [name, value] : section.get_object()) {
        Place member = place;
        member.key = dotted(place.key, name);
        member.pointer = pointer_to(place.pointer, name);
        const bool is_top = place.key.empty() && place.profile.empty();
        if (is_top && name == "profiles" && !table_.profiles().empty()) {
            read_profiles(value, member);
        } else {
            read_member(value, member);
        }
    }
}

void ConfigLoader::read_profiles(const json::value& profiles, const Place& place) {
    if (!profiles.is_object()) return mistake_at(place, "profiles must be a section");
    for (const auto& [name, section] : profiles.get_object()) {
        Place inside = place;
        inside.key.clear();
        inside.profile = std::string(name);
        inside.pointer = pointer_to(place.pointer, name);
        const auto known = table_.profiles();
        if (std::ranges::find(known, inside.profile) == known.end()) {
            const std::optional<std::string> meant = nearest(inside.profile, known);
            mistake_at(inside, fmt::format("unknown profile {}", to_json_text(inside.profile)),
                       meant ? fmt::format("did you mean '{}'?", *meant)
                             : fmt::format("one of {}", fmt::join(known, ", ")));
        } else if (section.is_object()) {
            read_section(section, inside);
        } else if (!section.is_null()) {
            mistake_at(inside, fmt::format("profiles.{} must be a section", inside.profile));
        }
    }
}

void ConfigLoader::read_member(const json::value& value, const Place& place) {
    const Setting* setting = table_.find(place.key);
    if (setting != nullptr && setting->is_family() && value.is_object()) {
        return read_section(value, place);
    }
    if (setting != nullptr) return read_value(*setting, value, place);

    constexpr std::string_view kFileSuffix = "_file";
    if (place.key.ends_with(kFileSuffix)) {
        const std::string base = place.key.substr(0, place.key.size() - kFileSuffix.size());
        const Setting* secret = table_.find(base);
        if (secret != nullptr && secret->type == SettingType::kSecret) {
            if (!value.is_string())
                return mistake_at(place, place.key + " must be the path of a file");
            Place owner = place;
            owner.key = base;
            json::object reference;
            reference["file"] = value;
            return read_secret(*secret, reference, owner);
        }
    }
    if (!table_.is_section(place.key)) {
        return mistake_at(place, fmt::format("unknown key {}", to_json_text(place.key)),
                          key_hint(place.key));
    }
    if (value.is_object()) return read_section(value, place);
    if (!value.is_null()) mistake_at(place, fmt::format("{} is a section, not a value", place.key));
}

void ConfigLoader::read_value(const Setting& setting, const json::value& value,
                              const Place& place) {
    if (value.is_null()) return;
    if (setting.key == "profile" && !place.profile.empty()) {
        return mistake_at(place, "a profile may not choose the profile");
    }
    if (setting.type == SettingType::kSecret) return read_secret(setting, value, place);
    if (setting.is_family() && !is_member_name(place.key.substr(setting.key.size() - 1))) {
        return mistake_at(
            place, fmt::format("{} names no member of {}", to_json_text(place.key), setting.key));
    }
    const std::optional<std::string> text = text_of(setting.type, value);
    if (!text) return mistake_at(place, fmt::format("{} {}", place.key, wanted(setting.type)));
    Result<SettingValue> parsed = parse_setting(setting, *text);
    if (!parsed)
        return mistake_at(place, fmt::format("{} {}", place.key, parsed.error().message()));
    add_from_file({place.key, &setting, std::move(*parsed), ConfigSource::kFile}, place);
}

void ConfigLoader::read_secret(const Setting& setting, const json::value& value,
                               const Place& place) {
    const json::object* object = value.if_object();
    if (object == nullptr) {
        return mistake_at(
            place, fmt::format("{}: a secret may not stand in the file itself", place.key),
            fmt::format("write {} = {{file = \"PATH\"}} or {{env = \"NAME\"}}, or set {}",
                        place.key, setting.environment_name()));
    }
    const json::value* file = object->if_contains("file");
    const json::value* variable = object->if_contains("env");
    const json::value* only = file != nullptr ? file : variable;
    if (object->size() != 1 || only == nullptr || !only->is_string() ||
        only->get_string().empty()) {
        return mistake_at(
            place,
            fmt::format("{} takes exactly one of file = \"PATH\" and env = \"NAME\"", place.key));
    }
    std::string text(only->get_string());
    if (has_control_characters(text)) {
        return mistake_at(place, fmt::format("{} may not have control characters", place.key));
    }
    Candidate candidate{place.key, &setting, {}, ConfigSource::kFile};
    if (variable != nullptr) {
        candidate.value = SecretVariable{std::move(text)};
    } else {
        const bool is_absolute = text.starts_with('/');
        candidate.value =
            SecretFile{is_absolute ? std::move(text) : directory_of(place.path) + text};
    }
    add_from_file(std::move(candidate), place);
}

void ConfigLoader::add_from_file(Candidate candidate, const Place& place) {
    candidate.profile = place.profile;
    candidate.name = place.path;
    candidate.line = place.document.position(place.pointer).line;
    const auto [at, is_first] = lines_.try_emplace({place.profile, candidate.key}, candidate.line);
    if (!is_first) {
        return mistake_at(place,
                          fmt::format("{} is set on line {} already", candidate.key, at->second));
    }
    candidates_.push_back(std::move(candidate));
}

}  // namespace zona::core::detail
