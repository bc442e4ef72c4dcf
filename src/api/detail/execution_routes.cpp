#include "api/detail/execution_routes.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <iterator>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "api/detail/await.h"
#include "api/detail/render.h"
#include "api/detail/request_body.h"
#include "api/detail/route_table.h"
#include "api/detail/stream_form.h"
#include "core/json.h"
#include "core/time_format.h"
#include "net/event_stream.h"
#include "net/public_error.h"

namespace zona::api {

namespace asio = boost::asio;
namespace json = boost::json;
using core::Code;
using core::Result;
using net::Response;

namespace {

/// Results that one turn of a stream copies.
constexpr std::size_t kChunk = 256;
/// After it a task that nobody here does is looked at again.
constexpr std::chrono::seconds kLookAgain(2);

bool has_ended(ExecutionStatus status) {
    return status != ExecutionStatus::kWaiting && status != ExecutionStatus::kRunning;
}

std::string example_fields(const std::string& operation) {
    return R"("id": "5b0c1e8e-43f5-4c5e-9d53-0c4f6a1e2b37", "operation": ")" + operation +
           R"(", "action": "start", "status": "running", "started_at": "2026-01-31T12:00:00.000Z", "ended_at": null,
        "processes": 1, "finished": 0, "failed": 0, "warnings": [], "error": null,
        "subject": "", "progress": null, "outcome": null,
        "correlation_id": "0f3a9c1d5e7b2468-1")";
}

std::string example_of(const std::string& operation) {
    return "{" + example_fields(operation) + "}";
}

const char* const kResultExample =
    R"({"pm_id": 0, "name": "api", "instance": 0, "ok": true, "outcome": null, "error": null})";

std::vector<Field> execution_fields() {
    return {
        required("id", Shape::text("Of this execution.").format(Format::kUuid)),
        required("operation", Shape::text("The operationId of what was asked.")),
        required("action", Shape::text("What is done, in a word: to each process, or by a task "
                                       "on its subject.")),
        required("subject", Shape::text("What a task is about: a tenant's code. Empty for "
                                        "changes of processes.")),
        required("progress", Shape::component("Progress", "Of a task.").nullable()),
        required("outcome", Shape::map("What a task that succeeded has made or found; the "
                                       "operation that began it says what.",
                                       Shape::any("A value."))
                                .example(R"({"documents": 12})")
                                .nullable()),
        required("status", Shape::text("`waiting`: a task, for its turn; `failure` if any part "
                                       "of it failed; `cancelled`: a task that somebody has "
                                       "ended.")
                               .choices({"waiting", "running", "success", "failure", "cancelled"})),
        required("started_at", Shape::text("When it was asked for.").format(Format::kTime)),
        required("ended_at", Shape::text("When the last part of it was over; null while it "
                                         "runs.")
                                 .format(Format::kTime)
                                 .nullable()),
        required("processes", Shape::integer("How many it is for.")),
        required("finished", Shape::integer("For how many of them its part is over.")),
        required("failed", Shape::integer("For how many of these it failed.")),
        required("warnings", Shape::array("What was odd in the request, for people.",
                                          Shape::text("One sentence."))),
        required("error",
                 Shape::component("PartialFailure", "Why it ended as a whole.").nullable()),
        required("correlation_id", Shape::text("Of the request that asked for it."))};
}

Shape progress_shape() {
    return Shape::object({required("percent", Shape::integer("Of all of it.").range(0, 100)),
                          required("step", Shape::text("What is being done, for people.")),
                          required("number", Shape::integer("Of this step, from 1.")),
                          required("steps", Shape::integer("How many there are.")),
                          required("done", Shape::integer("Of this step.")),
                          required("total", Shape::integer("Of this step; 0 if nobody knows.")),
                          required("unit", Shape::text("What is counted: `bytes`, `documents`."))},
                         "How far a task is.");
}

Shape result_shape() {
    return Shape::object(
        {required("pm_id", Shape::integer("Of the process.")),
         required("name", Shape::text("Of the process.")),
         required("instance", Shape::integer("Of the process.")),
         required("ok", Shape::boolean("Whether there is no `error`.")),
         required("outcome", Shape::component("Outcome", "Of a start or restart.").nullable()),
         required("error", Shape::component("PartialFailure", "Why not.").nullable())},
        "What an execution did to one process.");
}

