#include "api/daemon_api.h"

#include <boost/json.hpp>

#include "api/detail/audit_routes.h"
#include "api/detail/await.h"
#include "api/detail/backup_routes.h"
#include "api/detail/build_type_route.h"
#include "api/detail/cache_routes.h"
#include "api/detail/daemon_operations.h"
#include "api/detail/event_route.h"
#include "api/detail/execution_routes.h"
#include "api/detail/identity_routes.h"
#include "api/detail/job_routes.h"
#include "api/detail/key_routes.h"
#include "api/detail/license_routes.h"
#include "api/detail/log_route.h"
#include "api/detail/pmdaemon_routes.h"
#include "api/detail/process_cache.h"
#include "api/detail/process_hub.h"
#include "api/detail/process_operations.h"
#include "api/detail/render.h"
#include "api/detail/request_body.h"
#include "api/detail/route_table.h"
#include "api/detail/shapes.h"
#include "api/detail/stream_session.h"
#include "api/detail/stream_shapes.h"
#include "api/detail/system_setting_routes.h"
#include "api/detail/tenant_routes.h"
#include "api/detail/tenant_setting_routes.h"
#include "api/detail/vault_routes.h"
#include "core/config.h"
#include "core/fault.h"
#include "core/json.h"
#include "core/log_level.h"
#include "core/time_format.h"
#include "jobs/scheduler.h"
#include "os/host.h"
#include "process/doctor.h"
#include "process/ecosystem.h"
#include "tenancy/tenants.h"

namespace zona::api {

namespace asio = boost::asio;
namespace json = boost::json;
using core::Result;
using net::Response;
using process::Callback;

namespace {

/// The end of a change whose parts were told as they came: what they add up to is known.
auto without_value(Callback<void> ended) {
    return [ended = std::move(ended)](auto result) mutable {
        if (result) return ended(Result<void>());
        ended(result.take_error());
    };
}

class DaemonRoutes {
  public:
    /// `components` must outlive it.
    DaemonRoutes(DaemonInfo info, DaemonApiDeps deps, const Components& components)
        : info_(std::move(info)),
          deps_(std::move(deps)),
          stream_deps_{.hub = hub_,
                       .capture = deps_.capture,
                       .clock = deps_.clock,
                       .components = components,
                       .log = deps_.logging.logger("http.stream")} {
        deps_.tasks.watch(
            [executions = executions_](const core::Uuid& task) { executions->note(task); });
    }

    const KeyDeps& keys() const { return deps_.keys; }

    Answer ping(Call&) {
        const json::value data = {
            {"daemon", {{"pid", info_.pid}, {"version", info_.version}, {"uptime_s", uptime_s()}}},
            {"keeper", {{"pid", deps_.keeper_pid()}}},
            {"network", render(deps_.network())}};
        co_return Response::success(core::to_json(data));
    }

    Answer add_listener(Call& call) {
        const std::string wanted(call.body().at("address").as_string());
        ZONA_CO_TRY(const std::string bound, deps_.listen(wanted));
        const json::value data = {{"address", bound}};
        co_return Response::success(core::to_json(data), {}, 201);
    }

    Answer liveness(Call&) { co_return Response::success(R"({"status":"live"})"); }

    Answer readiness(Call&) {
        if (const auto reason = deps_.not_ready())
            co_return core::Error(core::Code::kUnavailable, *reason);
        const bool degraded = !deps_.tenants.report().outages.empty();
        co_return Response::success(degraded ? R"({"status":"degraded"})"
                                             : R"({"status":"ready"})");
    }

    Answer health(Call&) {
        const auto problem = deps_.not_ready();
        const tenancy::SessionReport report = deps_.tenants.report();
        json::array failed;
        for (const tenancy::Outage& outage : report.outages) {
            failed.push_back(json::object{{"code", outage.code},
                                          {"reason", outage.reason},
                                          {"tries", outage.tries},
                                          {"next_try", core::to_rfc3339(outage.next_try)}});
        }
        const char* const status = problem ? "unready" : failed.empty() ? "ready" : "degraded";
        const json::value data = {
            {"status", status},
            {"problem", problem ? json::value(*problem) : json::value(nullptr)},
            {"tenants_ready", report.ready},
            {"tenants_failed", std::move(failed)}};
        co_return Response::success(core::to_json(data));
    }

