/// @file
/// Keys: what stands in an index of the server. One text for each document and index, whose order
/// by bytes is the order of the index.
///
///     scope 01 field ... [created id]
///
/// So a condition of the planner is one range of texts, a page goes on behind one text, and no
/// server's own rules of comparison, of missing fields or of arrays have a say. A key is valid
/// UTF-8 without NUL. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include "store/collection.h"
#include "store/detail/plan.h"

namespace zona::store::mongo {

// What all backends share; the classes of others stand in the same place, so these do not.
using namespace detail;

/// Keys from `from` on, before `to`.
struct KeyRange {
    std::string from;
    std::string to;
    bool without_from = false;  ///< `from` itself is not in it
};

/// @{
/// Parts of a key; each ends where it ends, whatever comes behind it.
void append_key(std::string& key, std::string_view text);
void append_key(std::string& key, std::int64_t number);
void append_key(std::string& key, const Id& id);
/// A text, number or boolean. 1 and 1.0 give the same.
void append_key(std::string& key, const json::value& value);
/// @}

/// The least key behind all that begin with `prefix`, which ends in a whole part.
std::string behind(std::string prefix);

/// What all keys of the scope begin with.
std::string scope_key(const Scope& scope);

/// The key of a document in an index; nothing if it is not in it.
std::optional<std::string> index_key(const IndexSpec& index, const Scope& scope,
                                     const Document& document, core::SystemTime created,
                                     const Id& id);

/// The words of a document that are searched, each behind its scope, in one index.
std::vector<std::string> word_keys(const CollectionSpec& spec, const Scope& scope,
                                   const Document& document);
/// Those that a word of Plan::words stands for.
KeyRange range_of_word(const Scope& scope, std::string_view word);

/// The range of a plan's bounds; of one value of its `in`, if it has that.
KeyRange range_of(const Scope& scope, const Plan& plan, const json::value* in);

/// Cuts off what is not behind `place` in this direction. `range` is of the same plan and value.
/// Not for an index whose keys do not hold the plan's place.
void go_behind(KeyRange& range, const Scope& scope, const Plan& plan, const json::value* in,
               const Place& place, Direction direction);
/// Whether the keys of the plan's index hold the whole place.
bool holds_place(const Plan& plan);

}  // namespace zona::store::mongo
