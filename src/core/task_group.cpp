#include "core/task_group.h"

#include <exception>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>

namespace zona::core {

namespace asio = boost::asio;

struct TaskGroup::State {
    struct Task {
        std::string name;
        std::weak_ptr<asio::cancellation_signal> stop;  // kept by the completion handler
    };

    State(const asio::any_io_executor& the_executor, Logger the_log)
        : executor(the_executor), log(std::move(the_log)), changed(the_executor) {
        changed.expires_at(asio::steady_timer::time_point::max());
    }

    void cancel() {
        cancelled = true;
        // A task may end and leave `tasks` while it is being told.
        const std::vector<std::shared_ptr<Task>> told = tasks;
        for (const auto& task : told) {
            const auto stop = task->stop.lock();
            if (stop) stop->emit(asio::cancellation_type::terminal);
        }
    }

    std::shared_ptr<Task> begin(std::string name,
                                const std::shared_ptr<asio::cancellation_signal>& stop) {
        auto task = std::make_shared<Task>(std::move(name), stop);
        tasks.push_back(task);
        return task;
    }

    void end(const std::shared_ptr<Task>& task, const std::exception_ptr& failure) {
        if (failure) log_failure(*task, failure);
        std::erase(tasks, task);
        if (tasks.empty()) changed.cancel();
    }

    void log_failure(const Task& task, const std::exception_ptr& failure) const {
        try {
            std::rethrow_exception(failure);
        } catch (const boost::system::system_error& error) {
            if (cancelled && error.code() == asio::error::operation_aborted) return;
            log.error("a background task ended with an exception",
                      {{"task", task.name}, {"error", error.what()}});
        } catch (const std::exception& error) {
            log.error("a background task ended with an exception",
                      {{"task", task.name}, {"error", error.what()}});
        } catch (...) {
            log.error("a background task ended with an exception",
                      {{"task", task.name}, {"error", "not a std::exception"}});
        }
    }

    asio::any_io_executor executor;
    Logger log;
    asio::steady_timer changed;                // never expires; cancelled to wake join()
    std::vector<std::shared_ptr<Task>> tasks;  // shared with their completion handlers
    bool cancelled = false;
};

TaskGroup::TaskGroup(const asio::any_io_executor& executor, Logger log)
    : state_(std::make_shared<State>(executor, std::move(log))) {}

TaskGroup::~TaskGroup() {
    for (const auto& task : state_->tasks) {
        state_->log.error("a task group died before its task", {{"task", task->name}});
    }
    state_->cancel();
}

void TaskGroup::spawn(std::string name, asio::awaitable<void> task) {
    spawn(std::move(name), std::move(task), std::make_shared<asio::cancellation_signal>());
}

void TaskGroup::spawn(std::string name, asio::awaitable<void> task,
                      std::shared_ptr<asio::cancellation_signal> stop) {
    if (state_->cancelled) return;
    auto entry = state_->begin(std::move(name), stop);
    const asio::cancellation_slot slot = stop->slot();
    asio::co_spawn(
        state_->executor, std::move(task),
        asio::bind_cancellation_slot(
            slot, [state = state_, entry, stop = std::move(stop)](
                      const std::exception_ptr& failure) { state->end(entry, failure); }));
}

void TaskGroup::spawn(std::string name, asio::awaitable<Result<void>> task) {
    if (state_->cancelled) return;
    auto stop = std::make_shared<asio::cancellation_signal>();
    auto entry = state_->begin(std::move(name), stop);
    const asio::cancellation_slot slot = stop->slot();
    asio::co_spawn(state_->executor, std::move(task),
                   asio::bind_cancellation_slot(
                       slot, [state = state_, entry, stop = std::move(stop)](
                                 const std::exception_ptr& failure, const Result<void>& result) {
                           if (!failure && !result && result.error().code() != Code::kCancelled) {
                               state->log.report("a background task failed", result.error(),
                                                 {{"task", entry->name}});
                           }
                           state->end(entry, failure);
                       }));
}

void TaskGroup::cancel() {
    state_->cancel();
}

std::size_t TaskGroup::size() const {
    return state_->tasks.size();
}

asio::awaitable<void> TaskGroup::join() {
    const std::shared_ptr<State> state = state_;
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    while (!state->tasks.empty()) {
        co_await state->changed.async_wait(asio::as_tuple(asio::use_awaitable));
        const asio::cancellation_state stop = co_await asio::this_coro::cancellation_state;
        if (stop.cancelled() != asio::cancellation_type::none && !state->cancelled) state->cancel();
    }
    co_await asio::this_coro::throw_if_cancelled(throws);
}

}  // namespace zona::core
