#include "process/ecosystem.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "core/text.h"
#include "process/detail/ecosystem_app.h"
#include "process/detail/ecosystem_report.h"
#include "process/detail/ecosystem_tree.h"
#include "process/detail/ecosystem_values.h"
#include "process/detail/printable.h"

namespace zona::process {
namespace {

using detail::Entry;
using detail::Kind;
using detail::Node;
using detail::Place;
using detail::quoted;
using detail::Report;

enum class Syntax : std::uint8_t { kJson, kYaml, kToml, kJavaScript };

std::string_view base_name(std::string_view path) {
    return path.substr(path.rfind('/') + 1);
}

Syntax syntax_of(std::string_view name) {
    const std::string_view base = base_name(name);
    const std::size_t dot = base.rfind('.');
    const std::string_view extension = dot == std::string_view::npos ? "" : base.substr(dot);
    if (extension == ".yaml" || extension == ".yml") return Syntax::kYaml;
    if (extension == ".toml") return Syntax::kToml;
    constexpr auto kScripts =
        std::to_array<std::string_view>({".js", ".cjs", ".mjs", ".ts", ".cts", ".mts"});
    return std::ranges::find(kScripts, extension) != kScripts.end() ? Syntax::kJavaScript
                                                                    : Syntax::kJson;
}

std::string file_name(const EcosystemInput& input) {
    return detail::printable(input.name, SpecLimits::kPathBytes);
}

core::Error javascript_error(const EcosystemInput& input) {
    core::Error error(
        core::Code::kUnsupported,
        fmt::format("{} is a JavaScript file, which zona does not run", file_name(input)));
    error.detail(
        {file_name(input), "only JSON, YAML and TOML files are read, for now",
         fmt::format(
             "convert it: node -p 'JSON.stringify(require(\"./{}\"), null, 2)' > ecosystem.json",
             base_name(file_name(input)))});
    return error;
}

core::Result<void> check_bytes(const EcosystemInput& input) {
    const std::string name = file_name(input);
    if (input.content.size() > kMaxEcosystemBytes.as_size()) {
        return core::Error(core::Code::kTooLarge,
                           fmt::format("{} has {} bytes; the limit of an ecosystem file is {}",
                                       name, input.content.size(), kMaxEcosystemBytes.bytes()));
    }
    if (!core::is_valid_utf8(input.content)) {
        return core::Error(core::Code::kInvalidArgument, fmt::format("{} is not UTF-8 text", name))
            .detail({name, "holds bytes that are not UTF-8", "save it in the encoding UTF-8"});
    }
    return {};
}

core::Result<Node> read_tree(const EcosystemInput& input) {
    std::string_view text = input.content;
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    const std::string file = file_name(input);
    switch (syntax_of(input.name)) {
        case Syntax::kYaml:
            return detail::read_document(text, core::DocumentFormat::kYaml, file);
        case Syntax::kToml:
            return detail::read_document(text, core::DocumentFormat::kToml, file);
        case Syntax::kJavaScript:
            return javascript_error(input);
        case Syntax::kJson:
            break;
    }
    return detail::read_json5(text, file);
}

std::string below(const std::string& path, std::string_view key) {
    return path.empty() ? detail::printable(key) : path + "." + detail::printable(key);
}

/// Keys that stand twice in one object. The earlier ones go where that is only worth a warning.
void check_duplicates(Node& node, const std::string& path, bool json_of_pm2, Report& report) {
    std::map<std::string_view, std::size_t> seen;
    std::vector<bool> drop(node.map.size());
    for (std::size_t i = 0; i < node.map.size(); ++i) {
        const auto [previous, is_new] = seen.try_emplace(node.map[i].key, i);
        if (is_new) continue;
        const Place place{node.map[i].at, below(path, node.map[i].key)};
        const std::string text =
            fmt::format("{} stands twice, first in line {}", quoted(node.map[i].key),
                        node.map[previous->second].at.line);
        if (json_of_pm2) {
            report.warn(place, text, "the last counts");
        } else {
            report.error(place, text, "keep one of them");
        }
        drop[previous->second] = true;
        previous->second = i;
    }
    seen.clear();
    std::size_t index = 0;
    std::erase_if(node.map, [&](const Entry&) { return drop[index++]; });
    for (Entry& entry : node.map) {
        check_duplicates(entry.value, below(path, entry.key), json_of_pm2, report);
    }
    for (std::size_t i = 0; i < node.list.size(); ++i) {
        check_duplicates(node.list[i], fmt::format("{}[{}]", path, i), json_of_pm2, report);
    }
}

/// Replaces ${VAR} in every text value; `budget` is what the results may still add up to.
void interpolate_tree(Node& node, const EcosystemInput& input, std::size_t& budget,
                      Report& report) {
    if (node.kind == Kind::kString && node.text.find('$') != std::string::npos) {
        detail::Interpolated result = detail::interpolate(node.text, input.environment, budget);
        if (!result.problem.empty()) {
            report.error({node.at, {}}, "the text " + result.problem, std::move(result.hint));
            node.broken = true;
            return;
        }
        budget -= std::min(budget, result.text.size());
        node.text = std::move(result.text);
        node.interpolated = result.changed;
    }
    for (Entry& entry : node.map)
        interpolate_tree(entry.value, input, budget, report);
    for (Node& item : node.list)
        interpolate_tree(item, input, budget, report);
}

bool is_one_app(const Node& root) {
    constexpr auto kKeys = std::to_array<std::string_view>({"script", "exec", "cmd", "command"});
    return std::ranges::any_of(kKeys,
                               [&root](std::string_view key) { return root.find(key) != nullptr; });
}

/// Where the apps of a document stand.
struct AppList {
    std::vector<const Node*> apps;
    std::string path;  ///< of the list, "" if the document is the list
    core::Position at;
    bool is_list = true;  ///< so that paths have an index
};

void check_version(const Node& root, Report& report) {
    const Node* const version = root.find("zona");
    if (version == nullptr || version->text == "1") return;
    report.error({version->at, "zona"},
                 "\"zona\" is the version of the file's format, and only 1 is known",
                 "write zona: 1, or upgrade zona");
}

void check_top_level(const Node& root, EcosystemRules rules, Report& report) {
    for (const Entry& entry : root.map) {
        const bool known = entry.key == "apps" || entry.key == "zona" || entry.key == "$schema" ||
                           entry.key.starts_with("x-");
        if (known) continue;
        const Place place{entry.at, detail::printable(entry.key)};
        if (rules == EcosystemRules::kNative) {
            report.error(place, fmt::format("unknown key {} at the top", quoted(entry.key)),
                         "the top has \"apps\" and \"zona\"; keys for anchors begin with \"x-\"");
        } else if (entry.key == "deploy") {
            report.warn(place, "\"deploy\" is not supported, ignored",
                        "deploy with git and zona restart");
        } else {
            report.warn(place,
                        fmt::format("unknown key {} at the top, ignored", quoted(entry.key)));
        }
    }
}

AppList list_of(const Node& node, std::string path) {
    AppList out{{}, std::move(path), node.at, node.kind == Kind::kList};
    if (!out.is_list) out.apps.push_back(&node);
    for (const Node& item : node.list)
        out.apps.push_back(&item);
    return out;
}

AppList find_apps(const Node& root, EcosystemRules rules, Report& report) {
    if (root.kind == Kind::kList) return list_of(root, {});
    if (const Node* const apps = root.find("apps")) {
        check_top_level(root, rules, report);
        return list_of(*apps, "apps");
    }
    const Node* const pm2 = rules == EcosystemRules::kPm2 ? root.find("pm2") : nullptr;
    if (pm2 != nullptr) {
        // A package.json: its other keys are npm's.
        const Node* const inner = pm2->find("apps");
        return inner != nullptr ? list_of(*inner, "pm2.apps") : list_of(*pm2, "pm2");
    }
    if (is_one_app(root)) return list_of(root, {});
    report.error({root.at, {}}, "there are no apps in it",
                 "write a list \"apps\" of objects with a \"script\" each");
    return {};
}

/// Another program's file, whose keys would only produce noise.
std::optional<core::Error> foreign_format(const EcosystemInput& input, const Node& root) {
    if (root.find("apps") != nullptr || root.find("processes") == nullptr) return std::nullopt;
    return core::Error(core::Code::kUnsupported,
                       fmt::format("{} is a process-compose file, which zona does not read yet",
                                   file_name(input)))
        .detail({file_name(input), "\"processes\" stands at the top",
                 "describe the apps in a list \"apps\""});
}

class Reading {
  public:
    Reading(const EcosystemInput& input, EcosystemRules rules, Report& report)

