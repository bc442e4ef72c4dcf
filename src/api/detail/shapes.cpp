#include "api/detail/shapes.h"

#include "api/detail/stream_shapes.h"
#include "process/ecosystem.h"

namespace zona::api {

namespace {

Shape time(std::string doc) {
    return Shape::text(std::move(doc)).format(Format::kTime);
}

Shape count(std::string doc) {
    return Shape::integer(std::move(doc)).range(0, std::numeric_limits<std::int64_t>::max());
}

Shape texts(std::string doc) {
    return Shape::array(std::move(doc), Shape::text("One text."));
}

std::vector<Field> identity_fields() {
    return {
        required("pm_id",
                 count("Short id; never reused while the list is not empty.").example("0")),
        required("id", Shape::text("Never reused.").format(Format::kUuid)),
        required("name", Shape::text("Instances of an app share it.").example("\"api\"")),
        required("namespace", Shape::text("A group of apps that can be addressed together.")),
        required("instance", count("0 to n-1 within the app.")),
    };
}

std::vector<Field> state_fields() {
    return {
        required("status", Shape::text("What it does now.")
                               .choices({"launching", "online", "stopping", "stopped",
                                         "waiting restart", "errored"})),
        required("desired",
                 Shape::text("What is brought back after a boot.").choices({"running", "stopped"})),
        required("pid", Shape::integer("null unless it runs.").nullable()),
        required("created_at", time("When it was first started.").nullable()),
        required("started_at", time("When the present or last run began.").nullable()),
        required("uptime_ms", count("0 unless it runs.")),
        required("restarts",
                 count("Automatic and asked-for restarts since it was created or reset.")),
        required("unstable_restarts", count("Crashes counted against `max_restarts`.")),
        required("restart_at", time("When `waiting restart` ends.").nullable()),
        required("held_because",
                 Shape::text("Why an `errored` process is not restarted.").nullable()),
        required("last_exit", Shape::component("Exit", "How its last run ended.").nullable()),
    };
}

std::vector<Field> settings_fields() {
    return {
        required("script", Shape::text("What runs, as it was given.")),
        required(
            "interpreter",
            Shape::text("The program that runs the script; null: executed itself.").nullable()),
        required("cwd", Shape::text("Its working directory.")),
        required("user", Shape::text("null: zona's own.").nullable()),
        required("group", Shape::text("null: the user's.").nullable()),
        required("args", texts("Its arguments.")),
        required("interpreter_args", texts("Arguments of the interpreter, before the script.")),
        required("autorestart",
                 Shape::boolean("Whether it is started again when it ends by itself.")),
        required("max_restarts", count("Short runs in a row until it is `errored`.")),
        required("min_uptime_ms", count("A shorter run counts against `max_restarts`.")),
        required("restart_delay_ms", count("Pause before an automatic restart.")),
        required("kill_timeout_ms", count("From the stop signal to SIGKILL for all that is left.")),
        required("kill_signal", Shape::text("Asks it to stop.").example("\"SIGINT\"")),
        required("stdin",
                 Shape::text("Where its standard input comes from.").choices({"null", "pipe"})),
        required("out_file", Shape::text("Path of the log of its standard output.")),
        required("error_file", Shape::text("Path of the log of its standard error.")),
        required(
            "containment",
            Shape::object({required("tier", Shape::text("How its descendants are found.")
                                                .choices({"cgroup2", "cgroup1", "sweep"})),
                           required("guaranteed", Shape::boolean("Whether none can be missed."))},
                          "What holds its tree together.")),
        required("survivors", Shape::array("What outlived its last stop and still runs.",
                                           Shape::component("Survivor"))),
    };
}

Shape process() {
    std::vector<Field> fields = identity_fields();
    for (auto part : {state_fields(), settings_fields()}) {
        for (Field& field : part)
            fields.push_back(std::move(field));
    }
    return Shape::object(std::move(fields), "A managed process.");
}

Shape survivor() {
    return Shape::object(
        {required("pid", Shape::integer("Its pid.")), required("name", Shape::text("Its program.")),
         required("certain", Shape::boolean("False: an orphan that may be its."))},
        "A process that outlived a stop.");
}

std::vector<Field> exit_fields() {
    return {
        required("incarnation", count("Which run it was, counted from 1.")),
        required("pid", Shape::integer("null when no process came to be.").nullable()),
        required("started_at", time("When the run began.").nullable()),
        required("exited_at", time("When it ended.").nullable()),
        required("ran_ms", Shape::integer("How long it ran.")),
        required("cause",
                 Shape::text("What ended it; `unknown`: the process lost both its parents.")
                     .choices({"exited", "signaled", "out_of_memory", "not_started", "unknown"})),
        required("code", Shape::integer("The exit code, for `exited`.").nullable()),
        required(
            "signal",
            Shape::text("For `signaled` and `out_of_memory`.").nullable().example("\"SIGSEGV\"")),
        required("core", Shape::boolean("Whether a core was dumped.")),
        required("requested", Shape::boolean("The end of a stop, restart or delete.")),
        sometimes("reason", Shape::text("For `not_started`: a sentence.")),
        required("user_cpu_ms", count("Time in user mode.")),
        required("system_cpu_ms", count("Time in the kernel.")),
        required("max_rss_bytes", count("Most memory at one time.")),
    };
}

Shape exit_with_tails() {
    std::vector<Field> fields = exit_fields();
    fields.push_back(required("stdout_tail", texts("Its last lines on standard output.")));
    fields.push_back(required("stderr_tail", texts("Its last lines on standard error.")));
    return Shape::object(std::move(fields), "How a run ended, and what it last said.");
}

Shape outcome() {
    return Shape::object(
        {required("pm_id", count("Of the process.")),
         required("name", Shape::text("Of the process.")),
         required("instance", count("Of the process.")),
         required("outcome", Shape::text("`ready`: executed, and alive for 300 ms.")
                                 .choices({"ready", "exited", "not_started"})),
         required("after_ms", count("From the start to the outcome.")),
         required("exit", Shape::component("Exit", "The end, if it came.").nullable()),
         required("stderr_tail", texts("Up to 5 lines of its standard error.")),
         required("hint", Shape::text("What to do.").nullable())},
        "What became of a start or restart.");
}

Shape failure() {
    std::vector<std::string> codes;
    for (const core::CodeInfo& row : core::all_codes())
        codes.emplace_back(row.name);
    return Shape::object(
        {required("code", Shape::text("One of the closed list of codes.").choices(codes)),
         required("message", Shape::text("One sentence for people.")),
         required("details",
                  Shape::array("More of it, where there is more.",
                               Shape::object(
                                   {required("where", Shape::text("May be empty.")),
                                    required("problem", Shape::text("What is wrong there.")),
                                    required("hint", Shape::text("What to do; may be empty."))})))},
        "Why one part of a request failed.");
}

Shape operation_result() {
    return Shape::object(
        {required("pm_id", count("Of the process.")),
         required("name", Shape::text("Of the process.")),
         required("instance", count("Of the process.")),
         required("ok", Shape::boolean("Whether there is no `error`.")),
         required("process",
                  Shape::component("Process", "As it is now; null once deleted.").nullable()),
         required("outcome", Shape::component("Outcome", "Of a start or restart.").nullable()),
         required("error", Shape::component("PartialFailure", "Why not.").nullable())},
        "What an operation did to one process.");
}

Shape started() {
    return Shape::object({required("processes", Shape::array("All instances of the apps.",
                                                             Shape::component("Process"))),
                          required("outcomes", Shape::array("What became of each start.",
                                                            Shape::component("Outcome"))),
                          required("warnings", texts("What was odd in the file, for people."))},
                         "What a start did.");
}

/// The words of docs/ecosystem.md for the type of a key.
Shape shape_of_key(const process::KeyInfo& key) {
    const std::string doc(key.meaning);
    const std::string_view type = key.type;
    if (type == "boolean") return Shape::boolean(doc);
    if (type == "object") return Shape::map(doc, Shape::any("A value."));
    if (type == "integer") return Shape::integer(doc);
    if (type == "string" || type == "path") return Shape::text(doc);
    if (type == "list or string")
        return Shape::one_of(doc, {texts("A list."), Shape::text("One text.")});
    if (type == "list of integers") return Shape::array(doc, Shape::integer("One number."));
    return Shape::one_of(doc, {Shape::text("A text."), Shape::integer("A number.")});
}

Shape app() {
    std::vector<Field> fields;
    for (const process::KeyInfo& key : process::ecosystem_keys()) {
        const Shape shape = shape_of_key(key).default_value(std::string(key.default_value));
        fields.push_back(key.name == "script" ? required(std::string(key.name), shape)
                                              : optional(std::string(key.name), shape));
    }
    return Shape::object(std::move(fields),
                         "An app: the keys of an ecosystem file (docs/ecosystem.md).")
        .checked_by_reader();
}

Shape log_line() {
    return Shape::object(
        {required("pm_id", count("Of the process.")),
         required("name", Shape::text("Of the process.")),
         required("instance", count("Of the process.")),
         required("stream", Shape::text("Which stream it came by.").choices({"out", "err"})),
         required(
             "time",
             time("When the block that it came in arrived; null for lines older than the index.")
                 .nullable()),
         required("line", Shape::text("Without its newline; bytes that are not UTF-8 are U+FFFD.")),
         sometimes("partial", Shape::boolean("It had not ended when it was read.")),
         sometimes("split",
                   Shape::boolean("It goes on in the next object: it is too long for one."))},
        "A line of a log.");
}

}  // namespace

Shape nothing() {
    return Shape::object({}, "No fields.");
}

void name_components(Service& service) {
    service.name("Process", process());
    service.name("Survivor", survivor());
    service.name("Exit", Shape::object(exit_fields(), "How a run ended."));
    service.name("ExitWithTails", exit_with_tails());
    service.name("Outcome", outcome());
    service.name("PartialFailure", failure());
    service.name("OperationResult", operation_result());
    service.name("Started", started());
    service.name("App", app());
    service.name("LogLine", log_line());
    service.name("LogCursor",
                 Shape::object({required("cursor", Shape::text("Where to resume, for `cursor`."))},
                               "From time to time in a stream that follows."));
    name_stream_components(service);
}

}  // namespace zona::api
