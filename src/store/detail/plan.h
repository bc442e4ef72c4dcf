/// @file
/// The planner: which index serves a query, what of it the index answers, and the order that comes
/// of it. Pure, and the same for every backend: so all refuse the same queries and give the same
/// order. Any thread.
#pragma once

#include <optional>
#include <vector>

#include <boost/json/value.hpp>

#include "core/result.h"
#include "store/collection.h"
#include "store/query.h"

namespace zona::store::detail {

namespace json = boost::json;

/// One end of a range.
struct Bound {
    json::value value;
    enum class Ends : std::uint8_t { kInclusive, kExclusive } ends = Ends::kInclusive;
};

/// How a query is answered. The documents within the bounds include all that meet the filter; where
/// `exact` is set they are the same.
struct Plan {
    const IndexSpec* index = nullptr;
    std::vector<json::value> equal;  ///< of the first fields of the index
    /// Of the next field; different, in order; an empty list means that nothing can meet it.
    std::optional<std::vector<json::value>> in;
    std::optional<Bound> lower;  ///< of the next field, never together with `in`
    std::optional<Bound> upper;
    /// What the documents' texts hold, as Filter::values() has it, of all searches that must hold.
    /// It narrows what is within the bounds, and is never exact.
    std::vector<std::string> words;
    std::vector<IndexField> order;  ///< the rest of the index's fields
    /// Whether the order goes on with the moment of creation and the id; it does unless a unique
    /// index is total without them.
    bool by_creation = true;
    bool exact = false;
};

/// Whether no condition bounds the index: its whole order is gone through.
bool is_walk(const Plan& plan);

/// What the order of the answer matters for.
enum class Ordered : std::uint8_t { kNo, kYes };

/// Errors: kInvalidArgument for too many or too deep conditions, a value that cannot be stored, an
/// order or a filter that no index serves; it says which index would.
core::Result<Plan> plan(const CollectionSpec& spec, const Query& query, Ordered ordered);

/// Where a record stands in the order of a plan: the fields of `order`, then the moment of creation
/// in microseconds and the id, each if the plan has it.
using Place = std::vector<json::value>;
Place place_of(const Plan& plan, const Record& record);

/// The order of two places; numbers of an id before texts.
std::strong_ordering compare_places(const Place& a, const Place& b);

/// Microseconds since 1970.
std::int64_t microseconds(core::SystemTime time);
/// The moment of microseconds().
core::SystemTime from_microseconds(std::int64_t count);

}  // namespace zona::store::detail
