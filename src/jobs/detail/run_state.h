// What a run's work and the scheduler share.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "core/clock.h"
#include "core/result.h"
#include "jobs/definition.h"
#include "jobs/lease.h"
#include "store/database.h"

namespace zona::jobs::detail {

/// Any thread.
class RunState {
  public:
    struct Facts {
        std::shared_ptr<store::Database> core;
        const core::Clock& clock;
        std::string key;  ///< of the job's document
        std::int64_t number;
        Fence fence;
        Trigger trigger = Trigger::kSchedule;
    };
    RunState(Facts facts, std::shared_ptr<const store::Document> checkpoint)
        : facts_(std::move(facts)), checkpoint_(std::move(checkpoint)) {}

    const Facts& facts() const { return facts_; }

    /// Asks the work to end; the first reason stays.
    void stop(Outcome why);
    /// kRunning: nothing has asked for its end.
    Outcome stopped() const;
    core::Result<void> go_on() const;
    std::stop_token token() const { return source_.get_token(); }
    core::Result<void> rest(std::chrono::milliseconds pause) const;

    void count(std::string_view what, std::int64_t amount);
    std::map<std::string, std::int64_t> counters() const;

    std::shared_ptr<const store::Document> checkpoint() const;
    core::Result<void> save(const store::Document& checkpoint);

    /// The work has ended.
    void end(core::Result<void> result);
    /// What it ended with; none: it goes on.
    std::optional<core::Result<void>> ended() const;

  private:
    const Facts facts_;
    std::stop_source source_;
    mutable std::mutex mutex_;
    mutable std::condition_variable_any stopping_;
    // All guarded by mutex_.
    Outcome why_ = Outcome::kRunning;
    std::map<std::string, std::int64_t> counters_;
    std::shared_ptr<const store::Document> checkpoint_;
    std::optional<core::Result<void>> result_;
};

}  // namespace zona::jobs::detail
