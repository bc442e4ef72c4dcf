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

/// What has become of one, and the status that it asks for: that of its change, once it has ended.
Status show(Context& context, const std::string& id) {
    ZONA_TRY(const Answer answer, context.session.ask(get_executions(id)));
    ZONA_TRY(const json::value data, answer.data());
    const Execution execution = read_execution(data);
    const bool runs = execution.status == "running";
    if (context.wants_json()) {
        context.console.out(answer.body + '\n');
    } else if (runs) {
        context.console.out(fmt::format("{} goes on: {} done\n", escape_control(execution.action),
                                        progress_of(execution)));
    }
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
            begin = end + 1;
        }
        rest_.erase(0, begin);
    }
    std::size_t results() const { return results_; }
    bool ended() const { return ended_; }

  private:
    std::string rest_;
    std::size_t results_ = 0;
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
            context.console.progress(fmt::format("{} done ...", events.results()));
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
    context.console.remark(fmt::format(
        "{} goes on for {}\n  try: zona execution wait {}\n", escape_control(execution.action),
        count_of(static_cast<std::size_t>(execution.processes), "process"),
        escape_control(execution.id)));
}

Status executions(Context& context, const ExecutionOptions& options) {
    if (options.action == ExecutionAction::kWait) ZONA_TRY_VOID(wait_for_end(context, options.id));
    if (options.action != ExecutionAction::kList) return show(context, options.id);
    ZONA_TRY(const Answer answer, context.session.ask(get_executions({})));
    if (context.wants_json()) {
        context.console.out(answer.body + '\n');
        return kAllWell;
    }
    ZONA_TRY(const json::value data, answer.data());
    context.console.out(executions_text(data, context));
    return kAllWell;
}

}  // namespace zona::cli
