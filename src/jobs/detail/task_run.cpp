#include "jobs/detail/task_run.h"

#include "jobs/detail/task_ledger.h"

namespace zona::jobs::detail {

using core::Progress;
using core::Result;
using store::Document;

void TaskRun::stop(Ending why) {
    {
        const std::lock_guard lock(mutex_);
        if (why_ != Ending::kNone) return;
        why_ = why;
    }
    source_.request_stop();
}

Ending TaskRun::stopped() const {
    const std::lock_guard lock(mutex_);
    return why_;
}

void TaskRun::tell(const Progress& progress) {
    {
        const std::lock_guard lock(mutex_);
        progress_ = progress;
    }
    told_(task_.id);
}

std::optional<Progress> TaskRun::progress() const {
    const std::lock_guard lock(mutex_);
    return progress_;
}

void TaskRun::end(Result<Document> result) {
    const std::lock_guard lock(mutex_);
    result_ = std::move(result);
}

std::optional<Result<Document>> TaskRun::result() const {
    const std::lock_guard lock(mutex_);
    return result_;
}

void QueueBell::ring() {
    {
        const std::lock_guard lock(mutex_);
        rung_ = true;
    }
    news_.notify_all();
}

void QueueBell::release() {
    {
        const std::lock_guard lock(mutex_);
        released_ = true;
    }
    ring();
}

bool QueueBell::is_released() const {
    const std::lock_guard lock(mutex_);
    return released_;
}

void QueueBell::tell(const core::Uuid& id) const {
    if (changed_) changed_(id);
}

void QueueBell::wait_until(core::SteadyTime moment) {
    std::unique_lock lock(mutex_);
    const auto awake = [this] { return rung_ || ending_; };
    if (moment == core::SteadyTime::max()) {
        news_.wait(lock, awake);
    } else {
        news_.wait_until(lock, moment, awake);
    }
    rung_ = false;
}

void QueueBell::wait_for(const TaskRun& run) {
    std::unique_lock lock(mutex_);
    news_.wait(lock, [&run] { return run.result().has_value(); });
}

void QueueBell::ask_for_end() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    news_.notify_all();
}

bool QueueBell::is_ending() const {
    const std::lock_guard lock(mutex_);
    return ending_;
}

std::shared_ptr<TaskLedger> QueueBell::ledger() const {
    const std::lock_guard lock(mutex_);
    return ledger_;
}

void QueueBell::set_ledger(std::shared_ptr<TaskLedger> ledger) {
    const std::lock_guard lock(mutex_);
    ledger_.swap(ledger);
}

void QueueBell::add(const std::string& id, std::shared_ptr<TaskRun> run) {
    const std::lock_guard lock(mutex_);
    runs_[id] = std::move(run);
}

void QueueBell::remove(const std::string& id) {
    const std::lock_guard lock(mutex_);
    runs_.erase(id);
}

std::shared_ptr<TaskRun> QueueBell::find(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = runs_.find(id);
    return found == runs_.end() ? nullptr : found->second;
}

}  // namespace zona::jobs::detail
