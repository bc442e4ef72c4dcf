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

OperationRequest::Action action_of(std::string_view name) {
    static constexpr std::array<std::string_view, 8> kActions = {
        "start", "stop", "restart", "delete", "reset", "scale", "signal", "send"};
    return static_cast<OperationRequest::Action>(std::ranges::find(kActions, name) -
                                                 kActions.begin());
}

void read_signal(const core::JsonReader& reader, OperationRequest& out) {
    if (const auto signal = reader.string("signal")) {
        const auto number = os::signal_number(*signal);
        if (!number) {
            reader.mistake("signal", fmt::format("'{}' is not a signal", *signal),
                           "for example SIGUSR1, HUP or 15");
        }
        out.signal = number.value_or(0);
    } else if (out.action == OperationRequest::Action::kSignal) {
        reader.mistake("signal", "is missing");
    }
    const std::string target = reader.string("target").value_or("group");
    if (target == "process") out.target = process::Target::kProcess;
    if (target == "tree") out.target = process::Target::kTree;
}

}  // namespace

Result<StartBody> read_start(const json::value& body, int cpus) {
    const core::JsonReader reader(body);
    (void)reader.boolean("wait");
    process::EcosystemInput input;
    input.cwd = reader.require_string("cwd");
    input.cpus = cpus;
    input.environment = to_map(reader.string_map("env"));
    const auto names = reader.strings("only");
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
    out.warnings = std::move(parsed.warnings);
    return out;
}

Result<OperationRequest> read_operation(const json::value& body) {
    const core::JsonReader reader(body);
    OperationRequest out;
    out.action = action_of(reader.require_string("action"));
    out.select = reader.strings("select").value_or(std::vector<std::string>());
    (void)reader.boolean("wait");
    if (const json::value* instances = reader.raw("instances")) {
        if (instances->is_string()) out.instances = std::string(instances->get_string());
        if (instances->is_number()) out.instances = core::to_json(*instances);
    }
    if (out.action == OperationRequest::Action::kScale && out.instances.empty())
        reader.mistake("instances", "is missing");
    read_signal(reader, out);
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

std::string text_of(const json::object& body, const char* key) {
    const json::value* value = body.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

bool read_flag(const json::value& body, std::string_view key, bool otherwise) {
    return core::JsonReader(body).boolean(key).value_or(otherwise);
}

std::vector<std::pair<std::string, core::LogLevel>> read_log_levels(const json::value& body) {
    std::vector<std::pair<std::string, core::LogLevel>> out;
    for (const auto& [category, level] : body.as_object()) {
        if (const auto parsed = core::parse_log_level(std::string_view(level.as_string())))
            out.emplace_back(std::string(category), *parsed);
    }
    return out;
}

}  // namespace zona::api
