#include "process/detail/ecosystem_app.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/text.h"
#include "process/detail/ecosystem_values.h"
#include "process/detail/printable.h"

namespace zona::process::detail {
namespace {

bool answers_to(const KeyRow& row, std::string_view key) {
    if (key.empty()) return false;
    return row.name == key || std::ranges::find(row.aliases, key) != row.aliases.end();
}

std::optional<std::size_t> find_row(std::string_view key) {
    const std::span<const KeyRow> rows = key_rows();
    const auto row =
        std::ranges::find_if(rows, [key](const KeyRow& r) { return answers_to(r, key); });
    if (row == rows.end()) return std::nullopt;
    return static_cast<std::size_t>(row - rows.begin());
}

const LaterKey* find_later(std::string_view key) {
    const std::span<const LaterKey> keys = later_keys();
    const auto found = std::ranges::find(keys, key, &LaterKey::name);
    if (found != keys.end()) return &*found;
    static constexpr LaterKey kByName{"env_*", Harmless::kWhenOff, "put the variables into env"};
    return key.starts_with("env_") ? &kByName : nullptr;
}

std::vector<std::string> known_names() {
    std::vector<std::string> names;
    for (const KeyRow& row : key_rows())
        names.emplace_back(row.name);
    for (const KeyRow& row : key_rows()) {
        for (const std::string_view alias : row.aliases) {
            if (!alias.empty()) names.emplace_back(alias);
        }
    }
    for (const LaterKey& key : later_keys())
        names.emplace_back(key.name);
    return names;
}

bool is_harmless(const Node& node, Harmless harmless) {
    if (harmless == Harmless::kWhenTrue) return node.kind == Kind::kBool && node.text == "true";
    return node.kind == Kind::kNull || (node.kind == Kind::kBool && node.text == "false") ||
           (node.kind == Kind::kInteger && node.text == "0") ||
           (node.kind == Kind::kString &&
            (node.text.empty() || node.text == "fork" || node.text == "fork_mode")) ||
           (node.kind == Kind::kList && node.list.empty()) ||
           (node.kind == Kind::kMap && node.map.empty());
}

bool is_absent(const Node& node, EcosystemRules rules) {
    return node.kind == Kind::kNull ||
           (rules == EcosystemRules::kPm2 && node.kind == Kind::kString && node.text.empty());
}

/// The last component of a script, or of a command line's first word.
std::string_view last_component(std::string_view script) {
    const std::string_view last = script.substr(script.rfind('/') + 1);
    if (last.find(' ') == std::string_view::npos) return last;
    const std::string_view word = script.substr(0, script.find(' '));
    return word.substr(word.rfind('/') + 1);
}

}  // namespace

std::string AppReader::shown(const Node& scalar) {
    if (scalar.interpolated) return "the text put in for a variable";
    return scalar.kind == Kind::kString ? quoted(scalar.text) : printable(scalar.text);
}

bool AppReader::read(const Node& app, const std::string& path) {
    path_ = path;
    app_at_ = app.at;
    spec_ = AppSpec{};
    if (app.kind != Kind::kMap) {
        report_.error({app.at, path}, fmt::format("an app is {}", describe(app.kind)),
                      "an object with at least \"script\" is expected");
        return false;
    }
    spec_.cwd = input_.cwd;
    failed_ = false;
    hidden_ = false;
    places_.clear();
    wrong_.clear();
    chosen_.assign(key_rows().size(), nullptr);
    choose_entries(app);
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
        if (chosen_[i] == nullptr) continue;
        const KeyRow& row = key_rows()[i];
        node_ = &chosen_[i]->value;
        hidden_ = hidden_ || node_->interpolated;
        key_ = chosen_[i]->key;
        row_name_ = row.name;
        remember(std::string(row.name), node_->at);
        if (node_->broken) {
            failed_ = true;
            wrong_.emplace(row.name);
        } else {
            row.read(*this);
        }
    }
    check();
    return !failed_;
}

