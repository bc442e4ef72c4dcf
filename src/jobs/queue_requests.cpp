// What is asked of a queue from other threads: it goes straight to the database.
#include <fmt/format.h>

#include "jobs/detail/task_ledger.h"
#include "jobs/detail/task_run.h"
#include "jobs/queue.h"

namespace zona::jobs {

using core::Code;
using core::Error;
using core::Result;

namespace {

Error not_open() {
    return {Code::kUnavailable, "tasks cannot be asked for now: the core database is not open"};
}

}  // namespace

/// Whoever waits for the answer learns it first. Until then the ledger lives, which may be asked
/// for something when the queue is stopped.
store::Callback<Task> Queue::and_ring(std::shared_ptr<detail::TaskLedger> ledger,
                                      store::Callback<Task> done) const {
    return [bell = bell_, ledger = std::move(ledger),
            done = std::move(done)](Result<Task> task) mutable {
        std::optional<core::Uuid> changed;
        if (task) changed = task->id;
        done(std::move(task));
        if (!changed) return;
        bell->tell(*changed);
        bell->ring();
    };
}

/// How far one is that runs here is known better than the database has it.
Task Queue::with_progress(const detail::QueueBell& bell, Task task) {
    if (const auto run = bell.find(task.id.to_string())) {
        if (auto progress = run->progress()) task.progress = std::move(progress);
    }
    return task;
}

void Queue::ask(NewTask task, store::Callback<Task> done) {
    const auto ledger = bell_->ledger();
    if (!ledger) return done(not_open());
    if (!kinds_.contains(task.kind)) {
        return done(
            Error(Code::kInvalidArgument, fmt::format("there are no tasks '{}'", task.kind)));
    }
    if (task.key.size() > kMostKey) {
        return done(Error(Code::kInvalidArgument,
                          fmt::format("the key of a task has at most {} bytes", kMostKey)));
    }
    ledger->ask(std::move(task), and_ring(ledger, std::move(done)));
}

void Queue::find(const core::Uuid& id, store::Callback<Task> done) const {
    const auto ledger = bell_->ledger();
    if (!ledger) return done(not_open());
    ledger->find(id, [bell = bell_, done = std::move(done)](Result<Task> task) mutable {
        if (!task) return done(task.take_error());
        done(with_progress(*bell, *std::move(task)));
    });
}

void Queue::list(std::size_t most, store::Callback<std::vector<Task>> done) const {
    const auto ledger = bell_->ledger();
    if (!ledger) return done(not_open());
    ledger->list(most,
                 [bell = bell_, done = std::move(done)](Result<std::vector<Task>> tasks) mutable {
                     if (!tasks) return done(tasks.take_error());
                     std::vector<Task> out;
                     for (Task& task : *tasks)
                         out.push_back(with_progress(*bell, std::move(task)));
                     done(std::move(out));
                 });
}

void Queue::cancel(const core::Uuid& id, store::Callback<Task> done) {
    const auto ledger = bell_->ledger();
    if (!ledger) return done(not_open());
    ledger->cancel(
        id, [bell = bell_, done = and_ring(ledger, std::move(done))](Result<Task> task) mutable {
            if (task) {
                if (const auto run = bell->find(task->id.to_string()))
                    run->stop(detail::Ending::kCancelled);
            }
            done(std::move(task));
        });
}

void Queue::retry(const core::Uuid& id, store::Callback<Task> done) {
    const auto ledger = bell_->ledger();
    if (!ledger) return done(not_open());
    ledger->retry(id, and_ring(ledger, std::move(done)));
}

}  // namespace zona::jobs
