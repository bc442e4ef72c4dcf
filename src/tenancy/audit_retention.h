/// @file
/// The job that archives tenants' records: what is older than `retention_days.audit_log` of the
/// tenant's compliance_settings leaves its database as a signed archive, sealed under the tenant's
/// keys, in DIRECTORY/CODE/FIRST-LAST.zaa. Without that member nothing ever leaves. Source:
/// AUDIT-10, AUDIT-11.
#pragma once

#include <string>
#include <string_view>

#include "audit/archive.h"
#include "audit/recorder.h"
#include "core/clock.h"
#include "core/random.h"
#include "core/result.h"
#include "jobs/definition.h"
#include "tenancy/audit_books.h"
#include "tenancy/tenants.h"

namespace zona::tenancy {

/// What it works with; all outlive the scheduler.
struct AuditRetentionDeps {
    Tenants& tenants;
    AuditBooks& books;
    audit::Recorder& recorder;  ///< that archives were made is on record
    const core::Clock& clock;
    core::Random& random;  ///< fit for keys, any thread
};

/// `audit-retention`, once a day, for each active tenant. Counts `entries` and `archives`.
jobs::Definition audit_retention(std::string directory, AuditRetentionDeps deps);

/// Reads an archive that the job has stored, and verifies it. `name` as in ArchivedSpan::file.
/// Blocks. Errors: those of the file, of the tenant's keys and of audit::read_archive().
core::Result<audit::Archive> read_stored_archive(const std::string& directory,
                                                 const std::string& code, const std::string& name,
                                                 const AuditRetentionDeps& deps);

}  // namespace zona::tenancy
