/// @file
/// The refusals that all backends word alike, and the checks that come before any of them.
#pragma once

#include <span>

#include "core/result.h"
#include "store/database.h"

namespace zona::store::detail {

/// Errors: kInvalidArgument for a text of no or more than kMaxIdBytes bytes, or not UTF-8.
core::Result<void> check_id(const Id& id);
/// Errors: those of check_id() for its id; kInvalidArgument for a version below 1.
core::Result<void> check_restored(const Record& record);
/// Errors: kInvalidArgument for a limit of 0 or above kMaxPageSize.
core::Result<void> check_page(const PageRequest& page);
/// Errors: kInvalidArgument unless `declared` has the collection's declaration.
core::Result<void> check_declared(std::span<const CollectionSpec* const> declared,
                                  const Collection& collection);
/// Errors: kForbidden if `record` is not of the collection's scope.
core::Result<void> check_owner(const Collection& collection, const Record& record);
/// Errors: kConflict if `record` has another version than expected.
core::Result<void> check_version(const Collection& collection, const Record& record,
                                 const Expected& expected);

core::Error exists_already(const Collection& collection, const Id& id);
core::Error not_there(const Collection& collection, const Id& id);
core::Error not_unique(const Collection& collection, const IndexSpec& index);
core::Error too_many_examined(const Collection& collection, std::size_t limit);

}  // namespace zona::store::detail
