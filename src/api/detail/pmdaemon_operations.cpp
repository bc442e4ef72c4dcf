#include "api/detail/pmdaemon_operations.h"

namespace zona::api::pmdaemon {

using core::Code;
using net::Method;

namespace {

constexpr std::chrono::milliseconds kActionTime = std::chrono::minutes(10);
constexpr std::int64_t kMostLines = 10'000;

Shape text(std::string doc) {
    return Shape::text(std::move(doc));
}

Shape number(std::string doc) {
    return Shape::integer(std::move(doc));
}

Shape unmeasured(std::string doc) {
    return Shape::number(std::move(doc) + " null: not measured.").nullable();
}

Shape texts(std::string doc) {
    return Shape::array(std::move(doc), text("One text."));
}

Shape state() {
    return text("PMDaemon's name of its state.")
        .choices({"starting", "online", "stopping", "stopped", "errored", "restarting"});
}

Shape port() {
    return number("What PORT tells the process.").nullable();
}

Shape success() {
    return Shape::boolean("Whether it worked.");
}

Shape time(std::string doc) {
    return text(std::move(doc)).format(Format::kTime);
}

std::vector<Field> joined(std::vector<Field> first, std::vector<Field> second) {
    for (Field& field : second)
        first.push_back(std::move(field));
    return first;
}

Shape process() {
    std::vector<Field> fields = {
        required("id", number("Short id.")),
        required("pm_id", text("UUID.").format(Format::kUuid)),
        required("name", text("Its app's name.")),
        required("namespace", text("Its group.")),
        required("version", text("zona's.")),
        required("exec_mode", text("Always fork_mode.")),
        required("pid", number("null unless it runs.").nullable()),
        required("uptime", number("When its run began, in seconds since 1970; 0 unless it runs.")),
        required("created_at", number("When it was first started, in seconds since 1970.")),
        required("status", state()),
        required("restart_time", number("Restarts, by PM2's name.")),
        required("restarts", number("Restarts.")),
        required("cpu", unmeasured("Percent.")),
        required("memory", unmeasured("Bytes.")),
        required("user", text("null: zona's own.").nullable()),
        required("watching", Shape::boolean("Always false.")),
        required("instance_id", number("0 to n-1 within the app.")),
        required("exec_interpreter", text("none: it is executed itself.")),
        required("pm_exec_path", text("Its script.")),
        required("pm_cwd", text("Its working directory.")),
        required("node_args", texts("Arguments of the interpreter.")),
        required("pm_out_log_path", text("The log of its standard output.")),
        required("pm_err_log_path", text("The log of its standard error.")),
        required("pm_pid_path", text("null: there is no such file.").nullable()),
        required("exit_code", number("Of its last run.").nullable()),
        required("port", port()),
        required("monit", Shape::object({required("memory", unmeasured("Bytes.")),
                                         required("cpu", unmeasured("Percent."))},
                                        "Measurements by PM2's names.")),
        required("pm2_env", Shape::map("What PM2 shows beside; env is always empty.",
                                       Shape::any("A value.")))};
    return Shape::object(std::move(fields), "A process as PMDaemon and PM2 show it.");
}

std::vector<Field> short_fields() {
    return {required("id", number("Short id.")),
            required("name", text("Its app's name.")),
            required("status", state()),
            required("pid", number("null unless it runs.").nullable()),
            required("port", port()),
            required("cpu", unmeasured("Percent.")),
            required("memory", unmeasured("Bytes.")),
            required("uptime", number("Milliseconds.")),
            required("restarts", number("Restarts.")),
            required("health", text("unknown: nothing checks it.").choices({"unknown"}))};
}

Shape long_process() {
    return Shape::object(
        joined(short_fields(),
               {required("success", success()),
                required("data", Shape::component("PmdaemonProcess", "The same in full.")),
                required("config", Shape::map("How it is started.", Shape::any("A value."))),
                required("logs", Shape::map("Where its output lies.", text("A path.")))}),
        "One process.");
}

Shape failure() {
    const Shape error = Shape::object(
        {required("code", text("Of PMDaemon's list; UNAUTHENTICATED is zona's.")
                              .choices({"PROCESS_NOT_FOUND", "PROCESS_ALREADY_EXISTS",
                                        "PROCESS_ALREADY_RUNNING", "PROCESS_START_FAILED",
                                        "INVALID_CONFIGURATION", "OPERATION_FAILED",
                                        "PERMISSION_DENIED", "UNAUTHENTICATED"})),
         required("message", text("One sentence.")),
         required("details", Shape::map("More about it.", Shape::any("A value.")))},
        "Why.");
    return Shape::object(
        {required("success", Shape::boolean("Always false.")), required("error", error),
         required("message", text("The same sentence."))},
        "How a request of PMDaemon's fails.");
}

Shape log_line() {
    return Shape::object({required("timestamp", time("null: older than the index.").nullable()),
                          required("type", text("Which stream.").choices({"out", "error"})),
                          required("message", text("The line."))},
                         "A line of a log.");
}

AnswerSpec done_with(Shape shape, std::string description, std::string example, int status = 200) {
    return {.status = status,
            .description = std::move(description),
            .shape = std::move(shape),
            .envelope = Envelope::kNo,
            .example = std::move(example)};
}

AnswerSpec done(const std::string& what) {
    return done_with(
        Shape::object({required("success", success()), required("message", text("One sentence."))}),
        "It is done.", R"({"success": true, "message": "Process 'api' )" + what + "\"}");
}

AnswerSpec refused(int status, const std::string& code, std::string description) {
    return done_with(Shape::component("PmdaemonFailure"), std::move(description),
                     R"({"success": false, "error": {"code": ")" + code +
                         R"(", "message": "Why.", "details": {}}, "message": "Why."})",
                     status);
}

