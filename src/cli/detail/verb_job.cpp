#include <chrono>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/detail/model.h"
#include "cli/detail/request.h"
#include "cli/detail/table.h"
#include "cli/detail/text.h"
#include "cli/detail/verbs.h"
#include "core/text.h"

namespace zona::cli {
namespace {

namespace json = boost::json;

std::string shown(const json::object& from, std::string_view field) {
    return escape_control(text_of(from, field));
}

/// A time of the answer to the second, or what to say where there is none.
std::string time_of(const json::object& from, std::string_view field, std::string_view none) {
    std::string time = shown(from, field).substr(0, 19);
    if (time.empty()) return std::string(none);
    if (time.size() > 10) time[10] = ' ';
    return time;
}

bool is_set(const json::object& from, std::string_view field) {
    const json::value* const value = from.if_contains(field);
    return value != nullptr && value->is_bool() && value->get_bool();
}

std::int64_t number_in(const json::object& from, std::string_view field) {
    return integer_of(from, field).value_or(0);
}

const json::object& last_run_of(const json::object& job) {
    static const json::object none;
    const json::value* const run = job.if_contains("last_run");
    return run != nullptr && run->is_object() ? run->get_object() : none;
}

std::string took(const json::object& run) {
    if (text_of(run, "ended_at").empty()) return "-";
    return core::format_duration(std::chrono::milliseconds(number_in(run, "duration_ms")));
}

/// "documents 1200, done 3"
std::string counters_of(const json::object& run) {
    std::string out;
    const json::value* const counters = run.if_contains("counters");
    if (counters == nullptr || !counters->is_object()) return out;
    for (const auto& [name, value] : counters->get_object()) {
        out += fmt::format("{}{} {}", out.empty() ? "" : ", ", escape_control(name),
                           json::serialize(value));
    }
    return out;
}

std::string jobs_text(const json::value& data, const Screen& screen) {
    Table table;
    table.columns = {{"name", Align::kLeft, 0, 0},         {"schedule", Align::kLeft, 1, 8},
                     {"due (UTC)", Align::kLeft, 0, 10},   {"last run", Align::kLeft, 0, 0},
                     {"began (UTC)", Align::kLeft, 2, 10}, {"took", Align::kRight, 3, 0}};
    for (const json::object& job : objects_in(data)) {
        const json::object& run = last_run_of(job);
        const bool is_paused = is_set(job, "paused");
        table.rows.push_back({{shown(job, "name")},
                              {shown(job, "schedule")},
                              {is_paused ? "paused" : time_of(job, "due_at", "-")},
                              {run.empty() ? "-" : shown(run, "outcome")},
                              {time_of(run, "started_at", "-")},
                              {took(run)}});
    }
    return layout(table, screen);
}

std::string runs_text(const json::value& data, const Screen& screen) {
    Table table;
    table.columns = {{"run", Align::kRight, 0, 0},    {"began (UTC)", Align::kLeft, 0, 10},
                     {"took", Align::kRight, 1, 0},   {"outcome", Align::kLeft, 0, 0},
                     {"trigger", Align::kLeft, 2, 0}, {"did", Align::kLeft, 3, 10},
                     {"error", Align::kLeft, 3, 10}};
    for (const json::object& run : objects_in(data)) {
        table.rows.push_back({{fmt::format("{}", number_in(run, "number"))},
                              {time_of(run, "started_at", "-")},
                              {took(run)},
                              {shown(run, "outcome")},
                              {shown(run, "trigger")},
                              {counters_of(run)},
                              {shown(run, "error")}});
    }
    return layout(table, screen);
}

std::string job_text(const json::object& job) {
    std::string out;
    const auto add = [&out](std::string_view name, const std::string& value) {
        if (!value.empty()) out += fmt::format("{:<13} {}\n", name, value);
    };
    const json::object& run = last_run_of(job);
    add("name", shown(job, "name"));
    add("does", shown(job, "summary"));
    add("schedule", shown(job, "schedule"));
    add("due (UTC)", is_set(job, "paused") ? "paused" : time_of(job, "due_at", "when asked"));
    add("for", shown(job, "coverage"));
    add("instances", shown(job, "instances"));
    add("last success", time_of(job, "last_success_at", "never"));
    if (run.empty()) return out;
    add("last run", fmt::format("{}, {}, began {}, took {}", number_in(run, "number"),
                                shown(run, "outcome"), time_of(run, "started_at", "-"), took(run)));
    add("did", counters_of(run));
    add("error", shown(run, "error"));
    return out;
}

}  // namespace

Status jobs(Context& context, const JobOptions& options) {
    ZONA_TRY(const Answer answer, context.session.ask(manage_jobs(options)));
    ZONA_TRY(const auto told, data_to_tell(context, answer));
    if (!told) return kAllWell;
    const json::value& data = *told;
    const json::object empty;
    const json::object& one = data.is_object() ? data.get_object() : empty;
    const std::string name = escape_control(options.name);
    switch (options.action) {
        case JobAction::kList:
            context.console.out(jobs_text(data, context.console.screen()));
            break;
        case JobAction::kHistory:
            context.console.out(runs_text(data, context.console.screen()));
            break;
        case JobAction::kShow:
            context.console.out(job_text(one));
            break;
        case JobAction::kRun:
            context.console.remark(
                fmt::format("{} runs, as number {}\n", name, number_in(one, "number")));
            break;
        case JobAction::kPause:
            context.console.remark(fmt::format("{} is paused\n", name));
            break;
        case JobAction::kResume:
            context.console.remark(
                fmt::format("{} is due {}\n", name, time_of(one, "due_at", "when asked")));
            break;
        case JobAction::kCancel:
            context.console.remark(fmt::format("{} is told to end\n", name));
            break;
    }
    return kAllWell;
}

}  // namespace zona::cli