    Answer system(Call&) {
        auto begin = [this](Callback<std::vector<process::ProcessView>> done) {
            deps_.supervisor.list({}, std::move(done));
        };
        ZONA_CO_TRY(const auto views,
                    co_await answer_of<std::vector<process::ProcessView>>(std::move(begin)));
        std::map<std::string_view, int> by_status;
        for (const process::ProcessView& view : views)
            ++by_status[view.status];
        ZONA_CO_TRY(const os::ProcFs proc, os::ProcFs::open());
        ZONA_CO_TRY(const os::HostState host, os::host_state(proc));
        json::object statuses;
        for (const auto& [status, count] : by_status)
            statuses[status] = count;
        const json::value data = {
            {"host", render(host, info_.cpus)},
            {"daemon",
             {{"pid", info_.pid},
              {"version", info_.version},
              {"started_at", core::to_rfc3339(info_.started_at)},
              {"uptime_s", uptime_s()},
              {"keeper_pid", deps_.keeper_pid()}}},
            {"processes", {{"total", views.size()}, {"by_status", std::move(statuses)}}}};
        co_return Response::success(core::to_json(data));
    }

    Answer list(Call& call) {
        std::vector<std::string> select = call.texts("select");
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

    Answer get(Call& call) {
        const std::string id = call.path("id");
        if (const auto known = cache_.find(id)) {
            ZONA_CO_TRY_VOID(co_await check(id, *known));
            co_return shown(*known);
        }
        ZONA_CO_TRY(const auto view, co_await ask(id));
        co_return shown(*cache_.add(id, view));
    }

    Answer start(Call& call) {
        ZONA_CO_TRY(StartBody body, read_start(call.body(), info_.cpus));
        if (!waits(call)) {
            auto change = [this, start = std::move(body.request)](process::Progress progress,
                                                                  Callback<void> ended) mutable {
                deps_.supervisor.start(std::move(start), without_value(std::move(ended)),
                                       std::move(progress));
            };
            NotWaitedFor asked{"start", std::move(change), std::move(body.warnings)};
            co_return co_await execute(*executions_, call, std::move(asked));
        }
        auto begin = [this,
                      start = std::move(body.request)](Callback<process::StartReply> done) mutable {
            deps_.supervisor.start(std::move(start), std::move(done));
        };
        ZONA_CO_TRY(const auto reply, co_await answer_of<process::StartReply>(std::move(begin)));
        co_return Response::success(core::to_json(render(reply, body.warnings)), {}, 201);
    }

    Answer operate(Call& call) {
        ZONA_CO_TRY(process::OperationRequest operation, read_operation(call.body()));
        if (!waits(call)) {
            auto change = [this, operation = std::move(operation)](process::Progress progress,
                                                                   Callback<void> ended) mutable {
                deps_.supervisor.operate(std::move(operation), without_value(std::move(ended)),
                                         std::move(progress));
            };
            NotWaitedFor asked{std::string(call.body().at("action").as_string()),
                               std::move(change)};
            co_return co_await execute(*executions_, call, std::move(asked));
        }
        using Results = std::vector<process::OperationResult>;
        auto begin = [this, operation = std::move(operation)](Callback<Results> done) mutable {
            deps_.supervisor.operate(std::move(operation), std::move(done));
        };
        ZONA_CO_TRY(const auto results, co_await answer_of<Results>(std::move(begin)));
        const json::value data = {{"results", render_all(results, call.request())}};
        co_return Response::success(core::to_json(data));
    }

    Answer exits(Call& call) {
        using Exits = std::pair<process::ProcessView, std::vector<process::ExitView>>;
        auto begin = [this, id = call.path("id")](Callback<Exits> done) mutable {
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

    Answer environment(Call& call) {
        using Variables = std::map<std::string, std::string>;
        auto begin = [this, id = call.path("id")](Callback<Variables> done) mutable {
            deps_.supervisor.environment(std::move(id), std::move(done));
        };
        ZONA_CO_TRY(const Variables variables, co_await answer_of<Variables>(std::move(begin)));
        json::object shown;
        for (const auto& [name, value] : variables)
            shown[name] = value;
        const json::value data = {{"variables", std::move(shown)}};
        co_return Response::success(core::to_json(data));
    }

    Answer logs(Call& call) {
        using Files = std::vector<process::LogFiles>;
        std::vector<std::string> select = call.texts("select");
        auto begin = [this, select = std::move(select)](Callback<Files> done) mutable {
            deps_.supervisor.log_files(std::move(select), std::move(done));
        };
        ZONA_CO_TRY(Files files, co_await answer_of<Files>(std::move(begin)));
        const auto executor = co_await asio::this_coro::executor;
        co_return stream_logs(call, files, deps_.capture, deps_.clock, executor);
    }

    Answer stream(Call& call) {
        const net::Request& request = call.request();
        co_return Response::websocket(
            [this, &request](net::WebSocket& socket) { return run_stream(request, socket); },
            stream_options());
    }

    Answer events(Call& call) { co_return co_await stream_events(call, hub_, deps_.clock); }

    Answer save(Call& call) {
        const auto wanted =
            read_flag(call.body(), "force") ? process::Force::kYes : process::Force::kNo;
        auto begin = [this, wanted](Callback<process::Supervisor::Saved> done) {
            deps_.supervisor.save(wanted, std::move(done));
        };
        ZONA_CO_TRY(const auto saved,
                    co_await answer_of<process::Supervisor::Saved>(std::move(begin)));
        const json::value data = {{"file", saved.file}, {"processes", saved.processes}};
        co_return Response::success(core::to_json(data), {}, 201);
    }

    Answer restore(Call& call) {
        if (!waits(call)) {
            auto change = [this](process::Progress progress, Callback<void> ended) {
                deps_.supervisor.resurrect(without_value(std::move(ended)), std::move(progress));
            };
            NotWaitedFor asked{"restore", std::move(change)};
            co_return co_await execute(*executions_, call, std::move(asked));
        }
        using Restored = std::pair<process::StartReply, std::string>;
        auto begin = [this](Callback<Restored> done) {
            deps_.supervisor.resurrect(std::move(done));
        };
        ZONA_CO_TRY(const Restored restored, co_await answer_of<Restored>(std::move(begin)));
        json::value data = render(restored.first, {});
        data.as_object()["file"] = restored.second;
        co_return Response::success(core::to_json(data), {}, 201);
    }

    Answer config(Call&) {
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

    Answer reload_config(Call&) {
        ZONA_CO_TRY(const core::ReloadReport reload, deps_.config.reload());
        deps_.settings_changed();
        const json::value data = {{"changed", render(reload.changed)},
                                  {"needs_restart", render(reload.needs_restart)}};
        co_return Response::success(core::to_json(data));
    }

    Answer log_levels(Call&) { co_return shown_levels(); }

    Answer set_log_levels(Call& call) {
        for (const auto& [category, level] : read_log_levels(call.body())) {
            if (category == "default") {
                deps_.logging.set_default_level(level);
            } else {
                ZONA_CO_TRY_VOID(deps_.logging.set_level(category, level));
            }
        }
        co_return shown_levels();
    }

    Answer host(Call&) {
        auto begin = [this](Callback<std::vector<jobs::JobView>> done) {
            deps_.jobs.list(std::move(done));
        };
        auto known = co_await answer_of<std::vector<jobs::JobView>>(std::move(begin));
        const auto jobs = known ? *std::move(known) : std::vector<jobs::JobView>();
        const std::vector<process::HostCheck> checks = deps_.host_checks(jobs);
        const json::value data = {{"checks", render_all(checks)}};
        co_return Response::success(core::to_json(data));
    }

    Answer metrics(Call&) {
        co_return Response::text(deps_.metrics.render_prometheus(),
                                 "text/plain; version=0.0.4; charset=utf-8");
    }

    Answer shutdown(Call&) {
        auto begin = [this](Callback<std::size_t> done) {
            deps_.shutdown(
                [done = std::move(done)](std::size_t stopping) mutable { done(stopping); });
        };
        ZONA_CO_TRY(const std::size_t stopping, co_await answer_of<std::size_t>(std::move(begin)));
        const json::value data = {{"stopping", stopping}};
        co_return Response::success(core::to_json(data), {}, 202);
    }

    ProcessHub& hub() { return hub_; }
    ExecutionDeps execution_deps() { return {*executions_, tasks_, deps_.clock}; }
    Tasks& tasks() { return tasks_; }
    const DaemonApiDeps& deps() const { return deps_; }

  private:
    asio::awaitable<Result<void>> run_stream(const net::Request& request, net::WebSocket& socket) {
        const auto executor = co_await asio::this_coro::executor;
        StreamSession session(stream_deps_, request, socket, executor);
        co_return co_await session.run();
    }

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

    std::int64_t uptime_s() const {
        return std::chrono::duration_cast<std::chrono::seconds>(deps_.clock.system() -
                                                                info_.started_at)
            .count();
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
    // Shared with what the supervisor still calls after the routes' death.
    std::shared_ptr<Executions> executions_ =
        std::make_shared<Executions>(deps_.clock, deps_.random, deps_.metrics);
    Tasks tasks_{deps_.tasks};
    ProcessHub hub_{news_of(deps_.supervisor), deps_.clock, deps_.metrics};
    StreamDeps stream_deps_;
};

using Member = Answer (DaemonRoutes::*)(Call&);

struct Row {
    Operation operation;
    Member member;
};

std::vector<Row> rows() {
    return {{ping(), &DaemonRoutes::ping},
            {list_processes(), &DaemonRoutes::list},
            {start_processes(), &DaemonRoutes::start},
            {get_process(), &DaemonRoutes::get},
            {list_exits(), &DaemonRoutes::exits},
            {get_environment(), &DaemonRoutes::environment},
            {operate_processes(), &DaemonRoutes::operate},
            {read_logs(), &DaemonRoutes::logs},
            {open_stream(), &DaemonRoutes::stream},
            {follow_events(), &DaemonRoutes::events},
            {save_snapshot(), &DaemonRoutes::save},
            {restore_snapshot(), &DaemonRoutes::restore},
            {list_settings(), &DaemonRoutes::config},
            {reload_settings(), &DaemonRoutes::reload_config},
            {get_log_levels(), &DaemonRoutes::log_levels},
            {set_log_levels(), &DaemonRoutes::set_log_levels},
            {examine_host(), &DaemonRoutes::host},
            {get_system(), &DaemonRoutes::system},
            {get_metrics(), &DaemonRoutes::metrics},
            {scrape_metrics(), &DaemonRoutes::metrics},
            {shut_down(), &DaemonRoutes::shutdown},
            {add_listener(), &DaemonRoutes::add_listener},
            {get_liveness(), &DaemonRoutes::liveness},
            {get_readiness(), &DaemonRoutes::readiness},
            {get_health(), &DaemonRoutes::health}};
}

/// `routes` may be null where nobody asks.
Result<void> add_rows(Service& service, const std::shared_ptr<DaemonRoutes>& routes,
                      const DaemonInfo& info, const DaemonApiDeps* deps) {
    name_components(service);
    ZONA_TRY_VOID(add_members(service, routes, rows()));
    ZONA_TRY_VOID(add_execution_routes(
        service, routes ? std::optional(routes->execution_deps()) : std::nullopt));
    ZONA_TRY_VOID(add_tenant_routes(service, deps != nullptr ? &deps->tenants : nullptr));
    ZONA_TRY_VOID(add_system_setting_routes(service, deps != nullptr ? &deps->tenants : nullptr));
    ZONA_TRY_VOID(add_tenant_setting_routes(service, deps));
    ZONA_TRY_VOID(add_job_routes(service, deps != nullptr ? &deps->jobs : nullptr));
    ZONA_TRY_VOID(add_cache_routes(service, deps != nullptr ? &deps->cache : nullptr));
    ZONA_TRY_VOID(add_key_routes(service, routes ? &routes->keys() : nullptr,
                                 deps != nullptr ? &deps->tenants : nullptr));
    const IdentityDeps* const identity = routes ? &routes->deps().identity : nullptr;
    tenancy::Tenants* const tenants = deps != nullptr ? &deps->tenants : nullptr;
    ZONA_TRY_VOID(add_session_routes(service, identity, tenants));
    ZONA_TRY_VOID(add_session_end_routes(service, routes ? &routes->deps() : nullptr));
    ZONA_TRY_VOID(add_second_factor_routes(service, identity));
    ZONA_TRY_VOID(add_user_routes(service, identity, tenants));
    ZONA_TRY_VOID(add_invitation_routes(service, identity, tenants));
    ZONA_TRY_VOID(add_role_routes(service, identity, tenants));
    ZONA_TRY_VOID(add_provider_routes(service, identity, tenants));
    ZONA_TRY_VOID(add_service_provider_routes(service, identity));
    ZONA_TRY_VOID(add_sign_in_pages(service, routes ? &routes->deps() : nullptr));
    ZONA_TRY_VOID(add_account_pages(service, routes ? &routes->deps() : nullptr));
    ZONA_TRY_VOID(add_backup_routes(service, routes ? &routes->deps() : nullptr,
                                    routes ? &routes->tasks() : nullptr));
    ZONA_TRY_VOID(add_vault_routes(service, routes ? &routes->deps() : nullptr,
                                   routes ? &routes->tasks() : nullptr));
    ZONA_TRY_VOID(add_audit_routes(service, deps));
    ZONA_TRY_VOID(add_license_routes(service, deps));
    ZONA_TRY_VOID(add_build_type_route(service, deps));
    ZONA_TRY_VOID(pmdaemon::add_routes(service, info, deps, routes ? &routes->hub() : nullptr));
    return service.add_documents();
}

}  // namespace

Result<void> add_daemon_routes(Service& service, DaemonInfo info, DaemonApiDeps deps) {
    // Owned by the handlers together.
    const auto routes = std::make_shared<DaemonRoutes>(info, deps, service.components());
    return add_rows(service, routes, info, &deps);
}

Result<void> declare_daemon_routes(Service& service) {
    return add_rows(service, nullptr, {}, nullptr);
}

}  // namespace zona::api
