/// @file
/// The job that archives tenants' records: what is older than `retention_days.audit_log` of the
/// tenant's compliance_settings leaves its database as a signed archive (audit_archives.h). Without
/// that member nothing ever leaves. Source: AUDIT-10, AUDIT-11, AUDIT-12.
#pragma once

#include "audit/recorder.h"
#include "core/random.h"
#include "jobs/definition.h"
#include "tenancy/audit_archives.h"
#include "tenancy/audit_books.h"
#include "tenancy/tenants.h"

namespace zona::tenancy {

/// What it works with; all outlive the scheduler.
struct AuditRetentionDeps {
    Tenants& tenants;
    AuditBooks& books;
    audit::Recorder& recorder;  ///< that archives were made, or could not be, is on record
    core::Random& random;       ///< fit for keys, any thread
    AuditArchives archives;     ///< where they go
};

/// `audit-retention`, once a day, for each active tenant. Counts `entries` and `archives`.
jobs::Definition audit_retention(AuditRetentionDeps deps);

}  // namespace zona::tenancy
