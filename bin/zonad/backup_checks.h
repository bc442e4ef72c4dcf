/// @file
/// What `zona doctor` says of backups: whether they are made, proven and copied as the settings
/// say.
#pragma once

#include <span>
#include <vector>

#include "core/clock.h"
#include "core/settings.h"
#include "jobs/definition.h"
#include "process/doctor.h"

namespace zona::daemon {

/// By what is known of the jobs; empty: nothing is, for the core database is not open. The order is
/// stable. Source: REL-07, REL-08.
std::vector<process::HostCheck> check_backup_jobs(const core::Settings& settings,
                                                  std::span<const jobs::JobView> jobs,
                                                  core::SystemTime now);

}  // namespace zona::daemon
