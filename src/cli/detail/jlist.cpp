#include "cli/detail/jlist.h"

#include <filesystem>
#include <map>
#include <utility>

#include <boost/json.hpp>

#include "core/json.h"

namespace zona::cli {
namespace {

namespace json = boost::json;

json::value milliseconds_of(const std::optional<core::SystemTime>& time) {
    if (!time) return 0;
    return std::chrono::duration_cast<Milliseconds>(time->time_since_epoch()).count();
}

json::array array_of(const std::vector<std::string>& texts) {
    return json::array(texts.begin(), texts.end());
}

/// PM2 gives the path of a script; a name on PATH and a command line stay as they are.
std::string path_of_script(const Process& process) {
    const std::string& script = process.script;
    const bool is_path = !process.interpreter.empty() || script.find('/') != std::string::npos;
    if (!is_path || script.starts_with('/') || script.find(' ') != std::string::npos) return script;
    return (std::filesystem::path(process.cwd) / script).lexically_normal().string();
}

json::object environment_of(const Process& process, std::int64_t instances) {
    json::object env;
    env["name"] = process.name;
    env["namespace"] = process.space;
    env["status"] = process.status;
    env["pm_id"] = process.pm_id;
    env["unique_id"] = process.id;
    env["pm_uptime"] = milliseconds_of(process.started_at);
    env["created_at"] = milliseconds_of(process.created_at);
    env["restart_time"] = process.restarts;
    env["unstable_restarts"] = process.unstable_restarts;
    env["pm_out_log_path"] = process.out_file;
    env["pm_err_log_path"] = process.error_file;
    env["pm_exec_path"] = path_of_script(process);
    env["pm_cwd"] = process.cwd;
    env["exec_interpreter"] = process.interpreter.empty() ? "none" : process.interpreter;
    env["exec_mode"] = "fork_mode";
    env["args"] = array_of(process.args);
    env["node_args"] = array_of(process.interpreter_args);
    env["instances"] = instances;
    env["NODE_APP_INSTANCE"] = process.instance;
    env["autorestart"] = process.autorestart;
    env["max_restarts"] = process.max_restarts;
    env["min_uptime"] = process.min_uptime.count();
    env["restart_delay"] = process.restart_delay.count();
    env["kill_timeout"] = process.kill_timeout.count();
    env["username"] = process.user;
    env["watch"] = false;
    env["exit_code"] = nullptr;
    if (process.last_exit && process.last_exit->code) env["exit_code"] = *process.last_exit->code;
    return env;
}

}  // namespace

std::string jlist_text(std::span<const Process> processes) {
    std::map<std::pair<std::string, std::string>, std::int64_t> instances;
    for (const Process& process : processes)
        ++instances[{process.space, process.name}];
    json::array list;
    for (const Process& process : processes) {
        list.push_back(
            {{"pid", process.pid.value_or(0)},
             {"name", process.name},
             {"pm2_env", environment_of(process, instances[{process.space, process.name}])},
             {"pm_id", process.pm_id},
             {"monit", {{"memory", 0}, {"cpu", 0}}}});
    }
    return core::to_json(list);
}

}  // namespace zona::cli
