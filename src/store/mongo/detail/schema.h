/// @file
/// Brings a database to the declared collections.
///
/// zona.collections knows, for each collection, the version of its documents and the indexes that
/// their keys were made for; what differs from the declaration is brought up by going through the
/// documents in the order of their `_id`, kBatch at a time, with a note of how far it came. Every
/// step can be done again and by two at once, so an interrupted migration goes on where it was.
/// Indexes of the server have the names of their declarations; those that nothing declares are
/// dropped, but for the server's own.
#pragma once

#include <vector>

#include "core/log.h"
#include "core/result.h"
#include "store/collection.h"
#include "store/mongo/detail/client.h"
#include "store/mongo/detail/tags.h"

namespace zona::store::mongo {

/// Documents that are migrated between two notes.
inline constexpr int kMigrationBatch = 100;

/// Errors: as open_mongo() (mongo_database.h).
core::Result<void> prepare_schema(Client& client,
                                  const std::vector<const CollectionSpec*>& collections, Tags& tags,
                                  const core::Logger& log);

}  // namespace zona::store::mongo
