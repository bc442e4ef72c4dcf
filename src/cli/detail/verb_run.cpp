#include <algorithm>
#include <map>
#include <optional>
#include <ranges>
#include <set>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/detail/account.h"
#include "cli/detail/verbs.h"
#include "core/shell.h"
#include "core/time_format.h"

namespace zona::cli {
namespace {

namespace json = boost::json;
using core::Code;
using core::Result;

constexpr int kFirstInterrupt = 1;
constexpr int kSecondInterrupt = 2;
/// What a stop in an emergency may take before the command ends without it.
constexpr std::chrono::seconds kEmergency{3};
/// Lines of history per process when the log is joined: those since the start, in effect all.
constexpr int kJoinLines = 10'000;

/// The state of the processes with these ids now. Those that are gone from the list are missing.
Result<std::vector<Process>> ask_for_ids(Context& context, const std::set<std::int64_t>& ids) {
    ZONA_TRY(const Answer answer,
             context.session.ask(get_selected("processes", {}), {"", kFirstInterrupt, {}}));
    ZONA_TRY(const json::value envelope, answer.parsed());
    std::vector<Process> all = read_process_list(envelope).processes;
    std::erase_if(all, [&](const Process& process) { return !ids.contains(process.pm_id); });
    return all;
}

/// Ends the following when every app has ended by itself.
class EndWatcher final : public LogWatcher {
  public:
    EndWatcher(Context& context, const std::set<std::int64_t>& ids)
        : context_(context), ids_(ids) {}

    bool goes_on() override {
        const auto processes = ask_for_ids(context_, ids_);
        // While zona does not answer nothing is known; the log stream deals with it.
        return !processes || !std::ranges::all_of(*processes, &Process::has_ended);
    }

  private:
    Context& context_;
    const std::set<std::int64_t>& ids_;
};

/// A foreground run of one file's apps.
class ForegroundRun {
  public:
    ForegroundRun(Context& context, const RunOptions& options)
        : context_(context), options_(options) {}

    Status run() {
        const core::SystemTime begin = context_.clock.system();
        auto started = start();
        if (!started) return give_up(started.take_error());
        ZONA_TRY_VOID(introduce());
        Result<FollowEnd> end = FollowEnd::kInterrupted;
        if (context_.interrupts.count() == 0) end = follow_logs(begin);
        return finish(std::move(end));
    }

  private:
    Result<void> start() {
        ZONA_TRY(const FileContent file, read_ecosystem_file(context_, options_.file));
        warn_of_environment(context_);
        const ApiRequest request =
            start_file(file, options_.only, Wait::kForEffect, context_.caller);
        const std::string doing = "starting " + escape_control(options_.file);
        ZONA_TRY(const Answer answer, context_.session.ask(request, {doing, kSecondInterrupt, {}}));
        ZONA_TRY(const json::value data, answer.data());
        started_ = read_started(data);
        for (const Outcome& outcome : started_.outcomes)
            ids_.insert(outcome.pm_id);
        return {};
    }

    /// Nothing was started, as far as is known.
    Status give_up(core::Error error) {
        if (error.code() == Code::kCancelled) {
            if (!context_.session.started_daemon()) {
                context_.console.note("what was being started may run now: see zona list\n");
            }
            return kill_all();
        }
        if (context_.session.started_daemon()) end_daemon();
        return error;
    }

    /// The table, what became of each, where the logs are, and what to type next.
    Result<void> introduce() {
        Console& console = context_.console;
        for (const std::string& warning : started_.warnings) {
            console.note("zona: " + escape_control(warning) + '\n');
        }
        if (context_.wants_json()) return {};
        ZONA_TRY_VOID(show_outcomes(context_, started_.outcomes));
        if (ids_.empty()) {
            console.note("zona: every app of the file runs already; none is this command's\n");
            return {};
        }
        const Process first = started_.processes.empty() ? Process{} : started_.processes.front();
        const std::string logs = first.out_file.substr(0, first.out_file.rfind('/'));
        const std::string zona = command_prefix();
        const std::string name =
            first.name.empty() ? "NAME" : core::shell_word(escape_control(first.name));
        console.remark(fmt::format("\nlogs  {}\n", escape_control(logs)));
        console.remark(fmt::format("next  {} list\n      {} describe {}\n      {} restart {}\n",
                                   zona, zona, name, zona, name));
        console.remark("Ctrl-C stops everything\n\n");
        console.flush();
        return {};
    }

    /// How a command for the same zona begins.
    std::string command_prefix() const {
        if (context_.remote != nullptr) return "zona " + context_.remote->flags();
        return context_.home_is_usual
                   ? "zona"
                   : "zona --home " + core::shell_word(escape_control(context_.home));
    }

    /// When the first line can have been written, by the clock of the host that stamps them.
    std::string begin_of_logs(core::SystemTime begin) const {
        if (context_.remote == nullptr) return core::to_rfc3339(begin);
        std::optional<core::SystemTime> first;
        const auto take = [&](const std::optional<core::SystemTime>& moment) {
            if (moment) first = std::min(first.value_or(*moment), *moment);
        };
        for (const Process& process : started_.processes) {
            if (ids_.contains(process.pm_id)) take(process.started_at);
        }
        for (const Outcome& outcome : started_.outcomes) {
            if (outcome.exit) take(outcome.exit->started_at);
        }
        return first ? core::to_rfc3339(*first) : "";
    }

