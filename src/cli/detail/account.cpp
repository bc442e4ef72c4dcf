#include "cli/detail/account.h"

#include <algorithm>
#include <map>
#include <optional>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/detail/table.h"
#include "cli/detail/text.h"
#include "core/json.h"
#include "core/text.h"
#include "core/time_format.h"

namespace zona::cli {
namespace {

constexpr std::size_t kGroupedFrom = 11;

Colour colour_of(std::string_view status) {
    if (status == "online") return Colour::kGreen;
    if (status == "errored") return Colour::kRed;
    if (status == "stopped") return Colour::kDim;
    return Colour::kYellow;
}

/// "redis-server (pid 12), sleep (pid 13, perhaps its)"
std::string survivors_text(const std::vector<Survivor>& survivors) {
    std::string text;
    for (const Survivor& one : survivors) {
        text += fmt::format("{}{} (pid {}{})", text.empty() ? "" : ", ", escape_control(one.name),
                            one.pid, one.certain ? "" : ", perhaps its");
    }
    return text;
}

/// "api", or "api (id 4)" when the name alone does not tell which.
class Labels {
  public:
    void count(const std::string& name) { ++names_[name]; }
    std::string of(const std::string& name, std::int64_t pm_id) const {
        const auto found = names_.find(name);
        std::string printable = escape_control(name);
        if (found == names_.end() || found->second < 2) return printable;
        return fmt::format("{} (id {})", printable, pm_id);
    }

  private:
    std::map<std::string, int> names_;
};

Table process_table(const ProcessList& list) {
    const bool many_spaces = std::ranges::any_of(list.processes, [&](const Process& process) {
        return process.space != list.processes.front().space;
    });
    Table table;
    table.columns = {{"id", Align::kRight, 0, 0}, {"name", Align::kLeft, 0, 12}};
    if (many_spaces) table.columns.push_back({"namespace", Align::kLeft, 2, 9});
    table.columns.push_back({"status", Align::kLeft, 1, 7});
    table.columns.push_back({"pid", Align::kRight, 4, 0});
    table.columns.push_back({"uptime", Align::kRight, 3, 0});
    table.columns.push_back({"restarts", Align::kRight, 5, 0});
    for (const Process& process : list.processes) {
        std::vector<Cell> row{{std::to_string(process.pm_id)}, {escape_control(process.name)}};
        if (many_spaces) row.push_back({escape_control(process.space)});
        row.push_back({escape_control(process.status), colour_of(process.status)});
        row.push_back({process.pid ? std::to_string(*process.pid) : "-"});
        row.push_back({process.pid ? core::format_duration(process.uptime) : "-"});
        row.push_back({std::to_string(process.restarts)});
        table.rows.push_back(std::move(row));
    }
    return table;
}

std::string indented(std::span<const std::string> lines, std::size_t indent, const Screen& screen) {
    std::string text;
    for (const std::string& line : lines) {
        text += fmt::format("{:{}}{}\n", "", indent, printable_line(line, screen.sgr()));
    }
    return text;
}

std::string outcome_text(const Outcome& outcome, const std::string& label, const Screen& screen) {
    if (outcome.outcome == "ready") {
        return fmt::format("{}  {} in {}\n", label, paint(screen, Colour::kGreen, "ready"),
                           spoken_duration(outcome.after));
    }
    if (!outcome.failed()) return fmt::format("{}  is starting\n", label);
    std::string what = outcome.exit ? cause_of(*outcome.exit) : "was not started";
    if (outcome.outcome == "exited") what += " after " + spoken_duration(outcome.after);
    std::string text = fmt::format("{}  {}\n", label, paint(screen, Colour::kRed, what));
    text += indented(outcome.stderr_tail, 4, screen);
    if (!outcome.hint.empty()) text += fmt::format("  try: {}\n", escape_control(outcome.hint));
    return text;
}

std::string words_of(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
        if (!text.empty()) text += ' ';
        const bool plain = !word.empty() && word.find_first_of(" '\"\\") == std::string::npos;
        text += plain ? escape_control(word) : "'" + escape_control(word) + "'";
    }
    return text;
}

std::string time_text(const std::optional<core::SystemTime>& time) {
    return time ? core::to_rfc3339(*time) : "-";
}

std::string exit_summary(const Exit& exit) {
    std::string text = cause_of(exit);
    if (exit.cause != "not_started") text += " after " + spoken_duration(exit.ran);
    if (exit.requested) text += ", as asked";
    if (exit.exited_at) text += fmt::format(" ({})", core::to_rfc3339(*exit.exited_at));
    return text;
}

/// Two columns of a description. Empty values are left away.
class Fields {
  public:
    explicit Fields(const Screen& screen) : screen_(screen) {}
    void section(std::string_view title) {
        text_ += fmt::format("  {}\n", paint(screen_, Colour::kBold, title));
    }
    void add(std::string_view name, std::string_view value) {
        if (!value.empty()) text_ += fmt::format("    {:<16} {}\n", name, escape_control(value));
    }
    std::string take() { return std::move(text_); }

