#include "api/detail/pmdaemon_routes.h"

#include <deque>
#include <map>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "api/detail/await.h"
#include "api/detail/log_feed.h"
#include "api/detail/pmdaemon_actions.h"
#include "api/detail/pmdaemon_failure.h"
#include "api/detail/pmdaemon_operations.h"
#include "api/detail/pmdaemon_render.h"
#include "api/detail/pmdaemon_socket.h"
#include "api/detail/route_table.h"
#include "core/json.h"
#include "core/text.h"
#include "core/time_format.h"
#include "os/host.h"
#include "process/capture.h"
#include "process/log_reader.h"

namespace zona::api::pmdaemon {

namespace asio = boost::asio;
namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using net::Response;
using process::Callback;
using process::ProcessView;
using Views = std::vector<ProcessView>;

namespace {

constexpr std::size_t kLogBlock = 64UL * 1024;
/// Of the lines of one answer; the oldest are left out.
constexpr std::size_t kMostLogBytes = 8UL * 1024 * 1024;

Response ok(const json::object& body, int status = 200) {
    return Response::json(core::to_json(body), status);
}

bool passes(const ProcessView& view, const Call& call) {
    const process::AppSpec& spec = view.stored.app->spec;
    const auto fits = [&call](std::string_view name, std::string_view value) {
        const auto wanted = call.text(name);
        return !wanted || *wanted == value;
    };
    return fits("namespace", spec.namespace_) && fits("name", spec.name) &&
           fits("status", state_name(view.status));
}

/// The newest lines of a log, within kMostLogBytes.
class Lines {
  public:
    void add(process::LogLine line) {
        bytes_ += line.text.size();
        lines_.push_back(std::move(line));
        while (bytes_ > kMostLogBytes) {
            bytes_ -= lines_.front().text.size();
            lines_.pop_front();
        }
    }
    const std::deque<process::LogLine>& all() const { return lines_; }

  private:
    std::deque<process::LogLine> lines_;
    std::size_t bytes_ = 0;
};

Result<Lines> read_lines(process::LogReader& reader, std::size_t count) {
    ZONA_TRY_VOID(reader.seek_tail(count));
    Lines out;
    while (true) {
        ZONA_TRY(auto lines, reader.next(kLogBlock));
        if (lines.empty()) return out;
        for (process::LogLine& line : lines)
            out.add(std::move(line));
    }
}

LogSelection selection_of(std::string_view type) {
    LogSelection out;
    out.out = type != "error" && type != "stderr";
    out.err = type != "out" && type != "stdout";
    return out;
}

class Routes {
  public:
    Routes(DaemonInfo info, const DaemonApiDeps& deps, ProcessHub& hub)
        : info_(std::move(info)),
          supervisor_(deps.supervisor),
          actions_(deps.supervisor, info_.cpus),
          capture_(deps.capture),
          clock_(deps.clock),
          hub_(hub),
          log_(deps.logging.logger("http.stream")) {}

    Answer list(Call& call) {
        ZONA_CO_TRY(const Views views, co_await actions_.all());
        json::array data;
        json::array documented;
        for (const ProcessView& view : views) {
            if (!passes(view, call)) continue;
            data.push_back(pm2_process(view, info_.version));
            documented.push_back(short_process(view));
        }
        const auto total = data.size();
        const auto group = call.text("namespace");
        const json::object meta = {
            {"total", total}, {"namespace", group ? json::value(*group) : json::value(nullptr)}};
        co_return ok({{"success", true},
                      {"data", std::move(data)},
                      {"meta", meta},
                      {"processes", std::move(documented)},
                      {"total", total}});
    }

    Answer create(Call& call) {
        ZONA_CO_TRY(const Done done, co_await actions_.create(call.body()));
        if (!done.reason.empty()) co_return failed_to_run(Verb::kStart, done);
        co_return ok({{"success", true},
                      {"message", fmt::format("Process '{}' started successfully", done.name)},
                      {"process", short_process(*done.process)}},
                     201);
    }

