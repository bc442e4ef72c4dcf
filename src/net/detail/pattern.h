/// @file
/// The text of a route pattern, read into segments. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace zona::net::detail {

struct PatternSegment {
    enum class Kind : unsigned char { kLiteral, kRegex, kParameter, kRest };
    Kind kind = Kind::kLiteral;
    std::string name;  ///< of the parameter; empty for a literal
    std::string text;  ///< the literal or the expression
};

/// Errors: kInvalidArgument, the message names pattern, segment and rule.
core::Result<std::vector<PatternSegment>> parse_pattern(std::string_view pattern);

}  // namespace zona::net::detail