  private:
    Screen screen_;
    std::string text_;
};

void add_state(Fields& fields, const Process& process) {
    fields.section("state");
    fields.add("status", process.status);
    fields.add("held because", process.held_because);
    if (process.restart_at) fields.add("restart at", time_text(process.restart_at));
    if (process.pid) fields.add("pid", std::to_string(*process.pid));
    if (process.pid) fields.add("uptime", core::format_duration(process.uptime));
    std::string restarts = std::to_string(process.restarts);
    if (process.unstable_restarts > 0) {
        restarts += fmt::format(", {} of them after early ends", process.unstable_restarts);
    }
    fields.add("restarts", restarts);
    fields.add("after a boot", process.desired);
    fields.add("created", time_text(process.created_at));
    if (process.started_at) fields.add("started", time_text(process.started_at));
    if (process.last_exit) fields.add("last end", exit_summary(*process.last_exit));
    if (!process.survivors.empty()) {
        fields.add("outlived a stop", survivors_text(process.survivors));
    }
}

void add_program(Fields& fields, const Process& process) {
    fields.section("program");
    fields.add("script", process.script);
    fields.add("arguments", words_of(process.args));
    fields.add("interpreter", process.interpreter);
    fields.add("its arguments", words_of(process.interpreter_args));
    fields.add("directory", process.cwd);
    fields.add("user", process.user);
    fields.add("group", process.group);
    fields.add("stdin", process.stdin_from == "pipe" ? "zona send" : "/dev/null");
}

void add_policy(Fields& fields, const Process& process) {
    fields.section("rules");
    fields.add("restarts itself", process.autorestart ? "yes" : "no");
    if (process.autorestart) {
        fields.add("restart delay", core::exact_duration(process.restart_delay));
        fields.add("held after", fmt::format("{} ends before {}", process.max_restarts,
                                             core::exact_duration(process.min_uptime)));
    }
    fields.add("stop", fmt::format("{}, after {} SIGKILL", process.kill_signal,
                                   core::exact_duration(process.kill_timeout)));
    fields.add("containment",
               process.containment_guaranteed
                   ? process.containment_tier + ": nothing of it outlives a stop"
                   : process.containment_tier + ": a stop may leave something behind, and says so");
}

std::string ago(const std::optional<core::SystemTime>& time, core::SystemTime now) {
    if (!time) return "at an unknown time";
    const auto passed = std::chrono::duration_cast<Milliseconds>(now - *time);
    if (passed < Milliseconds(0)) return core::to_rfc3339(*time);
    return fmt::format("{} ago ({})", core::format_duration(passed), core::to_rfc3339(*time));
}

std::string exit_account(const Exit& exit, core::SystemTime now, const Screen& screen) {
    std::string line = cause_of(exit);
    if (exit.cause != "not_started") line += ", ran " + spoken_duration(exit.ran);
    if (exit.requested) line += ", as asked";
    std::string text =
        fmt::format("  {}: {}\n", ago(exit.exited_at, now),
                    paint(screen, exit.requested ? Colour::kNone : Colour::kRed, line));
    if (exit.cause != "not_started") {
        text +=
            fmt::format("    peak memory {}, CPU {} user and {} system, pid {}\n",
                        core::format_size(core::ByteCount(exit.max_rss_bytes)),
                        spoken_duration(exit.user_cpu), spoken_duration(exit.system_cpu), exit.pid);
    }
    if (!exit.stderr_tail.empty()) {
        text += "    last lines of stderr:\n" + indented(exit.stderr_tail, 6, screen);
    } else if (!exit.stdout_tail.empty()) {
        text += "    nothing on stderr; last lines of stdout:\n" +
                indented(exit.stdout_tail, 6, screen);
    }
    return text;
}

}  // namespace

