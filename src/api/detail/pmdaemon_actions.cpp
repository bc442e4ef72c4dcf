#include "api/detail/pmdaemon_actions.h"

#include <algorithm>
#include <array>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "api/detail/await.h"
#include "api/detail/pmdaemon_body.h"

namespace zona::api::pmdaemon {

namespace asio = boost::asio;
namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using process::Callback;
using process::OperationRequest;
using process::Outcome;
using process::ProcessView;
using Views = std::vector<ProcessView>;

namespace {

constexpr std::array<std::string_view, 5> kVerbs = {"start", "stop", "restart", "reload", "delete"};
constexpr std::array<std::string_view, 5> kPasts = {
    "started successfully", "stopped successfully", "restarted successfully",
    "reloaded successfully", "deleted successfully"};
using Action = OperationRequest::Action;
constexpr std::array kActions = {Action::kStart, Action::kStop, Action::kRestart, Action::kRestart,
                                 Action::kDelete};

/// Why a start that was carried out left nothing running; empty: it runs.
std::string failure_of(const Outcome& outcome) {
    const bool failed =
        outcome.kind == Outcome::Kind::kExited || outcome.kind == Outcome::Kind::kNotStarted;
    if (!failed) return "";
    if (!outcome.hint.empty()) return outcome.hint;
    if (!outcome.exit) return "it did not start";
    if (!outcome.exit->reason.empty()) return outcome.exit->reason;
    return fmt::format("it ended at once: {}, code {}", process::cause_name(outcome.exit->cause),
                       outcome.exit->code);
}

}  // namespace

std::optional<Verb> verb_from(std::string_view name) {
    const auto found = std::ranges::find(kVerbs, name);
    if (found == kVerbs.end()) return std::nullopt;
    return static_cast<Verb>(found - kVerbs.begin());
}

std::string_view past(Verb verb) {
    return kPasts.at(static_cast<std::size_t>(verb));
}

Actions::Later<Views> Actions::all() const {
    auto begin = [this](Callback<Views> done) { supervisor_.list({}, std::move(done)); };
    co_return co_await answer_of<Views>(std::move(begin));
}

Actions::Later<ProcessView> Actions::find(std::string id) const {
    auto begin = [this, id](Callback<ProcessView> done) { supervisor_.find(id, std::move(done)); };
    co_return co_await answer_of<ProcessView>(std::move(begin));
}

Actions::Later<Done> Actions::act(std::string id, Verb verb, json::value body) const {
    ZONA_CO_TRY(const ProcessView view, co_await find(id));
    if (verb == Verb::kStart && view.pid != 0) {
        co_return Error(Code::kConflict,
                        fmt::format("Process '{}' is already running; restart restarts it", id));
    }
    OperationRequest operation;
    operation.action = kActions.at(static_cast<std::size_t>(verb));
    operation.select = {view.stored.id.to_string()};
    if (operation.action == Action::kRestart) {
        ZONA_CO_TRY(const auto ports, read_restart(body));
        if (ports) {
            ZONA_CO_TRY(operation.new_environment, with_port(view, *ports));
        }
    }
    using Results = std::vector<process::OperationResult>;
    auto begin = [this, operation = std::move(operation)](Callback<Results> done) mutable {
        supervisor_.operate(std::move(operation), std::move(done));
    };
    ZONA_CO_TRY(Results results, co_await answer_of<Results>(std::move(begin)));
    if (results.empty()) co_return Error(Code::kNotFound, fmt::format("Process '{}' is gone", id));
    process::OperationResult& result = results.front();
    if (result.error) co_return std::move(*result.error);
    Done out{.name = id};
    if (result.outcome) out.reason = failure_of(*result.outcome);
    out.process = std::move(result.process);
    co_return out;
}

Actions::Later<Done> Actions::create(json::value app) const {
    ZONA_CO_TRY(process::StartRequest request, read_app(app, cpus_));
    auto begin = [this, request = std::move(request)](Callback<process::StartReply> done) mutable {
        supervisor_.start(std::move(request), std::move(done));
    };
    ZONA_CO_TRY(auto reply, co_await answer_of<process::StartReply>(std::move(begin)));
    if (reply.processes.empty()) co_return Error(Code::kInternal, "a start gave no process");
    Done out{.name = reply.processes.front().stored.app->spec.name};
    for (const Outcome& outcome : reply.outcomes) {
        if (out.reason.empty()) out.reason = failure_of(outcome);
    }
    out.process = std::move(reply.processes.front());
    co_return out;
}

}  // namespace zona::api::pmdaemon
