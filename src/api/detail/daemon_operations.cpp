#include "api/detail/daemon_operations.h"

#include "api/detail/shapes.h"

namespace zona::api {

using core::Code;
using net::Method;

namespace {

Shape texts(std::string doc) {
    return Shape::array(std::move(doc), Shape::text("A key."));
}

Shape levels() {
    return Shape::map("Levels by category; \"default\" is that of all others.",
                      Shape::text("A level.")
                          .choices({"trace", "debug", "info", "warn", "error", "fatal", "off"}));
}

AnswerSpec levels_in_force() {
    return {.description = "The levels in force.",
            .shape = levels(),
            .example = R"({"default": "info", "http": "warn"})"};
}

AnswerSpec status_answer(const std::string& status, std::string description) {
    return {
        .description = std::move(description),
        .shape = Shape::object({required("status", Shape::text("How it is.").choices({status}))}),
        .example = R"({"status": ")" + status + "\"}"};
}

AnswerSpec measurements() {
    return {
        .description = "The text format of Prometheus, version 0.0.4.",
        .shape = Shape::text("One sample a line."),
        .media_type = "text/plain",
        .example = "# TYPE zona_http_requests_in_flight gauge\nzona_http_requests_in_flight 1\n"};
}

Shape host_shape() {
    return Shape::object(
        {required("name", Shape::text("Its name in the network.")),
         required("kernel", Shape::text("As uname -r prints it.")),
         required("cpus", Shape::integer("How many zona may use.")),
         required("uptime_s", Shape::integer("Since it was booted.")),
         required("load",
                  Shape::array("Mean number of runnable tasks in the last 1, 5 and 15 minutes.",
                               Shape::number("A load."))
                      .length(3, 3)),
         required("memory_total_bytes", Shape::integer("What the kernel manages.")),
         required("memory_available_bytes", Shape::integer("What can be had without swapping."))},
        "The host now.");
}

Shape daemon_shape() {
    return Shape::object(
        {required("pid", Shape::integer("Of zonad.")),
         required("version", Shape::text("Of the program.")),
         required("started_at", Shape::text("When this daemon started.").format(Format::kTime)),
         required("uptime_s", Shape::integer("Since then.")),
         required("keeper_pid", Shape::integer("Of zona-keeper."))},
        "zona itself.");
}

Shape network_shape() {
    return Shape::object(
        {required("address", Shape::text("ADDRESS:PORT; null: only the unix socket.").nullable()),
         required("tls", Shape::boolean("It speaks HTTPS there, not HTTP.")),
         required("problem", Shape::text("Why it does not listen where it should.").nullable()),
         required("pmdaemon", Shape::text("A second address, for PMDaemon's clients: the "
                                          "setting's, or the first that was asked for.")
                                  .nullable())},
        "Where the API listens beside the unix socket.");
}

}  // namespace

