/// @file
/// TaskGroup: the owner of background coroutines. Nothing in zona is started detached.
///
/// The idea is structured concurrency: a component that starts coroutines owns a group, and before
/// the component goes away the group is cancelled and joined, so no coroutine outlives what it
/// refers to.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "core/log.h"
#include "core/result.h"

namespace zona::core {

/// Runs coroutines on one executor, knows when they have ended, and logs those that end badly.
///
/// Threading: every member, and every task, runs on the executor, which must not run two handlers
/// at once (a strand, or an io_context with one thread).
///
///     TaskGroup tasks(executor, log);
///     tasks.spawn("accept", accept_loop(state));
///     ...
///     tasks.cancel();
///     co_await tasks.join();
class TaskGroup {
  public:
    /// An empty group; `log` hears of tasks that end badly.
    TaskGroup(const boost::asio::any_io_executor& executor, Logger log);

    /// Cancels what still runs. The tasks end later, on the executor: whatever they refer to must
    /// still live then, so join() comes first. A group that dies with tasks in it logs an error
    /// with their names.
    ~TaskGroup();

    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    /// Starts `task`. Called on the executor, the part up to its first wait runs within this call.
    ///
    /// An exception that leaves the task is logged as an error with the task's name and ends that
    /// task alone. The operation_aborted of a task that was cancelled is its normal end and is not
    /// logged. In a group that was cancelled nothing is started: the task is destroyed.
    void spawn(std::string name, boost::asio::awaitable<void> task);

    /// The same for a task that can also be ended alone: by `stop`, which the group keeps until
    /// then and which serves no other task meanwhile.
    void spawn(std::string name, boost::asio::awaitable<void> task,
               std::shared_ptr<boost::asio::cancellation_signal> stop);

    /// The same for a task with a result: an Error is logged at the level of its code, unless it is
    /// kCancelled.
    void spawn(std::string name, boost::asio::awaitable<Result<void>> task);

    /// Asks all tasks to end (cancellation type terminal); those that are waiting get
    /// operation_aborted. Idempotent, and final for the group.
    void cancel();

    /// Waits until no task is left, those included that are spawned meanwhile.
    ///
    /// Cancelling the waiting coroutine cancels the group; it still waits for the tasks' end, and
    /// its own next wait is the one that throws.
    boost::asio::awaitable<void> join();

    /// How many tasks have not ended.
    std::size_t size() const;

  private:
    struct State;
    // Shared with the completion handlers of the tasks, which may run after the group's death.
    std::shared_ptr<State> state_;
};

}  // namespace zona::core
