#include "api/detail/process_operations.h"

#include "api/detail/examples.h"
#include "api/detail/execution_routes.h"
#include "api/detail/shapes.h"

namespace zona::api {

using core::Code;
using net::Method;

namespace {

/// A start with a large file of apps, or of many processes, may take its time.
constexpr std::chrono::milliseconds kStartTime = std::chrono::minutes(10);
constexpr std::int64_t kMostLines = 1'000'000;

net::RequestLimits files() {
    return {.body = core::ByteCount::mib(16), .time = kStartTime};
}

net::RequestLimits slow() {
    return {.body = std::nullopt, .time = kStartTime};
}

ParameterSpec id_parameter() {
    return {
        .name = "id",
        .shape = Shape::text("A pm_id, a UUID, or a name with one instance.").example("\"api\""),
        .place = Place::kPath,
        .presence = Presence::kRequired};
}

ParameterSpec select_parameter() {
    return {
        .name = "select",
        .shape = Shape::text("A pm_id, a UUID, a name, `ns:NAMESPACE` or a namespace's name (a "
                             "process's name wins), `all`, or `/regex/` over names. Repeat it for "
                             "more; none means all.")
                     .example("\"api\""),
        .repeat = Repeat::kMany};
}

Shape environment(std::string doc) {
    return Shape::map(std::move(doc),
                      Shape::one_of("A text; numbers and booleans become texts.",
                                    {Shape::text("A text."), Shape::number("A number."),
                                     Shape::boolean("A boolean.")}))
        .example(R"({"PORT": "8000"})");
}

std::vector<ErrorSpec> one_process() {
    return {
        {Code::kNotFound, "No process has this id or name."},
        {Code::kInvalidArgument, "The name is that of several instances; `details` lists them."}};
}

std::vector<ErrorSpec> selected() {
    return {{Code::kNotFound, "A selector matches nothing; the hints are the nearest names."}};
}

std::vector<LinkSpec> links_from(const std::string& pm_id) {
    return {{"process", "getProcess", "id", pm_id}, {"exits", "listExits", "id", pm_id}};
}

}  // namespace

Operation list_processes() {
    return {.path = "/api/v1/processes",
            .id = "listProcesses",
            .tag = Tag::kProcesses,
            .summary = "List processes",
            .description = "All processes, or those that are selected, ordered by pm_id.",
            .parameters = {select_parameter()},
            .answers = {{.description = "The processes.",
                         .shape = Shape::array("By pm_id.", Shape::component("Process")),
                         .meta = Shape::object(
                                     {required("total", Shape::integer("How many are listed.")),
                                      required("killed", Shape::integer("How many restoreSnapshot "
                                                                        "would bring back."))})
                                     .example(R"({"total": 1, "killed": 0})"),
                         .example = examples::processes(),
                         .links = links_from("$response.body#/data/0/pm_id")}},
            .errors = selected()};
}

Operation start_processes() {
    const Shape body = Shape::object(
        {optional("apps", Shape::array("The apps; not together with `file`.",
                                       Shape::component("App", "One app."))
                              .checked_by_reader()),
         optional("file",
                  Shape::object(
                      {required("name", Shape::text("Its extension is its syntax.").at_least(1)),
                       required("content", Shape::text("Its text.").at_least(1))},
                      "An ecosystem file; not together with `apps`.")),
         required("cwd", Shape::text("Absolute: where every relative path begins.")
                             .at_least(1)
                             .example("\"/srv/app\"")),
         optional("env", environment("The caller's environment; an app's own variables win.")),
         optional("only",
                  Shape::array("Start these apps of the file alone.", Shape::text("A name."))),
         wait_field()},
        "What to start.");
    return {
        .method = Method::kPost,
        .path = "/api/v1/processes",
        .id = "startProcesses",
        .tag = Tag::kProcesses,
        .access = Access::kAdmin,
        .summary = "Start apps",
        .description =
            "Starts every instance of the apps, which are given as `apps` or by a `file`: "
            "exactly one of the two. Relative paths begin at `cwd`. An app of `apps` whose name "
            "exists is a conflict, and nothing is started; of a `file`, instances that run are "
            "left alone and stopped ones are started with the file's settings.",
        .body = BodySpec{body, examples::starts()},
        .answers = {{.status = 201,
                     .description = "The processes, and what became of them.",
                     .shape = Shape::component("Started"),
                     .example = examples::started(),
                     .links = links_from("$response.body#/data/processes/0/pm_id")},
                    not_waited_for("startProcesses")},
        .errors = {{Code::kNotFound,
                    "The program, its directory, user or interpreter, or an app "
                    "of `only`, does not exist."},
                   {Code::kForbidden,
                    "The key is a viewer's, or the program may not be executed, "
                    "or another user is asked for without being root."},
                   {Code::kConflict, "An app of that name exists; nothing was started."},
                   {Code::kUnsupported, "The file is of a kind that zona does not read."}},
        .limits = files()};
}

Operation get_process() {
    return {.path = "/api/v1/processes/{id}",
            .id = "getProcess",
            .tag = Tag::kProcesses,
            .summary = "Show one process",
            .description = "The process with this pm_id, UUID or name.",
            .parameters = {id_parameter()},
            .answers = {{.description = "The process.",
                         .shape = Shape::component("Process"),
                         .example = examples::process()}},
            .errors = one_process()};
}

Operation list_exits() {
    return {.path = "/api/v1/processes/{id}/exits",
            .id = "listExits",
            .tag = Tag::kProcesses,
            .summary = "Show how runs ended",
            .description =
                "The last ends of the process, newest first, each with the last lines that "
                "it wrote.",
            .parameters = {id_parameter()},
            .answers = {{.description = "The ends.",
                         .shape = Shape::array("Newest first.", Shape::component("ExitWithTails")),
                         .example = examples::exits()}},
            .errors = one_process()};
}

Operation get_environment() {
    return {.path = "/api/v1/processes/{id}/environment",
            .id = "getEnvironment",
            .tag = Tag::kProcesses,
            .summary = "Show the environment",
            .description = "The variables that the next start gives to the process.",
            .parameters = {id_parameter()},
            .answers = {{.description = "The variables.",
                         .shape = Shape::object({required(
                             "variables", Shape::map("By name.", Shape::text("A value.")))}),
                         .example = R"({"variables": {"PORT": "8000"}})"}},
            .errors = one_process()};
}

Operation operate_processes() {
    const Shape instances =
        Shape::one_of("For scale, where `select` is one app's name: how many, or `+N` or `-N`.",
                      {Shape::integer("How many."), Shape::text("A number, +N or -N.")})
            .example("\"+2\"");
    const Shape body = Shape::object(
        {required("action", Shape::text("What to do.")
                                .choices({"start", "stop", "restart", "delete", "reset", "scale",
                                          "signal", "send"})),
         required("select",
                  Shape::array("Selectors, as for listProcesses.", Shape::text("A selector."))
                      .at_least(1)
                      .hint("give ids, names or \"all\"")),
         wait_field(), optional("instances", instances),
         optional("signal", Shape::text("For signal: its name or number.").example("\"SIGUSR1\"")),
         optional("target", Shape::text("For signal: who gets it.")
                                .choices({"group", "process", "tree"})
                                .default_value("\"group\"")),
         optional("line", Shape::text("For send: written to its standard input, with a newline.")),
         optional(
             "update_env",
             Shape::boolean("For restart: `env` replaces the environment.").default_value("false")),
         optional("env", environment("For restart with `update_env`.")),
         optional("cwd", Shape::text("Where the caller is; not used yet."))},
        "What to do, and with which processes.");
    return {.method = Method::kPost,
            .path = "/api/v1/operations",
            .id = "operateProcesses",
            .tag = Tag::kProcesses,
            .access = Access::kAdmin,
            .summary = "Do something with processes",
            .description =
                "Does one thing with each selected process. What fails for one is told in "
                "its result and stops none of the others.",
            .body = BodySpec{body, examples::operations()},
            .answers = {{.description = "One result for each process.",
                         .shape = Shape::object({required(
                             "results",
                             Shape::array("By pm_id.", Shape::component("OperationResult")))}),
                         .example = examples::results()},
                        not_waited_for("operateProcesses")},
            .errors = selected(),
            .limits = files()};
}

Operation read_logs() {
    return {
        .path = "/api/v1/logs",
        .id = "readLogs",
        .tag = Tag::kLogs,
        .summary = "Read or follow logs",
        .description =
            "The last lines of the selected processes, one JSON object a line. With `follow` the "
            "stream stays open, and from time to time it carries a cursor, which resumes a broken "
            "stream without losing or repeating a line. By `format`, or by Accept, the same as "
            "server-sent events, which always follow, or one file's bytes as they are.",
        .parameters =
            {select_parameter(),
             {.name = "stream",
              .shape = Shape::text("Which of the two streams.")
                           .choices({"out", "err", "all"})
                           .default_value("\"all\"")
                           .example("\"err\"")},
             {.name = "lines",
              .shape = Shape::integer("How many of the last lines; `since` and `cursor` win.")
                           .range(0, kMostLines)
                           .default_value("15")
                           .example("100")},
             {.name = "since",
              .shape = Shape::text("Lines from then on: a time, or how long ago.")
                           .hint("give a time like 2026-01-31T12:00:00Z, or how long ago like 10m")
                           .example("\"10m\"")},
             {.name = "cursor",
              .shape = Shape::text("Where to resume: the last cursor that a stream carried.")
                           .example("\"\"")},
             {.name = "follow",
              .shape =
                  Shape::boolean("Keep the stream open.").default_value("false").example("false")},
             {.name = "format",
              .shape = Shape::text("The form, whatever Accept says: a JSON object a line; "
                                   "server-sent events `log` with such an object and `cursor`, "
                                   "whose ids resume by Last-Event-ID; the bytes of one file.")
                           .choices({"ndjson", "sse", "raw"})
                           .example("\"ndjson\"")}},
        .answers = {{.description = "One object a line.",
                     .shape = Shape::one_of(
                         "A line, or a cursor.",
                         {Shape::component("LogLine"), Shape::component("LogCursor")}),
                     .media_type = "application/x-ndjson",
                     .example = examples::log_line()},
                    {.description = "Server-sent events.",
                     .shape = Shape::text("Server-sent events."),
                     .media_type = "text/event-stream",
                     .example = "event: log\ndata: " + examples::log_line() + "\n\n"},
                    {.description = "The bytes of one file.",
                     .shape = Shape::text("What the process wrote."),
                     .media_type = "text/plain",
                     .example = "ready\n"}},
        .errors = selected()};
}

Operation save_snapshot() {
    return {
        .method = Method::kPost,
        .path = "/api/v1/snapshots",
        .id = "saveSnapshot",
        .tag = Tag::kSnapshots,
        .access = Access::kAdmin,
        .summary = "Save the list of processes",
        .description =
            "Keeps the present list for restoreSnapshot. An empty list replaces a kept "
            "one only with `force`.",
        .body =
            BodySpec{
                Shape::object({optional(
                    "force", Shape::boolean("Keep an empty list too.").default_value("false"))}),
                {{"force", "Whatever is there", R"({"force": true})"},
                 {"careful", "Unless nothing is there", "{}"}}},
        .answers = {{.status = 201,
                     .description = "It is on the disk.",
                     .shape = Shape::object({required("file", Shape::text("Its path.")),
                                             required("processes", Shape::integer("How many."))}),
                     .example = R"({"file": "/var/lib/zona/state/saved.json", "processes": 3})"}},
        .errors = {{Code::kConflict, "The list is empty, and `force` was not given."}},
        .limits = slow()};
}

Operation restore_snapshot() {
    const Shape body = Shape::object({wait_field()});
    std::vector<Field> fields = {
        required("processes",
                 Shape::array("Those that were brought back.", Shape::component("Process"))),
        required("outcomes",
                 Shape::array("What became of each start.", Shape::component("Outcome"))),
        required("warnings", Shape::array("For people.", Shape::text("One sentence."))),
        required("file", Shape::text("Where they were kept."))};
    return {.method = Method::kPost,
            .path = "/api/v1/snapshots/restore",
            .id = "restoreSnapshot",
            .tag = Tag::kSnapshots,
            .access = Access::kAdmin,
            .summary = "Bring saved processes back",
            .description =
                "Starts what was saved, or what ran before a shutdown. Names that exist "
                "already are left alone.",
            .body = BodySpec{body,
                             {{"plain", "Wait for them", "{}"},
                              {"at-once", "Answer at once", R"({"wait": false})"}}},
            .answers = {{.status = 201,
                         .description = "The processes, and what became of them.",
                         .shape = Shape::object(std::move(fields)),
                         .example = examples::restored()},
                        not_waited_for("restoreSnapshot")},
            .errors = {{Code::kNotFound, "Nothing was saved, or a program or directory is gone."},
                       {Code::kConflict, "The present state refuses it."}},
            .limits = slow()};
}

}  // namespace zona::api
