/// @file
/// The jobs on backups: what the daemon does by itself so that data can be had back.
///
/// | Job | Does |
/// |---|---|
/// | `backup` | a whole backup, by the schedule of the installation |
/// | `backup-tenants` | a backup of each tenant that has a schedule of its own, when it is due |
/// | `backup-log` | writes what has changed beside the latest whole backup; once an hour while tenants change nothing |
/// | `backup-copy` | copies what is finished to other places, and takes away there what was deleted here; twice an hour while no backup comes or goes |
/// | `restore-check` | restores the latest whole backup with its log, and compares |
///
/// A tenant's own schedule is `backup_schedule` in its compliance_settings, a cron expression in
/// UTC. Source: REL-07, REL-08, TEN-03, TEN-41, BG-09.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/cron.h"
#include "core/metrics.h"
#include "jobs/definition.h"

namespace zona::tenancy {

class BackupCopies;
class TenantOperations;
class Tenants;

/// When; what has no time is not there.
struct BackupJobsOptions {
    std::optional<core::CronExpression> schedule;  ///< of whole backups
    std::chrono::milliseconds log_interval{0};
    std::chrono::milliseconds check_interval{0};
    std::string directory;  ///< of the backups
};

/// What they work with; all outlive the scheduler.
struct BackupJobsDeps {
    Tenants& tenants;
    TenantOperations& operations;
    BackupCopies* copies;  ///< null: nowhere
    const core::Clock& clock;
    core::MetricRegistry& metrics;
};

/// All of them.
std::vector<jobs::Definition> backup_jobs(const BackupJobsOptions& options,
                                          const BackupJobsDeps& deps);

}  // namespace zona::tenancy