    Result<FollowEnd> follow_logs(core::SystemTime begin) {
        if (ids_.empty()) return FollowEnd::kEnded;
        LogsOptions options;
        for (const std::int64_t id : ids_)
            options.selectors.push_back(std::to_string(id));
        options.lines = kJoinLines;
        options.since = begin_of_logs(begin);
        options.headers = LogHeaders::kNone;
        LogPrinter printer(options, context_.global.format, started_.processes, context_.console);
        EndWatcher watcher(context_, ids_);
        return follow(context_, options, printer, &watcher);
    }

    Status finish(Result<FollowEnd> end) {
        if (!end) {
            const Status stopped = stop_all();
            if (!stopped) context_.console.error(error_text(stopped.error()));
            return end.take_error();
        }
        if (*end == FollowEnd::kZonaStopped) {
            context_.console.note("zona has been stopped\n");
            return kAllWell;
        }
        if (*end == FollowEnd::kEnded) return finish_ended();
        context_.console.flush();
        return stop_all();
    }

    /// All apps have ended by themselves: their first exit code that is not 0 is ours.
    Status finish_ended() {
        ZONA_TRY(std::vector<Process> processes, ask_for_ids(context_, ids_));
        std::ranges::sort(processes, {}, [](const Process& process) {
            const std::optional<Exit>& exit = process.last_exit;
            const auto ended_at =
                exit && exit->exited_at ? *exit->exited_at : core::SystemTime::max();
            return std::pair(ended_at, process.pm_id);
        });
        int status = kAllWell;
        for (const Process& process : processes) {
            if (status == kAllWell) status = status_of_end(process);
        }
        if (!processes.empty()) context_.console.note("every app has ended\n");
        if (context_.session.started_daemon()) end_daemon();
        return status;
    }

    static int status_of_end(const Process& process) {
        if (!process.last_exit) return process.status == "errored" ? kProcessFailed : kAllWell;
        const Exit& exit = *process.last_exit;
        if (exit.requested) return kAllWell;
        if (exit.cause == "exited") return exit.code.value_or(0);
        return kProcessFailed;
    }

    Status stop_all() {
        if (context_.session.started_daemon() || !ids_.empty()) {
            context_.console.note("\nstopping; Ctrl-C again kills at once\n");
        }
        for (const auto& group : groups() | std::views::reverse) {
            auto stopped = stop_group(group);
            if (!stopped && stopped.error().code() == Code::kCancelled) return kill_all();
            if (!stopped) context_.console.error(error_text(stopped.error()));
        }
        if (context_.session.started_daemon()) {
            auto down = shut_down_and_wait(context_, kSecondInterrupt);
            if (!down && down.error().code() == Code::kCancelled) return kill_all();
            if (!down && !Session::says_not_running(down.error())) return down.take_error();
        }
        return kAllWell;
    }

    struct Group {
        std::string name;
        std::vector<std::string> ids;
    };

    /// The started processes by app, in the order of their start.
    std::vector<Group>& groups() {
        for (const Outcome& outcome : started_.outcomes) {
            auto group = std::ranges::find(groups_, outcome.name, &Group::name);
            if (group == groups_.end()) group = groups_.insert(groups_.end(), {outcome.name, {}});
            group->ids.push_back(std::to_string(outcome.pm_id));
        }
        return groups_;
    }

    Result<void> stop_group(const Group& group) {
        SelectOptions options;
        options.selectors = group.ids;
        const std::string name = escape_control(group.name);
        auto answer = context_.session.ask(operate("stop", options, context_.caller),
                                           {"stopping " + name, kSecondInterrupt, {}});
        if (!answer) return answer.take_error();
        context_.console.note(fmt::format("{}  stopped\n", name));
        return {};
    }

    /// The second Ctrl-C: SIGKILL to every tree, without waiting for anything in order.
    Status kill_all() {
        Patience patience;
        patience.interrupts = kSecondInterrupt + 1;
        patience.deadline = core::Deadline::after(context_.clock, kEmergency);
        // What cannot be told any more is not worth a message to someone who asked twice to end.
        if (!ids_.empty()) {
            SelectOptions stop;  // so that what is killed is not started again
            stop.wait = Wait::kNo;
            SignalOptions kill;
            kill.signal = "SIGKILL";
            kill.target = SignalTarget::kTree;
            for (const std::int64_t id : ids_)
                stop.selectors.push_back(std::to_string(id));
            kill.selectors = stop.selectors;
            static_cast<void>(
                context_.session.ask(operate("stop", stop, context_.caller), patience));
            static_cast<void>(context_.session.ask(operate(kill), patience));
        }
        if (context_.session.started_daemon()) {
            static_cast<void>(context_.session.ask(shut_down(), patience));
        }
        return kInterrupted;
    }

    void end_daemon() {
        auto down = shut_down_and_wait(context_, kSecondInterrupt);
        if (!down) context_.console.error(error_text(down.error()));
    }

    Context& context_;
    const RunOptions& options_;
    Started started_;
    std::set<std::int64_t> ids_;
    std::vector<Group> groups_;
};

}  // namespace

Status run(Context& context, const RunOptions& options) {
    return ForegroundRun(context, options).run();
}

}  // namespace zona::cli
