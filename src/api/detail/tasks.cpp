#include "api/detail/tasks.h"

#include "api/detail/execution_routes.h"

namespace zona::api {

namespace asio = boost::asio;
using core::Result;
using jobs::Task;
using jobs::TaskState;

namespace {

/// What is shown of them, with as many changes of processes (Executions::Limits).
constexpr std::size_t kShown = 256;

ExecutionStatus status_of(TaskState state) {
    switch (state) {
        case TaskState::kWaiting:
        case TaskState::kDelayed:
            return ExecutionStatus::kWaiting;
        case TaskState::kRunning:
            return ExecutionStatus::kRunning;
        case TaskState::kSucceeded:
            return ExecutionStatus::kSuccess;
        case TaskState::kFailed:
            return ExecutionStatus::kFailure;
        case TaskState::kCancelled:
            return ExecutionStatus::kCancelled;
    }
    return ExecutionStatus::kWaiting;
}

}  // namespace

void Tasks::handle(Kind kind) {
    actions_.emplace(kind.operation, std::move(kind.action));
    queue_.handle({.name = std::move(kind.operation),
                   .interrupted = kind.interrupted,
                   .work = std::move(kind.work)});
}

ExecutionView Tasks::view_of(const Task& task) const {
    const auto action = actions_.find(task.kind);
    return {.id = task.id,
            .operation = task.kind,
            // A newer zona may have asked for what this one does not know.
            .action = action == actions_.end() ? task.kind : action->second,
            .subject = task.tenant,
            .correlation_id = task.correlation_id,
            .status = status_of(task.state),
            .started_at = task.asked_at,
            .ended_at = task.ended_at,
            .warnings = {},
            .error = task.error,
            .progress = task.progress,
            .outcome = task.outcome};
}

Answer Tasks::begin(const Call& call, std::string tenant, boost::json::object input) const {
    jobs::NewTask wanted{
        .kind = call.operation().id,
        .tenant = std::move(tenant),
        .input = std::make_shared<const boost::json::object>(std::move(input)),
        .correlation_id = call.request().correlation_id,
        .place = jobs::Place::kHere,
        .key = std::string(call.request().headers.find("Idempotency-Key").value_or(""))};
    auto ask = [this, wanted = std::move(wanted)](process::Callback<Task> done) mutable {
        queue_.ask(std::move(wanted), std::move(done));
    };
    ZONA_CO_TRY(const Task task, co_await answer_of<Task>(std::move(ask)));
    co_return accepted(view_of(task), call.request());
}

asio::awaitable<Result<ExecutionView>> Tasks::one(
    const core::Uuid& id,
    std::move_only_function<void(const core::Uuid&, store::Callback<Task>)> ask) const {
    auto begin = [id, ask = std::move(ask)](process::Callback<Task> done) mutable {
        ask(id, std::move(done));
    };
    ZONA_CO_TRY(const Task task, co_await answer_of<Task>(std::move(begin)));
    co_return view_of(task);
}

asio::awaitable<Result<ExecutionView>> Tasks::find(const core::Uuid& id) const {
    return one(id, [this](const core::Uuid& task, store::Callback<Task> done) {
        queue_.find(task, std::move(done));
    });
}

asio::awaitable<Result<ExecutionView>> Tasks::cancel(const core::Uuid& id) const {
    return one(id, [this](const core::Uuid& task, store::Callback<Task> done) {
        queue_.cancel(task, std::move(done));
    });
}

asio::awaitable<Result<ExecutionView>> Tasks::retry(const core::Uuid& id) const {
    return one(id, [this](const core::Uuid& task, store::Callback<Task> done) {
        queue_.retry(task, std::move(done));
    });
}

asio::awaitable<Result<std::vector<ExecutionView>>> Tasks::list() const {
    auto begin = [this](process::Callback<std::vector<Task>> done) {
        queue_.list(kShown, std::move(done));
    };
    ZONA_CO_TRY(const auto tasks, co_await answer_of<std::vector<Task>>(std::move(begin)));
    std::vector<ExecutionView> out;
    for (const Task& task : tasks)
        out.push_back(view_of(task));
    co_return out;
}

}  // namespace zona::api
