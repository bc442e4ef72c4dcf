/// @file
/// What `zona doctor` says of secrets: where the root key and the keys are, who could read them,
/// and what could carry them off.
#pragma once

#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "core/settings.h"
#include "process/doctor.h"
#include "tenancy/tenants.h"

namespace zona::daemon {

/// Looks at files, keys and limits; changes nothing. The order is stable. Source: SEC-04, SEC-07.
std::vector<process::HostCheck> check_secrets(const core::Settings& settings,
                                              const std::string& home,
                                              const tenancy::Tenants& tenants,
                                              const core::Clock& clock);

/// Remembers in the state directory that shares were made of a root key: never the shares.
core::Result<void> remember_shares(const std::string& state, const std::string& root,
                                   core::SystemTime now);

}  // namespace zona::daemon
