/// @file
/// Which build type an installation has: recorded in `system_config`, for its data lies where that
/// says. A setting alone does not change it: somebody has to ask for the change before, so that a
/// line that was lost from a file moves nobody's data.
///
/// All block; on threads for that. Errors of all besides their own: those of the database.
/// Source: TEN-01, GAP-08, docs/adr/0011-moving-tenants.md.
#pragma once

#include <optional>

#include "core/result.h"
#include "store/database.h"
#include "tenancy/tenant.h"

namespace zona::tenancy {

/// What is recorded.
struct BuildTypeRecord {
    BuildType type = BuildType::kMssp;  ///< where the data is now
    /// What somebody wants it to be; never `type`.
    std::optional<BuildType> asked;
    /// What it was before: of that something is left to be removed.
    std::optional<BuildType> before;
};

/// Holds the setting against what is recorded, and records it where nothing is. The record's type
/// is another one than `wanted` only if that was asked for: then the data is to be changed.
/// Errors: kConflict: another type is recorded, and nobody has asked for this one.
core::Result<BuildTypeRecord> settle_build_type(store::Database& core, BuildType wanted);

/// Asks for another type, or with the present one for none. Nothing changes until a start with that
/// setting. Errors: kConflict: what the last change has left is not removed yet.
core::Result<BuildTypeRecord> ask_for_build_type(store::Database& core, BuildType wanted);

/// The data is where `type` says, and no longer where the former type did: one transaction.
core::Result<void> note_build_type(store::Database& core, BuildType type);

/// Nothing is left of the former type.
core::Result<void> forget_former_build_type(store::Database& core);

}  // namespace zona::tenancy
