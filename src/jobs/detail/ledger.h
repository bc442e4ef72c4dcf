// Ledger: what is kept of the jobs in the core database, one transaction a member.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/random.h"
#include "core/result.h"
#include "jobs/definition.h"
#include "jobs/lease.h"
#include "store/database.h"

namespace zona::jobs::detail {

/// The document of a job.
struct JobState {
    std::string name;
    std::string schedule;  ///< Schedule::text() when it was planned
    bool paused = false;
    int attempt = 0;
    std::optional<core::SystemTime> due;
    std::int64_t last_run = 0;  ///< 0: there was none
    std::optional<core::SystemTime> last_success;
    std::shared_ptr<const store::Document> checkpoint;  ///< null: none
};

/// A job that is to be found in the database.
struct Registration {
    std::string key;
    const Definition* definition;
};

/// What begin_run() is to do.
struct Wanted {
    std::string key;
    const Definition* definition;
    bool is_manual = false;  ///< whether it is due or paused does not matter
    /// A lease that has not moved for its time, and may be taken from whoever has it.
    std::optional<LeaseState> stale;
};

/// What became of it: `fence` if the run has begun.
struct Begun {
    JobState state;
    std::optional<Fence> fence;
    std::int64_t number = 0;
    Trigger trigger = Trigger::kSchedule;
    LeaseState held;  ///< by another, if it is not free: the run has not begun
};

/// The end of a run.
struct Ended {
    std::string key;
    const Definition* definition;
    std::int64_t number = 0;
    Fence fence;
    Outcome outcome = Outcome::kSucceeded;
    std::string error;
    std::chrono::microseconds duration{0};
    std::map<std::string, std::int64_t> counters;
};

/// All members block, but those with a callback. Errors: those of the core database.
class Ledger {
  public:
    struct Options {
        Holder holder;
        std::size_t keep_runs;
    };
    /// `clock` and `random` outlive it and its callbacks.
    Ledger(std::shared_ptr<store::Database> core, Options options, const core::Clock& clock,
           core::Random& random)
        : core_(std::move(core)), options_(std::move(options)), clock_(clock), random_(random) {}

    /// Ends what earlier lives of this instance left behind, and plans what is new or has another
    /// schedule. The states, in the order of the jobs.
    core::Result<std::vector<JobState>> begin(const std::vector<Registration>& jobs);
    /// Takes the lease and enters the run, unless it is not due by now, paused or another's.
    core::Result<Begun> begin_run(const Wanted& wanted);
    /// Errors: kConflict when the lease is lost.
    core::Result<LeaseState> beat(const std::string& key, const Fence& fence);
    /// Enters the end and frees the lease. Errors: kConflict when it was lost; nothing is changed.
    core::Result<JobState> end_run(const Ended& ended);
    core::Result<JobState> set_paused(const std::string& key, bool paused);
    /// False: nothing runs.
    core::Result<bool> cancel(const std::string& key);

    void view(std::vector<Registration> jobs, store::Callback<std::vector<JobView>> done) const;
    void runs(const std::string& key, store::PageRequest page, store::Callback<RunPage> done) const;
    /// Errors: kNotFound.
    void run(const std::string& key, std::int64_t number, store::Callback<RunView> done) const;

    const std::shared_ptr<store::Database>& core() const { return core_; }

  private:
    core::Result<std::vector<JobState>> begin(store::Writer& writer,
                                              const std::vector<Registration>& jobs);
    core::Result<void> interrupt_own(store::Writer& writer, const std::vector<Registration>& jobs);
    core::Result<void> interrupt(store::Writer& writer, const std::string& key, std::int64_t fence);
    core::Result<void> end_as_interrupted(store::Writer& writer, std::int64_t number);
    core::Result<Begun> begin_run(store::Writer& writer, const Wanted& wanted);
    core::Result<Begun> take(store::Writer& writer, const Wanted& wanted, Begun begun,
                             const LeaseState& before);
    core::Result<JobState> end_run(store::Writer& writer, const Ended& ended);
    core::Result<void> prune(store::Writer& writer, const std::string& key);
    void plan_retry(JobState& state, const Definition& definition) const;

    std::shared_ptr<store::Database> core_;
    Options options_;
    const core::Clock& clock_;
    core::Random& random_;
};

/// Whether a moment that was planned has come, or can only come from a clock that was wrong.
bool is_due(std::optional<core::SystemTime> planned, const Schedule& schedule,
            core::SystemTime now);

}  // namespace zona::jobs::detail
