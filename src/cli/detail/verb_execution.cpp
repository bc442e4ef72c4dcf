#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/detail/account.h"
#include "cli/detail/model.h"
#include "cli/detail/request.h"
#include "cli/detail/table.h"
#include "cli/detail/text.h"
#include "cli/detail/verbs.h"
#include "core/time_format.h"

namespace zona::cli {
namespace {

namespace json = boost::json;
using core::Code;
using core::Result;

std::string progress_of(const Execution& execution) {
    if (execution.is_task) {
        return execution.status == "success" ? "all" : fmt::format("{} %", execution.percent);
    }
    return fmt::format("{} of {}", execution.finished, execution.processes);
}

std::string executions_text(const json::value& data, const Context& context) {
    Table table;
    table.columns = {{"id", Align::kLeft, 0, 0},      {"action", Align::kLeft, 0, 0},
                     {"status", Align::kLeft, 0, 7},  {"done", Align::kLeft, 0, 0},
                     {"failed", Align::kRight, 1, 0}, {"started (UTC)", Align::kLeft, 2, 10}};
    for (const json::value& entry : data.is_array() ? data.get_array() : json::array()) {
        const Execution execution = read_execution(entry);
        const std::string started =
            execution.started_at ? core::to_rfc3339(*execution.started_at).substr(0, 19) : "-";
        table.rows.push_back({{escape_control(execution.id)},
                              {escape_control(execution.action)},
                              {escape_control(execution.status)},
                              {progress_of(execution)},
                              {std::to_string(execution.failed)},
                              {started}});
    }
    return layout(table, context.console.screen());
}

/// What a task has made or found, and the status that it asks for.
Status show_outcome(Context& context, const Execution& execution) {
    if (execution.error) return *execution.error;
    if (!context.wants_json()) {
        for (const std::string& line : execution.outcome)
            context.console.out(escape_control(line) + '\n');
        for (const std::string& line : execution.findings)
            context.console.out(escape_control(line) + '\n');
        const std::string subject =
            execution.subject.empty() ? "" : " of " + escape_control(execution.subject);
        if (execution.findings.empty()) {
            context.console.remark(
                fmt::format("{}{}: done\n", escape_control(execution.action), subject));
        }
    }
    return execution.findings.empty() ? kAllWell : core::info(Code::kConflict).exit_status;
}

/// What has become of one, and the status that it asks for: that of its change, once it has ended.
Status show(Context& context, const std::string& id) {
    ZONA_TRY(const Answer answer, context.session.ask(get_executions(id)));
    ZONA_TRY(const json::value data, answer.data());
    const Execution execution = read_execution(data);
    const bool runs = execution.status == "running" || execution.status == "waiting";
    if (context.wants_json()) {
        print_body(context, answer);
    } else if (runs) {
        const bool waits = execution.status == "waiting";
        context.console.out(fmt::format("{} {}: {} done\n", escape_control(execution.action),
                                        waits ? "waits for its turn" : "goes on",
                                        progress_of(execution)));
    }
    if (execution.is_task && !runs) return show_outcome(context, execution);
    const Telling telling{.doing = {},
                          .before = {},
                          .behind = fmt::format("  {}: done", escape_control(execution.action)),
                          .shows_table = !runs};
    ZONA_TRY(const int status, tell_results(context, execution.results, telling));
    if (runs) return kAllWell;
    if (execution.error) return *execution.error;
    return status;
}

/// Counts the events of a stream, whatever pieces it comes in.
class EventCounter {
  public:
    void add(std::string_view piece) {
        rest_ += piece;
        std::size_t begin = 0;
        for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', begin)) {
            const auto line = std::string_view(rest_).substr(begin, end - begin);
            if (line == "event: result") ++results_;
            if (line == "event: ended") ended_ = true;
            constexpr std::string_view kPercent = "data: {\"percent\":";
            if (line.starts_with(kPercent)) {
                const auto text = line.substr(kPercent.size());
                progress_ = escape_control(text.substr(0, text.find(','))) + " %";
            }
            begin = end + 1;
        }
        rest_.erase(0, begin);
    }
    std::size_t results() const { return results_; }
    bool ended() const { return ended_; }
    /// For people.
    std::string progress() const {
        return progress_.empty() ? fmt::format("{} done", results_) : progress_;
    }

