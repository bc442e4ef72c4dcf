#include "api/detail/render.h"

#include <boost/json.hpp>

#include "core/time_format.h"
#include "net/public_error.h"
#include "os/child.h"

namespace zona::api {

namespace json = boost::json;
using process::ExitView;
using process::Outcome;
using process::ProcessView;

namespace {

json::value time_or_null(core::SystemTime time) {
    if (time == core::SystemTime{}) return nullptr;
    return json::value(core::to_rfc3339(time));
}

json::value text_or_null(const std::string& text) {
    if (text.empty()) return nullptr;
    return json::value(text);
}

std::string_view event_name(process::ProcessEvent::Kind kind) {
    switch (kind) {
        case process::ProcessEvent::Kind::kCreated:
            return "created";
        case process::ProcessEvent::Kind::kStatus:
            return "status";
        case process::ProcessEvent::Kind::kExit:
            return "exit";
        case process::ProcessEvent::Kind::kDeleted:
            return "deleted";
    }
    return "status";
}

std::string_view outcome_name(Outcome::Kind kind) {
    switch (kind) {
        case Outcome::Kind::kReady:
            return "ready";
        case Outcome::Kind::kExited:
            return "exited";
        case Outcome::Kind::kNotStarted:
            return "not_started";
    }
    return "ready";
}

}  // namespace

json::array render(const std::vector<std::string>& strings) {
    json::array out;
    for (const std::string& s : strings)
        out.emplace_back(s);
    return out;
}

json::value render(const ExitView& exit) {
    json::object out;
    const bool signaled =
        exit.cause == ExitView::Cause::kSignaled || exit.cause == ExitView::Cause::kOutOfMemory;
    out["incarnation"] = exit.incarnation;
    out["pid"] = exit.pid == 0 ? json::value(nullptr) : json::value(exit.pid);
    out["started_at"] = time_or_null(exit.started_at);
    out["exited_at"] = time_or_null(exit.exited_at);
    out["ran_ms"] =
        std::chrono::duration_cast<std::chrono::milliseconds>(exit.exited_at - exit.started_at)
            .count();
    out["cause"] = process::cause_name(exit.cause);
    out["code"] =
        exit.cause == ExitView::Cause::kExited ? json::value(exit.code) : json::value(nullptr);
    out["signal"] = signaled ? json::value(os::signal_name(exit.signal)) : json::value(nullptr);
    out["core"] = exit.core_dumped;
    out["requested"] = exit.requested;
    if (exit.cause == ExitView::Cause::kNotStarted) out["reason"] = exit.reason;
    out["user_cpu_ms"] = exit.user_us / 1000;
    out["system_cpu_ms"] = exit.system_us / 1000;
    out["max_rss_bytes"] = exit.max_rss_kb * 1024;
    return out;
}

json::value render(const ProcessView& p) {
    const process::AppSpec& spec = p.stored.app->spec;
    json::object out;
    out["pm_id"] = p.stored.pm_id;
    out["id"] = p.stored.id.to_string();
    out["name"] = spec.name;
    out["namespace"] = spec.namespace_;
    out["instance"] = p.stored.instance;
    out["status"] = p.status;
    out["desired"] = p.stored.desired == process::Desired::kRunning ? "running" : "stopped";
    out["pid"] = p.pid == 0 ? json::value(nullptr) : json::value(p.pid);
    out["created_at"] = time_or_null(p.stored.created_at);
    out["started_at"] = time_or_null(p.started_at);
    out["uptime_ms"] = p.uptime.count();
    out["restarts"] = p.restarts;
    out["unstable_restarts"] = p.unstable_restarts;
    out["restart_at"] = p.restart_at ? time_or_null(*p.restart_at) : json::value(nullptr);
    out["held_because"] = text_or_null(p.held_because);
    out["last_exit"] = p.last_exit ? render(*p.last_exit) : json::value(nullptr);
    out["script"] = spec.script;
    out["interpreter"] = text_or_null(p.interpreter);
    out["cwd"] = spec.cwd;
    out["user"] = spec.user ? json::value(*spec.user) : json::value(nullptr);
    out["group"] = spec.group ? json::value(*spec.group) : json::value(nullptr);
    out["args"] = render(spec.args);
    out["interpreter_args"] = render(spec.interpreter_args);
    out["autorestart"] = spec.autorestart;
    out["max_restarts"] = spec.max_restarts;
    out["min_uptime_ms"] = spec.min_uptime.count();
    out["restart_delay_ms"] = spec.restart_delay.count();
    out["kill_timeout_ms"] = spec.kill_timeout.count();
    out["kill_signal"] = os::signal_name(spec.kill_signal);
    out["stdin"] = spec.stdin_mode == process::StdinMode::kPipe ? "pipe" : "null";
    out["out_file"] = p.stored.out_file;
    out["error_file"] = p.stored.error_file;
    out["containment"] =
        json::object{{"tier", process::to_string(p.tier)}, {"guaranteed", p.guaranteed}};
    json::array survivors;
    for (const process::Survivor& survivor : p.survivors) {
        survivors.push_back(
            json::object{{"pid", survivor.process.pid},
                         {"name", survivor.name},
                         {"certain", survivor.certainty == process::Survivor::Certainty::kMember}});
    }
    out["survivors"] = std::move(survivors);
    return out;
}

json::value render(const process::ProcessEvent& event) {
    json::object out;
    out["event"] = event_name(event.kind);
    out["at"] = time_or_null(event.at);
    out["pm_id"] = event.pm_id;
    out["name"] = event.name;
    out["instance"] = event.instance;
    if (event.kind == process::ProcessEvent::Kind::kStatus) {
        out["from"] = event.from;
        out["to"] = event.to;
    }
    if (event.exit) out["exit"] = render(*event.exit);
    return out;
}

json::value render(const Outcome& outcome) {
    json::object out;
    out["pm_id"] = outcome.pm_id;
    out["name"] = outcome.name;
    out["instance"] = outcome.instance;
    out["outcome"] = outcome_name(outcome.kind);
    out["after_ms"] = outcome.after.count();
    out["exit"] = outcome.exit ? render(*outcome.exit) : json::value(nullptr);
    out["stderr_tail"] = render(outcome.stderr_tail);
    out["hint"] = text_or_null(outcome.hint);
    return out;
}

json::value render(const process::StartReply& reply, const std::vector<std::string>& warnings) {
    return json::object{{"processes", render_all(reply.processes)},
                        {"outcomes", render_all(reply.outcomes)},
                        {"warnings", render(warnings)}};
}

json::value render(const core::Error& error) {
    json::array details;
    for (const core::Detail& d : error.details()) {
        details.push_back(
            json::object{{"where", d.where}, {"problem", d.problem}, {"hint", d.hint}});
    }
    return json::object{{"code", core::info(error.code()).name},
                        {"message", error.message()},
                        {"details", std::move(details)}};
}

json::value render(const process::OperationResult& result, const net::Request& request) {
    json::object out;
    out["pm_id"] = result.pm_id;
    out["name"] = result.name;
    out["instance"] = result.instance;
    out["ok"] = !result.error.has_value();
    out["process"] = result.process ? render(*result.process) : json::value(nullptr);
    out["outcome"] = result.outcome ? render(*result.outcome) : json::value(nullptr);
    out["error"] =
        result.error ? render(net::shown_to(request, *result.error)) : json::value(nullptr);
    return out;
}

json::value render(const Network& network) {
    return json::object{{"address", text_or_null(network.address)},
                        {"tls", network.tls},
                        {"problem", text_or_null(network.problem)},
                        {"pmdaemon", text_or_null(network.pmdaemon)}};
}

json::value render(const os::HostState& host, int cpus) {
    return json::object{{"name", host.name},
                        {"kernel", os::kernel_version().release},
                        {"cpus", cpus},
                        {"uptime_s", host.uptime.count()},
                        {"load", json::array(host.load.begin(), host.load.end())},
                        {"memory_total_bytes", host.memory_total.bytes()},
                        {"memory_available_bytes", host.memory_available.bytes()}};
}

json::value render(const process::HostCheck& check) {
    return json::object{{"name", check.name},
                        {"status", process::to_string(check.status)},
                        {"detail", check.detail},
                        {"cure", check.cure}};
}

}  // namespace zona::api