/// What every one of them may refuse.
std::vector<AnswerSpec> with_refusals(AnswerSpec usual) {
    return {std::move(usual),
            refused(400, "INVALID_CONFIGURATION",
                    "Something in the request, or the operation, "
                    "failed."),
            refused(401, "UNAUTHENTICATED", "No usable key was given."),
            refused(403, "PERMISSION_DENIED", "The key is a viewer's, or the host refuses it."),
            refused(404, "PROCESS_NOT_FOUND", "No process has this id or name."),
            refused(409, "PROCESS_ALREADY_RUNNING", "The present state refuses it.")};
}

std::vector<ErrorSpec> beside() {
    return {{Code::kNotFound, "No process has this id or name."},
            {Code::kForbidden, "The key is a viewer's, or the host refuses it."},
            {Code::kConflict, "The present state refuses it."},
            {Code::kUnsupported, "zona cannot do this yet; the message names it."}};
}

ParameterSpec id_parameter() {
    return {.name = "id",
            .shape = text("A UUID, a pm_id, or a name with one instance.").example("\"api\""),
            .place = Place::kPath,
            .presence = Presence::kRequired};
}

Operation of(Method method, std::string path, std::string id, std::string summary,
             std::string description, AnswerSpec answer) {
    Operation out;
    out.method = method;
    out.path = std::move(path);
    out.id = std::move(id);
    out.tag = Tag::kPmdaemon;
    out.manner = Manner::kPmdaemon;
    out.access = method == Method::kGet ? Access::kViewer : Access::kAdmin;
    out.summary = std::move(summary);
    out.description = std::move(description);
    out.answers = with_refusals(std::move(answer));
    out.errors = beside();
    if (out.path.find("{id}") != std::string::npos) out.parameters.push_back(id_parameter());
    if (method != Method::kGet) out.limits = {.body = std::nullopt, .time = kActionTime};
    return out;
}

