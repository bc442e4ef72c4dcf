#include "api/detail/pmdaemon_render.h"

#include <charconv>

#include "core/time_format.h"

namespace zona::api::pmdaemon {

namespace json = boost::json;
using process::ProcessView;

namespace {

constexpr std::string_view kPortVariable = "PORT";

const std::string* port_variable(const process::StoredApp& app) {
    const std::string name(kPortVariable);
    const auto own = app.spec.env.find(name);
    if (own != app.spec.env.end()) return &own->second;
    const auto callers = app.caller_environment.find(name);
    return callers == app.caller_environment.end() ? nullptr : &callers->second;
}

json::value number_or_null(std::optional<std::int64_t> number) {
    return number ? json::value(*number) : json::value(nullptr);
}

json::value pid_or_null(const ProcessView& process) {
    return process.pid == 0 ? json::value(nullptr) : json::value(process.pid);
}

json::value exit_code(const ProcessView& process) {
    const bool ended =
        process.last_exit && process.last_exit->cause == process::ExitView::Cause::kExited;
    return ended ? json::value(process.last_exit->code) : json::value(nullptr);
}

json::value error_of(const ProcessView& process) {
    if (!process.held_because.empty()) return json::value(process.held_because);
    const bool failed = process.last_exit && !process.last_exit->reason.empty();
    return failed ? json::value(process.last_exit->reason) : json::value(nullptr);
}

std::int64_t seconds_of(core::SystemTime time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::int64_t used_bytes(const os::HostState& host) {
    return static_cast<std::int64_t>(host.memory_total.bytes()) -
           static_cast<std::int64_t>(host.memory_available.bytes());
}

double used_percent(const os::HostState& host) {
    const auto total = static_cast<double>(host.memory_total.bytes());
    return total == 0 ? 0.0 : 100.0 * static_cast<double>(used_bytes(host)) / total;
}

json::array load_of(const os::HostState& host) {
    return json::array(host.load.begin(), host.load.end());
}

json::array texts(const std::vector<std::string>& from) {
    json::array out;
    for (const std::string& text : from)
        out.emplace_back(text);
    return out;
}

}  // namespace

std::string_view state_name(std::string_view status) {
    if (status == "launching") return "starting";
    if (status == "waiting restart") return "restarting";
    return status;
}

std::optional<std::int64_t> port_of(const ProcessView& process) {
    const std::string* text = port_variable(*process.stored.app);
    if (text == nullptr) return std::nullopt;
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), port);
    if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
    return port;
}

json::object pm2_process(const ProcessView& process, std::string_view version) {
    const process::AppSpec& spec = process.stored.app->spec;
    const std::string id = process.stored.id.to_string();
    const json::value status(state_name(process.status));
    const json::value port = number_or_null(port_of(process));
    json::object out = {{"id", process.stored.pm_id},
                        {"pm_id", id},
                        {"name", spec.name},
                        {"namespace", spec.namespace_},
                        {"version", version},
                        {"exec_mode", "fork_mode"},
                        {"pid", pid_or_null(process)},
                        {"uptime", process.pid == 0 ? 0 : seconds_of(process.started_at)},
                        {"created_at", seconds_of(process.stored.created_at)},
                        {"status", status},
                        {"restart_time", process.restarts},
                        {"restarts", process.restarts},
                        {"cpu", nullptr},
                        {"memory", nullptr},
                        {"user", spec.user ? json::value(*spec.user) : json::value(nullptr)},
                        {"watching", false},
                        {"instance_id", process.stored.instance}};
    out["exec_interpreter"] = process.interpreter.empty() ? "none" : process.interpreter;
    out["pm_exec_path"] = spec.script;
    out["pm_cwd"] = spec.cwd;
    out["node_args"] = texts(spec.interpreter_args);
    out["pm_out_log_path"] = process.stored.out_file;
    out["pm_err_log_path"] = process.stored.error_file;
    out["pm_pid_path"] = nullptr;
    out["exit_code"] = exit_code(process);
    out["port"] = port;
    out["monit"] = {{"memory", nullptr}, {"cpu", nullptr}};
    out["pm2_env"] = {{"name", spec.name},
                      {"namespace", spec.namespace_},
                      {"exec_mode", "fork_mode"},
                      {"env", json::object()},
                      {"pm_id", id},
                      {"restart_time", process.restarts},
                      {"status", status},
                      {"port", port}};
    return out;
}

json::object short_process(const ProcessView& process) {
    return {{"id", process.stored.pm_id},
            {"name", process.stored.app->spec.name},
            {"status", state_name(process.status)},
            {"pid", pid_or_null(process)},
            {"port", number_or_null(port_of(process))},
            {"cpu", nullptr},
            {"memory", nullptr},
            {"uptime", process.uptime.count()},
            {"restarts", process.restarts},
            {"health", "unknown"}};
}

json::object long_process(const ProcessView& process) {
    const process::AppSpec& spec = process.stored.app->spec;
    json::object out = short_process(process);
    out["config"] = {{"script", spec.script},
                     {"args", texts(spec.args)},
                     {"cwd", spec.cwd},
                     {"instances", spec.instances},
                     {"port", number_or_null(port_of(process))}};
    out["logs"] = {{"out_file", process.stored.out_file},
                   {"error_file", process.stored.error_file}};
    return out;
}

json::object process_status(const ProcessView& process) {
    const process::AppSpec& spec = process.stored.app->spec;
    return {{"id", process.stored.id.to_string()},
            {"name", spec.name},
            {"state", state_name(process.status)},
            {"pid", pid_or_null(process)},
            {"uptime", process.pid == 0 ? json::value(nullptr)
                                        : json::value(core::to_rfc3339(process.started_at))},
            {"restarts", process.restarts},
            {"cpu_usage", nullptr},
            {"memory_usage", nullptr},
            {"exit_code", exit_code(process)},
            {"error", error_of(process)},
            {"namespace", spec.namespace_},
            {"instance", process.stored.instance},
            {"assigned_port", number_or_null(port_of(process))}};
}

json::object system(const os::HostState& host, core::SystemTime now) {
    return {{"cpu", nullptr},
            {"memory",
             {{"used", used_bytes(host)},
              {"total", host.memory_total.bytes()},
              {"percentage", used_percent(host)}}},
            {"load_average", load_of(host)},
            {"uptime", host.uptime.count()},
            {"timestamp", core::to_rfc3339(now)}};
}

json::object system_metrics(const os::HostState& host, core::SystemTime now) {
    return {{"cpu_usage", nullptr},
            {"memory_usage", used_bytes(host)},
            {"memory_total", host.memory_total.bytes()},
            {"memory_percent", used_percent(host)},
            {"memory_used", used_bytes(host)},
            {"load_average", load_of(host)},
            {"uptime", host.uptime.count()},
            {"timestamp", core::to_rfc3339(now)}};
}

json::object documented_system(const os::HostState& host, int cpus) {
    return {{"cpu", {{"usage", nullptr}, {"cores", cpus}, {"load_average", load_of(host)}}},
            {"memory",
             {{"total", host.memory_total.bytes()},
              {"used", used_bytes(host)},
              {"free", host.memory_available.bytes()},
              {"available", host.memory_available.bytes()},
              {"usage_percent", used_percent(host)}}},
            {"load", {{"one", host.load[0]}, {"five", host.load[1]}, {"fifteen", host.load[2]}}}};
}

json::object failure(std::string_view code, std::string_view message, json::object details) {
    return {{"success", false},
            {"error", {{"code", code}, {"message", message}, {"details", std::move(details)}}},
            {"message", message}};
}

}  // namespace zona::api::pmdaemon
