/// @file
/// What the server keeps of one document, and what stands around it.
///
///     _id  SCOPE/17 or SCOPE/'blue    what it is found by
///     o    the stamp: the scope that wrote it, verified when it comes back
///     i    its id     v  its version     c, u  microseconds of creation and of the last change
///     m    the version of its collection that it was written with
///     w    the tag of the write that made it so, different for each: what changes it names the
///          one that it has seen. One that ends in `+` belongs to a write set of the outbox
///     x    its keys, by the index's name (key.h)
///     d    the document (bson.h)    n  the bytes of its text, as JSON
///     t    its words, each behind its scope; there is none without a search (collection.h)
///     g    true: removed by a write set that is not finished; nobody sees it
///
/// Collections have the names of their declarations. Those of the store's own have a dot in it,
/// which no declaration has. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"
#include "store/collection.h"
#include "store/mongo/detail/bson.h"

namespace zona::store::mongo {

/// What is known of each collection: version and indexes (schema.h).
inline constexpr const char* kCollections = "zona.collections";
/// Write sets that are being applied (outbox.h).
inline constexpr const char* kOutbox = "zona.outbox";

/// @{
/// Names of the fields that others than stored.cpp ask for.
inline constexpr const char* kIdField = "_id";
inline constexpr const char* kTagField = "w";
inline constexpr const char* kSchemaField = "m";
inline constexpr const char* kGoneField = "g";
inline constexpr const char* kWordsField = "t";
inline constexpr const char* kBytesField = "n";
/// @}
/// "x.by_status".
std::string key_field(const IndexSpec& index);

/// A document as it came from the server.
struct Stored {
    Record record;
    std::string key;  ///< its _id
    std::string tag;
    std::int64_t bytes = 0;  ///< of its text
    std::int64_t schema = 0;
    bool gone = false;
};

/// Its _id.
std::string stored_key(const Scope& scope, const Id& id);
/// What is inserted, or replaces what is there. `bytes`: of the document's text.
Bson stored_form(const CollectionSpec& spec, const std::string& key, const Record& record,
                 std::int64_t bytes, std::string_view tag);
/// What stands in the place of a removed one until its write set is finished.
Bson tombstone(const std::string& key, std::string_view tag);
/// Errors: kInternal, naming the collection, for what stored_form() cannot have made.
core::Result<Stored> read_stored(const CollectionSpec& spec, const bson_t* document);

}  // namespace zona::store::mongo
