#include "api/daemon_api.h"

#include <cctype>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "api/detail/await.h"
#include "api/detail/log_route.h"
#include "api/detail/process_cache.h"
#include "api/detail/render.h"
#include "api/detail/request_body.h"
#include "core/config.h"
#include "core/fault.h"
#include "core/json.h"
#include "core/log_level.h"
#include "core/text.h"
#include "process/doctor.h"
#include "process/ecosystem.h"

namespace zona::api {

namespace asio = boost::asio;
namespace json = boost::json;
using core::Result;
using net::Method;
using net::Request;
using net::Response;
using process::Callback;
using Answer = asio::awaitable<Result<Response>>;

namespace {

/// A start with a large file of apps, or of many processes, may take its time.
constexpr std::chrono::milliseconds kStartTime = std::chrono::minutes(10);

class DaemonRoutes {
  public:
    DaemonRoutes(DaemonInfo info, DaemonApiDeps deps)
        : info_(std::move(info)), deps_(std::move(deps)) {}

    Answer ping(Request&) {
        const auto up = std::chrono::duration_cast<std::chrono::seconds>(deps_.clock.system() -
                                                                         info_.started_at);
        const json::value data = {
            {"daemon", {{"pid", info_.pid}, {"version", info_.version}, {"uptime_s", up.count()}}},
            {"keeper", {{"pid", deps_.keeper_pid()}}},
            {"network", render(deps_.network())}};
        co_return Response::success(core::to_json(data));
    }

    Answer list(Request& request) {
        std::vector<std::string> select = selectors(request);
        const bool all = select.empty();
        if (const auto known = all ? cache_.list() : nullptr) co_return shown(*known);
        const std::uint64_t version = cache_.list_version();
        auto begin = [this, select = std::move(select)](
                         Callback<std::vector<process::ProcessView>> done) mutable {
            deps_.supervisor.list(std::move(select), std::move(done));
        };
        ZONA_CO_TRY(const auto views,
                    co_await answer_of<std::vector<process::ProcessView>>(std::move(begin)));
        auto count = [this](Callback<std::size_t> done) {
            deps_.supervisor.killed_count(std::move(done));
        };
        ZONA_CO_TRY(const std::size_t killed, co_await answer_of<std::size_t>(std::move(count)));
        if (all) co_return shown(*cache_.add_list(version, killed, views));
        const json::value meta = {{"total", views.size()}, {"killed", killed}};
        co_return Response::success(core::to_json(render_all(views)), core::to_json(meta));
    }

    Answer get(Request& request) {
        const std::string& id = request.parameter("id");
        if (const auto known = cache_.find(id)) {
            ZONA_CO_TRY_VOID(co_await check(id, *known));
            co_return shown(*known);
        }
        ZONA_CO_TRY(const auto view, co_await ask(id));
        co_return shown(*cache_.add(id, view));
    }

    Answer start(Request& request) {
        ZONA_CO_TRY(StartBody body, read_start(request.body, info_.cpus));
        auto begin = [this,
                      start = std::move(body.request)](Callback<process::StartReply> done) mutable {
            deps_.supervisor.start(std::move(start), std::move(done));
        };
        ZONA_CO_TRY(const auto reply, co_await answer_of<process::StartReply>(std::move(begin)));
        co_return Response::success(core::to_json(render(reply, body.warnings)), {}, 201);
    }

    Answer operate(Request& request) {
        ZONA_CO_TRY(process::OperationRequest operation, read_operation(request.body));
        using Results = std::vector<process::OperationResult>;
        auto begin = [this, operation = std::move(operation)](Callback<Results> done) mutable {
            deps_.supervisor.operate(std::move(operation), std::move(done));
        };
        ZONA_CO_TRY(const auto results, co_await answer_of<Results>(std::move(begin)));
        const json::value data = {{"results", render_all(results)}};
        co_return Response::success(core::to_json(data));
    }

    Answer exits(Request& request) {
        using Exits = std::pair<process::ProcessView, std::vector<process::ExitView>>;
        auto begin = [this, id = request.parameter("id")](Callback<Exits> done) mutable {
            deps_.supervisor.exits(std::move(id), std::move(done));
        };
        ZONA_CO_TRY(const Exits found, co_await answer_of<Exits>(std::move(begin)));
        json::array data;
        for (const process::ExitView& exit : found.second) {
            json::value item = render(exit);
            const process::StoredProcess& p = found.first.stored;
            item.as_object()["stdout_tail"] =
                render(process::tail_lines(p.out_file, exit.out_begin, exit.out_end, kTailLines));
            item.as_object()["stderr_tail"] =
                render(process::tail_lines(p.error_file, exit.err_begin, exit.err_end, kTailLines));
            data.push_back(std::move(item));
        }
        co_return Response::success(core::to_json(data));
    }

