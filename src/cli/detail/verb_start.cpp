#include <algorithm>
#include <filesystem>
#include <iterator>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/detail/account.h"
#include "cli/detail/verbs.h"
#include "core/json.h"
#include "core/text.h"
#include "os/fd.h"

namespace zona::cli {
namespace {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;

constexpr std::size_t kLargestFile = 10U << 20U;

/// A file of this host.
std::string absolute(const Context& context, const std::string& name) {
    if (name.starts_with('/')) return name;
    return (context.remote != nullptr ? context.cwd_here : context.caller.cwd) + '/' + name;
}

/// Whether the process could be started from a file; of another host nothing is known.
bool is_there(const Context& context, const std::string& name) {
    if (context.remote != nullptr) return false;
    const auto found = os::stat_path(absolute(context, name));
    return found && found->has_value();
}

/// The targets of one command, by what they are.
struct Targets {
    std::vector<std::string> selectors;
    std::vector<std::string> files;
    std::vector<std::string> scripts;
    /// Of lookups that found no process: "did you mean".
    std::vector<core::Detail> hints;
};

/// The first flag that only a new process can have; empty when there is none.
std::string flag_for_new(const StartOptions& options) {
    if (!options.settings.empty()) return options.settings.front().flag;
    if (!options.environment.empty()) return "--env";
    return options.arguments.empty() ? "" : "--";
}

/// The same for a file of apps, which on another host needs a directory to start from.
std::string flag_for_scripts(const Context& context, StartOptions options) {
    if (context.remote != nullptr) {
        std::erase_if(options.settings,
                      [](const AppSetting& setting) { return setting.key == "cwd"; });
    }
    return flag_for_new(options);
}

bool has_name(const StartOptions& options) {
    return std::ranges::any_of(options.settings,
                               [](const AppSetting& setting) { return setting.key == "name"; });
}

Error already_listed(const std::string& target, const std::string& flag) {
    const std::string name = escape_control(target);
    return Error(Code::kConflict,
                 fmt::format("{} is in the list already, and {} is for new processes", name, flag))
        .detail({"", "", fmt::format("`zona restart {}` starts it anew", name)})
        .detail({"", "", fmt::format("--name OTHER starts a second one beside it")});
}

/// A target that may be a process or a script: the list decides.
Result<void> place(Context& context, const StartOptions& options, const std::string& target,
                   Targets& targets) {
    if (has_name(options)) {
        targets.scripts.push_back(target);
        return {};
    }
    const std::vector<std::string> selectors{target};
    const auto found = context.session.ask(get_selected("processes", selectors));
    if (found) {
        const std::string flag = flag_for_new(options);
        if (flag.empty()) {
            targets.selectors.push_back(target);
        } else if (is_there(context, target)) {
            targets.scripts.push_back(target);
        } else {
            return already_listed(target, flag);
        }
        return {};
    }
    const Code code = found.error().code();
    if (code != Code::kNotFound && code != Code::kInvalidArgument) return found.error();
    for (const core::Detail& detail : found.error().details()) {
        if (detail.hint.starts_with("did you mean")) targets.hints.push_back({"", "", detail.hint});
    }
    targets.scripts.push_back(target);
    return {};
}

Result<Targets> sort_out(Context& context, const StartOptions& options) {
    Targets targets;
    for (const std::string& target : options.targets) {
        if (names_a_file(target)) {
            targets.files.push_back(target);
        } else if (is_surely_a_selector(target)) {
            targets.selectors.push_back(target);
        } else {
            ZONA_TRY_VOID(place(context, options, target, targets));
        }
    }
    const std::string flag = flag_for_new(options);
    if (const std::string superfluous = flag_for_scripts(context, options);
        !superfluous.empty() && !targets.files.empty()) {
        return Error(Code::kInvalidArgument,
                     fmt::format("{} is for scripts; {} has its own settings", superfluous,
                                 escape_control(targets.files.front())));
    }
    if (!flag.empty() && !targets.selectors.empty()) {
        return already_listed(targets.selectors.front(), flag);
    }
    if (has_name(options) && targets.scripts.size() > 1) {
        return Error(Code::kInvalidArgument, "--name is for one script, and there are several");
    }
    if (!options.only.empty() && targets.files.empty()) {
        return Error(Code::kInvalidArgument, "--only selects apps of a file, and there is none");
    }
    return targets;
}

/// What several requests brought about.
struct Collected {
    std::vector<std::string> bodies;
    std::vector<json::value> data;
    std::vector<Outcome> outcomes;
    std::vector<std::string> warnings;
    std::vector<OperationResult> failures;
    bool begun = false;  ///< something goes on as an execution
};

Result<void> ask_for(Context& context, const ApiRequest& request, const std::string& doing,
                     Collected& collected) {
    ZONA_TRY(Answer answer, context.session.ask(request, {doing, 0, {}}));
    ZONA_TRY(json::value data, answer.data());
    if (is_execution(data)) collected.begun = true;
    Started started = read_started(data);
    std::ranges::move(started.outcomes, std::back_inserter(collected.outcomes));
    std::ranges::move(started.warnings, std::back_inserter(collected.warnings));
    const json::value* results =
        data.is_object() ? data.get_object().if_contains("results") : nullptr;
    if (results != nullptr && results->is_array()) {
        for (const json::value& entry : results->get_array()) {
            OperationResult result = read_operation_result(entry);
            if (result.outcome) collected.outcomes.push_back(*result.outcome);
            if (result.error) collected.failures.push_back(std::move(result));
        }
    }
    collected.bodies.push_back(std::move(answer.body));
    collected.data.push_back(std::move(data));
    return {};
}

Error with_hints(Error error, const Targets& targets) {
    const Code code = error.code();
    if (code != Code::kNotFound && code != Code::kInvalidArgument) return error;
    for (const core::Detail& hint : targets.hints)
        error.detail(hint);
    return error;
}

Result<Collected> start_all(Context& context, const StartOptions& options, const Targets& targets) {
    Collected collected;
    if (!targets.selectors.empty()) {
        SelectOptions select;
        select.selectors = targets.selectors;
        select.wait = options.wait;
        ZONA_TRY_VOID(
            ask_for(context, operate("start", select, context.caller), "starting", collected));
    }
    for (const std::string& name : targets.files) {
        ZONA_TRY(const FileContent file, read_ecosystem_file(context, name));
        const ApiRequest request = start_file(file, options.only, options.wait, context.caller);
        ZONA_TRY_VOID(ask_for(context, request, "starting " + escape_control(name), collected));
    }
    if (!targets.scripts.empty()) {
        const ApiRequest request = start_scripts(options, targets.scripts, context.caller);
        auto asked = ask_for(context, request, "starting", collected);
        if (!asked) return with_hints(asked.take_error(), targets);
    }
    return collected;
}

std::string all_json(const Collected& collected) {
    if (collected.bodies.size() == 1) return collected.bodies.front() + '\n';
    const json::array data(collected.data.begin(), collected.data.end());
    return core::to_json(json::object{{"success", true}, {"data", data}}) + '\n';
}

}  // namespace

Result<FileContent> read_ecosystem_file(const Context& context, const std::string& name) {
    auto content = os::read_file(absolute(context, name), kLargestFile);
    if (!content) {
        if (content.error().code() != Code::kTooLarge) return content.take_error();
        return Error(
            Code::kTooLarge,
            fmt::format("{} is over the limit of 10 MB for a file of apps", escape_control(name)));
    }
    if (!core::is_valid_utf8(*content)) {
        return Error(Code::kInvalidArgument,
                     fmt::format("{} is not a text in UTF-8", escape_control(name)))
            .detail({"", "", "a script goes by another name: zona start app.py"});
    }
    const auto path = std::filesystem::path(absolute(context, name)).lexically_normal();
    std::string directory = path.parent_path().string();
    if (context.remote != nullptr) directory = context.caller.cwd;
    return FileContent{name, std::move(directory), std::move(*content)};
}

void warn_of_environment(Context& context) {
    const auto left_out = sent_environment(context.caller.environment).left_out;
    for (const std::string& name : left_out) {
        context.console.note(
            fmt::format("zona: the variable {} is left out: it is not UTF-8\n", name));
    }
}

Status start(Context& context, const StartOptions& options) {
    ZONA_TRY(const Targets targets, sort_out(context, options));
    warn_of_environment(context);
    ZONA_TRY(const Collected collected, start_all(context, options, targets));
    int status = status_of(collected.outcomes);
    if (!collected.failures.empty()) {
        status = core::info(collected.failures.front().error->code()).exit_status;
    }
    if (context.wants_json()) {
        context.console.out(all_json(collected));
        return status;
    }
    for (const std::string& warning : collected.warnings) {
        context.console.note("zona: " + escape_control(warning) + '\n');
    }
    ZONA_TRY_VOID(show_outcomes(context, collected.outcomes));
    for (const json::value& data : collected.data)
        tell_begun(context, data);
    if (collected.outcomes.empty() && collected.failures.empty() && !collected.begun) {
        context.console.remark("nothing to start: it runs already\n");
    }
    for (const OperationResult& failure : collected.failures) {
        core::Error error = *failure.error;
        context.console.error(error_text(std::move(error).context(
            fmt::format("{} (id {})", escape_control(failure.name), failure.pm_id))));
    }
    return status;
}

}  // namespace zona::cli
