/// @file
/// Text from a file or request made fit for a message.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace zona::process::detail {

/// Valid UTF-8 on one line: control characters become \xNN, and what is over `most` bytes is cut
/// with "...".
std::string printable(std::string_view text, std::size_t most = 60);

/// printable() in double quotes.
std::string quoted(std::string_view text);

}  // namespace zona::process::detail
