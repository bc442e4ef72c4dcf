/// @file
/// Code points in UTF-8. What is not well-formed is for core/text.h to find.
///
/// Pure functions without locale; any thread. Source: RFC 3629, section 3.
#pragma once

#include <string>
#include <string_view>

namespace zona::core {

/// `point`, at most U+10FFFF, behind `out`.
void append_utf8(std::string& out, char32_t point);

/// The code point at the front of `text`, which is well-formed and not empty, and is the rest then.
char32_t take_code_point(std::string_view& text);

}  // namespace zona::core
