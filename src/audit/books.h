/// @file
/// Books: the databases that records are in, as this module sees them.
///
/// Whoever knows tenants implements it: tenancy/audit_books.h, and a fake in tests. Fields that a
/// collection declares as encrypted are clear here and sealed there.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "store/database.h"

namespace zona::audit {

/// All members block, from any thread but a database's own.
class Books {
  public:
    /// What is done with a reader; the answer goes where it says.
    using ReadBody = std::function<core::Result<void>(store::Reader&)>;
    /// A transaction. It may be called again: it begins by forgetting what it found before.
    using WriteBody = std::function<core::Result<void>(store::Writer&)>;

    Books() = default;
    Books(const Books&) = delete;
    Books& operator=(const Books&) = delete;
    virtual ~Books() = default;

    /// @{
    /// Within one state, or as one transaction, of the database that has this scope's record; that
    /// of Scope::core() is the core database. Errors: kNotFound: there is no such tenant, or not
    /// any more; kTenantInactive, kUnavailable and others: its database cannot be had now; those of
    /// the body and of the database.
    virtual core::Result<void> read(const store::Scope& scope, const ReadBody& body) = 0;
    virtual core::Result<void> write(const store::Scope& scope, const WriteBody& body) = 0;
    /// @}
    /// The core's, then those of the tenants that are served.
    virtual core::Result<std::vector<store::Scope>> scopes() = 0;
};

}  // namespace zona::audit
