// Removing documents that are older than their collection keeps them.
#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "audit/recorder.h"
#include "core/clock.h"
#include "core/result.h"
#include "jobs/context.h"
#include "store/database.h"
#include "tenancy/tenants.h"

namespace zona::tenancy::detail {

/// Documents that one transaction removes: others write in between.
inline constexpr std::size_t kPurgedAtOnce = 200;

/// Runs a transaction to its end; what it gives is how many documents it removed.
using WriteAndWait = std::function<core::Result<std::uint64_t>(
    std::function<core::Result<std::uint64_t>(store::Writer&)> body)>;
/// Is told in each transaction how many documents it has removed, of which collection: whether the
/// run may, and that it is on record.
using Removed =
    std::function<core::Result<void>(store::Writer&, const store::Collection&, std::uint64_t)>;

/// Removes the documents of one collection of which `now` is later than they are kept, the oldest
/// first, in transactions of kPurgedAtOnce. `own`: how long, in place of what the collection says.
/// Counts `documents`.
/// Errors: kInvalidArgument: the first index of the collection is not that of its age; those of the
/// database and of Context::go_on().
core::Result<void> purge_collection(const jobs::Context& context,
                                    const store::Collection& collection, const Removed& told,
                                    const WriteAndWait& write,
                                    std::optional<std::chrono::seconds> own = {});

/// The work of the job: the core database and each active tenant. What was removed is on record in
/// the same transaction, and what could not be is on record, too. Source: AUDIT-12.
core::Result<void> purge_all(const jobs::Context& context, Tenants& tenants,
                             audit::Recorder& recorder);

}  // namespace zona::tenancy::detail
