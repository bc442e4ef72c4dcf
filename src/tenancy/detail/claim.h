// A tenant for one host of several, before that one changes its database as a whole.
#pragma once

#include "core/result.h"
#include "store/database.h"
#include "tenancy/backup/backup_records.h"

namespace zona::tenancy::detail {

/// Records in one transaction that the host `work.instance` moves the tenant, unless it has
/// something under way with it already; BackupRecords::begin_anew() completes the record, which no
/// other host replaces. Blocks. Nothing is done for an empty instance: there is one host only.
/// Errors: kNotFound: no such tenant. kConflict: another host has something under way with it, or
/// it is active. Those of the database.
core::Result<void> claim_move(store::Database& core, const TenantWork& work);

}  // namespace zona::tenancy::detail