  private:
    std::string rest_;
    std::size_t results_ = 0;
    std::string progress_;
    bool ended_ = false;
};

/// Over connections that break, as long as the execution is known.
Result<void> wait_for_end(Context& context, const std::string& id) {
    const core::Deadline deadline =
        context.global.timeout ? core::Deadline::after(context.clock, *context.global.timeout)
                               : core::Deadline::never();
    while (true) {
        EventCounter events;
        const auto sink = [&](std::string_view piece) -> Result<void> {
            events.add(piece);
            context.console.progress(events.progress() + " ...");
            return {};
        };
        ApiWait wait;
        wait.deadline = deadline;
        const auto end = context.session.stream(follow_execution(id), sink, wait);
        context.console.end_progress();
        if (events.ended()) return {};
        if (!end && end.error().code() != Code::kUnavailable) return end.error();
        // A question that waits for whoever listens next, and fails if the execution is forgotten.
        ZONA_TRY_VOID(context.session.ask(get_executions(id), {"waiting", 0, deadline}));
    }
}

}  // namespace

void tell_begun(Context& context, const json::value& data) {
    if (!is_execution(data) || context.wants_json()) return;
    const Execution execution = read_execution(data);
    if (execution.is_task) {
        context.console.remark(fmt::format("{} goes on\n  try: zona execution wait {}\n",
                                           escape_control(execution.action),
                                           escape_control(execution.id)));
        return;
    }
    context.console.remark(fmt::format(
        "{} goes on for {}\n  try: zona execution wait {}\n", escape_control(execution.action),
        count_of(static_cast<std::size_t>(execution.processes), "process"),
        escape_control(execution.id)));
}

void print_body(Context& context, const Answer& answer) {
    context.console.out(answer.body);
    if (!answer.body.ends_with('\n')) context.console.out("\n");
}

Result<std::optional<json::value>> data_to_tell(Context& context, const Answer& answer) {
    if (context.wants_json()) {
        print_body(context, answer);
        return std::nullopt;
    }
    ZONA_TRY(json::value data, answer.data());
    return std::optional(std::move(data));
}

Status end_of_task(Context& context, const Answer& begun, Waiting waiting) {
    ZONA_TRY(const json::value data, begun.data());
    const Execution execution = read_execution(data);
    if (waiting == Waiting::kNo) {
        if (context.wants_json()) print_body(context, begun);
        tell_begun(context, data);
        return kAllWell;
    }
    ZONA_TRY_VOID(wait_for_end(context, execution.id));
    return show(context, execution.id);
}

Status executions(Context& context, const ExecutionOptions& options) {
    if (options.action == ExecutionAction::kCancel || options.action == ExecutionAction::kRetry) {
        const bool cancels = options.action == ExecutionAction::kCancel;
        ZONA_TRY(const Answer answer,
                 context.session.ask(change_execution(options.id, cancels ? "cancel" : "retry")));
        ZONA_TRY(const auto told, data_to_tell(context, answer));
        if (!told) return kAllWell;
        const Execution execution = read_execution(*told);
        context.console.remark(fmt::format("{}: {}\n", escape_control(execution.action),
                                           cancels && execution.status == "running"
                                               ? "it was told to end"
                                               : escape_control(execution.status)));
        return kAllWell;
    }
    if (options.action == ExecutionAction::kWait) ZONA_TRY_VOID(wait_for_end(context, options.id));
    if (options.action != ExecutionAction::kList) return show(context, options.id);
    ZONA_TRY(const Answer answer, context.session.ask(get_executions({})));
    ZONA_TRY(const auto told, data_to_tell(context, answer));
    if (!told) return kAllWell;
    const json::value& data = *told;
    context.console.out(executions_text(data, context));
    return kAllWell;
}

}  // namespace zona::cli
