#include "api/detail/request_body.h"

#include <algorithm>
#include <array>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "core/text.h"
#include "os/child.h"
#include "process/ecosystem.h"

namespace zona::api {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using process::OperationRequest;

namespace {

constexpr core::ByteCount kMostBody = core::ByteCount::mib(16);

Result<json::value> parse(std::string_view body) {
    return core::parse_json(body.empty() ? "{}" : body, {.max_bytes = kMostBody});
}

std::map<std::string, std::string> to_map(
    std::optional<std::vector<std::pair<std::string, std::string>>> pairs) {
    std::map<std::string, std::string> out;
    if (!pairs) return out;
    for (auto& [name, value] : *pairs)
        out[std::move(name)] = std::move(value);
    return out;
}

Result<void> check_environment(const std::map<std::string, std::string>& environment) {
    for (const auto& [name, value] : environment) {
        if (name.empty() || name.find('=') != std::string::npos ||
            name.find('\0') != std::string::npos) {
            return Error(
                Code::kInvalidArgument,
                fmt::format("env: '{}' is not a name for a variable", core::to_valid_utf8(name)));
        }
        if (value.find('\0') != std::string::npos) {
            return Error(Code::kInvalidArgument,
                         fmt::format("env.{}: the value has a NUL byte", name));
        }
    }
    return {};
}

Result<std::vector<process::AppSpec>> only(std::vector<process::AppSpec> apps,
                                           const std::vector<std::string>& names) {
    if (names.empty()) return apps;
    std::vector<process::AppSpec> out;
    for (const std::string& name : names) {
        const auto found = std::ranges::find(apps, name, &process::AppSpec::name);
        if (found == apps.end()) {
            std::vector<std::string> known;
            known.reserve(apps.size());
            for (const process::AppSpec& app : apps)
                known.push_back(app.name);
            Error error(Code::kNotFound, fmt::format("only: the file has no app '{}'", name));
            const auto near = core::nearest(name, known);
            error.detail({.where = "only",
                          .problem = name,
                          .hint = near ? "did you mean " + *near + "?" : ""});
            return error;
        }
        out.push_back(*found);
    }
    return out;
}

}  // namespace

Result<StartBody> read_start(std::string_view body, int cpus) {
    ZONA_TRY(const json::value root, parse(body));
    const core::JsonReader reader(root);
    process::EcosystemInput input;
    input.cwd = reader.require_string("cwd");
    input.cpus = cpus;
    input.environment = to_map(reader.string_map("env"));
    const auto names = reader.strings("only");
    const bool wait = reader.boolean("wait").value_or(true);
    const auto file = reader.object("file");
    const json::value* apps = reader.raw("apps");
    if ((apps != nullptr) == file.has_value()) {
        reader.mistake("", "give exactly one of `apps` and `file`");
    }
    if (file) {
        input.name = file->require_string("name");
        input.content = file->require_string("content");
    }
    if (!input.cwd.empty() && input.cwd.front() != '/')
        reader.mistake("cwd", "is not an absolute path");
    ZONA_TRY_VOID(reader.finish("the request"));
    ZONA_TRY_VOID(check_environment(input.environment));
    if (apps != nullptr) input.content = core::to_json(*apps);
    ZONA_TRY(process::Ecosystem parsed,
             file ? process::parse_ecosystem(input) : process::parse_apps(input));
    StartBody out;
    ZONA_TRY(out.request.apps,
             only(std::move(parsed.apps), names.value_or(std::vector<std::string>())));
    out.request.environment = std::move(input.environment);
    out.request.existing = file ? process::Existing::kStartStopped : process::Existing::kRefuse;
    out.request.wait = wait ? process::Wait::kYes : process::Wait::kNo;
    out.warnings = std::move(parsed.warnings);
    return out;
}

Result<OperationRequest> read_operation(std::string_view body) {
    using Action = OperationRequest::Action;
    static const std::array<std::string, 8> kActions = {"start", "stop",  "restart", "delete",
                                                        "reset", "scale", "signal",  "send"};
    static const std::array<std::string, 3> kTargets = {"group", "process", "tree"};
    ZONA_TRY(const json::value root, parse(body));
    const core::JsonReader reader(root);
    OperationRequest out;
    const auto action = reader.choice("action", kActions);
    if (!action && !reader.has("action")) reader.mistake("action", "is missing");
    if (action)
        out.action = static_cast<Action>(std::ranges::find(kActions, *action) - kActions.begin());
    out.select = reader.strings("select").value_or(std::vector<std::string>());
    if (out.select.empty())
        reader.mistake("select", "names no process", "give ids, names or \"all\"");
    out.wait = reader.boolean("wait").value_or(true) ? process::Wait::kYes : process::Wait::kNo;
    if (const json::value* instances = reader.raw("instances")) {
        if (instances->is_string()) out.instances = std::string(instances->get_string());
        if (instances->is_number()) out.instances = core::to_json(*instances);
    }
    if (out.action == Action::kScale && out.instances.empty())
        reader.mistake("instances", "is missing");
    const auto signal = reader.string("signal");
    if (signal) {
        const auto number = os::signal_number(*signal);
        if (!number)
            reader.mistake("signal", fmt::format("'{}' is not a signal", *signal),
                           "for example SIGUSR1, HUP or 15");
        out.signal = number.value_or(0);
    } else if (out.action == Action::kSignal) {
        reader.mistake("signal", "is missing");
    }
    if (const auto target = reader.choice("target", kTargets)) {
        const process::Target by_name[] = {process::Target::kGroup, process::Target::kProcess,
                                           process::Target::kTree};
        out.target = by_name[std::ranges::find(kTargets, *target) - kTargets.begin()];
    }
    out.line = reader.string("line").value_or("");
    if (out.line.find('\0') != std::string::npos) reader.mistake("line", "has a NUL byte");
    const bool update = reader.boolean("update_env").value_or(false);
    auto environment = reader.string_map("env");
    (void)reader.string("cwd");
    ZONA_TRY_VOID(reader.finish("the request"));
    if (update) {
        out.new_environment = to_map(std::move(environment));
        ZONA_TRY_VOID(check_environment(*out.new_environment));
    }
    return out;
}

Result<bool> read_flag(std::string_view body, std::string_view key) {
    ZONA_TRY(const json::value root, parse(body));
    const core::JsonReader reader(root);
    const bool value = reader.boolean(key).value_or(false);
    ZONA_TRY_VOID(reader.finish("the request"));
    return value;
}

Result<std::vector<std::pair<std::string, core::LogLevel>>> read_log_levels(std::string_view body) {
    ZONA_TRY(const json::value root, parse(body));
    if (!root.is_object() || root.get_object().empty()) {
        return Error(Code::kInvalidArgument, "give an object {\"category\": \"level\"}");
    }
    std::vector<std::pair<std::string, core::LogLevel>> out;
    for (const auto& [category, level] : root.get_object()) {
        if (!level.is_string()) {
            return Error(Code::kInvalidArgument,
                         fmt::format("{}: the level is not a string", std::string(category)));
        }
        const auto parsed = core::parse_log_level(std::string_view(level.get_string()));
        if (!parsed) {
            return Error(
                Code::kInvalidArgument,
                fmt::format("{}: the level is one of trace, debug, info, warn, error, fatal, off",
                            std::string(category)));
        }
        out.emplace_back(std::string(category), *parsed);
    }
    return out;
}

}  // namespace zona::api
