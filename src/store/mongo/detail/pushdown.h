/// @file
/// What the server can see of a filter: conditions that hold for every document that meets it.
/// Filter::matches() decides on each document that comes back, so they may hold for more. Pure; any
/// thread.
#pragma once

#include <vector>

#include "store/mongo/detail/bson.h"
#include "store/query.h"

namespace zona::store::mongo {

/// All must hold; empty: every document has to be looked at here.
std::vector<Bson> pushdown(const Filter& filter);

}  // namespace zona::store::mongo
