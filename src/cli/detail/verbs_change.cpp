#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/detail/account.h"
#include "cli/detail/verbs.h"

namespace zona::cli {
namespace {

namespace json = boost::json;
using core::Result;

std::string label_of(const OperationResult& result) {
    return fmt::format("{} (id {})", escape_control(result.name), result.pm_id);
}

std::string joined(std::span<const std::string> selectors) {
    std::string text;
    for (const std::string& selector : selectors) {
        if (!text.empty()) text += ", ";
        text += escape_control(selector);
    }
    return shorten(text, 60, Ellipsis::kAscii);
}

std::vector<OperationResult> results_of(const json::value& data) {
    std::vector<OperationResult> results;
    const json::value* list = data.is_object() ? data.get_object().if_contains("results") : nullptr;
    if (list == nullptr || !list->is_array()) return results;
    for (const json::value& entry : list->get_array()) {
        results.push_back(read_operation_result(entry));
    }
    return results;
}

/// The status that an operation's results ask for: the first error's, else that of the outcomes.
int status_of_results(std::span<const OperationResult> results, std::span<const Outcome> outcomes) {
    const auto failed = std::ranges::find_if(
        results, [](const OperationResult& result) { return result.error.has_value(); });
    if (failed != results.end()) return core::info(failed->error->code()).exit_status;
    return status_of(outcomes);
}

Status carry_out(Context& context, const ApiRequest& request, const Telling& telling) {
    ZONA_TRY(const Answer answer, context.session.ask(request, {telling.doing, 0, {}}));
    ZONA_TRY(const json::value data, answer.data());
    if (context.wants_json()) print_body(context, answer);
    ZONA_TRY(const int status, tell_results(context, results_of(data), telling));
    tell_begun(context, data);
    return status;
}

}  // namespace

Status tell_results(Context& context, std::span<const OperationResult> results,
                    const Telling& telling) {
    std::vector<Outcome> outcomes;
    std::string told;
    for (const OperationResult& result : results) {
        if (result.outcome) outcomes.push_back(*result.outcome);
        if (!result.error && !result.outcome) {
            told += telling.before + label_of(result) + telling.behind + '\n';
        }
    }
    const int status = status_of_results(results, outcomes);
    if (context.wants_json()) return status;
    if (telling.shows_table) ZONA_TRY_VOID(show_outcomes(context, outcomes));
    context.console.remark(told);
    for (const OperationResult& result : results) {
        if (!result.error) continue;
        core::Error error = *result.error;
        context.console.error(error_text(std::move(error).context(label_of(result))));
    }
    return status;
}

Result<void> show_outcomes(Context& context, std::span<const Outcome> outcomes) {
    const Screen& screen = context.console.screen();
    if (context.global.talk == Talk::kSilent) {
        std::vector<Outcome> failed;
        std::ranges::copy_if(outcomes, std::back_inserter(failed), &Outcome::failed);
        if (!failed.empty()) context.console.error(outcomes_text(failed, screen));
        return {};
    }
    const auto answer = context.session.ask(get_selected("processes", {}));
    if (answer) {
        ZONA_TRY(const json::value envelope, answer->parsed());
        context.console.out(list_text(read_process_list(envelope), screen));
    }
    // What was done is told even if zona has ended since.
    context.console.out(outcomes_text(outcomes, screen));
    if (!answer && !Session::says_not_running(answer.error())) return answer.error();
    return {};
}

int status_of(std::span<const Outcome> outcomes) {
    return std::ranges::any_of(outcomes, &Outcome::failed) ? kProcessFailed : kAllWell;
}

Status operate(Context& context, Verb verb, const SelectOptions& options) {
    const std::string name(info(verb).name);
    const std::string who = joined(options.selectors);
    Telling telling;
    switch (verb) {
        case Verb::kStop:
            telling = {"stopping " + who, "", "  stopped", true};
            break;
        case Verb::kRestart:
            telling = {"restarting " + who, "", "  restarted", true};
            break;
        case Verb::kDelete:
            telling = {"deleting " + who, "", "  deleted", true};
            break;
        default:
            telling = {"resetting " + who, "", "  counters reset", true};
            break;
    }
    if (options.update_environment) warn_of_environment(context);
    return carry_out(context, operate(name, options, context.caller), telling);
}

Status scale(Context& context, const ScaleOptions& options) {
    const std::string app = escape_control(options.app);
    return carry_out(context, operate(options), {"scaling " + app, "", "  stopped", true});
}

Status send_signal(Context& context, const SignalOptions& options) {
    const std::string signal = escape_control(options.signal);
    return carry_out(context, operate(options),
                     {"sending " + signal, signal + " sent to ", "", false});
}

Status send_line(Context& context, const SendOptions& options) {
    return carry_out(context, operate(options), {"sending", "sent to ", "", false});
}

Status save(Context& context, const SaveOptions& options) {
    ZONA_TRY(const Answer answer, context.session.ask(save(options), {"saving", 0, {}}));
    ZONA_TRY(const auto told, data_to_tell(context, answer));
    if (!told) return kAllWell;
    const json::value& data = *told;
    const json::object empty;
    const json::object& saved = data.is_object() ? data.get_object() : empty;
    const auto count = integer_of(saved, "processes").value_or(0);
    context.console.remark(fmt::format("saved {} to {}\n",
                                       count_of(static_cast<std::size_t>(count), "process"),
                                       escape_control(text_of(saved, "file"))));
    return kAllWell;
}

Status resurrect(Context& context) {
    ZONA_TRY(const Answer answer, context.session.ask(resurrect(), {"starting what ran", 0, {}}));
    ZONA_TRY(const json::value data, answer.data());
    const Started started = read_started(data);
    if (context.wants_json()) {
        print_body(context, answer);
        return status_of(started.outcomes);
    }
    for (const std::string& warning : started.warnings) {
        context.console.note("zona: " + escape_control(warning) + '\n');
    }
    ZONA_TRY_VOID(show_outcomes(context, started.outcomes));
    if (started.outcomes.empty()) context.console.remark("nothing was to be brought back\n");
    return status_of(started.outcomes);
}

}  // namespace zona::cli
