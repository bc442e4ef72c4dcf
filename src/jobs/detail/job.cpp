#include "jobs/detail/job.h"

namespace zona::jobs::detail {

JobMetrics metrics_of(core::MetricRegistry& registry, const std::string& job) {
    const core::Labels labels{{"job", job}};
    return {
        .runs = registry.counter("zona_job_runs_total", "Runs of a job that have ended.", labels),
        .failures = registry.counter("zona_job_failures_total",
                                     "Runs of a job that did not succeed.", labels),
        .duration = registry.histogram("zona_job_duration_seconds", "Time that a run took.",
                                       {0.01, 0.1, 1, 10, 60, 600, 3600}, labels),
        .last_success =
            registry.gauge("zona_job_last_success_timestamp_seconds",
                           "When a run of the job succeeded last, since 1970; 0: never.", labels),
        .running = registry.gauge("zona_job_running", "Runs of the job that go on here.", labels)};
}

}  // namespace zona::jobs::detail
