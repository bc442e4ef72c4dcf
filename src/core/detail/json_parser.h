/// @file
/// The JSON parser behind parse_json and parse_document; the latter also wants to know where values
/// stand.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <boost/json/value.hpp>

#include "core/json.h"

namespace zona::core::detail {

/// Told the JSON pointer and the line of each key and array element. Columns are not known.
using PositionSink = std::function<void(std::string pointer, Position at)>;

/// parse_json, with positions if `positions` is set.
Result<boost::json::value> parse_json_text(std::string_view text, const JsonLimits& limits,
                                           const PositionSink& positions);

}  // namespace zona::core::detail
