#include "process/detail/app_spec_json.h"

#include <limits>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/string.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "process/detail/printable.h"

namespace zona::process::detail {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;

constexpr std::string_view kUnlimited = "unlimited";

json::array array_of(const std::vector<std::string>& values) {
    json::array out;
    for (const std::string& value : values)
        out.emplace_back(value);
    return out;
}

json::value limit_value(const std::optional<std::uint64_t>& limit) {
    if (!limit.has_value()) return json::string(kUnlimited);
    return static_cast<std::int64_t>(*limit);
}

void read_milliseconds(const core::JsonReader& in, std::string_view key, milliseconds& out) {
    const auto count = in.integer(key);
    if (count.has_value()) out = milliseconds(*count);
}

template <class T>
void assign(const std::optional<T>& value, T& out) {
    if (value.has_value()) out = *value;
}

template <class T>
void read_number(const core::JsonReader& in, std::string_view key, T& out) {
    const auto number =
        in.integer(key, {std::numeric_limits<T>::min(), std::numeric_limits<T>::max()});
    if (number.has_value()) out = static_cast<T>(*number);
}

template <class T>
void read_number(const core::JsonReader& in, std::string_view key, std::optional<T>& out) {
    if (in.has(key)) read_number(in, key, out.emplace());
}

void read_limit(const core::JsonReader& in, std::string_view key,
                std::optional<std::uint64_t>& out) {
    const json::value* const value = in.raw(key);
    if (value != nullptr && value->is_string() && value->get_string() == kUnlimited) return;
    const auto number = in.integer(key, {.least = 0});
    if (number.has_value()) {
        out = static_cast<std::uint64_t>(*number);
    } else if (value == nullptr) {
        in.mistake(key, "is missing");
    }
}

void read_limits(const core::JsonReader& in, AppSpec& spec) {
    const auto limits = in.object("limits");
    if (!limits.has_value()) return;
    for (const auto& member : in.raw("limits")->get_object()) {
        const auto pair = limits->object(member.key());
        if (!pair.has_value()) continue;
        LimitPair& out = spec.limits[std::string(member.key())];
        read_limit(*pair, "soft", out.soft);
        read_limit(*pair, "hard", out.hard);
    }
}

void read_exit_codes(const core::JsonReader& in, AppSpec& spec) {
    const json::value* const value = in.raw("stop_exit_codes");
    if (value == nullptr || value->is_null()) return;
    const json::array* const codes = value->if_array();
    for (const json::value& code : codes == nullptr ? json::array() : *codes) {
        if (code.is_int64() && std::in_range<int>(code.get_int64())) {
            spec.stop_exit_codes.push_back(static_cast<int>(code.get_int64()));
        } else {
            in.mistake("stop_exit_codes", "holds something that is not an exit code");
        }
    }
    if (codes == nullptr) in.mistake("stop_exit_codes", "is not a list");
}

void read_members(const core::JsonReader& in, AppSpec& spec) {
    spec.name = in.require_string("name");
    assign(in.string("namespace"), spec.namespace_);
    spec.script = in.require_string("script");
    assign(in.strings("args"), spec.args);
    spec.interpreter = in.string("interpreter");
    assign(in.strings("interpreter_args"), spec.interpreter_args);
    spec.cwd = in.require_string("cwd");
    for (auto& [key, value] :
         in.string_map("env").value_or(std::vector<std::pair<std::string, std::string>>())) {
        spec.env[key] = std::move(value);
    }
    read_number(in, "instances", spec.instances);
    spec.user = in.string("user");
    spec.group = in.string("group");
    read_number(in, "umask", spec.umask);
    read_number(in, "nice", spec.nice);
    read_limits(in, spec);
    assign(in.boolean("autorestart"), spec.autorestart);
    read_milliseconds(in, "restart_delay_ms", spec.restart_delay);
    read_milliseconds(in, "exp_backoff_restart_delay_ms", spec.exp_backoff_restart_delay);
    read_number(in, "max_restarts", spec.max_restarts);
    read_milliseconds(in, "min_uptime_ms", spec.min_uptime);
    read_exit_codes(in, spec);
    read_milliseconds(in, "kill_timeout_ms", spec.kill_timeout);
    read_number(in, "kill_signal", spec.kill_signal);
    spec.out_file = in.string("out_file");
    spec.error_file = in.string("error_file");
    assign(in.boolean("merge_logs"), spec.merge_logs);
    static const std::vector<std::string> kModes = {"null", "pipe"};
    if (in.choice("stdin", kModes) == "pipe") spec.stdin_mode = StdinMode::kPipe;
}

}  // namespace

json::value to_json(const AppSpec& spec) {
    json::object out;
    const auto optional = [&out](std::string_view key, const auto& value) {
        if (value.has_value()) out[key] = *value;
    };
    out["name"] = spec.name;
    out["namespace"] = spec.namespace_;
    out["script"] = spec.script;
    out["args"] = array_of(spec.args);
    optional("interpreter", spec.interpreter);
    out["interpreter_args"] = array_of(spec.interpreter_args);
    out["cwd"] = spec.cwd;
    json::object& env = out["env"].emplace_object();
    for (const auto& [key, value] : spec.env)
        env[key] = value;
    out["instances"] = spec.instances;
    optional("user", spec.user);
    optional("group", spec.group);
    if (spec.umask.has_value()) out["umask"] = static_cast<std::int64_t>(*spec.umask);
    optional("nice", spec.nice);
    json::object& limits = out["limits"].emplace_object();
    for (const auto& [name, pair] : spec.limits) {
        limits[name] = {{"soft", limit_value(pair.soft)}, {"hard", limit_value(pair.hard)}};
    }
    out["autorestart"] = spec.autorestart;
    out["restart_delay_ms"] = spec.restart_delay.count();
    out["exp_backoff_restart_delay_ms"] = spec.exp_backoff_restart_delay.count();
    out["max_restarts"] = spec.max_restarts;
    out["min_uptime_ms"] = spec.min_uptime.count();
    out["stop_exit_codes"] = json::array(spec.stop_exit_codes.begin(), spec.stop_exit_codes.end());
    out["kill_timeout_ms"] = spec.kill_timeout.count();
    out["kill_signal"] = spec.kill_signal;
    optional("out_file", spec.out_file);
    optional("error_file", spec.error_file);
    out["merge_logs"] = spec.merge_logs;
    out["stdin"] = spec.stdin_mode == StdinMode::kPipe ? "pipe" : "null";
    return out;
}

core::Result<ParsedAppSpec> app_spec_from_json(const json::value& value) {
    ParsedAppSpec out;
    const core::JsonReader reader(value);
    read_members(reader, out.spec);
    for (const core::Detail& unknown : reader.unknown_keys()) {
        out.warnings.push_back(
            fmt::format("app {}: {} is not known to this version of zona, left out",
                        quoted(out.spec.name), quoted(unknown.where)));
    }
    ZONA_TRY_VOID(reader.finish("the record of an app", core::UnknownKeys::kWarn));
    ZONA_TRY_VOID(validate(out.spec, NameRule::kForeign));
    return out;
}

}  // namespace zona::process::detail
