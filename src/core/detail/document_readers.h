/// @file
/// The readers behind parse_document. Each gets valid UTF-8 without NUL and below the size limit,
/// and returns errors without the file's name: "line:column: problem".
#pragma once

#include <string_view>

#include <boost/json/value.hpp>

#include "core/detail/json_builder.h"
#include "core/document.h"

namespace zona::core::detail {

Result<boost::json::value> read_toml(std::string_view text, const DocumentLimits& limits,
                                     PositionTree& positions);
Result<boost::json::value> read_yaml(std::string_view text, const DocumentLimits& limits,
                                     PositionTree& positions);

/// "line:column: problem", or "line: problem" without a column.
Error problem_at(Position at, std::string_view problem);

}  // namespace zona::core::detail
