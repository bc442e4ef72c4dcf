// What the routes of records are asked and answer.
#pragma once

#include <cstdint>

#include "api/operation.h"

namespace zona::api::detail {

/// @{
/// The shapes `AuditEntry`, `AuditVerification`, `AuditReport` and `AuditArchive`.
Shape entry_shape();
Shape verification_shape();
Shape report_shape();
Shape archive_shape();
/// @}

/// Whose record an operation is about.
enum class Whose : std::uint8_t { kInstallation, kTenant };
/// One of those below on the installation's record, or on a tenant's.
Operation about(Whose whose, Operation operation);

/// @{
/// What is asked of a record, for about().
Operation list_entries();
Operation export_entries();
Operation list_archives();
Operation verify_record();
Operation unmask_entries();
Operation report_on_record();
Operation erase_subject();
/// @}

}  // namespace zona::api::detail
