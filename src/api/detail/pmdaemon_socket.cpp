#include "api/detail/pmdaemon_socket.h"

#include <algorithm>
#include <array>

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include "api/detail/await.h"
#include "api/detail/message.h"
#include "api/detail/pmdaemon_failure.h"
#include "api/detail/pmdaemon_render.h"
#include "core/json.h"
#include "core/task_group.h"
#include "core/text.h"
#include "core/time_format.h"
#include "net/public_error.h"
#include "os/host.h"

namespace zona::api::pmdaemon {

namespace asio = boost::asio;
namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using process::ProcessEvent;
using process::ProcessView;
using Kind = ProcessItem::Kind;
using Step = asio::awaitable<Result<void>>;

namespace {

constexpr std::array<std::string_view, 4> kEvents = {"process_status", "process_metrics",
                                                     "system_metrics", "process_event"};
constexpr core::ByteCount kMessage = core::ByteCount::kib(256);

/// The texts of a list that may be left out or null. Errors: kInvalidArgument.
Result<std::vector<std::string>> texts_of(const json::object& object, std::string_view key) {
    std::vector<std::string> out;
    const json::value* value = object.if_contains(key);
    if (value == nullptr || value->is_null()) return out;
    const json::array* list = value->if_array();
    const bool good =
        list != nullptr && list->size() <= kMostNames &&
        std::ranges::all_of(*list, [](const json::value& v) { return v.is_string(); });
    if (!good) {
        return Error(Code::kInvalidArgument,
                     fmt::format("{}: give a list of at most {} texts", key, kMostNames));
    }
    for (const json::value& item : *list)
        out.emplace_back(item.get_string());
    return out;
}

Result<std::chrono::milliseconds> interval_of(const json::object& data,
                                              std::chrono::milliseconds now) {
    const json::value* value = data.if_contains("interval");
    if (value == nullptr || value->is_null()) return now;
    const std::int64_t* number = value->if_int64();
    const std::chrono::milliseconds wanted(number == nullptr ? 0 : *number);
    if (wanted < kLeastInterval || wanted > kMostInterval) {
        return Error(Code::kInvalidArgument,
                     fmt::format("interval: give milliseconds from {} to {}",
                                 kLeastInterval.count(), kMostInterval.count()));
    }
    return wanted;
}

json::object envelope(std::string_view type, json::object data, core::SystemTime at,
                      std::string id) {
    return {{"type", type},
            {"data", std::move(data)},
            {"timestamp", core::to_rfc3339(at)},
            {"id", std::move(id)}};
}

/// PMDaemon's word for what an event tells; empty: it has none.
std::string_view word_for(const ProcessEvent& event) {
    if (event.kind == ProcessEvent::Kind::kExit)
        return event.exit && !event.exit->requested ? "crashed" : "";
    if (event.kind != ProcessEvent::Kind::kStatus) return "";
    if (event.to == "stopped") return "stopped";
    if (event.to != "online") return "";
    return event.exit ? "restarted" : "started";
}

Result<json::object> host_now(const core::Clock& clock, int cpus, FrameKind kind) {
    ZONA_TRY(const os::ProcFs proc, os::ProcFs::open());
    ZONA_TRY(const os::HostState host, os::host_state(proc));
    if (kind == FrameKind::kSystem) return system_metrics(host, clock.system());
    return documented_system(host, cpus);
}

}  // namespace

net::WebSocketOptions socket_options() {
    net::WebSocketOptions options;
    options.message = kMessage;
    return options;
}

Step SocketSession::run() {
    ZONA_CO_TRY(ProcessFeed feed, co_await deps_.hub.subscribe(std::nullopt));
    for (const ProcessItemPtr& item : feed.present())
        present_[item->pm_id] = item;
    feed.forget_present();
    ZONA_CO_TRY_VOID(co_await send_list());
    core::TaskGroup tasks(executor_, deps_.log);
    tasks.spawn("pmdaemon news", tell_all(std::move(feed)));
    // What tells the news uses the session and its socket.
    const auto end = [&tasks] {
        tasks.cancel();
        return tasks.join();
    };
    auto texts = read_texts(socket_, [this](std::string_view text) { return take(text); });
    co_return co_await with_cleanup(std::move(texts), end);
}

/// A message that is wrong is answered and changes nothing.
Step SocketSession::take(std::string_view text) {
    const auto message = core::parse_json(text, {.max_bytes = kMessage});
    if (!message) co_return co_await send_error(message.error());
    const json::object* object = message->if_object();
    const auto type = object == nullptr ? std::nullopt : text_of(*object, "type");
    json::object data;
    if (object != nullptr) {
        if (const json::value* given = object->if_contains("data"); given && given->is_object())
            data = given->get_object();
    }
    if (type == "subscribe") co_return co_await subscribe(data);
    if (type == "unsubscribe") co_return co_await unsubscribe(data);
    if (type == "command") co_return co_await command(data);
    if (type == "get_info") co_return co_await get_info(data);
    if (type == "get_system") co_return co_await get_system();
    const std::string shown =
        type ? core::to_valid_utf8(std::string_view(*type).substr(0, 64)) : std::string();
    co_return co_await send_error(
        "INVALID_CONFIGURATION",
        fmt::format("type: '{}' is none of subscribe, unsubscribe, command, get_info, get_system",
                    shown));
}

Step SocketSession::subscribe(const json::object& data) {
    const auto events = texts_of(data, "events");
    if (!events) co_return co_await send_error(events.error());
    const auto names = texts_of(data, "processes");
    if (!names) co_return co_await send_error(names.error());
    const auto interval = interval_of(data, interval_);
    if (!interval) co_return co_await send_error(interval.error());
    for (const std::string& event : *events) {
        if (std::ranges::find(kEvents, event) != kEvents.end()) continue;
        const std::string_view why = event == "log_message"     ? "GET /api/v1/logs follows logs"
                                     : event == "health_update" ? "nothing checks health yet"
                                                                : "there is no such event";
        co_return co_await send_error(
            "INVALID_CONFIGURATION",
            fmt::format("events: '{}' is not sent here: {}",
                        core::to_valid_utf8(std::string_view(event).substr(0, 64)), why));
    }
    documented_ = true;
    events_.insert(events->begin(), events->end());
    if (events->empty()) events_.insert(kEvents.begin(), kEvents.end());
    names_ = {names->begin(), names->end()};
    interval_ = *interval;
    due_ = deps_.clock.steady();
    co_return co_await send_metrics();
}

Step SocketSession::unsubscribe(const json::object& data) {
    const auto events = texts_of(data, "events");
    if (!events) co_return co_await send_error(events.error());
    documented_ = true;
    if (events->empty()) events_.clear();
    for (const std::string& event : *events)
        events_.erase(event);
    co_return Result<void>();
}

Step SocketSession::command(const json::object& data) {
    if (!request_.may_change) {
        co_return co_await send_error("PERMISSION_DENIED",
                                      "the key is a viewer's, which may only read");
    }
    const auto action = text_of(data, "action");
    const auto verb = action ? verb_from(*action) : std::nullopt;
    const auto id = text_of(data, "process");
    if (!verb || !id) {
        co_return co_await send_error("INVALID_CONFIGURATION",
                                      "give `action`, one of start, stop, restart, reload, delete, "
                                      "and `process`, a name or an id");
    }
    json::value config;
    if (const json::value* given = data.if_contains("config")) config = *given;
    Result<Done> done = Done{};
    const bool is_new = *verb == Verb::kStart && config.is_object();
    if (is_new) {
        config.get_object()["name"] = *id;
        done = co_await deps_.actions.create(config);
    } else {
        done = co_await deps_.actions.act(*id, *verb, config);
    }
    if (!done) co_return co_await send_error(done.error());
    if (!done->reason.empty()) {
        co_return co_await send_error(
            *verb == Verb::kStart ? "PROCESS_START_FAILED" : "OPERATION_FAILED",
            fmt::format("Failed to {} process '{}': {}", *action, *id, done->reason));
    }
    json::object answer = {{"success", true},
                           {"action", *action},
                           {"process", *id},
                           {"message", fmt::format("Process '{}' {}", *id, past(*verb))}};
    co_return co_await send("command_result", std::move(answer));
}

Step SocketSession::get_info(const json::object& data) {
    const auto id = text_of(data, "process");
    if (!id) {
        co_return co_await send_error("INVALID_CONFIGURATION", "give `process`, a name or an id");
    }
    const auto view = co_await deps_.actions.find(*id);
    if (!view) co_return co_await send_error(view.error());
    co_return co_await send("process_info", long_process(*view));
}

Step SocketSession::get_system() {
    auto host = host_now(deps_.clock, deps_.cpus, FrameKind::kStatus);
    if (!host) co_return co_await send_error(host.error());
    co_return co_await send("system_info", std::move(*host));
}

asio::awaitable<void> SocketSession::tell_all(ProcessFeed feed) {
    const auto told = co_await tell_news(feed);
    if (told) co_return;
    const Code code = told.error().code();
    if (code == Code::kTooManyRequests)
        socket_.close(net::CloseCode::kTryAgainLater, told.error().message());
    if (code == Code::kUnavailable)
        socket_.close(net::CloseCode::kGoingAway, told.error().message());
}

Step SocketSession::tell_news(ProcessFeed& feed) {
    due_ = next_tick().moment();
    for (;;) {
        const auto item = co_await feed.next(core::Deadline::at(due_));
        if (item) {
            ZONA_CO_TRY_VOID(co_await tell(*item));
        } else if (item.error().code() != Code::kTimeout) {
            co_return item.error();
        }
        if (deps_.clock.steady() >= due_) ZONA_CO_TRY_VOID(co_await tick());
    }
}

/// The same moments for all clients of PMDaemon's first protocol, so that one frame does for all.
core::Deadline SocketSession::next_tick() const {
    const core::SteadyTime now = deps_.clock.steady();
    const auto past = now.time_since_epoch() % kTick;
    return core::Deadline::at(now + (kTick - past));
}

Step SocketSession::tick() {
    if (documented_) {
        due_ = deps_.clock.steady() + interval_;
        co_return co_await send_metrics();
    }
    const core::SteadyTime now = deps_.clock.steady();
    const auto number = static_cast<std::uint64_t>(now.time_since_epoch() / kTick);
    due_ = next_tick().moment();
    const auto system = deps_.frames.get(FrameKind::kSystem, number, [this] {
        auto metrics = host_now(deps_.clock, deps_.cpus, FrameKind::kSystem);
        if (!metrics) {
            return core::to_json(
                json::object{{"type", "Error"}, {"message", metrics.error().message()}});
        }
        return core::to_json(
            json::object{{"type", "SystemUpdate"}, {"metrics", std::move(*metrics)}});
    });
    ZONA_CO_TRY_VOID(co_await socket_.write(system));
    co_return co_await send_list();
}

Step SocketSession::send_list() {
    const core::SteadyTime now = deps_.clock.steady();
    const auto make = [this] {
        json::array processes;
        for (const auto& [pm_id, item] : present_)
            processes.push_back(process_status(*item->view));
        return core::to_json(
            json::object{{"type", "ProcessList"}, {"processes", std::move(processes)}});
    };
    // A new client is told what is true now, not at the last tick.
    const bool first = due_ == core::SteadyTime{};
    if (first) {
        const auto text = net::share(make());
        co_return co_await socket_.write(text);
    }
    const auto number = static_cast<std::uint64_t>(now.time_since_epoch() / kTick);
    const auto text = deps_.frames.get(FrameKind::kList, number, make);
    co_return co_await socket_.write(text);
}

/// No cpu and no memory of a process: neither is measured.
Step SocketSession::send_metrics() {
    if (events_.contains("process_metrics")) {
        json::array processes;
        for (const auto& [pm_id, item] : present_) {
            if (!wants("process_metrics", item->name)) continue;
            const ProcessView& view = *item->view;
            const auto ran = std::chrono::duration_cast<std::chrono::milliseconds>(
                deps_.clock.system() - view.started_at);
            processes.push_back(json::object{{"id", view.stored.pm_id},
                                             {"name", item->name},
                                             {"cpu", nullptr},
                                             {"memory", nullptr},
                                             {"uptime", view.pid == 0 ? 0 : ran.count()},
                                             {"restarts", view.restarts}});
        }
        json::object data = {{"processes", std::move(processes)}};
        ZONA_CO_TRY_VOID(co_await send("process_metrics", std::move(data)));
    }
    if (events_.contains("system_metrics")) {
        ZONA_CO_TRY(json::object host, host_now(deps_.clock, deps_.cpus, FrameKind::kStatus));
        ZONA_CO_TRY_VOID(co_await send("system_metrics", std::move(host)));
    }
    co_return Result<void>();
}

bool SocketSession::wants(std::string_view event, const std::string& process) const {
    return events_.contains(event) && (names_.empty() || names_.contains(process));
}

/// Events come before the state that they led to, and wait for it: it has the pid and the port.
Step SocketSession::tell(const ProcessItemPtr& item) {
    if (item->kind == Kind::kEvent) {
        if (documented_) waiting_[item->pm_id].push_back(item);
        co_return Result<void>();
    }
    if (item->kind == Kind::kState) present_[item->pm_id] = item;
    if (!documented_ && item->kind == Kind::kState) ZONA_CO_TRY_VOID(co_await tell_state(item));
    auto events = waiting_.extract(item->pm_id);
    if (!events.empty()) {
        for (const ProcessItemPtr& event : events.mapped())
            ZONA_CO_TRY_VOID(co_await tell_event(event));
    }
    if (item->kind == Kind::kDeleted) present_.erase(item->pm_id);
    co_return Result<void>();
}

Step SocketSession::tell_state(const ProcessItemPtr& item) {
    const auto text = deps_.frames.get(FrameKind::kUpdate, item->sequence, [&item] {
        return core::to_json(
            json::object{{"type", "ProcessUpdate"}, {"process", process_status(*item->view)}});
    });
    co_return co_await socket_.write(text);
}

Step SocketSession::tell_event(const ProcessItemPtr& item) {
    const ProcessEvent& event = *item->event;
    const auto known = present_.find(item->pm_id);
    // What the process is now belongs to the event only if it led there.
    const ProcessView* view = known == present_.end() ? nullptr : &*known->second->view;
    const bool now = view != nullptr && view->status == event.to;
    const auto id = fmt::format("{}", item->sequence);
    json::value pid = nullptr;
    json::value port = nullptr;
    if (now && view->pid != 0) pid = view->pid;
    if (view != nullptr) {
        if (const auto number = port_of(*view)) port = *number;
    }
    if (event.kind == ProcessEvent::Kind::kStatus && wants("process_status", item->name)) {
        const auto text = deps_.frames.get(FrameKind::kStatus, item->sequence, [&] {
            json::object data = {{"id", item->pm_id},
                                 {"name", item->name},
                                 {"status", state_name(event.to)},
                                 {"pid", pid},
                                 {"port", port},
                                 {"previous_status", state_name(event.from)}};
            return core::to_json(envelope("process_status", std::move(data), event.at, id));
        });
        ZONA_CO_TRY_VOID(co_await socket_.write(text));
    }
    std::string_view word = word_for(event);
    if (word == "started" && view != nullptr && view->restarts > 0) word = "restarted";
    if (word.empty() || !wants("process_event", item->name)) co_return Result<void>();
    const auto text = deps_.frames.get(FrameKind::kEvent, item->sequence, [&] {
        json::object data = {
            {"event", word}, {"process", item->name}, {"details", {{"pid", pid}, {"port", port}}}};
        return core::to_json(envelope("process_event", std::move(data), event.at, id));
    });
    co_return co_await socket_.write(text);
}

Step SocketSession::send(std::string_view type, json::object data) {
    const auto id = fmt::format("{}-{}", request_.correlation_id, ++sent_);
    const auto text =
        net::share(core::to_json(envelope(type, std::move(data), deps_.clock.system(), id)));
    co_return co_await socket_.write(text);
}

Step SocketSession::send_error(const Error& error) {
    const Error shown = net::shown_to(request_, error);
    co_return co_await send_error(code_of(error.code()), shown.message());
}

/// In the forms of both protocols at once.
Step SocketSession::send_error(std::string_view code, const std::string& message) {
    json::object out =
        envelope("Error", {{"code", code}, {"message", message}}, deps_.clock.system(),
                 fmt::format("{}-{}", request_.correlation_id, ++sent_));
    out["message"] = message;
    const auto text = net::share(core::to_json(out));
    co_return co_await socket_.write(text);
}

}  // namespace zona::api::pmdaemon
