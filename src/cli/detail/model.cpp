#include "cli/detail/model.h"

#include <algorithm>
#include <array>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/time_format.h"

namespace zona::cli {
namespace {

namespace json = boost::json;

const json::object& object_of(const json::value& value) {
    static const json::object empty;
    const json::object* object = value.if_object();
    return object != nullptr ? *object : empty;
}

bool boolean_of(const json::object& object, std::string_view key, bool otherwise) {
    const json::value* value = object.if_contains(key);
    return value != nullptr && value->is_bool() ? value->get_bool() : otherwise;
}

std::int64_t number_of(const json::object& object, std::string_view key) {
    return integer_of(object, key).value_or(0);
}

Milliseconds duration_of(const json::object& object, std::string_view key) {
    return Milliseconds(number_of(object, key));
}

std::optional<core::SystemTime> time_of(const json::object& object, std::string_view key) {
    const std::string text = text_of(object, key);
    if (text.empty()) return std::nullopt;
    const auto time = core::parse_rfc3339(text);
    if (!time) return std::nullopt;
    return *time;
}

const json::value* present(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value != nullptr && !value->is_null() ? value : nullptr;
}

template <class T>
std::vector<T> list_of(const json::object& object, std::string_view key,
                       T (*read)(const json::value&)) {
    std::vector<T> result;
    const json::value* value = object.if_contains(key);
    if (value == nullptr || !value->is_array()) return result;
    result.reserve(value->get_array().size());
    for (const json::value& entry : value->get_array())
        result.push_back(read(entry));
    return result;
}

Survivor read_survivor(const json::value& value) {
    const json::object& from = object_of(value);
    return {integer_of(from, "pid").value_or(0), text_of(from, "name"),
            boolean_of(from, "certain", true)};
}

}  // namespace

std::string text_of(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    if (value == nullptr || !value->is_string()) return {};
    return std::string(value->get_string());
}

std::optional<std::int64_t> integer_of(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    if (value == nullptr) return std::nullopt;
    json::error_code failed;
    const auto number = value->to_number<std::int64_t>(failed);
    if (failed) return std::nullopt;
    return number;
}

std::vector<std::string> texts_of(const json::object& object, std::string_view key) {
    std::vector<std::string> result;
    const json::value* value = object.if_contains(key);
    if (value == nullptr || !value->is_array()) return result;
    for (const json::value& entry : value->get_array()) {
        if (entry.is_string()) result.emplace_back(entry.get_string());
    }
    return result;
}

Exit read_exit(const json::value& value) {
    const json::object& from = object_of(value);
    Exit exit;
    exit.incarnation = number_of(from, "incarnation");
    exit.pid = number_of(from, "pid");
    exit.started_at = time_of(from, "started_at");
    exit.exited_at = time_of(from, "exited_at");
    exit.ran = duration_of(from, "ran_ms");
    exit.cause = text_of(from, "cause");
    if (const auto code = integer_of(from, "code")) exit.code = static_cast<int>(*code);
    exit.signal = text_of(from, "signal");
    exit.reason = text_of(from, "reason");
    exit.core = boolean_of(from, "core", false);
    exit.requested = boolean_of(from, "requested", false);
    exit.user_cpu = duration_of(from, "user_cpu_ms");
    exit.system_cpu = duration_of(from, "system_cpu_ms");
    exit.max_rss_bytes = number_of(from, "max_rss_bytes");
    exit.stderr_tail = texts_of(from, "stderr_tail");
    exit.stdout_tail = texts_of(from, "stdout_tail");
    return exit;
}

Process read_process(const json::value& value) {
    const json::object& from = object_of(value);
    Process process;
    process.pm_id = number_of(from, "pm_id");
    process.id = text_of(from, "id");
    process.name = text_of(from, "name");
    process.space = text_of(from, "namespace");
    process.instance = static_cast<int>(number_of(from, "instance"));
    process.status = text_of(from, "status");
    process.desired = text_of(from, "desired");
    process.pid = integer_of(from, "pid");
    process.created_at = time_of(from, "created_at");
    process.started_at = time_of(from, "started_at");
    process.uptime = duration_of(from, "uptime_ms");
    process.restarts = number_of(from, "restarts");
    process.unstable_restarts = number_of(from, "unstable_restarts");
    process.restart_at = time_of(from, "restart_at");
    process.held_because = text_of(from, "held_because");
    if (const json::value* exit = present(from, "last_exit")) process.last_exit = read_exit(*exit);
    process.script = text_of(from, "script");
    process.interpreter = text_of(from, "interpreter");
    process.cwd = text_of(from, "cwd");
    process.user = text_of(from, "user");
    process.group = text_of(from, "group");
    process.args = texts_of(from, "args");
    process.interpreter_args = texts_of(from, "interpreter_args");
    process.autorestart = boolean_of(from, "autorestart", true);
    process.max_restarts = number_of(from, "max_restarts");
    process.min_uptime = duration_of(from, "min_uptime_ms");
    process.restart_delay = duration_of(from, "restart_delay_ms");
    process.kill_timeout = duration_of(from, "kill_timeout_ms");
    process.kill_signal = text_of(from, "kill_signal");
    process.stdin_from = text_of(from, "stdin");
    process.out_file = text_of(from, "out_file");
    process.error_file = text_of(from, "error_file");
    if (const json::value* containment = present(from, "containment")) {
        process.containment_tier = text_of(object_of(*containment), "tier");
        process.containment_guaranteed = boolean_of(object_of(*containment), "guaranteed", false);
    }
    process.survivors = list_of<Survivor>(from, "survivors", read_survivor);
    return process;
}

std::vector<std::reference_wrapper<const json::object>> objects_in(const json::value& data) {
    std::vector<std::reference_wrapper<const json::object>> out;
    if (!data.is_array()) return out;
    for (const json::value& entry : data.get_array()) {
        if (entry.is_object()) out.emplace_back(entry.get_object());
    }
    return out;
}

Outcome read_outcome(const json::value& value) {
    const json::object& from = object_of(value);
    Outcome outcome;
    outcome.pm_id = number_of(from, "pm_id");
    outcome.name = text_of(from, "name");
    outcome.instance = static_cast<int>(number_of(from, "instance"));
    outcome.outcome = text_of(from, "outcome");
    outcome.after = duration_of(from, "after_ms");
    if (const json::value* exit = present(from, "exit")) outcome.exit = read_exit(*exit);
    outcome.stderr_tail = texts_of(from, "stderr_tail");
    outcome.hint = text_of(from, "hint");
    return outcome;
}

OperationResult read_operation_result(const json::value& value) {
    const json::object& from = object_of(value);
    OperationResult result;
    result.pm_id = number_of(from, "pm_id");
    result.name = text_of(from, "name");
    result.instance = static_cast<int>(number_of(from, "instance"));
    if (const json::value* process = present(from, "process")) {
        result.process = read_process(*process);
    }
    if (const json::value* outcome = present(from, "outcome")) {
        result.outcome = read_outcome(*outcome);
    }
    if (const json::value* error = present(from, "error")) {
        result.error = read_error_object(*error);
    } else if (!boolean_of(from, "ok", true)) {
        result.error = core::Error(core::Code::kInternal, "it failed, and zonad did not say why");
    }
    return result;
}

Started read_started(const json::value& data) {
    const json::object& from = object_of(data);
    return {list_of<Process>(from, "processes", read_process),
            list_of<Outcome>(from, "outcomes", read_outcome), texts_of(from, "warnings")};
}

bool is_execution(const json::value& data) {
    const json::object& from = object_of(data);
    return from.contains("operation") && from.contains("finished");
}

namespace {

/// What a task has made or found, for people: its texts and numbers.
void read_task(const json::object& from, Execution& execution) {
    static constexpr std::array kTasks = {"backup", "verify", "restore", "export", "move",
                                          "erase",  "check",  "migrate", "rotate"};
    // "restore" is also what is done to processes, of which a count is told.
    execution.is_task =
        std::ranges::find(kTasks, execution.action) != kTasks.end() && execution.processes == 0;
    const json::value* progress = from.if_contains("progress");
    if (progress != nullptr && progress->is_object())
        execution.percent = integer_of(progress->get_object(), "percent").value_or(0);
    const json::value* outcome = from.if_contains("outcome");
    if (outcome == nullptr || !outcome->is_object()) return;
    execution.is_task = true;
    for (const auto& [key, value] : outcome->get_object()) {
        if (value.is_string() && !value.get_string().empty()) {
            execution.outcome.push_back(fmt::format("{:<17} {}", std::string_view(key),
                                                    std::string_view(value.get_string())));
        } else if (value.is_int64()) {
            execution.outcome.push_back(
                fmt::format("{:<17} {}", std::string_view(key), value.get_int64()));
        } else if (key == "moved" && value.is_array()) {
            for (const json::value& one : value.get_array()) {
                if (!one.is_object()) continue;
                execution.outcome.push_back(fmt::format(
                    "moved             {}, {} documents", text_of(one.get_object(), "tenant"),
                    integer_of(one.get_object(), "documents").value_or(0)));
            }
        } else if (key == "findings" && value.is_array()) {
            for (const json::value& one : value.get_array()) {
                if (!one.is_object()) continue;
                execution.findings.push_back(fmt::format("{}: {}",
                                                         text_of(one.get_object(), "where"),
                                                         text_of(one.get_object(), "what")));
            }
        }
    }
}

}  // namespace

Execution read_execution(const json::value& data) {
    const json::object& from = object_of(data);
    Execution execution;
    execution.id = text_of(from, "id");
    execution.action = text_of(from, "action");
    execution.status = text_of(from, "status");
    execution.started_at = time_of(from, "started_at");
    execution.ended_at = time_of(from, "ended_at");
    execution.processes = number_of(from, "processes");
    execution.finished = number_of(from, "finished");
    execution.failed = number_of(from, "failed");
    execution.results = list_of<OperationResult>(from, "results", read_operation_result);
    if (const json::value* error = present(from, "error")) {
        execution.error = read_error_object(*error);
    }
    execution.subject = text_of(from, "subject");
    read_task(from, execution);
    return execution;
}

ProcessList read_process_list(const json::value& envelope) {
    const json::object& from = object_of(envelope);
    ProcessList list;
    list.processes = list_of<Process>(from, "data", read_process);
    if (const json::value* meta = present(from, "meta")) {
        list.killed = number_of(object_of(*meta), "killed");
    }
    return list;
}

core::Error read_error_object(const json::value& value) {
    const json::object& from = object_of(value);
    std::string message = text_of(from, "message");
    if (message.empty()) message = "zonad answered with an error that says nothing";
    core::Error error(core::code_from_name(text_of(from, "code")), std::move(message));
    const json::value* details = present(from, "details");
    if (details == nullptr || !details->is_array()) return error;
    for (const json::value& entry : details->get_array()) {
        const json::object& detail = object_of(entry);
        error.detail(
            {text_of(detail, "where"), text_of(detail, "problem"), text_of(detail, "hint")});
    }
    return error;
}

core::Error read_error(const json::value& envelope) {
    const json::value* error = present(object_of(envelope), "error");
    return read_error_object(error != nullptr ? *error : json::value());
}

}  // namespace zona::cli