Operation ping() {
    return {
        .path = "/api/v1/ping",
        .id = "ping",
        .tag = Tag::kSystem,
        .summary = "Ask who answers",
        .description =
            "Pids, version and age of the daemon and its keeper, and where the network "
            "reaches them.",
        .answers = {
            {.description = "They answer.",
             .shape = Shape::object(
                 {required("daemon",
                           Shape::object({required("pid", Shape::integer("Its pid.")),
                                          required("version", Shape::text("Its version.")),
                                          required("uptime_s", Shape::integer("Its age."))},
                                         "zonad.")),
                  required("keeper", Shape::object({required("pid", Shape::integer("Its pid."))},
                                                   "zona-keeper.")),
                  required("network", network_shape())}),
             .example = R"({"daemon": {"pid": 812, "version": "0.1.0", "uptime_s": 3600},
                             "keeper": {"pid": 811},
                             "network": {"address": "127.0.0.1:8063", "tls": false, "problem": null, "pmdaemon": null}})"}}};
}

Operation add_listener() {
    return {
        .method = Method::kPost,
        .path = "/api/v1/listeners",
        .id = "addListener",
        .tag = Tag::kSystem,
        .access = Access::kAdmin,
        .summary = "Listen on one more address",
        .description =
            "Serves the same API by the same rules there, until zona ends; the death of its "
            "daemon or of its keeper makes clients wait, not fail. A setting "
            "(api.pmdaemon_listen) keeps it for good. Where it listens already, nothing changes.",
        .body =
            BodySpec{Shape::object({required("address", Shape::text("A numeric address and a port.")
                                                            .at_least(1)
                                                            .example("\"127.0.0.1:9615\""))}),
                     {{"pmdaemon", "Where PMDaemon's clients look",
                       R"({"address": "127.0.0.1:9615"})"}}},
        .answers = {{.status = 201,
                     .description = "It listens.",
                     .shape =
                         Shape::object({required("address", Shape::text("Where it is bound."))}),
                     .example = R"({"address": "127.0.0.1:9615"})"}},
        .errors = {{Code::kConflict,
                    "The address is taken, 30 are listened on that were asked for, or zona knows "
                    "no keys, or cannot use its certificate."},
                   {Code::kForbidden, "The key is a viewer's, or the port is below 1024."}}};
}

Operation get_liveness() {
    return {.path = "/livez",
            .id = "getLiveness",
            .tag = Tag::kSystem,
            .access = Access::kOpen,
            .summary = "Ask whether the daemon lives",
            .description =
                "Answers while requests are answered at all; anything but 200 means that a "
                "restart is due, which the keeper does by itself.",
            .answers = {status_answer("live", "It lives.")}};
}

Shape readiness_shape() {
    return Shape::text("How it is.").choices({"ready", "degraded"});
}

Operation get_health() {
    const Shape failed = Shape::object(
        {required("code", Shape::text("Of the tenant.")),
         required("reason", Shape::text("Why its database cannot be used.")),
         required("tries", Shape::integer("Since it could be used last.")),
         required("next_try", Shape::text("When it is tried again.").format(Format::kTime))},
        "A tenant that should be served and is not.");
    return {.path = "/api/v1/health",
            .id = "getHealth",
            .tag = Tag::kSystem,
            .summary = "Show what works and what does not",
            .description =
                "What /readyz tells everybody, with the tenants that cannot be served and why.",
            .answers = {
                {.description = "How it is.",
                 .shape = Shape::object(
                     {required("status",
                               Shape::text("How it is.").choices({"ready", "degraded", "unready"})),
                      required("problem",
                               Shape::text("Why it is unready; null: it is not.").nullable()),
                      required("tenants_ready", Shape::integer("That are served.")),
                      required("tenants_failed", Shape::array("By code.", failed))}),
                 .example = R"({"status": "degraded", "problem": null, "tenants_ready": 99,
                             "tenants_failed": [{"code": "acme", "reason": "connection refused",
                             "tries": 3, "next_try": "2026-01-31T12:00:00.000Z"}]})"}}};
}

Operation get_readiness() {
    return {.path = "/readyz",
            .id = "getReadiness",
            .tag = Tag::kSystem,
            .access = Access::kOpen,
            .summary = "Ask whether the daemon is ready",
            .description =
                "Ready from the end of recovery until the shutdown begins: changes are "
                "taken. Degraded: so it is, but not every tenant can be served; getHealth says "
                "which.",
            .answers = {{.description = "It takes requests.",
                         .shape = Shape::object({required("status", readiness_shape())}),
                         .example = R"({"status": "ready"})"}},
            .errors = {
                {Code::kUnavailable, "It is starting or shutting down; the message says which."}}};
}

Operation list_settings() {
    const Shape setting = Shape::object(
        {required("key", Shape::text("Its name, with dots.")),
         required("value", Shape::text("In force; a secret is masked.")),
         required("source", Shape::text("Where it is from.")
                                .choices({"default", "profile", "file", "environment", "flag"})),
         required("file", Shape::text("The file that set it; empty for other sources.")),
         required("line", Shape::integer("Of that file; 0 for other sources.")),
         required(
             "pending",
             Shape::text("What a restart of the daemon would bring, if anything.").nullable())},
        "One setting.");
    return {.path = "/api/v1/config",
            .id = "listSettings",
            .tag = Tag::kConfiguration,
            .summary = "List the settings in force",
            .description =
                "Every setting with its value and where that is from "
                "(docs/configuration.md tells what they mean).",
            .answers = {{.description = "All settings.",
                         .shape = Shape::array("By key.", setting),
                         .example = R"([{"key": "log.level", "value": "info", "source": "default",
                             "file": "", "line": 0, "pending": null}])"}}};
}

Operation reload_settings() {
    return {.method = Method::kPost,
            .path = "/api/v1/config/reload",
            .id = "reloadSettings",
            .tag = Tag::kConfiguration,
            .access = Access::kAdmin,
            .summary = "Read the configuration anew",
            .description =
                "Reads file and environment again. Settings that can change while the "
                "daemon runs do; a mistake anywhere changes nothing.",
            .body = BodySpec{nothing(), {{"plain", "The only way", "{}"}}},
            .answers = {{.description = "What changed.",
                         .shape = Shape::object(
                             {required("changed", texts("In force now.")),
                              required("needs_restart", texts("In force after a restart."))}),
                         .example = R"({"changed": ["log.level"], "needs_restart": []})"}},
            .errors = {{Code::kInvalidArgument, "The file has mistakes; `details` lists them all."},
                       {Code::kNotFound, "The file is gone."}}};
}

Operation get_log_levels() {
    return {.path = "/api/v1/log-levels",
            .id = "getLogLevels",
            .tag = Tag::kConfiguration,
            .summary = "Show the levels of the daemon's log",
            .description = "The level of each category in use, and of all others as \"default\".",
            .answers = {levels_in_force()}};
}

Operation set_log_levels() {
    return {
        .method = Method::kPut,
        .path = "/api/v1/log-levels",
        .id = "setLogLevels",
        .tag = Tag::kConfiguration,
        .access = Access::kAdmin,
        .summary = "Change levels of the daemon's log",
        .description =
            "Sets the levels that are named and leaves the others, until the daemon "
            "ends or the configuration is read anew.",
        .body =
            BodySpec{levels().at_least(1).hint("give an object {\"category\": \"level\"}"),
                     {{"debug", "See every decision about processes", R"({"process": "debug"})"}}},
        .answers = {levels_in_force()}};
}

Operation examine_host() {
    const Shape check = Shape::object(
        {required("name", Shape::text("What was looked at.")),
         required("status",
                  Shape::text("`degraded`: works, but less, slower or without a guarantee.")
                      .choices({"ok", "degraded", "missing"})),
         required("detail", Shape::text("What was found.")),
         required("cure", Shape::text("What to do; empty when ok."))},
        "One line of the report.");
    return {.path = "/api/v1/host",
            .id = "examineHost",
            .tag = Tag::kSystem,
            .summary = "Ask what this host can guarantee",
            .description =
                "What `zona doctor` prints: each thing that zona can use, whether it is "
                "there, and how to get it.",
            .answers = {
                {.description = "The report, in a stable order.",
                 .shape = Shape::object({required("checks", Shape::array("All checks.", check))}),
                 .example = R"({"checks": [{"name": "cgroup v2", "status": "ok",
                             "detail": "zona has a subtree of its own", "cure": ""}]})"}}};
}

Operation get_system() {
    const Shape counts = Shape::object(
        {required("total", Shape::integer("All of them.")),
         required("by_status", Shape::map("How many have each status; none is left out "
                                          "but those with 0.",
                                          Shape::integer("How many.")))},
        "The managed processes.");
    return {
        .path = "/api/v1/system",
        .id = "getSystem",
        .tag = Tag::kSystem,
        .summary = "Show host and daemon at a glance",
        .description =
            "Load, memory and age of the host as the kernel gives them, the daemon's own "
            "state, and how many processes are in which status.",
        .answers = {{.description = "As things are now.",
                     .shape = Shape::object({required("host", host_shape()),
                                             required("daemon", daemon_shape()),
                                             required("processes", counts)}),
                     .example = R"({"host": {"name": "web-1", "kernel": "6.1.0-18-amd64", "cpus": 2,
                             "uptime_s": 86400, "load": [0.12, 0.3, 0.25],
                             "memory_total_bytes": 4123168604, "memory_available_bytes": 2913189888},
                             "daemon": {"pid": 812, "version": "0.1.0",
                             "started_at": "2026-01-31T12:00:00.000Z", "uptime_s": 3600,
                             "keeper_pid": 811},
                             "processes": {"total": 3, "by_status": {"online": 2, "stopped": 1}}})"}}};
}

Operation get_metrics() {
    return {.path = "/api/v1/metrics",
            .id = "getMetrics",
            .tag = Tag::kSystem,
            .summary = "Read the measurements",
            .description = "Counters, gauges and histograms of the daemon for Prometheus.",
            .answers = {measurements()}};
}

Operation scrape_metrics() {
    Operation operation = get_metrics();
    operation.path = "/metrics";
    operation.id = "scrapeMetrics";
    operation.summary = "Read the measurements at their usual path";
    operation.description = "The same as getMetrics, where Prometheus looks by default.";
    return operation;
}

Operation shut_down() {
    return {.method = Method::kPost,
            .path = "/api/v1/shutdown",
            .id = "shutDown",
            .tag = Tag::kSystem,
            .access = Access::kAdmin,
            .summary = "Stop every process and end zona",
            .description =
                "Stops all processes in order, then the daemon and its keeper. The next "
                "zona starts nothing by itself; restoreSnapshot brings back what ran.",
            .body = BodySpec{nothing(), {{"plain", "The only way", "{}"}}},
            .answers = {{.status = 202,
                         .description = "It has begun.",
                         .shape = Shape::object({required(
                             "stopping", Shape::integer("How many processes are being stopped."))}),
                         .example = R"({"stopping": 3})"}}};
}

}  // namespace zona::api