ParameterSpec id_parameter() {
    return {.name = "id",
            .shape = Shape::text("The execution's id.")
                         .format(Format::kUuid)
                         .example("\"5b0c1e8e-43f5-4c5e-9d53-0c4f6a1e2b37\""),
            .place = Place::kPath,
            .presence = Presence::kRequired};
}

std::vector<ErrorSpec> unknown() {
    return {{Code::kNotFound,
             "No execution has this id: a change of processes of an earlier life of the daemon, or "
             "it was so long ago that it was forgotten."}};
}

std::vector<LinkSpec> links_from(const std::string& id) {
    return {{"execution", "getExecution", "id", id}, {"events", "followExecution", "id", id}};
}

Operation list_executions() {
    return {.path = "/api/v1/executions",
            .id = "listExecutions",
            .tag = Tag::kExecutions,
            .summary = "List executions",
            .description =
                "Those that have not ended, and the newest 256 of those that have, the latest "
                "first. Changes of processes are known as long as the daemon lives; tasks, which "
                "have a subject or an outcome, for 90 days and on every instance.",
            .answers = {{.description = "The executions.",
                         .shape = Shape::array("The latest first.", Shape::component("Execution")),
                         .example = "[" + example_of("startProcesses") + "]",
                         .links = links_from("$response.body#/data/0/id")}}};
}

Operation get_execution() {
    return {.path = "/api/v1/executions/{id}",
            .id = "getExecution",
            .tag = Tag::kExecutions,
            .summary = "Show one execution",
            .description = "How far it is, with what has become of each process that it is for.",
            .parameters = {id_parameter()},
            .answers = {{.description = "The execution.",
                         .shape = Shape::component("ExecutionWithResults"),
                         .example = "{" + example_fields("operateProcesses") + R"(, "results": [)" +
                                    kResultExample + "]}"}},
            .errors = unknown()};
}

Operation follow_execution() {
    return {.path = "/api/v1/executions/{id}/events",
            .id = "followExecution",
            .tag = Tag::kExecutions,
            .summary = "Follow one execution to its end",
            .description =
                "Server-sent events: `result` with what has become of each process, first those "
                "that are over already, in the shape of an ExecutionResult; of a task `progress` "
                "now and then, without an id; then `ended` with the Execution, and the stream "
                "ends. Ids count from 1; a client that comes back with "
                "Last-Event-ID goes on behind it, and one that has seen the end is told to stay "
                "away by a 204.",
            .parameters = {id_parameter()},
            .answers = {{.description = "One event for each process, and one for the end.",
                         .shape = Shape::text("Server-sent events."),
                         .media_type = "text/event-stream",
                         .example =
                             std::string("id: 1\nevent: result\ndata: ") + kResultExample + "\n\n"},
                        {.status = 204,
                         .description = "Last-Event-ID is that of the end.",
                         .shape = Shape::text("Nothing."),
                         .media_type = ""}},
            .errors = unknown()};
}

Operation change_task(std::string what, std::string summary, std::string description,
                      std::string conflict) {
    return {.method = net::Method::kPost,
            .path = "/api/v1/executions/{id}/" + what,
            .id = what + "Execution",
            .tag = Tag::kExecutions,
            .access = Access::kAdmin,
            .unlicensed = Unlicensed::kServed,
            .summary = std::move(summary),
            .description = std::move(description),
            .parameters = {id_parameter()},
            .answers = {{.description = "The execution as it is now.",
                         .shape = Shape::component("Execution"),
                         .example = example_of("backUpTenant")}},
            .errors = {{Code::kNotFound, "No execution has this id."},
                       {Code::kConflict, std::move(conflict)}}};
}

Operation cancel_execution() {
    return change_task("cancel", "Cancel a task",
                       "One that waits has ended; one that runs is told to end, wherever it runs, "
                       "and goes on until its next step. What it had begun is taken back.",
                       "It has ended, or is a change of processes.");
}

Operation retry_execution() {
    return change_task("retry", "Begin a task once more",
                       "One that has failed or was cancelled, from its beginning, with what it was "
                       "asked with.",
                       "It has not ended, has succeeded, or is a change of processes.");
}

