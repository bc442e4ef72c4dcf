/// @file
/// What the settings say of alerts, and what is said of those that were given.
#pragma once

#include <array>

#include "audit/alerts.h"
#include "core/settings.h"
#include "process/doctor.h"

namespace zona::daemon {

/// When something is an alert.
audit::AlertLimits alert_limits(const core::Settings::Alerts& settings);

/// What `zona doctor` says of the alerts since the start: those of the last day are a finding.
process::HostCheck check_alerts(const std::array<audit::Raised, audit::kPatterns>& raised,
                                core::SystemTime now);

}  // namespace zona::daemon