void AppReader::choose_entries(const Node& app) {
    for (const Entry& entry : app.map) {
        std::optional<std::size_t> row = find_row(entry.key);
        if (!row.has_value() && is_pm2()) row = find_row(snake_case(entry.key));
        if (!row.has_value()) {
            unknown_key(entry);
        } else if (!is_absent(entry.value, rules_)) {
            choose(*row, entry);
        }
    }
}

void AppReader::choose(std::size_t row, const Entry& entry) {
    const Entry*& chosen = chosen_[row];
    if (chosen != nullptr && chosen->key != entry.key) {
        const std::string text = fmt::format("{} and {} are two names of one key",
                                             quoted(chosen->key), quoted(entry.key));
        const Place place{entry.at, path_ + "." + printable(entry.key)};
        if (!is_pm2()) {
            failed_ = true;
            report_.error(place, text, "keep one of them");
            return;
        }
        const bool keep = chosen->key == key_rows()[row].name || entry.key != key_rows()[row].name;
        report_.warn(place, text, fmt::format("{} counts", quoted(keep ? chosen->key : entry.key)));
        if (keep) return;
    }
    chosen = &entry;
}

void AppReader::unknown_key(const Entry& entry) {
    if (entry.key.starts_with("x-") || entry.key == "$schema") return;
    const Place place{entry.at, path_ + "." + printable(entry.key)};
    const LaterKey* later = find_later(entry.key);
    if (is_pm2()) {
        const std::string snake = snake_case(entry.key);
        if (later == nullptr) later = find_later(snake);
        if (is_meaningless_key(entry.key) || is_meaningless_key(snake)) return;
        if (later != nullptr && is_harmless(entry.value, later->harmless)) return;
    }
    const std::string text = later != nullptr
                                 ? fmt::format("{} is not supported yet", quoted(entry.key))
                                 : fmt::format("unknown key {}", quoted(entry.key));
    std::string hint(later != nullptr ? later->instead : std::string_view());
    if (later == nullptr) {
        if (const auto near = core::nearest(entry.key, known_names())) {
            hint = fmt::format("did you mean {}?", quoted(*near));
        }
    }
    if (is_pm2()) {
        report_.warn_once(entry.key, place, text + ", ignored", hint);
    } else {
        failed_ = true;
        report_.error(place, text, std::move(hint));
    }
}

void AppReader::default_name() {
    const std::string_view last = last_component(spec_.script);
    const std::size_t dot = last.rfind('.');
    spec_.name =
        std::string(dot == std::string_view::npos || dot == 0 ? last : last.substr(0, dot));
    if (!is_pm2()) {
        for (char& c : spec_.name) {
            const bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                              (c >= 'A' && c <= 'Z') ||
                              std::string_view("_.@-").find(c) != std::string_view::npos;
            if (!good) c = '-';
        }
    }
    spec_.name.resize(std::min(spec_.name.size(), SpecLimits::kNameBytes));
    while (!core::is_valid_utf8(spec_.name))
        spec_.name.pop_back();
    if (spec_.name.empty()) spec_.name = "app";
    if (const auto script = places_.find("script"); script != places_.end())
        remember("name", script->second);
}

void AppReader::check() {
    if (!places_.contains("script")) {
        failed_ = true;
        report_.error({app_at_, path_}, "an app has no \"script\"", "name the program to run");
        return;
    }
    if (!places_.contains("name")) default_name();
    const auto valid = validate(spec_, is_pm2() ? NameRule::kForeign : NameRule::kNative,
                                hidden_ ? ValueDisplay::kHidden : ValueDisplay::kShown);
    if (valid.has_value()) return;
    failed_ = true;
    for (const core::Detail& found : valid.error().details()) {
        if (wrong_.contains(found.where)) continue;
        const bool sentence =
            found.problem.starts_with('"') || found.problem.starts_with("the value");
        report_.error(place_of(found.where),
                      fmt::format("\"{}\"{} {}", found.where, sentence ? ":" : "", found.problem),
                      found.hint);
    }
}