    Answer environment(Request& request) {
        using Variables = std::map<std::string, std::string>;
        auto begin = [this, id = request.parameter("id")](Callback<Variables> done) mutable {
            deps_.supervisor.environment(std::move(id), std::move(done));
        };
        ZONA_CO_TRY(const Variables variables, co_await answer_of<Variables>(std::move(begin)));
        json::object shown;
        for (const auto& [name, value] : variables)
            shown[name] = value;
        const json::value data = {{"variables", std::move(shown)}};
        co_return Response::success(core::to_json(data));
    }

    Answer logs(Request& request) {
        using Files = std::vector<process::LogFiles>;
        std::vector<std::string> select = selectors(request);
        auto begin = [this, select = std::move(select)](Callback<Files> done) mutable {
            deps_.supervisor.log_files(std::move(select), std::move(done));
        };
        ZONA_CO_TRY(Files files, co_await answer_of<Files>(std::move(begin)));
        co_return stream_logs(request, files, deps_.capture, deps_.clock);
    }

    Answer save(Request& request) {
        ZONA_CO_TRY(const bool force, read_flag(request.body, "force"));
        const auto wanted = force ? process::Force::kYes : process::Force::kNo;
        auto begin = [this, wanted](Callback<process::Supervisor::Saved> done) {
            deps_.supervisor.save(wanted, std::move(done));
        };
        ZONA_CO_TRY(const auto saved,
                    co_await answer_of<process::Supervisor::Saved>(std::move(begin)));
        const json::value data = {{"file", saved.file}, {"processes", saved.processes}};
        co_return Response::success(core::to_json(data), {}, 201);
    }

    Answer restore(Request&) {
        using Restored = std::pair<process::StartReply, std::string>;
        auto begin = [this](Callback<Restored> done) {
            deps_.supervisor.resurrect(std::move(done));
        };
        ZONA_CO_TRY(const Restored restored, co_await answer_of<Restored>(std::move(begin)));
        json::value data = render(restored.first, {});
        data.as_object()["file"] = restored.second;
        co_return Response::success(core::to_json(data), {}, 201);
    }

    Answer config(Request&) {
        json::array data;
        for (const core::ConfigEntry& entry : deps_.config.snapshot()->entries()) {
            data.push_back(json::object{
                {"key", entry.key},
                {"value", entry.value},
                {"source", core::to_string(entry.source)},
                {"file", entry.file},
                {"line", entry.line},
                {"pending", entry.pending ? json::value(*entry.pending) : json::value(nullptr)}});
        }
        co_return Response::success(core::to_json(data));
    }

    Answer reload_config(Request&) {
        ZONA_CO_TRY(const core::ReloadReport reload, deps_.config.reload());
        deps_.settings_changed();
        const json::value data = {{"changed", render(reload.changed)},
                                  {"needs_restart", render(reload.needs_restart)}};
        co_return Response::success(core::to_json(data));
    }

    Answer log_levels(Request&) { co_return shown_levels(); }

    Answer set_log_levels(Request& request) {
        ZONA_CO_TRY(const auto levels, read_log_levels(request.body));
        for (const auto& [category, level] : levels) {
            if (category == "default") {
                deps_.logging.set_default_level(level);
            } else {
                ZONA_CO_TRY_VOID(deps_.logging.set_level(category, level));
            }
        }
        co_return shown_levels();
    }

    Answer host(Request&) {
        const std::vector<process::HostCheck> checks = deps_.host_checks();
        const json::value data = {{"checks", render_all(checks)}};
        co_return Response::success(core::to_json(data));
    }

    Answer metrics(Request&) {
        co_return Response::text(deps_.metrics.render_prometheus(),
                                 "text/plain; version=0.0.4; charset=utf-8");
    }

    Answer shutdown(Request&) {
        auto begin = [this](Callback<std::size_t> done) {
            deps_.shutdown(
                [done = std::move(done)](std::size_t stopping) mutable { done(stopping); });
        };
        ZONA_CO_TRY(const std::size_t stopping, co_await answer_of<std::size_t>(std::move(begin)));
        const json::value data = {{"stopping", stopping}};
        co_return Response::success(core::to_json(data), {}, 202);
    }

  private:
    asio::awaitable<Result<process::ProcessView>> ask(std::string id) {
        auto begin = [this, id = std::move(id)](Callback<process::ProcessView> done) mutable {
            deps_.supervisor.find(std::move(id), std::move(done));
        };
        co_return co_await answer_of<process::ProcessView>(std::move(begin));
    }

