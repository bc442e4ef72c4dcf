// What the work of a task and the queue share, and how the queue is woken.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include <boost/json/object.hpp>

#include "core/clock.h"
#include "core/progress.h"
#include "core/random.h"
#include "core/result.h"
#include "jobs/lease.h"
#include "jobs/task.h"
#include "store/value.h"

namespace zona::jobs::detail {

/// Why a run was told to end.
enum class Ending : std::uint8_t { kNone, kCancelled, kLost, kStopping };

/// One attempt. Any thread.
class TaskRun {
  public:
    /// `told` is called after each progress.
    TaskRun(Task task, store::Document input, Fence fence,
            std::function<void(const core::Uuid&)> told)
        : task_(std::move(task)),
          input_(std::move(input)),
          fence_(std::move(fence)),
          told_(std::move(told)) {}

    /// As it was begun.
    const Task& task() const { return task_; }
    const store::Document& input() const { return input_; }
    const Fence& fence() const { return fence_; }

    /// Asks the work to end; the first reason stays.
    void stop(Ending why);
    Ending stopped() const;
    std::stop_token token() const { return source_.get_token(); }

    void tell(const core::Progress& progress);
    std::optional<core::Progress> progress() const;

    /// The work has ended.
    void end(core::Result<store::Document> result);
    /// What it ended with; none: it goes on.
    std::optional<core::Result<store::Document>> result() const;

  private:
    const Task task_;
    const store::Document input_;
    const Fence fence_;
    const std::function<void(const core::Uuid&)> told_;
    std::stop_source source_;
    mutable std::mutex mutex_;
    // All guarded by mutex_.
    Ending why_ = Ending::kNone;
    std::optional<core::Progress> progress_;
    std::optional<core::Result<store::Document>> result_;
};

class TaskLedger;

/// What answers of the database and works that have ended reach the queue by, which may be gone.
class QueueBell {
  public:
    /// There is something to do.
    void ring();
    /// Tasks may be begun.
    void release();
    bool is_released() const;
    /// The task is not as it was.
    void tell(const core::Uuid& id) const;
    /// Before the first tell().
    void watch(std::function<void(const core::Uuid&)> changed) { changed_ = std::move(changed); }

    /// Until it was rung, the end was asked for, or `moment` has come.
    void wait_until(core::SteadyTime moment);
    /// Until the run has ended.
    void wait_for(const TaskRun& run);
    void ask_for_end();
    bool is_ending() const;

    /// Null: not open.
    std::shared_ptr<TaskLedger> ledger() const;
    void set_ledger(std::shared_ptr<TaskLedger> ledger);

    /// @{
    /// What runs here, for those who show it.
    void add(const std::string& id, std::shared_ptr<TaskRun> run);
    void remove(const std::string& id);
    std::shared_ptr<TaskRun> find(const std::string& id) const;
    /// @}

  private:
    std::function<void(const core::Uuid&)> changed_;
    mutable std::mutex mutex_;
    std::condition_variable news_;
    // All guarded by mutex_.
    bool rung_ = false;
    bool released_ = false;
    bool ending_ = false;
    std::shared_ptr<TaskLedger> ledger_;
    std::map<std::string, std::shared_ptr<TaskRun>> runs_;
};

}  // namespace zona::jobs::detail