    Answer get(Call& call) {
        ZONA_CO_TRY(const ProcessView view, co_await actions_.find(call.path("id")));
        json::object out = long_process(view);
        out["success"] = true;
        out["data"] = pm2_process(view, info_.version);
        co_return ok(out);
    }

    Answer act(Call& call, Verb verb) {
        ZONA_CO_TRY(const Done done, co_await actions_.act(call.path("id"), verb, call.body()));
        if (!done.reason.empty()) co_return failed_to_run(verb, done);
        co_return ok({{"success", true},
                      {"message", fmt::format("Process '{}' {}", done.name, past(verb))}});
    }
    Answer start(Call& call) { return act(call, Verb::kStart); }
    Answer stop(Call& call) { return act(call, Verb::kStop); }
    Answer restart(Call& call) { return act(call, Verb::kRestart); }
    Answer reload(Call& call) { return act(call, Verb::kReload); }
    Answer remove(Call& call) { return act(call, Verb::kDelete); }

    Answer logs(Call& call) {
        ZONA_CO_TRY(const ProcessView view, co_await actions_.find(call.path("id")));
        using Files = std::vector<process::LogFiles>;
        auto begin = [this, id = view.stored.id.to_string()](Callback<Files> done) {
            supervisor_.log_files({id}, std::move(done));
        };
        ZONA_CO_TRY(const Files files, co_await answer_of<Files>(std::move(begin)));
        if (files.empty()) co_return Error(Code::kNotFound, "the process is gone");
        const std::string type = call.text("type").value_or("all");
        process::LogReader reader(sources_of(files, selection_of(type), capture_),
                                  process::Follow::kNo);
        const auto count = static_cast<std::size_t>(call.integer("lines").value_or(0));
        ZONA_CO_TRY(const Lines lines, read_lines(reader, count));
        co_return shown(lines, reader, call, view.stored.app->spec.name);
    }

    Answer socket(Call& call) {
        const net::Request& request = call.request();
        co_return Response::websocket(
            [this, &request](net::WebSocket& socket) { return run_socket(request, socket); },
            socket_options());
    }

    Answer system(Call&) {
        ZONA_CO_TRY(const Views views, co_await actions_.all());
        ZONA_CO_TRY(const os::HostState host, host_now());
        std::map<std::string_view, int> counts = {{"online", 0}, {"stopped", 0}, {"errored", 0}};
        for (const ProcessView& view : views)
            ++counts[state_name(view.status)];
        json::object processes = {{"total", views.size()}};
        for (const auto& [state, count] : counts)
            processes[state] = count;
        const core::SystemTime now = clock_.system();
        json::object out = documented_system(host, info_.cpus);
        out["success"] = true;
        out["data"] = {{"system", pmdaemon::system(host, now)}};
        out["hostname"] = host.name;
        out["platform"] = "linux";
        out["uptime"] = host.uptime.count();
        out["timestamp"] = core::to_rfc3339(now);
        out["processes"] = std::move(processes);
        co_return ok(out);
    }

    Answer status(Call&) {
        ZONA_CO_TRY(const Views views, co_await actions_.all());
        ZONA_CO_TRY(const os::HostState host, host_now());
        const std::string now = core::to_rfc3339(clock_.system());
        json::array processes;
        json::array ports;
        for (const ProcessView& view : views) {
            processes.push_back(pm2_process(view, info_.version));
            const auto port = port_of(view);
            if (port && view.pid != 0) ports.push_back(*port);
        }
        const auto total = ports.size();
        const json::object data = {
            {"processes", std::move(processes)},
            {"system", pmdaemon::system(host, clock_.system())},
            {"ports", {{"allocated", std::move(ports)}, {"total", total}}},
            {"meta",
             {{"pm2_version", info_.version}, {"node_version", "N/A"}, {"timestamp", now}}}};
        co_return ok({{"success", true},
                      {"data", data},
                      {"status", "ok"},
                      {"timestamp", now},
                      {"version", info_.version}});
    }

