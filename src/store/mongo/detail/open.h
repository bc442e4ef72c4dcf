/// @file
/// What the shared object of the driver gives: open_mongo() and probe_mongo() themselves.
#pragma once

#include <functional>
#include <memory>

#include <mongoc/mongoc.h>

#include "store/mongo_database.h"

namespace zona::store::mongo {

/// A hook for tests, called with each client before it is used.
using PrepareClient = std::function<void(mongoc_client_t*)>;

/// As open_mongo().
core::Result<std::unique_ptr<MongoDatabase>> open_here(const MongoOptions& options,
                                                       const core::Clock& clock,
                                                       const core::Logger& log,
                                                       PrepareClient prepare = {});
/// As probe_mongo().
core::Result<void> probe_here(const MongoOptions& options);

}  // namespace zona::store::mongo