std::string spoken_duration(Milliseconds duration) {
    const auto ms = duration.count();
    if (ms < 100) return fmt::format("{} ms", ms);
    if (ms < 60'000) return fmt::format("{}.{} s", ms / 1000, ms % 1000 / 100);
    return core::format_duration(duration);
}

std::string cause_of(const Exit& exit) {
    if (exit.cause == "exited") return fmt::format("exited {}", exit.code.value_or(0));
    if (exit.cause == "signaled") {
        return fmt::format("was killed by {}{}",
                           exit.signal.empty() ? "a signal" : escape_control(exit.signal),
                           exit.core ? " (core dumped)" : "");
    }
    if (exit.cause == "out_of_memory") return "was killed for lack of memory";
    if (exit.cause == "not_started") {
        return exit.reason.empty() ? "was not started"
                                   : "was not started: " + escape_control(exit.reason);
    }
    return "ended, nobody saw how";
}

std::string list_text(const ProcessList& list, const Screen& screen) {
    std::string text = layout(process_table(list), screen);
    Labels labels;
    for (const Process& process : list.processes)
        labels.count(process.name);
    for (const Process& process : list.processes) {
        const std::string label = labels.of(process.name, process.pm_id);
        if (process.status == "errored" && !process.held_because.empty()) {
            text += fmt::format("{} is held: {} (zona why {})\n", label,
                                escape_control(process.held_because), process.pm_id);
        }
        if (!process.survivors.empty()) {
            text += fmt::format("{}: outlived its stop: {}\n", label,
                                survivors_text(process.survivors));
        }
    }
    if (list.killed > 0) {
        text += fmt::format("{} ran before `zona kill`: `zona resurrect` starts {}\n",
                            count_of(static_cast<std::size_t>(list.killed), "process"),
                            list.killed == 1 ? "it" : "them");
    }
    return text;
}

std::string outcomes_text(std::span<const Outcome> outcomes, const Screen& screen) {
    struct Ready {
        std::size_t count = 0;
        Milliseconds slowest{0};
        bool told = false;
    };
    Labels labels;
    std::map<std::string, Ready> ready;
    for (const Outcome& outcome : outcomes) {
        labels.count(outcome.name);
        if (outcome.outcome != "ready") continue;
        Ready& group = ready[outcome.name];
        ++group.count;
        group.slowest = std::max(group.slowest, outcome.after);
    }
    std::string text;
    for (const Outcome& outcome : outcomes) {
        Ready& group = ready[outcome.name];
        if (outcome.outcome != "ready" || group.count < kGroupedFrom) {
            text += outcome_text(outcome, labels.of(outcome.name, outcome.pm_id), screen);
        } else if (!group.told) {
            group.told = true;
            text +=
                fmt::format("{}  {} {} in {}\n", escape_control(outcome.name), group.count,
                            paint(screen, Colour::kGreen, "ready"), spoken_duration(group.slowest));
        }
    }
    return text;
}

std::string description(const Process& process, const Screen& screen) {
    Fields fields(screen);
    add_state(fields, process);
    add_program(fields, process);
    add_policy(fields, process);
    fields.section("files and names");
    fields.add("stdout", process.out_file);
    fields.add("stderr", process.error_file);
    fields.add("namespace", process.space);
    fields.add("instance", std::to_string(process.instance));
    fields.add("UUID", process.id);
    return fmt::format(
        "{}\n{}",
        paint(screen, Colour::kBold,
              fmt::format("{} (id {})", escape_control(process.name), process.pm_id)),
        fields.take());
}

std::string why_text(const Process& process, std::span<const Exit> exits, core::SystemTime now,
                     const Screen& screen) {
    std::string text =
        fmt::format("{} is {}",
                    paint(screen, Colour::kBold,
                          fmt::format("{} (id {})", escape_control(process.name), process.pm_id)),
                    paint(screen, colour_of(process.status), escape_control(process.status)));
    if (process.pid) text += fmt::format(", for {}", core::format_duration(process.uptime));
    text += '\n';
    if (!process.held_because.empty()) {
        text += fmt::format("  held: {}\n", escape_control(process.held_because));
        text += fmt::format("  `zona restart {}` starts it anew\n", process.pm_id);
    }
    if (process.restart_at && *process.restart_at > now) {
        const auto left = std::chrono::duration_cast<Milliseconds>(*process.restart_at - now);
        text += fmt::format("  starts again in {}\n", core::format_duration(left));
    }
    if (!process.survivors.empty()) {
        text += fmt::format("  outlived its stop: {}\n", survivors_text(process.survivors));
    }
    if (exits.empty()) text += "  it has not ended yet\n";
    for (const Exit& exit : exits)
        text += exit_account(exit, now, screen);
    return text;
}

std::string error_text(const core::Error& error) {
    std::string text = fmt::format("zona: {}\n", escape_control(error.message()));
    for (const core::Detail& detail : error.details()) {
        std::string line;
        // A single problem is often the message itself.
        if (!detail.problem.empty() && error.message().find(detail.problem) == std::string::npos) {
            line = escape_control(detail.problem);
            if (!detail.where.empty()) line.insert(0, escape_control(detail.where) + ": ");
        }
        if (!line.empty()) text += fmt::format("  {}\n", line);
        if (!detail.hint.empty()) {
            text += fmt::format("  {}{}\n", line.empty() ? "" : "  ", escape_control(detail.hint));
        }
    }
    return text;
}

std::string error_json(const core::Error& error) {
    boost::json::array details;
    for (const core::Detail& detail : error.details()) {
        details.push_back(
            {{"where", detail.where}, {"problem", detail.problem}, {"hint", detail.hint}});
    }
    const boost::json::object envelope{{"success", false},
                                       {"error",
                                        {{"code", core::info(error.code()).name},
                                         {"message", error.message()},
                                         {"details", std::move(details)},
                                         {"correlation_id", ""}}}};
    return core::to_json(envelope) + '\n';
}

}  // namespace zona::cli
