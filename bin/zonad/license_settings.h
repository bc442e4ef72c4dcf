/// @file
/// What the settings say of licences, and what `zona doctor` says of them.
#pragma once

#include "core/result.h"
#include "core/settings.h"
#include "process/doctor.h"
#include "tenancy/limits/licensing.h"

namespace zona::daemon {

/// Errors: kInvalidArgument, naming the setting.
core::Result<tenancy::LicensingOptions> licensing_options(const core::Settings::License& settings);

/// Whether the installation's licence is valid, and stays so for a while; and whether that of the
/// file is installed. Source: LIC-07.
process::HostCheck check_license(const tenancy::Licensing& licensing,
                                 const core::Settings::License& settings);

}  // namespace zona::daemon
