/// @file
/// How values compare: the one order that filters, indexes and pages agree on. Pure; any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "store/value.h"

namespace zona::store::detail {

namespace json = boost::json;

/// What two values must both be to be compared.
enum class Kind : std::uint8_t { kNull, kBoolean, kNumber, kText, kArray, kObject };

Kind kind_of(const json::value& value);

/// The number as a signed integer, if it is one that fits; nothing for one with a point.
std::optional<std::int64_t> as_integer(const json::value& value);

/// The order of two booleans, numbers (exact between whole ones and others) or texts; unordered
/// for anything else.
std::partial_ordering compare(const json::value& a, const json::value& b);

/// Deep; numbers by value, objects whatever the order of their keys.
bool equal(const json::value& a, const json::value& b);

/// The value at `path`, nullptr if a key on the way is missing or what it leads through is no
/// object.
const json::value* find(const json::object& document, const Path& path);

/// Whether both hold the same at `path`, or nothing, bit by bit: 1 and 1.0 are not.
bool same_at(const json::object& a, const json::object& b, const Path& path);

}  // namespace zona::store::detail
