#include "api/detail/executions.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace zona::api {

using core::Code;
using core::Error;
using core::Result;
using process::OperationResult;
using process::Outcome;

namespace {

bool failed(const OperationResult& result) {
    return result.error || (result.outcome && result.outcome->kind != Outcome::Kind::kReady);
}

}  // namespace

std::string_view to_string(ExecutionStatus status) {
    switch (status) {
        case ExecutionStatus::kWaiting:
            return "waiting";
        case ExecutionStatus::kRunning:
            return "running";
        case ExecutionStatus::kSuccess:
            return "success";
        case ExecutionStatus::kFailure:
            return "failure";
        case ExecutionStatus::kCancelled:
            return "cancelled";
    }
    return "running";
}

ExecutionView Execution::view() const {
    const std::lock_guard lock(mutex_);
    return view_;
}

std::vector<OperationResult> Execution::results(std::size_t from, std::size_t most) const {
    const std::lock_guard lock(mutex_);
    if (from >= results_.size()) return {};
    const auto begin = results_.begin() + static_cast<std::ptrdiff_t>(from);
    const std::size_t count = std::min(most, results_.size() - from);
    return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

bool Execution::ended() const {
    const std::lock_guard lock(mutex_);
    return view_.status != ExecutionStatus::kRunning;
}

/// What stands between the request and its answer; used on the supervisor's thread alone.
struct Executions::Beginning {
    ExecutionPtr execution;
    process::Callback<ExecutionPtr> accepted;  ///< empty once it was called
};

Executions::Executions(const core::Clock& clock, core::Random& random,
                       core::MetricRegistry& metrics, Limits limits)
    : clock_(clock), random_(random), limits_(limits), news_({}, "executions", metrics) {}

Result<ExecutionPtr> Executions::make(Request request) {
    {
        const std::lock_guard lock(mutex_);
        if (running_ >= limits_.running) {
            return Error(
                       Code::kTooManyRequests,
                       fmt::format("{} executions are under way, and that is the limit", running_))
                .detail({"wait", "", "ask again when some have ended, or without wait: false"});
        }
        ++running_;
    }
    ExecutionView view{.id = core::Uuid::v4(random_),
                       .operation = std::move(request.operation),
                       .action = std::move(request.action),
                       .subject = {},
                       .correlation_id = std::move(request.correlation_id),
                       .started_at = clock_.system(),
                       .ended_at = {},
                       .warnings = std::move(request.warnings),
                       .error = {},
                       .progress = {},
                       .outcome = {}};
    return ExecutionPtr(new Execution(std::move(view)));
}

void Executions::begin(Request request, Change change, process::Callback<ExecutionPtr> accepted) {
    auto made = make(std::move(request));
    if (!made) return accepted(made.take_error());
    auto beginning = std::make_shared<Beginning>();
    beginning->execution = *std::move(made);
    beginning->accepted = std::move(accepted);
    change(progress_of(beginning), [self = shared_from_this(), beginning](Result<void> result) {
        if (auto answer = std::exchange(beginning->accepted, nullptr)) {
            if (!result) {
                const std::lock_guard lock(self->mutex_);
                --self->running_;
                return answer(result.take_error());
            }
            self->add(beginning->execution);
            answer(beginning->execution);
        }
        self->end(beginning->execution, std::move(result));
    });
}

process::Progress Executions::progress_of(const std::shared_ptr<Beginning>& beginning) {
    process::Progress progress;
    progress.accepted = [self = shared_from_this(), beginning](std::size_t processes) {
        const ExecutionPtr& execution = beginning->execution;
        {
            const std::lock_guard lock(execution->mutex_);
            execution->view_.processes = processes;
        }
        self->add(execution);
        if (auto answer = std::exchange(beginning->accepted, nullptr)) answer(execution);
    };
    progress.finished = [self = shared_from_this(), beginning](const OperationResult& result) {
        Execution& execution = *beginning->execution;
        {
            const std::lock_guard lock(execution.mutex_);
            OperationResult& kept =
                execution.results_.emplace_back(OperationResult{.pm_id = result.pm_id,
                                                                .name = result.name,
                                                                .instance = result.instance,
                                                                .process = {},
                                                                .outcome = result.outcome,
                                                                .error = result.error});
            ++execution.view_.finished;
            if (failed(kept)) ++execution.view_.failed;
        }
        self->note(execution.id());
    };
    return progress;
}

void Executions::end(const ExecutionPtr& execution, Result<void> result) {
    {
        const std::lock_guard lock(execution->mutex_);
        ExecutionView& view = execution->view_;
        view.ended_at = clock_.system();
        const bool good = result.has_value() && view.failed == 0;
        view.status = good ? ExecutionStatus::kSuccess : ExecutionStatus::kFailure;
        if (!result) view.error = result.take_error();
    }
    {
        const std::lock_guard lock(mutex_);
        --running_;
        forget_oldest();
    }
    note(execution->id());
}

void Executions::add(const ExecutionPtr& execution) {
    const std::lock_guard lock(mutex_);
    executions_.push_back(execution);
}

/// Under the lock. One that runs is never forgotten.
void Executions::forget_oldest() {
    std::size_t kept = 0;
    std::size_t results = 0;
    for (auto at = executions_.rbegin(); at != executions_.rend(); ++at) {
        const ExecutionView view = (*at)->view();
        if (view.status == ExecutionStatus::kRunning) continue;
        ++kept;
        results += view.finished;
        // The latest stays whatever its size is.
        if (kept > 1 && (kept > limits_.ended || results > limits_.results)) at->reset();
    }
    std::erase_if(executions_, [](const ExecutionPtr& one) { return one == nullptr; });
}

void Executions::note(const core::Uuid& execution) {
    if (news_.subscribers() == 0) return;
    news_.publish(net::share(execution.to_string()), execution.to_string());
}

ExecutionPtr Executions::find(const core::Uuid& id) const {
    const std::lock_guard lock(mutex_);
    const auto found =
        std::ranges::find(executions_, id, [](const ExecutionPtr& one) { return one->id(); });
    return found == executions_.end() ? nullptr : *found;
}

std::vector<ExecutionPtr> Executions::list() const {
    const std::lock_guard lock(mutex_);
    return {executions_.rbegin(), executions_.rend()};
}

net::Subscription Executions::subscribe(const net::asio::any_io_executor& executor) {
    return news_.subscribe(executor);
}

}  // namespace zona::api
