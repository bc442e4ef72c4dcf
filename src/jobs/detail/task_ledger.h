// TaskLedger: what is kept of the tasks in the core database, one transaction a member.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "core/clock.h"
#include "core/random.h"
#include "core/result.h"
#include "jobs/lease.h"
#include "jobs/task.h"
#include "store/database.h"
#include "vault/field_sealer.h"

namespace zona::jobs::detail {

/// A task that was begun here.
struct ClaimedTask {
    Task task;
    core::Result<store::Document> input;  ///< an error: its key is gone
    int failures = 0;                     ///< attempts that have failed
    Fence fence;
};

/// What there is to begin.
struct Claim {
    std::optional<ClaimedTask> task;       ///< none: nothing waits that this instance may do
    std::optional<core::SystemTime> then;  ///< when the next one that is delayed waits again
    std::uint64_t waiting = 0;             ///< besides `task`
};

/// The end of an attempt.
struct TaskEnd {
    std::string id;
    Fence fence;
    int failures = 0;
    std::optional<core::Progress> progress;
    TaskState state = TaskState::kSucceeded;     ///< kWaiting: it is begun again by whoever is next
    std::optional<core::SystemTime> not_before;  ///< of one that is delayed
    std::shared_ptr<const store::Document> outcome;
    std::optional<core::Error> error;
};

/// A task that is under way, as far as its document says.
struct HeldTask {
    std::string id;
    LeaseState lease;  ///< free: whoever had it is past its end, or the document is damaged
};

/// All members but those with a callback block; it lives until that was called. Errors: those of
/// the core database.
class TaskLedger {
  public:
    using Fields = std::function<core::Result<std::shared_ptr<const vault::FieldSealer>>()>;
    struct Options {
        Holder holder;
        std::size_t most_waiting;
        bool is_alone;  ///< nobody else has the core database
    };
    struct Deps {
        const core::Clock& clock;
        core::Random& random;
        Fields fields;
    };
    /// `kinds` and what `deps` names outlive it and its callbacks.
    TaskLedger(std::shared_ptr<store::Database> core, Options options, Deps deps,
               const std::map<std::string, TaskKind>& kinds)
        : core_(std::move(core)),
          options_(std::move(options)),
          deps_(std::move(deps)),
          kinds_(kinds) {}

    void ask(NewTask task, store::Callback<Task> done);
    void find(const core::Uuid& id, store::Callback<Task> done) const;
    void list(std::size_t most, store::Callback<std::vector<Task>> done) const;
    void cancel(const core::Uuid& id, store::Callback<Task> done);
    void retry(const core::Uuid& id, store::Callback<Task> done);

    /// Takes the task whose turn it is.
    core::Result<Claim> claim();
    /// Shows that it is being done, and how far it is. Errors: kConflict when the lease is lost.
    core::Result<LeaseState> beat(const std::string& id, const Fence& fence,
                                  const std::optional<core::Progress>& progress);
    /// Errors: kConflict when the lease is lost; nothing is changed.
    core::Result<void> end(const TaskEnd& end);
    /// Those that run and that no life of now of this instance has begun.
    core::Result<std::vector<HeldTask>> held_by_others() const;
    /// Whether its holder is known to be dead.
    bool is_left_behind(const HeldTask& held) const;
    /// Takes one from a holder that is gone: it waits again, or has ended. False: its lease is not
    /// `held` any more, or nobody here knows its kind.
    core::Result<bool> take_back(const HeldTask& held);
    /// Fails what other installations were asked for alone, of which this database is a copy; where
    /// others have the database too, nothing.
    core::Result<void> fail_foreign();

  private:
    core::Result<Task> ask(store::Writer& writer, const core::Uuid& id, const NewTask& task);
    core::Result<Task> add(store::Writer& writer, const core::Uuid& id, const NewTask& task,
                           const std::string& key);
    core::Result<store::Document> input_of(const store::Record& record) const;
    core::Result<void> may_wait(store::Reader& reader) const;
    core::Result<std::optional<core::SystemTime>> wake_delayed(store::Writer& writer) const;
    core::Result<Claim> claim(store::Writer& writer);
    core::Result<Task> cancel(store::Writer& writer, const core::Uuid& id) const;
    core::Result<Task> retry(store::Writer& writer, const core::Uuid& id) const;
    core::Result<void> end(store::Writer& writer, const TaskEnd& end) const;
    core::Result<bool> take_back(store::Writer& writer, const HeldTask& held) const;
    core::Result<Task> end_as(store::Writer& writer, const std::string& id, TaskState state,
                              const core::Error& why) const;

    std::shared_ptr<store::Database> core_;
    Options options_;
    Deps deps_;
    const std::map<std::string, TaskKind>& kinds_;
};

}  // namespace zona::jobs::detail
