/// @file
/// Queue: does what takes long after the answer to whoever asked for it, and loses none of it.
///
/// A task (task.h) is in the core database before it is acknowledged, and what became of it is kept
/// there. Whoever does one holds its lease (lease.h); one whose daemon died is begun again, or has
/// failed, as its kind says: at once when the same instance lives again, after kLeaseTime when
/// another takes over. An instance that was paused for so long that another took over changes
/// nothing any more: its end of the task is refused by the lease's number.
///
/// **Turns.** Of each tenant one task runs at a time, anywhere; those of the whole installation run
/// beside all. Tenants take turns: a task has the turn behind its tenant's last one that waits, or,
/// if none does, the turn that is next of all. So one with a thousand tasks delays another's by as
/// many as run, not by a thousand.
///
/// One thread plans; each task that runs has one of its own, at most `most_running`. Where nobody
/// else has the core database, a queue without tasks wakes up for nothing. Source: ARCH-10, REL-12,
/// docs/adr/0024-durable-queue.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/random.h"
#include "core/result.h"
#include "jobs/lease.h"
#include "jobs/task.h"
#include "store/database.h"

namespace zona::vault {
class FieldSealer;
}

namespace zona::jobs {

/// @cond
namespace detail {
class QueueBell;
struct Attempt;
struct ClaimedTask;
struct TaskEnd;
class TaskLedger;
}  // namespace detail
/// @endcond

/// What a queue may take.
struct QueueOptions {
    std::string instance;          ///< of this installation's parts; the same after a restart
    std::size_t most_running = 4;  ///< at one time
    std::size_t most_waiting = 10'000;
    /// How often tasks are looked for that others were asked for, or have left. 0: nobody else has
    /// the core database.
    std::chrono::seconds look_around{0};
};

/// What it works with; all outlive it, and what it has given out.
struct QueueDeps {
    const core::Clock& clock;
    core::Random& random;  ///< any thread
    core::Logger log;
    core::MetricRegistry& metrics;
    /// What seals the inputs, which may hold secrets. Any thread.
    std::function<core::Result<std::shared_ptr<const vault::FieldSealer>>()> fields;
    /// Runs work on another thread; empty: each has one of its own. For tests.
    std::function<void(std::move_only_function<void()>)> run{};
};

/// Any thread, unless it says otherwise. Errors of everything that answers: kUnavailable before
/// start() and after stop(); those of the core database.
class Queue {
  public:
    /// Does nothing yet.
    Queue(QueueOptions options, QueueDeps deps);
    Queue(const Queue&) = delete;
    Queue& operator=(const Queue&) = delete;
    ~Queue();  ///< stop()

    /// How tasks of a kind are done. Before release(). Throws std::invalid_argument for one that is
    /// wrong in itself: a name twice or of other characters, no work.
    void handle(TaskKind kind);
    /// Who is told of each task that has changed: of each step of those that run here too. Before
    /// release(); short; any thread.
    void watch(std::function<void(const core::Uuid&)> changed);

    /// Tasks are taken when it returns, and done after release(). Waits for nothing. `core` was
    /// opened with jobs::core_collections(). Once.
    void start(std::shared_ptr<store::Database> core);
    /// All kinds and what they work with are there: tasks are done from now on. What an earlier
    /// life of this instance left behind is begun again, or has failed. Before or after start().
    void release();
    /// Tells what runs to end, waits for it, and lets go of the database. What was told so, and may
    /// be done again, goes on with the next start. Idempotent.
    void stop();

    /// Takes a task; answers when it is durable. With a key that a task of this kind and tenant has
    /// already, that task.
    /// Errors: kInvalidArgument: no such kind, or a key that is too long. kConflict: the key is of
    /// a task with another input. kTooManyRequests: as many wait as may.
    void ask(NewTask task, store::Callback<Task> done);
    /// Errors: kNotFound: there is none, or it was so long ago that it was forgotten.
    void find(const core::Uuid& id, store::Callback<Task> done) const;
    /// Those that have not ended, and of those that have the newest; `most` in all, the latest
    /// first.
    void list(std::size_t most, store::Callback<std::vector<Task>> done) const;
    /// Ends one that waits, and tells one that runs to end, wherever it runs: it goes on until its
    /// work has noticed. Errors: kNotFound; kConflict: it has ended.
    void cancel(const core::Uuid& id, store::Callback<Task> done);
    /// Begins one that has failed or was cancelled once more, from its beginning. Errors:
    /// kNotFound; kConflict: it has succeeded, or has not ended. kTooManyRequests as ask().
    void retry(const core::Uuid& id, store::Callback<Task> done);

    /// @{
    /// For tests, in the place of start(): the same without a thread. turn() does what has to be
    /// done by now and returns when it is to be called again; SteadyTime::max(): when somebody asks
    /// for something or a task ends.
    void open(std::shared_ptr<store::Database> core);
    core::SteadyTime turn();
    /// @}

  private:
    /// A lease of another, and since when it has not moved.
    struct Observed {
        LeaseState lease;
        core::SteadyTime since{};
    };

    core::Result<void> look_around();
    core::Result<core::SteadyTime> begin_all();
    void begin(detail::ClaimedTask claimed);
    void launch(detail::Attempt& attempt);
    void look_after(detail::Attempt& attempt);
    void beat(detail::Attempt& attempt);
    void finish(detail::Attempt& attempt);
    detail::TaskEnd end_of(const detail::Attempt& attempt);
    void count_end(const detail::Attempt& attempt, const std::string& outcome);
    void forget(detail::Attempt& attempt);
    void end_all();
    void trouble(std::string_view what, const core::Error& error);
    store::Callback<Task> and_ring(std::shared_ptr<detail::TaskLedger> ledger,
                                   store::Callback<Task> done) const;
    static Task with_progress(const detail::QueueBell& bell, Task task);

    const QueueOptions options_;
    const QueueDeps deps_;
    std::map<std::string, TaskKind> kinds_;          // complete before release()
    const std::shared_ptr<detail::QueueBell> bell_;  // shared with answers that are under way
    core::Gauge& running_;
    core::Gauge& waiting_;
    std::thread thread_;
    // Only by whoever takes turns.
    std::map<std::string, std::unique_ptr<detail::Attempt>> attempts_;  // by the task's id
    std::map<std::string, Observed> observed_;                          // by the task's id
    core::SteadyTime next_look_{};
    core::SteadyTime not_before_{};  // after something went wrong with the database
    int troubles_ = 0;               // of that kind, one after the other
};

}  // namespace zona::jobs