Shape ports() {
    return Shape::one_of("What PORT tells it from now on.",
                         {number("A port."), text("\"3001\", or a range: \"4000-4003\".")});
}

BodySpec restart_body() {
    const Shape range = Shape::array("First and last port.", number("A port.")).length(2, 2);
    return {Shape::object({optional("port", ports()), optional("port_range", range)},
                          "May be null or missing.")
                .checked_by_reader(),
            {{"port", "On another port", R"({"port": "3001"})"},
             {"range", "Each instance on its own", R"({"port_range": [4000, 4003]})"}}};
}

Operation action(const std::string& verb, const std::string& past, std::string description) {
    const std::string upper(1, static_cast<char>(verb[0] - ('a' - 'A')));
    return of(Method::kPost, "/api/processes/{id}/" + verb, verb + "ProcessAsPmdaemon",
              upper + verb.substr(1) + " a process", std::move(description), done(past));
}

Operation logs(std::string path, std::string id) {
    const Shape data = Shape::object(
        {required("logs", text("The lines.")), required("lines", number("How many were asked.")),
         required("process_id", text("As in the path."))},
        "The form of PMDaemon's source.");
    const Shape all =
        Shape::object({required("success", success()), required("data", data),
                       required("logs", Shape::array("The documented form, oldest first.",
                                                     Shape::component("PmdaemonLogLine"))),
                       required("total_lines", number("How many there are here.")),
                       required("process", text("Its name."))});
    Operation out =
        of(Method::kGet, std::move(path), std::move(id), "Read logs",
           "The last lines of a process, as one text and as a list. `follow` is taken and does "
           "nothing, as in PMDaemon; readLogs follows.",
           done_with(all, "The lines.",
                     R"({"success": true, "data": {"logs": "hello\n", "lines": 50,
                     "process_id": "api"}, "logs": [{"timestamp": "2026-01-31T12:00:00Z",
                     "type": "out", "message": "hello"}], "total_lines": 1, "process": "api"})"));
    out.parameters.push_back(
        {.name = "lines",
         .shape = number("How many.").range(0, kMostLines).default_value("50").example("50")});
    out.parameters.push_back({.name = "type",
                              .shape = text("Which stream; stdout and stderr are out and error.")
                                           .choices({"out", "error", "all", "stdout", "stderr"})
                                           .default_value("\"all\"")
                                           .example("\"out\"")});
    out.parameters.push_back(
        {.name = "follow", .shape = Shape::boolean("Does nothing.").example("false")});
    return out;
}

constexpr const char* kProcessExample =
    R"({"id": 0, "pm_id": "0d7c6c7e-6d0a-4b6e-9d6c-3f6f5d1a2b3c", "name": "api",
    "namespace": "default", "version": "0.1.0", "exec_mode": "fork_mode", "pid": 812,
    "uptime": 1790000000, "created_at": 1790000000, "status": "online", "restart_time": 0,
    "restarts": 0, "cpu": null, "memory": null, "user": null, "watching": false, "instance_id": 0,
    "exec_interpreter": "node", "pm_exec_path": "server.js", "pm_cwd": "/srv/app", "node_args": [],
    "pm_out_log_path": "/srv/logs/api-out.log", "pm_err_log_path": "/srv/logs/api-error.log",
    "pm_pid_path": null, "exit_code": null, "port": 3000, "monit": {"memory": null, "cpu": null},
    "pm2_env": {"env": {}}})";
constexpr const char* kShortExample =
    R"("id": 0, "name": "api", "status": "online", "pid": 812, "port": 3000, "cpu": null,
    "memory": null, "uptime": 7890000, "restarts": 0, "health": "unknown")";
constexpr const char* kSystemExample =
    R"("system": {"cpu": null, "memory": {"used": 2, "total": 8, "percentage": 25.0},
    "load_average": [1.2, 1.5, 1.8], "uptime": 432000, "timestamp": "2026-01-31T12:00:00Z"})";