json::value shown(const std::optional<core::Progress>& progress) {
    if (!progress) return nullptr;
    return json::object{{"percent", progress->percent()}, {"step", progress->step},
                        {"number", progress->number},     {"steps", progress->steps},
                        {"done", progress->done},         {"total", progress->total},
                        {"unit", progress->unit}};
}

json::object shown(const ExecutionView& view, const net::Request& request) {
    json::object out;
    out["id"] = view.id.to_string();
    out["operation"] = view.operation;
    out["action"] = view.action;
    out["status"] = to_string(view.status);
    out["started_at"] = core::to_rfc3339(view.started_at);
    out["ended_at"] =
        view.ended_at ? json::value(core::to_rfc3339(*view.ended_at)) : json::value(nullptr);
    out["processes"] = view.processes;
    out["finished"] = view.finished;
    out["failed"] = view.failed;
    out["warnings"] = render(view.warnings);
    out["error"] = view.error ? render(net::shown_to(request, *view.error)) : json::value(nullptr);
    out["subject"] = view.subject;
    out["progress"] = shown(view.progress);
    out["outcome"] = view.outcome ? json::value(*view.outcome) : json::value(nullptr);
    out["correlation_id"] = view.correlation_id;
    return out;
}

/// A result without the process, which has a resource of its own.
json::value shown(const process::OperationResult& result, const net::Request& request) {
    json::value out = render(result, request);
    out.get_object().erase("process");
    return out;
}

/// What one follower is told, owned by its body.
struct Following {
    ExecutionPtr execution;
    net::Subscription news;
    std::size_t seen = 0;  ///< results
    json::value told{};    ///< the progress
};

asio::awaitable<Result<void>> send(net::EventStream& out, std::string_view name, std::size_t id,
                                   const json::value& data) {
    const std::string number = fmt::format("{}", id);
    const std::string text = core::to_json(data);
    const net::ServerEvent event{.id = number, .event = name, .data = text, .retry = {}};
    co_return co_await out.send(event);
}

/// Sends what there is; whether that was the end of it.
asio::awaitable<Result<bool>> send_present(Following& following, const net::Request& request,
                                           net::EventStream& out) {
    const bool ended = following.execution->ended();  // before the last results are taken
    for (;;) {
        const auto results = following.execution->results(following.seen, kChunk);
        if (results.empty()) break;
        for (const process::OperationResult& result : results) {
            ++following.seen;
            ZONA_CO_TRY_VOID(co_await send(out, "result", following.seen, shown(result, request)));
        }
    }
    if (!ended) {
        const json::value progress = shown(following.execution->view().progress);
        if (!progress.is_null() && progress != following.told) {
            following.told = progress;
            const std::string text = core::to_json(progress);
            const net::ServerEvent event{.id = {}, .event = "progress", .data = text, .retry = {}};
            ZONA_CO_TRY_VOID(co_await out.send(event));
        }
        co_return false;
    }
    const json::value data = shown(following.execution->view(), request);
    ZONA_CO_TRY_VOID(co_await send(out, "ended", following.seen + 1, data));
    co_return true;
}

asio::awaitable<Result<void>> tell(std::shared_ptr<Following> following, const core::Clock& clock,
                                   const net::Request& request, net::EventStream& out) {
    ZONA_CO_TRY_VOID(co_await out.heartbeat());  // the answer begins now
    for (;;) {
        ZONA_CO_TRY(const bool ended, co_await send_present(*following, request, out));
        if (ended) co_return Result<void>();
        const auto news = co_await following->news.next(core::Deadline::after(clock, kHeartbeat));
        if (news) continue;
        if (news.error().code() == Code::kTimeout) {
            ZONA_CO_TRY_VOID(co_await out.heartbeat());
        } else {
            // Too slow, or the end of this zona: a client comes back and goes on.
            co_return Result<void>();
        }
    }
}

/// The number of the last event that the client has seen; 0: none of ours.
std::size_t seen_by(const net::Request& request) {
    const std::string_view id = net::last_event_id(request).value_or("");
    std::size_t seen = 0;
    const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), seen);
    return error == std::errc() && end == id.data() + id.size() ? seen : 0;
}

