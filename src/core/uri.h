/// @file
/// Texts as parts of a URI. Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>

namespace zona::core {

/// With all but the unreserved characters as %XX: fit for any part of a URI, and for a value of a
/// form. Source: RFC 3986 section 2.3.
std::string percent_encoded(std::string_view text);

}  // namespace zona::core
