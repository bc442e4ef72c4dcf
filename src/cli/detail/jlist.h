/// @file
/// `zona jlist`: the processes in the shape of PM2's `jlist`, for scripts that were written for it.
#pragma once

#include <span>
#include <string>

#include "cli/detail/model.h"

namespace zona::cli {

/// The JSON array of PM2 7: one object per process with pid, name, pm_id, pm2_env and monit. A
/// process that does not run has pid 0; times are milliseconds since 1970. `monit` is zero: zona
/// does not measure idle processes. No newline at the end.
std::string jlist_text(std::span<const Process> processes);

}  // namespace zona::cli
