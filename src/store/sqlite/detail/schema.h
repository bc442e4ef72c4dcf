/// @file
/// Brings a file to the declared collections.
///
/// The file's own format is in `user_version`, and `application_id` says that it is zona's. The
/// table zona_collections knows, for each collection, the version of its documents and the columns
/// that are filled; what differs from the declaration is brought up by going through the documents
/// in transactions of kBatch, each of which notes how far it came. Every step can be done again, so
/// an interrupted migration goes on where it was.
#pragma once

#include <map>

#include "core/log.h"
#include "store/sqlite/detail/connection.h"
#include "store/sqlite/detail/layout.h"

namespace zona::store::detail {

/// Documents that are migrated in one transaction.
inline constexpr int kBatch = 1000;

/// Errors: as SqliteEngine::open().
core::Result<void> prepare_schema(Connection& connection,
                                  const std::map<const CollectionSpec*, Layout>& layouts,
                                  const core::Logger& log);

}  // namespace zona::store::detail
