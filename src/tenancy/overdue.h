/// @file
/// Overdue: what retention should have taken by now and has not, whatever the reason.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "audit/books.h"
#include "core/clock.h"
#include "core/result.h"
#include "store/database.h"
#include "tenancy/tenants.h"

namespace zona::tenancy {

/// The jobs of retention run once a day; one day more is given them.
inline constexpr std::chrono::hours kRetentionGrace{48};

/// A collection with documents that were to be gone.
struct Overdue {
    std::string collection;
    core::SystemTime oldest{};  ///< when the oldest that is still there was made
    core::SystemTime due{};     ///< when it was to be gone
};

/// The collections of the core or of a tenant that are overdue by more than kRetentionGrace.
/// Blocks. Errors: those of Tenants::find(), Compliance::parse() and the databases.
/// Source: AUDIT-12.
core::Result<std::vector<Overdue>> find_overdue(Tenants& tenants, audit::Books& books,
                                                const store::Scope& scope, core::SystemTime now);

}  // namespace zona::tenancy
