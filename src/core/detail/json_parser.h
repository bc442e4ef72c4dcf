/// @file
/// The JSON parser behind parse_json and parse_document; the latter also wants to know where values
/// stand.
#pragma once

#include <string_view>

#include <boost/json/value.hpp>

#include "core/detail/json_builder.h"
#include "core/json.h"

namespace zona::core::detail {

/// parse_json, with the lines (not the columns) of all values if `positions` is not nullptr.
Result<boost::json::value> parse_json_text(std::string_view text, const JsonLimits& limits,
                                           PositionTree* positions);

}  // namespace zona::core::detail