Shape system_shape() {
    return Shape::map("CPU, memory, load, uptime and time.", Shape::any("A value."));
}

}  // namespace

void name_components(Service& service) {
    service.name("PmdaemonProcess", process());
    service.name("PmdaemonShortProcess",
                 Shape::object(short_fields(), "A process as PMDaemon's documents show it."));
    service.name("PmdaemonFailure", failure());
    service.name("PmdaemonLogLine", log_line());
}

Operation list_processes() {
    const Shape meta =
        Shape::object({required("total", number("How many.")),
                       required("namespace", text("What was asked for.").nullable())},
                      "About the list.");
    const Shape all = Shape::object(
        {required("success", success()),
         required("data", Shape::array("By pm_id.", Shape::component("PmdaemonProcess"))),
         required("meta", meta),
         required("processes", Shape::array("The documented form of the same.",
                                            Shape::component("PmdaemonShortProcess"))),
         required("total", number("How many."))});
    Operation out =
        of(Method::kGet, "/api/processes", "listProcessesAsPmdaemon", "List processes",
           "All processes, or those that all of the filters let pass.",
           done_with(all, "The processes.",
                     std::string(R"({"success": true, "data": [)") + kProcessExample +
                         R"(], "meta": {"total": 1, "namespace": null}, "processes": [{)" +
                         kShortExample + R"(}], "total": 1})"));
    out.parameters = {
        {.name = "namespace", .shape = text("Only of this group.").example("\"default\"")},
        {.name = "status", .shape = text("Only in this state.").example("\"online\"")},
        {.name = "name", .shape = text("Only of this name.").example("\"api\"")},
        {.name = "monitoring", .shape = text("Does nothing.").example("\"true\"")}};
    return out;
}

Operation create_process() {
    Operation out = of(
        Method::kPost, "/api/processes", "createProcessAsPmdaemon", "Start a new process",
        "Starts an app that has the keys of an ecosystem file. Relative paths begin at `cwd`, "
        "which is / unless given.",
        done_with(Shape::object(
                      {required("success", success()), required("message", text("One sentence.")),
                       required("process", Shape::component("PmdaemonShortProcess", "It."))}),
                  "It is started.",
                  std::string(R"({"success": true, "message": "Process 'api' started )") +
                      R"(successfully", "process": {)" + kShortExample + "}}",
                  201));
    out.body = BodySpec{Shape::map("An app, with `port` beside.", Shape::any("A value.")),
                        {{"app", "As in PMDaemon's documents",
                          R"({"name": "test-app", "script": "node", "args": ["server.js"],
                             "port": "3000"})"}}};
    return out;
}

Operation get_process() {
    return of(Method::kGet, "/api/processes/{id}", "getProcessAsPmdaemon", "Show one process",
              "The process, in the form of PMDaemon's documents and, as `data`, of its source.",
              done_with(long_process(), "The process.",
                        std::string("{") + kShortExample + R"(, "success": true, "data": )" +
                            kProcessExample +
                            R"(, "config": {"script": "server.js"},
                            "logs": {"out_file": "/srv/logs/api-out.log"}})"));
}

Operation delete_process() {
    return of(Method::kDelete, "/api/processes/{id}", "deleteProcessAsPmdaemon",
              "Stop and forget a process", "Stops it if it runs, and forgets it; its logs stay.",
              done("deleted successfully"));
}

Operation start_process() {
    return action("start", "started successfully",
                  "Starts a process that does not run, and answers when it does.");
}

Operation stop_process() {
    return action("stop", "stopped successfully",
                  "Stops all of it, and answers when nothing of it runs.");
}

Operation restart_process() {
    Operation out = action("restart", "restarted successfully",
                           "Stops and starts it, on another port if one is given.");
    out.body = restart_body();
    return out;
}