        : report_(report), reader_(input, rules, report) {}

    void read(const Node& app, const std::string& path) {
        const bool good = reader_.read(app, path);
        AppSpec& spec = reader_.spec();
        if (!spec.name.empty()) claim_name(app, spec, path);
        if (good) apps_.push_back(std::move(spec));
    }

    std::vector<AppSpec> take() && { return std::move(apps_); }

  private:
    void claim_name(const Node& app, const AppSpec& spec, const std::string& path) {
        const Node* const name = app.find("name");
        const Place place{name != nullptr ? name->at : app.at, below(path, "name")};
        const auto [first, is_new] =
            names_.try_emplace({spec.namespace_, spec.name}, report_.where(place));
        if (is_new) return;
        report_.error(place,
                      fmt::format("a second app {} in namespace {}, the first is at {}",
                                  quoted(spec.name), quoted(spec.namespace_), first->second),
                      "give each app its own name");
    }

    Report& report_;
    detail::AppReader reader_;
    std::map<std::pair<std::string, std::string>, std::string> names_;
    std::vector<AppSpec> apps_;
};

core::Result<Ecosystem> build(const EcosystemInput& input, const AppList& list,
                              EcosystemRules rules, Report& report) {
    if (list.apps.empty() && !report.failed()) {
        report.error({list.at, list.path}, "the list of apps is empty",
                     "describe at least one app");
    }
    if (list.apps.size() > kMaxApps) {
        report.error({list.at, list.path},
                     fmt::format("has {} apps; the limit is {}", list.apps.size(), kMaxApps),
                     "split the file");
        return std::move(report).take_error();
    }
    Reading reading(input, rules, report);
    for (std::size_t i = 0; i < list.apps.size(); ++i) {
        reading.read(*list.apps[i], list.is_list ? fmt::format("{}[{}]", list.path, i) : list.path);
    }
    if (report.failed()) return std::move(report).take_error();
    return Ecosystem{std::move(reading).take(), std::move(report).take_warnings(), rules};
}

/// A bare native app has "zona" beside its own keys.
void drop_version(Node& root) {
    if (root.find("apps") == nullptr)
        std::erase_if(root.map, [](const Entry& e) { return e.key == "zona"; });
}

}  // namespace

core::Result<Ecosystem> parse_ecosystem(const EcosystemInput& input) {
    ZONA_TRY_VOID(check_bytes(input));
    ZONA_TRY(Node root, read_tree(input));
    if (auto error = foreign_format(input, root)) return std::move(*error);
    const bool native = base_name(input.name).starts_with("zona.") || root.find("zona") != nullptr;
    const EcosystemRules rules = native ? EcosystemRules::kNative : EcosystemRules::kPm2;

    Report report(file_name(input), detail::PlaceStyle::kLine);
    check_duplicates(root, {}, !native && syntax_of(input.name) == Syntax::kJson, report);
    if (native) {
        std::size_t budget = kMaxEcosystemBytes.as_size();
        interpolate_tree(root, input, budget, report);
        check_version(root, report);
        drop_version(root);
    }
    return build(input, find_apps(root, rules, report), rules, report);
}

core::Result<Ecosystem> parse_apps(const EcosystemInput& input) {
    ZONA_TRY_VOID(check_bytes(input));
    ZONA_TRY(Node root, detail::read_json5(input.content, "apps"));
    Report report("apps", detail::PlaceStyle::kPath);
    check_duplicates(root, "apps", false, report);
    return build(input, list_of(root, "apps"), EcosystemRules::kNative, report);
}

std::vector<KeyInfo> ecosystem_keys() {
    std::vector<KeyInfo> keys;
    for (const detail::KeyRow& row : detail::key_rows()) {
        KeyInfo& key = keys.emplace_back(row.name, row.type, row.default_value,
                                         std::vector<std::string_view>(), row.meaning);
        std::ranges::copy_if(row.aliases, std::back_inserter(key.aliases),
                             [](std::string_view alias) { return !alias.empty(); });
    }
    return keys;
}

std::vector<std::string_view> later_ecosystem_keys() {
    std::vector<std::string_view> keys;
    for (const detail::LaterKey& key : detail::later_keys())
        keys.push_back(key.name);
    return keys;
}

}  // namespace zona::process
