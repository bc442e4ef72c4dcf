/// @file
/// Texts as parts of HTML and XML. Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>

namespace zona::core {

/// As text of an element, or of an attribute within double quotes.
std::string escaped_markup(std::string_view text);

}  // namespace zona::core
