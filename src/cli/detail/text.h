/// @file
/// Text on its way to a terminal: harmless, and as wide as a column.
///
/// What comes from the daemon (names, paths, log lines) was written by managed programs. Everything
/// passes through here, so that none of it can move the cursor, clear the screen or retitle a
/// window.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace zona::cli {

/// Control characters as visible escapes (`\n`, `\t`, `\x1b`, `\u{202e}`), the C1 set and the
/// bidirectional overrides of Unicode included; ill-formed UTF-8 as U+FFFD.
std::string escape_control(std::string_view text);

/// What becomes of colour sequences (ESC [ digits m) in a log line.
enum class Sgr : std::uint8_t {
    kKeep,  ///< stay, and a reset is appended
    kDrop   ///< vanish
};

/// A log line for people: escape_control() but for tabs, which stay, a carriage return at the end,
/// which vanishes, and colour sequences, which follow `sgr`.
std::string printable_line(std::string_view line, Sgr sgr);

/// Columns that well-formed UTF-8 without control characters takes on a terminal: 0 for combining
/// marks, 2 for East Asian wide characters and emoji.
std::size_t display_width(std::string_view text);

enum class Ellipsis : std::uint8_t { kUnicode, kAscii };

/// `text` if it fits `width` columns, else its beginning with an ellipsis ("…" or "~") at the end.
std::string shorten(std::string_view text, std::size_t width, Ellipsis ellipsis);
/// The same keeping the end: for paths.
std::string shorten_front(std::string_view text, std::size_t width, Ellipsis ellipsis);

/// Breaks at spaces into lines of at most `width` columns; a longer word gets a line of its own.
std::vector<std::string> wrap(std::string_view text, std::size_t width);

/// "1 line", "2 lines".
std::string count_of(std::size_t n, std::string_view noun);

}  // namespace zona::cli
