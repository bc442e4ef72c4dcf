// Changing data keys: a new one for each owner, its files and fields encrypted anew, the old one
// forgotten.
#pragma once

#include "jobs/context.h"
#include "tenancy/tenant_jobs.h"

namespace zona::tenancy::detail {

/// The work of the job, for "core" and each active tenant with a file of its own. An owner whose
/// key is older than `age` gets a new one, every owner if somebody asked for the run; what an
/// earlier run has begun is finished. It can be interrupted at any moment: the ring knows which
/// owners have old keys, and their files which pages are under them.
///
/// Counts `rotated` and `retired` keys, `passwords` sealed anew, and `waiting` keys that something
/// else needs. Errors: those of the ring, the files and Context::go_on(); kUnavailable when readers
/// kept a log from being emptied.
core::Result<void> rotate_keys(const jobs::Context& context, const TenantJobsDeps& deps,
                               std::chrono::milliseconds age);

}  // namespace zona::tenancy::detail