    /// Where faults are built in, every test proves that no change is missed by the versions: what
    /// is shown from memory is compared with what the supervisor says.
    asio::awaitable<Result<void>> check(const std::string& id, const RenderedProcess& known) {
        if constexpr (core::kFaultsBuiltIn) {
            ZONA_CO_TRY(const auto view, co_await ask(id));
            if (view.version == known.version() && !RenderedProcess(view).shows_the_same(known)) {
                co_return core::Error(core::Code::kInternal,
                                      "a process changed and its version did not");
            }
        }
        co_return Result<void>();
    }

    Response shown(const RenderedProcess& process) const {
        std::string data;
        process.append_to(data, deps_.clock.system());
        return Response::success(data);
    }

    Response shown(const ProcessList& list) const {
        std::string data = "[";
        const core::SystemTime now = deps_.clock.system();
        for (const auto& process : list.processes) {
            if (data.size() > 1) data += ',';
            process->append_to(data, now);
        }
        data += ']';
        const json::value meta = {{"total", list.processes.size()}, {"killed", list.killed}};
        return Response::success(data, core::to_json(meta));
    }

    static std::vector<std::string> selectors(const Request& request) {
        std::vector<std::string> out;
        for (const std::string_view s : request.query_values("select"))
            out.emplace_back(s);
        return out;
    }

    Result<Response> shown_levels() const {
        json::object data;
        for (const auto& [category, level] : deps_.logging.levels())
            data[category] = core::to_string(level);
        return Response::success(core::to_json(data));
    }

    DaemonInfo info_;
    DaemonApiDeps deps_;
    ProcessCache cache_{deps_.supervisor.versions()};
};

}  // namespace

namespace {

/// What to say where the path names a version of the API that does not exist.
std::optional<core::Error> unknown_version(const Request& request) {
    constexpr std::size_t kMaxQuoted = 32;
    const std::vector<std::string>& parts = request.segments;
    const bool names_version = parts.size() >= 2 && parts[0] == "api" && parts[1].size() >= 2 &&
                               parts[1] != "v1" && parts[1][0] == 'v' &&
                               std::isdigit(static_cast<unsigned char>(parts[1][1])) != 0;
    if (!names_version) return std::nullopt;
    return core::Error(core::Code::kNotFound,
                       fmt::format("there is no version {} of the API; there is: v1 (/api/v1/...)",
                                   core::to_valid_utf8(parts[1].substr(0, kMaxQuoted))));
}

}  // namespace

Result<void> add_daemon_routes(net::Router& router, DaemonInfo info, DaemonApiDeps deps) {
    // Owned by the handlers together.
    const auto routes = std::make_shared<DaemonRoutes>(std::move(info), std::move(deps));
    using Member = Answer (DaemonRoutes::*)(Request&);
    struct Row {
        Method method;
        std::string_view pattern;
        Member member;
        net::RouteOptions options;
    };
    net::RouteOptions files;
    files.limits.body = core::ByteCount::mib(16);
    files.limits.time = kStartTime;
    net::RouteOptions slow;
    slow.limits.time = kStartTime;
    const Row rows[] = {
        {Method::kGet, "/api/v1/ping", &DaemonRoutes::ping, {}},
        {Method::kGet, "/api/v1/processes", &DaemonRoutes::list, {}},
        {Method::kPost, "/api/v1/processes", &DaemonRoutes::start, files},
        {Method::kGet, "/api/v1/processes/{id}", &DaemonRoutes::get, {}},
        {Method::kGet, "/api/v1/processes/{id}/exits", &DaemonRoutes::exits, {}},
        {Method::kGet, "/api/v1/processes/{id}/environment", &DaemonRoutes::environment, {}},
        {Method::kPost, "/api/v1/operations", &DaemonRoutes::operate, files},
        {Method::kGet, "/api/v1/logs", &DaemonRoutes::logs, {}},
        {Method::kPost, "/api/v1/snapshots", &DaemonRoutes::save, slow},
        {Method::kPost, "/api/v1/snapshots/restore", &DaemonRoutes::restore, slow},
        {Method::kGet, "/api/v1/config", &DaemonRoutes::config, {}},
        {Method::kPost, "/api/v1/config/reload", &DaemonRoutes::reload_config, {}},
        {Method::kGet, "/api/v1/log-levels", &DaemonRoutes::log_levels, {}},
        {Method::kPut, "/api/v1/log-levels", &DaemonRoutes::set_log_levels, {}},
        {Method::kGet, "/api/v1/host", &DaemonRoutes::host, {}},
        {Method::kGet, "/api/v1/metrics", &DaemonRoutes::metrics, {}},
        {Method::kPost, "/api/v1/shutdown", &DaemonRoutes::shutdown, {}},
    };
    for (const Row& row : rows) {
        ZONA_TRY_VOID(router.add(
            row.method, row.pattern,
            [routes, member = row.member](Request& request) {
                return (routes.get()->*member)(request);
            },
            row.options));
    }
    router.set_fallback(unknown_version);
    return {};
}

}  // namespace zona::api