Place AppReader::place_of(const std::string& setting) const {
    const std::string path = path_ + "." + setting;
    auto found = places_.find(setting);
    if (found == places_.end())
        found = places_.find(setting.substr(0, setting.find_first_of(".[")));
    return {found == places_.end() ? app_at_ : found->second, path};
}

void AppReader::wrong(std::string problem, std::string hint) {
    wrong_at({}, node_->at, std::move(problem), std::move(hint));
}

void AppReader::wrong_type(std::string_view expected) {
    wrong(fmt::format("is {}", describe(node_->kind)), fmt::format("{} is expected", expected));
}

void AppReader::wrong_at(std::string_view below, Position at, std::string problem,
                         std::string hint) {
    failed_ = true;
    wrong_.emplace(fmt::format("{}{}", row_name_, below));
    const std::string key = printable(key_) + std::string(below);
    report_.error({at, path_ + "." + key}, fmt::format("\"{}\" {}", key, problem), std::move(hint));
}

std::optional<std::string> AppReader::text() {
    if (!node_->is_scalar()) {
        wrong_type("a string");
        return std::nullopt;
    }
    return node_->text;
}

std::optional<std::string> AppReader::path() {
    std::optional<std::string> value = text();
    if (!value.has_value() || (*value != "~" && !value->starts_with("~/"))) return value;
    const auto home = input_.environment.find("HOME");
    if (home == input_.environment.end() || !home->second.starts_with('/')) {
        wrong("begins with ~, and HOME is not set", "write the whole path");
        return std::nullopt;
    }
    return home->second + value->substr(1);
}

std::optional<bool> AppReader::boolean() {
    if (node_->is_scalar() && (node_->text == "true" || node_->text == "false"))
        return node_->text == "true";
    if (node_->is_scalar()) {
        wrong("is " + shown(*node_), "true or false is expected");
    } else {
        wrong_type("true or false");
    }
    return std::nullopt;
}

std::optional<std::int64_t> AppReader::integer() {
    if (node_->kind == Kind::kInteger || node_->kind == Kind::kString) {
        const auto number = core::parse_integer(node_->text);
        if (number.has_value()) return *number;
        wrong(fmt::format("is {}", shown(*node_)), "a whole number is expected");
    } else if (node_->kind == Kind::kFloat) {
        wrong(fmt::format("is {}", shown(*node_)), "a whole number is expected");
    } else {
        wrong_type("a whole number");
    }
    return std::nullopt;
}

std::optional<std::chrono::milliseconds> AppReader::duration() {
    constexpr std::string_view kExpected =
        "milliseconds or a text like \"5s\" or \"1m30s\" is expected";
    if (node_->kind == Kind::kInteger || node_->kind == Kind::kString) {
        const auto value = core::parse_duration(node_->text);
        if (value.has_value()) return *value;
        wrong(fmt::format("is {}", shown(*node_)), std::string(kExpected));
    } else if (node_->kind == Kind::kFloat) {
        wrong(fmt::format("is {}", shown(*node_)), std::string(kExpected));
    } else {
        wrong(fmt::format("is {}", describe(node_->kind)), std::string(kExpected));
    }
    return std::nullopt;
}

std::optional<std::vector<std::string>> AppReader::arguments() {
    if (node_->kind == Kind::kMap) {
        wrong_type("a string or a list");
        return std::nullopt;
    }
    if (node_->kind != Kind::kList) {
        auto words = split_arguments(node_->text, is_pm2() ? OpenQuote::kKeep : OpenQuote::kRefuse);
        if (!words.has_value())
            wrong("has a quote that is not closed", "close it, or write a list");
        return words;
    }
    std::vector<std::string> values;
    bool good = true;
    for (std::size_t i = 0; i < node_->list.size(); ++i) {
        const Node& item = node_->list[i];
        if (!item.is_scalar()) {
            good = false;
            wrong_at(fmt::format("[{}]", i), item.at, fmt::format("is {}", describe(item.kind)),
                     "a string is expected");
        } else if (item.kind != Kind::kNull) {
            values.push_back(item.text);
        }
    }
    if (!good) return std::nullopt;
    return values;
}

}  // namespace zona::process::detail
