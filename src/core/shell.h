/// @file
/// Commands that we show for people to copy.
#pragma once

#include <string>
#include <string_view>

namespace zona::core {

/// `text` as one word of a POSIX shell: as it is where that is safe, else in single quotes.
/// Pure; any thread. Source: POSIX.1-2017, Shell Command Language, 2.2.
std::string shell_word(std::string_view text);

}  // namespace zona::core
