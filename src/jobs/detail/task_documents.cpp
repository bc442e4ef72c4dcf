#include "jobs/detail/task_documents.h"

#include <array>

#include <boost/json.hpp>

#include "jobs/detail/fields.h"

namespace zona::jobs {

namespace json = boost::json;
using core::Error;
using core::Progress;

namespace {

constexpr std::array kStates = {TaskState::kWaiting,   TaskState::kDelayed, TaskState::kRunning,
                                TaskState::kSucceeded, TaskState::kFailed,  TaskState::kCancelled};

TaskState state_in(const json::object& from) {
    const std::string text = detail::text_in(from, "state");
    for (const TaskState state : kStates)
        if (to_string(state) == text) return state;
    return TaskState::kWaiting;
}

const json::object* object_in(const json::object& from, std::string_view key) {
    const json::value* const value = from.if_contains(key);
    return value == nullptr ? nullptr : value->if_object();
}

Error error_of(const json::object& from) {
    Error out(core::code_from_name(detail::text_in(from, "code")),
              detail::text_in(from, "message"));
    const json::value* const details = from.if_contains("details");
    if (details == nullptr || !details->is_array()) return out;
    for (const json::value& one : details->get_array()) {
        if (!one.is_object()) continue;
        const json::object& entry = one.get_object();
        out.detail({detail::text_in(entry, "where"), detail::text_in(entry, "problem"),
                    detail::text_in(entry, "hint"),
                    detail::flag_in(entry, "is_pointer") ? core::Detail::Place::kPointer
                                                         : core::Detail::Place::kAnything});
    }
    return out;
}

Progress progress_of(const json::object& from) {
    return {.step = detail::text_in(from, "step"),
            .number = static_cast<std::size_t>(detail::whole_in(from, "number")),
            .steps = static_cast<std::size_t>(detail::whole_in(from, "steps")),
            .done = static_cast<std::uint64_t>(detail::whole_in(from, "done")),
            .total = static_cast<std::uint64_t>(detail::whole_in(from, "total")),
            .unit = detail::text_in(from, "unit")};
}

}  // namespace

std::string_view to_string(TaskState state) {
    switch (state) {
        case TaskState::kWaiting:
            return "waiting";
        case TaskState::kDelayed:
            return "delayed";
        case TaskState::kRunning:
            return "running";
        case TaskState::kSucceeded:
            return "succeeded";
        case TaskState::kFailed:
            return "failed";
        case TaskState::kCancelled:
            return "cancelled";
    }
    return "waiting";
}

bool has_ended(TaskState state) {
    return state == TaskState::kSucceeded || state == TaskState::kFailed ||
           state == TaskState::kCancelled;
}

namespace detail {

store::Document document_of(const TaskPlan& plan) {
    const Task& task = plan.task;
    store::Document out = {{"kind", task.kind},
                           {"tenant", task.tenant},
                           {"correlation_id", task.correlation_id},
                           {"state", to_string(task.state)},
                           {"turn", plan.turn},
                           {"only", plan.only},
                           {"instance", plan.only},
                           {"attempt", 0},
                           {"interruptions", 0},
                           {"asked_at", to_field(task.asked_at)}};
    if (!plan.key.empty()) out["key"] = plan.key;
    return out;
}

Task task_of(const store::Record& record) {
    const json::object& from = *record.document;
    Task out{.id = {},
             .kind = text_in(from, "kind"),
             .tenant = text_in(from, "tenant"),
             .correlation_id = text_in(from, "correlation_id"),
             .state = state_in(from),
             .attempt = static_cast<int>(whole_in(from, "attempt")),
             .instance = text_in(from, "instance"),
             .asked_at = time_in(from, "asked_at").value_or(core::SystemTime()),
             .ended_at = time_in(from, "ended_at")};
    // Every id was made by zona.
    if (const auto id = core::Uuid::parse(std::get<std::string>(record.id))) out.id = *id;
    if (const json::object* error = object_in(from, "error")) out.error = error_of(*error);
    if (const json::object* progress = object_in(from, "progress"))
        out.progress = progress_of(*progress);
    if (const json::object* outcome = object_in(from, "outcome"))
        out.outcome = std::make_shared<const store::Document>(*outcome);
    return out;
}

store::Value value_of(const Error& error) {
    json::array details;
    for (const core::Detail& one : error.details()) {
        details.push_back({{"where", one.where},
                           {"problem", one.problem},
                           {"hint", one.hint},
                           {"is_pointer", one.place == core::Detail::Place::kPointer}});
    }
    return json::object{{"code", core::info(error.code()).name},
                        {"message", error.message()},
                        {"details", std::move(details)}};
}

store::Value value_of(const Progress& progress) {
    return json::object{{"step", progress.step},   {"number", progress.number},
                        {"steps", progress.steps}, {"done", progress.done},
                        {"total", progress.total}, {"unit", progress.unit}};
}

}  // namespace detail
}  // namespace zona::jobs
