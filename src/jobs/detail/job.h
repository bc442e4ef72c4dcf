// What a scheduler knows of one of its jobs.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "core/metrics.h"
#include "jobs/detail/ledger.h"
#include "jobs/detail/run_state.h"

namespace zona::jobs::detail {

/// The series of one job.
struct JobMetrics {
    core::Counter& runs;
    core::Counter& failures;
    core::Histogram& duration;
    core::Gauge& last_success;
    core::Gauge& running;
};
JobMetrics metrics_of(core::MetricRegistry& registry, const std::string& job);

/// A run of ours.
struct Run {
    // Shared with the thread of the work.
    std::shared_ptr<RunState> state;
    core::SteadyTime began{};
    core::SteadyTime limit{};
    core::SteadyTime next_beat{};
    core::SteadyTime last_beat{};  ///< that the database has taken
    std::optional<Ended> ended;    ///< and could not be entered yet
    std::thread thread;            ///< not with SchedulerDeps::run
};

/// What another has, and since when it has not moved.
struct Observed {
    LeaseState lease;
    core::SteadyTime since{};
};

struct Job {
    Definition definition;
    std::string key;
    JobMetrics metrics;
    JobState state{};
    std::optional<Run> run{};
    std::optional<Observed> observed{};
    core::SteadyTime not_before{};  ///< after something went wrong with the database
    int troubles = 0;               ///< of that kind, one after the other
};

}  // namespace zona::jobs::detail