Operation reload_process() {
    Operation out = action("reload", "reloaded successfully",
                           "A restart: a new instance beside the old one is not started yet.");
    out.body = restart_body();
    return out;
}

Operation get_logs() {
    return logs("/api/processes/{id}/logs", "getLogsAsPmdaemon");
}

Operation get_logs_again() {
    return logs("/api/logs/{id}", "getLogsAsInReadmeOfPmdaemon");
}

Operation get_system() {
    const Shape all = Shape::object(
        {required("success", success()),
         required("data", Shape::object({required("system", system_shape())},
                                        "The form of PMDaemon's source.")),
         required("hostname", text("Of the host.")), required("platform", text("Always linux.")),
         required("uptime", number("Seconds since the host was booted.")),
         required("timestamp", time("When it was measured.")), required("cpu", system_shape()),
         required("memory", system_shape()), required("load", system_shape()),
         required("processes", Shape::map("How many, by state.", number("A count.")))});
    return of(Method::kGet, "/api/system", "getSystemAsPmdaemon", "Measure the host",
              "Memory, load and uptime of the host, in both of PMDaemon's forms.",
              done_with(all, "The host now.",
                        std::string(R"({"success": true, "data": {)") + kSystemExample +
                            R"(}, "hostname": "a", "platform": "linux", "uptime": 432000,
                            "timestamp": "2026-01-31T12:00:00Z", "cpu": {"cores": 8},
                            "memory": {"total": 8}, "load": {"one": 0.85},
                            "processes": {"total": 1}})"));
}

Operation get_status() {
    const Shape ports = Shape::object(
        {required("allocated", Shape::array("What PORT tells those that run.", number("A port."))),
         required("total", number("How many."))},
        "Ports.");
    const Shape data = Shape::object(
        {required("processes", Shape::array("All.", Shape::component("PmdaemonProcess"))),
         required("system", system_shape()), required("ports", ports),
         required("meta", Shape::map("Versions and time.", Shape::any("A value.")))},
        "The form of PMDaemon's source.");
    const Shape all =
        Shape::object({required("success", success()), required("data", data),
                       required("status", text("ok while zona answers.").choices({"ok"})),
                       required("timestamp", time("Now.")), required("version", text("zona's."))});
    return of(
        Method::kGet, "/api/status", "getStatusAsPmdaemon", "Show everything at once",
        "Processes, host and ports; and the short form for load balancers.",
        done_with(all, "All of it.",
                  std::string(R"({"success": true, "data": {"processes": [], )") + kSystemExample +
                      R"(, "ports": {"allocated": [3000], "total": 1},
                            "meta": {"pm2_version": "0.1.0"}}, "status": "ok",
                            "timestamp": "2026-01-31T12:00:00Z", "version": "0.1.0"})"));
}

Operation open_socket() {
    AnswerSpec answer{.status = 101,
                      .description = "The socket is open.",
                      .shape = Shape::any("Nothing."),
                      .media_type = ""};
    return of(Method::kGet, "/ws", "openSocketAsPmdaemon", "Watch and command over a WebSocket",
              "Sends ProcessList, ProcessUpdate and SystemUpdate as PMDaemon's source does; from "
              "a client's first `subscribe` on it speaks the protocol of PMDaemon's documents: "
              "subscribe, unsubscribe, command, get_info, get_system. docs/compatibility.md has "
              "both.",
              std::move(answer));
}

AnswerSpec front_answer() {
    const Shape all = Shape::object(
        {required("name", text("zona.")), required("version", text("zona's.")),
         required("description", text("One sentence.")), required("status", text("running.")),
         required("endpoints", Shape::map("Where things are.", text("A path.")))});
    return done_with(all, "To a client that does not ask for HTML.",
                     R"({"name": "zona", "version": "0.1.0", "description": "A supervisor.",
                        "status": "running", "endpoints": {"processes": "/api/processes"}})");
}

}  // namespace zona::api::pmdaemon
