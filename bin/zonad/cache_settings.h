/// @file
/// What the settings say of the cache, and what `zona doctor` says of it.
#pragma once

#include <memory>

#include "cache/cache.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/random.h"
#include "core/result.h"
#include "core/settings.h"
#include "process/doctor.h"

namespace zona::daemon {

/// The cache, not started; all parameters outlive it. Errors: kInvalidArgument, naming the setting.
core::Result<std::unique_ptr<cache::Cache>> open_cache(const core::Settings::Cache& settings,
                                                       const core::Clock& clock,
                                                       core::Random& random, core::Logger log,
                                                       core::MetricRegistry& metrics);

/// Whether Redis answers. Source: CACHE-09.
process::HostCheck check_cache(const cache::Cache& cache);

}  // namespace zona::daemon
