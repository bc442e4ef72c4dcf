/// @file
/// What instances on one core database tell each other: numbered documents, written with a change,
/// which whoever remembers something reads again and again, and forgets or reads anew.
///
/// Numbers have no gaps: each is inserted by whoever has seen the one before, and only one can, on
/// every server. The newest always stays, so none is given twice. Functions are called within
/// transactions. Source: docs/adr/0016.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "store/database.h"

namespace zona::identity {

/// Between two looks for what other instances have changed.
inline constexpr std::chrono::milliseconds kFollowPause{400};
/// How long a memory is believed that could not look. As tenancy::kFollowTrust.
inline constexpr std::chrono::seconds kFollowTrust{20};
/// News that are kept for others; who missed more forgets all it knows.
inline constexpr std::int64_t kNewsKept = 1000;

/// The field that holds a document's number.
inline constexpr const char* kNewsNumber = "number";

/// The declaration of a collection of news: the field `number`, its index, and these fields.
store::CollectionSpec news_collection(std::string name, std::vector<store::FieldSpec> fields);

/// The number of the newest; 0: there are none.
core::Result<std::int64_t> newest_number(store::Reader& core, const store::Collection& news);

/// Adds one, with its number, in the transaction of the change, after it. Errors: kConflict:
/// another change was quicker; all of it is to be made again.
core::Result<void> add_numbered(store::Writer& core, const store::Collection& news,
                                store::Document document);

}  // namespace zona::identity