  private:
    asio::awaitable<Result<void>> run_socket(const net::Request& request, net::WebSocket& socket) {
        const auto executor = co_await asio::this_coro::executor;
        SocketDeps deps{.hub = hub_,
                        .actions = actions_,
                        .frames = frames_,
                        .clock = clock_,
                        .log = log_,
                        .cpus = info_.cpus};
        SocketSession session(std::move(deps), request, socket, executor);
        co_return co_await session.run();
    }

    static Result<os::HostState> host_now() {
        ZONA_TRY(const os::ProcFs proc, os::ProcFs::open());
        return os::host_state(proc);
    }

    static Response failed_to_run(Verb verb, const Done& done) {
        const bool start = verb == Verb::kStart;
        return operation_failed(start ? "PROCESS_START_FAILED" : "OPERATION_FAILED",
                                fmt::format("Failed to {} process '{}': {}",
                                            start ? "start" : "restart", done.name, done.reason),
                                done.reason);
    }

    static Response shown(const Lines& lines, const process::LogReader& reader, const Call& call,
                          const std::string& name) {
        std::string text;
        json::array documented;
        for (const process::LogLine& line : lines.all()) {
            const std::string valid = core::to_valid_utf8(line.text);
            text += valid + "\n";
            const bool error = reader.sources()[line.source].stream == process::LogStream::kErr;
            documented.push_back(
                json::object{{"timestamp", line.time ? json::value(core::to_rfc3339(*line.time))
                                                     : json::value(nullptr)},
                             {"type", error ? "error" : "out"},
                             {"message", valid}});
        }
        const auto total = documented.size();
        return ok({{"success", true},
                   {"data",
                    {{"logs", text},
                     {"lines", call.integer("lines").value_or(0)},
                     {"process_id", call.path("id")}}},
                   {"logs", std::move(documented)},
                   {"total_lines", total},
                   {"process", name}});
    }

    DaemonInfo info_;
    process::Supervisor& supervisor_;
    Actions actions_;
    process::Capture& capture_;
    const core::Clock& clock_;
    ProcessHub& hub_;
    core::Logger log_;
    Frames frames_;
};

using Member = Answer (Routes::*)(Call&);

struct Row {
    Operation operation;
    Member member;
};

std::vector<Row> rows() {
    return {{list_processes(), &Routes::list},     {create_process(), &Routes::create},
            {get_process(), &Routes::get},         {delete_process(), &Routes::remove},
            {start_process(), &Routes::start},     {stop_process(), &Routes::stop},
            {restart_process(), &Routes::restart}, {reload_process(), &Routes::reload},
            {get_logs(), &Routes::logs},           {get_logs_again(), &Routes::logs},
            {open_socket(), &Routes::socket},      {get_system(), &Routes::system},
            {get_status(), &Routes::status}};
}

}  // namespace

Result<void> add_routes(Service& service, const DaemonInfo& info, const DaemonApiDeps* deps,
                        ProcessHub* hub) {
    name_components(service);
    // Owned by the handlers together.
    const auto routes = deps == nullptr ? nullptr : std::make_shared<Routes>(info, *deps, *hub);
    return add_members(service, routes, rows());
}

Response front(const std::string& version) {
    return ok({{"name", "zona"},
               {"version", version},
               {"description", "A supervisor of services that loses nothing when it dies."},
               {"status", "running"},
               {"endpoints",
                {{"processes", "/api/processes"},
                 {"system", "/api/system"},
                 {"status", "/api/status"},
                 {"websocket", "/ws"},
                 {"docs", "/docs"},
                 {"openapi", "/openapi.json"}}}});
}

bool wants_page(const net::Request& request) {
    for (const std::string_view value : request.headers.find_all("Accept")) {
        if (value.find("text/html") != std::string_view::npos) return true;
    }
    return false;
}

}  // namespace zona::api::pmdaemon
