/// @file
/// What TenantOperations has done and seen. Source: DATA-18, REL-07, TEN-41.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/clock.h"

namespace zona::tenancy {

/// What log_changes() has done.
struct LogReport {
    std::size_t written = 0;    ///< databases that had changed
    std::size_t unchanged = 0;  ///< those that had not
    std::size_t begun = 0;      ///< tenants that are new since the whole backup, and have an image
    std::uint64_t bytes = 0;    ///< of pages
    /// Somebody else was at the log, or at a tenant: something that has changed may not be in it.
    bool has_skipped = false;
    /// Up to when each owner can be restored; "core" is the core database.
    std::map<std::string, core::SystemTime> until;
};

/// What is wrong somewhere.
struct Finding {
    std::string where;  ///< "core", a tenant's code
    std::string what;   ///< with what to do
};
/// What check() has seen.
struct CheckReport {
    std::size_t databases = 0;
    std::uint64_t documents = 0;
    std::vector<Finding> findings;  ///< none: all is well
};

/// What migrate() has done.
struct MigrationReport {
    /// One that was moved.
    struct Moved {
        std::string tenant;
        std::uint64_t documents = 0;
    };
    std::vector<Moved> moved;       ///< in the order of the tenants' making
    std::size_t there = 0;          ///< tenants that were there already
    std::vector<Finding> findings;  ///< of who was not moved, and is as it was
};

}  // namespace zona::tenancy