/// Tells of a task until it has ended. One that another instance does is looked at now and then.
asio::awaitable<Result<void>> tell(const ExecutionDeps deps, core::Uuid id, net::Subscription news,
                                   const net::Request& request, net::EventStream& out) {
    ZONA_CO_TRY_VOID(co_await out.heartbeat());  // the answer begins now
    json::value told;
    while (true) {
        ZONA_CO_TRY(const ExecutionView view, co_await deps.tasks.find(id));
        if (has_ended(view.status)) co_return co_await send(out, "ended", 1, shown(view, request));
        const json::value progress = shown(view.progress);
        if (!progress.is_null() && progress != told) {
            const std::string text = core::to_json(progress);
            const net::ServerEvent event{.id = {}, .event = "progress", .data = text, .retry = {}};
            ZONA_CO_TRY_VOID(co_await out.send(event));
            told = progress;
        }
        const auto until = core::Deadline::after(deps.clock, kLookAgain);
        auto next = co_await news.next(until);
        while (next && *next->text != id.to_string())
            next = co_await news.next(until);
        if (next) continue;
        // Too slow, or the end of this zona: a client comes back and goes on.
        if (next.error().code() != Code::kTimeout) co_return Result<void>();
        ZONA_CO_TRY_VOID(co_await out.heartbeat());
    }
}

class ExecutionRoutes {
  public:
    explicit ExecutionRoutes(ExecutionDeps deps) : deps_(deps) {}

    Answer list(Call& call) const {
        std::vector<ExecutionView> all;
        for (const ExecutionPtr& execution : deps_.executions.list())
            all.push_back(execution->view());
        auto tasks = co_await deps_.tasks.list();
        // Without the core database there are none to show, and processes are changed all the same.
        if (!tasks && tasks.error().code() != Code::kUnavailable) co_return tasks.take_error();
        if (tasks) std::ranges::move(*tasks, std::back_inserter(all));
        std::ranges::sort(all, std::greater(), &ExecutionView::started_at);
        json::array data;
        for (const ExecutionView& view : all)
            data.push_back(shown(view, call.request()));
        co_return Response::success(core::to_json(data));
    }

    Answer get(Call& call) const {
        ZONA_CO_TRY(const core::Uuid id, core::Uuid::parse(call.path("id")));
        const ExecutionPtr execution = deps_.executions.find(id);
        json::array results;
        json::object data;
        if (execution) {
            data = shown(execution->view(), call.request());
            for (const process::OperationResult& result : execution->results(0))
                results.push_back(shown(result, call.request()));
        } else {
            ZONA_CO_TRY(const ExecutionView view, co_await find_task(id));
            data = shown(view, call.request());
        }
        data["results"] = std::move(results);
        co_return Response::success(core::to_json(data));
    }

    Answer follow(Call& call) const {
        ZONA_CO_TRY(const core::Uuid id, core::Uuid::parse(call.path("id")));
        const auto executor = co_await asio::this_coro::executor;
        // Before the first look, so that nothing happens unseen in between.
        net::Subscription news = deps_.executions.subscribe(executor);
        const ExecutionPtr execution = deps_.executions.find(id);
        ExecutionView view;
        if (execution) {
            view = execution->view();
        } else {
            ZONA_CO_TRY(view, co_await find_task(id));
        }
        std::size_t seen = seen_by(call.request());
        if (has_ended(view.status) && seen == view.finished + 1) {
            Response nothing_more;
            nothing_more.status = 204;
            co_return nothing_more;
        }
        const net::Request& request = call.request();
        if (!execution) co_return follow_task(id, std::move(news), request);
        // A number that this execution has not given is of no use.
        if (seen > view.finished) seen = 0;
        auto following = std::make_shared<Following>(
            Following{.execution = execution, .news = std::move(news), .seen = seen});
        co_return net::event_stream(
            [following, &request, &clock = deps_.clock](net::EventStream& out) {
                return tell(following, clock, request, out);
            });
    }

    Answer cancel(Call& call) const { return change(call, &Tasks::cancel); }
    Answer retry(Call& call) const { return change(call, &Tasks::retry); }

