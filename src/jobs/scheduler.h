/// @file
/// Scheduler: runs the jobs of an installation when they are due, and keeps what became of them.
///
/// One thread plans: it sleeps until the next moment at which something is due, and while nothing
/// runs that is all it does. Each run has a thread of its own, of which there are at most
/// `most_running`; so no job holds up supervision, requests, or another's schedule. A run that
/// fails or throws is entered in the history and tried again after a pause; the others go on.
///
/// Several schedulers on one core database share its jobs: jobs/lease.h says how. What is told
/// about a job is read from the database, so it is the same on each of them. Source: BG-05, BG-07,
/// BG-08, BG-09, BG-12, REL-12.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/random.h"
#include "core/result.h"
#include "jobs/definition.h"
#include "store/database.h"

namespace zona::jobs {

/// @cond
namespace detail {
class Ledger;
struct Job;
}  // namespace detail
/// @endcond

/// What a scheduler may take.
struct SchedulerOptions {
    std::string instance;          ///< of this installation's parts; the same after a restart
    std::size_t most_running = 2;  ///< at one time
    std::size_t keep_runs = 100;   ///< of each job, in the history
};

/// What it works with; all outlive it, and what it has given out.
struct SchedulerDeps {
    const core::Clock& clock;
    core::Random& random;  ///< any thread
    core::Logger log;
    core::MetricRegistry& metrics;
    /// The codes of the tenants that jobs for each tenant are for, in a fixed order. May block.
    std::function<core::Result<std::vector<std::string>>()> tenants;
    /// Runs work on another thread; empty: each has one of its own. For tests.
    std::function<void(std::move_only_function<void()>)> run{};
};

/// Any thread. Errors of everything that answers: kUnavailable before start() and after stop();
/// kNotFound for a name that no job has; those of the core database.
class Scheduler {
  public:
    /// Throws std::invalid_argument for definitions that are wrong in themselves: a name twice or
    /// of other characters, no work.
    Scheduler(SchedulerOptions options, SchedulerDeps deps, std::vector<Definition> definitions);
    Scheduler(const Scheduler&) = delete;
    Scheduler& operator=(const Scheduler&) = delete;
    ~Scheduler();  ///< stop()

    /// Begins: runs that an earlier life of this instance left behind are marked and tried again,
    /// what was missed is run once. `core` was opened with jobs::core_collections() and
    /// store::counters_spec().
    void start(std::shared_ptr<store::Database> core);
    /// Tells what runs to end, waits for it, and lets go of the database. What was told so goes on
    /// with the next start. Idempotent.
    void stop();

    /// What Definition::due says may have changed.
    void poke();

    /// @{
    /// All in the order of the definitions, or one.
    void list(store::Callback<std::vector<JobView>> done);
    void find(const std::string& name, store::Callback<JobView> done);
    /// @}
    /// The newest first.
    void runs(const std::string& name, store::PageRequest page, store::Callback<RunPage> done);
    /// Errors: kNotFound also for a run that was forgotten.
    void run(const std::string& name, std::int64_t number, store::Callback<RunView> done);

    /// Runs it now, on this instance, also if it is paused; answers when the run has begun.
    /// Errors: kConflict when it runs already, here or elsewhere. kTooManyRequests when as many run
    /// as may.
    void run_now(const std::string& name, store::Callback<RunView> done);
    /// No run is begun by itself from now on; one that goes on is left alone. Idempotent.
    void pause(const std::string& name, store::Callback<JobView> done);
    /// Ends pause(); a moment that has passed meanwhile counts as missed. Idempotent.
    void resume(const std::string& name, store::Callback<JobView> done);
    /// Tells the run that goes on to end, wherever it runs; answers at once. Errors: kConflict when
    /// nothing runs.
    void cancel(const std::string& name, store::Callback<JobView> done);

    /// @{
    /// For tests, in the place of start(): the same without a thread. turn() does what has to be
    /// done by now and returns when it is to be called again; SteadyTime::max(): when poke() or a
    /// run's end asks for it.
    core::Result<void> open(std::shared_ptr<store::Database> core);
    core::SteadyTime turn();
    /// @}

  private:
    using LedgerPtr = std::shared_ptr<detail::Ledger>;
    using Request = std::move_only_function<void(Scheduler&)>;

    void loop(std::shared_ptr<store::Database> core);
    void wait_until(core::SteadyTime moment);
    core::Result<LedgerPtr> ledger() const;
    core::Result<detail::Job*> job(const std::string& name);
    void ask(Request request);
    void answer_requests();

    void look_after(detail::Job& job);
    void beat(detail::Job& job);
    void finish(detail::Job& job);
    void begin_if_due(detail::Job& job);
    core::Result<void> begin(detail::Job& job, bool is_manual);
    void launch(detail::Job& job);
    core::SteadyTime next_turn_of(const detail::Job& job, core::SteadyTime now) const;
    core::SteadyTime steady(core::SystemTime moment) const;
    std::size_t running() const;
    void end_all();
    void set_paused(const std::string& name, bool paused, store::Callback<JobView> done);

    SchedulerOptions options_;
    SchedulerDeps deps_;
    std::vector<std::unique_ptr<detail::Job>> jobs_;  // their state only by whoever takes turns
    std::thread thread_;

    mutable std::mutex mutex_;
    std::condition_variable news_;
    // All guarded by mutex_.
    LedgerPtr ledger_;
    std::vector<Request> requests_;
    bool has_news_ = false;
    bool stopping_ = false;
};

}  // namespace zona::jobs
