/// @file
/// The jobs on tenants' data: what the daemon does for it in the background.
///
/// | Job | Does |
/// |---|---|
/// | `tenant-retry` | tries again tenants whose databases could not be had, when their time comes |
/// | `purge` | removes documents that are older than their collection keeps them |
/// | `key-rotation` | gives owners of old data keys new ones, encrypts their files anew, forgets the old keys |
/// | `store-check` | holds each database file against its own structure |
/// | `pool-health` | tries the databases that are open, and measures how fast they answer |
///
/// Source: BG-10, BG-11, DATA-45, SEC-06, TEN-20, TEN-24.
#pragma once

#include <chrono>
#include <vector>

#include "audit/recorder.h"
#include "core/clock.h"
#include "core/metrics.h"
#include "core/result.h"
#include "jobs/definition.h"

namespace zona::tenancy {

class KeyRotation;
class Tenants;

/// How often.
struct TenantJobsOptions {
    std::chrono::milliseconds purge_interval{std::chrono::hours(24)};
    std::chrono::milliseconds key_age{std::chrono::hours(24 * 90)};  ///< then there is a new one
    std::chrono::milliseconds check_interval{std::chrono::hours(24 * 7)};
    std::chrono::milliseconds health_interval{std::chrono::minutes(1)};
};

/// What they work with; all outlive the scheduler.
struct TenantJobsDeps {
    Tenants& tenants;
    const core::Clock& clock;
    core::MetricRegistry& metrics;
    KeyRotation& rotation;
    audit::Recorder& recorder;  ///< what the purge removes, and cannot, is on record
};

/// All of them.
std::vector<jobs::Definition> tenant_jobs(const TenantJobsOptions& options,
                                          const TenantJobsDeps& deps);

}  // namespace zona::tenancy
