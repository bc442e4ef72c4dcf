#include "api/detail/examples.h"

namespace zona::api::examples {

namespace {

std::string outcome() {
    return R"({"pm_id": 0, "name": "api", "instance": 0, "outcome": "ready", "after_ms": 302,
        "exit": null, "stderr_tail": [], "hint": null})";
}

std::string exit_fields() {
    return R"("incarnation": 1, "pid": 2071, "started_at": "2026-01-31T12:00:00.000Z",
        "exited_at": "2026-01-31T12:00:05.250Z", "ran_ms": 5250, "cause": "signaled", "code": null,
        "signal": "SIGSEGV", "core": false, "requested": false, "user_cpu_ms": 310,
        "system_cpu_ms": 40, "max_rss_bytes": 18874368)";
}

}  // namespace

std::string process() {
    return R"({"pm_id": 0, "id": "0192f3c4-7d1e-7a52-9c0b-3f6d2b8e4a10", "name": "api",
        "namespace": "default", "instance": 0, "status": "online", "desired": "running",
        "pid": 2084, "created_at": "2026-01-31T12:00:00.000Z",
        "started_at": "2026-01-31T12:00:05.251Z", "uptime_ms": 91500, "restarts": 1,
        "unstable_restarts": 0, "restart_at": null, "held_because": null, "last_exit": {)" +
           exit_fields() + R"(},
        "script": "server.py", "interpreter": "python3", "cwd": "/srv/app", "user": null,
        "group": null, "args": ["--port", "8000"], "interpreter_args": [], "autorestart": true,
        "max_restarts": 16, "min_uptime_ms": 1000, "restart_delay_ms": 0, "kill_timeout_ms": 1600,
        "kill_signal": "SIGINT", "stdin": "null", "out_file": "/var/lib/zona/logs/api-out.log",
        "error_file": "/var/lib/zona/logs/api-error.log",
        "containment": {"tier": "cgroup2", "guaranteed": true}, "survivors": []})";
}

std::string processes() {
    return "[" + process() + "]";
}

std::string exits() {
    return "[{" + exit_fields() +
           R"(, "stdout_tail": ["listening on 8000"], "stderr_tail": ["assertion failed"]}])";
}

std::string started() {
    return R"({"processes": [)" + process() + R"(], "outcomes": [)" + outcome() +
           R"(], "warnings": []})";
}

std::string restored() {
    return R"({"processes": [)" + process() + R"(], "outcomes": [)" + outcome() +
           R"(], "warnings": [], "file": "/var/lib/zona/state/saved.json"})";
}

std::string results() {
    return R"({"results": [{"pm_id": 0, "name": "api", "instance": 0, "ok": true, "process": )" +
           process() + R"(, "outcome": null, "error": null}]})";
}

std::string log_line() {
    return R"({"pm_id": 0, "name": "api", "instance": 0, "stream": "out",
        "time": "2026-01-31T12:00:05.300Z", "line": "listening on 8000"})";
}

std::vector<Example> starts() {
    return {
        {"apps", "One app, and no wait for it",
         R"({"apps": [{"name": "api", "script": "/bin/sleep", "args": ["1000"]}], "cwd": "/tmp",
                 "wait": false})"},
        {"file", "An ecosystem file",
         R"({"file": {"name": "zona.yaml", "content": "apps:\n  - name: web\n    script: /bin/sleep\n    args: ['1000']\n    instances: 2\n"},
                 "cwd": "/tmp", "env": {"PORT": "8000"}})"}};
}

std::vector<Example> operations() {
    return {
        {"restart", "Restart, and wait until it is ready",
         R"({"action": "restart", "select": ["api"]})"},
        {"stop", "Stop everything", R"({"action": "stop", "select": ["all"]})"},
        {"start", "Start what is stopped", R"({"action": "start", "select": ["api"]})"},
        {"reset", "Forget restarts", R"({"action": "reset", "select": ["api"]})"},
        {"scale", "Two more instances",
         R"({"action": "scale", "select": ["api"], "instances": "+2"})"},
        {"signal", "A signal to the program alone",
         R"({"action": "signal", "select": ["api"], "signal": "SIGCONT", "target": "process"})"},
        {"send", "A line for standard input",
         R"({"action": "send", "select": ["api"], "line": "reload"})"},
        {"new-environment", "Restart with another environment",
         R"({"action": "restart", "select": ["api"], "update_env": true, "env": {"PORT": "8001"}})"},
        {"delete", "Stop and forget", R"({"action": "delete", "select": ["api"]})"}};
}

}  // namespace zona::api::examples