  private:
    using Change = asio::awaitable<Result<ExecutionView>> (Tasks::*)(const core::Uuid&) const;

    /// Changes of processes are in no database.
    asio::awaitable<Result<ExecutionView>> find_task(const core::Uuid id) const {
        auto found = co_await deps_.tasks.find(id);
        if (found || found.error().code() != Code::kNotFound) co_return found;
        co_return core::Error(Code::kNotFound,
                              fmt::format("there is no execution {}", id.to_string()))
            .detail({"id",
                     "it may have been a change of processes of an earlier life of the daemon",
                     "GET /api/v1/processes shows what runs"});
    }

    Answer change(Call& call, Change change) const {
        ZONA_CO_TRY(const core::Uuid id, core::Uuid::parse(call.path("id")));
        if (deps_.executions.find(id)) {
            co_return core::Error(Code::kConflict,
                                  "it is a change of processes, which is on the disk already")
                .detail({"id", "", "stop or start the processes themselves"});
        }
        ZONA_CO_TRY(const ExecutionView view, co_await (deps_.tasks.*change)(id));
        co_return Response::success(core::to_json(shown(view, call.request())));
    }

    Result<Response> follow_task(const core::Uuid& id, net::Subscription news,
                                 const net::Request& request) const {
        auto shared = std::make_shared<net::Subscription>(std::move(news));
        return net::event_stream([deps = deps_, id, shared, &request](net::EventStream& out) {
            return tell(deps, id, std::move(*shared), request, out);
        });
    }

    ExecutionDeps deps_;
};

}  // namespace

Field wait_field() {
    return optional("wait", Shape::boolean("Answer when it is done; if not, at once with 202 and "
                                           "an execution that can be followed.")
                                .default_value("true"));
}

AnswerSpec not_waited_for(const std::string& operation) {
    return {.status = 202,
            .description =
                "With `wait: false`: it is on the disk and goes on. The header Location "
                "is the path of the execution.",
            .shape = Shape::component("Execution"),
            .example = example_of(operation),
            .links = links_from("$response.body#/data/id")};
}

bool waits(const Call& call) {
    return read_flag(call.body(), "wait", true);
}

Answer execute(Executions& executions, const Call& call, NotWaitedFor asked) {
    Executions::Request request{.operation = call.operation().id,
                                .action = std::move(asked.action),
                                .correlation_id = call.request().correlation_id,
                                .warnings = std::move(asked.warnings)};
    auto begin = [&executions, request = std::move(request), change = std::move(asked.change)](
                     process::Callback<ExecutionPtr> accepted) mutable {
        executions.begin(std::move(request), std::move(change), std::move(accepted));
    };
    ZONA_CO_TRY(const ExecutionPtr execution, co_await answer_of<ExecutionPtr>(std::move(begin)));
    co_return accepted(execution->view(), call.request());
}

Result<Response> accepted(const ExecutionView& execution, const net::Request& request) {
    const json::value data = shown(execution, request);
    Response response = Response::success(core::to_json(data), {}, 202);
    response.headers.set("Location", "/api/v1/executions/" + execution.id.to_string());
    return response;
}

Result<void> add_execution_routes(Service& service, std::optional<ExecutionDeps> deps) {
    service.name("Execution", Shape::object(execution_fields(),
                                            "A change or a task that goes on after its answer."));
    std::vector<Field> with_results = execution_fields();
    with_results.push_back(required("results", Shape::array("In the order in which they came.",
                                                            Shape::component("ExecutionResult"))));
    service.name(
        "ExecutionWithResults",
        Shape::object(std::move(with_results), "The same, with what became of each process."));
    service.name("ExecutionResult", result_shape());
    service.name("Progress", progress_shape());
    const auto routes = deps ? std::make_shared<const ExecutionRoutes>(*deps) : nullptr;
    using Member = Answer (ExecutionRoutes::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {{list_executions(), &ExecutionRoutes::list},
                                                 {get_execution(), &ExecutionRoutes::get},
                                                 {follow_execution(), &ExecutionRoutes::follow},
                                                 {cancel_execution(), &ExecutionRoutes::cancel},
                                                 {retry_execution(), &ExecutionRoutes::retry}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
