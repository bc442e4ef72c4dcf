/// @file
/// Text that people write and read: durations, sizes, near misses of names, bytes that may not be
/// UTF-8.
///
/// Pure functions without locale; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/byte_count.h"
#include "core/result.h"

namespace zona::core {

/// A duration: "250" and "250ms" are milliseconds, then "5s", "1m", "1h", "2d"; several parts add
/// up ("1m30s", "1h 30m"), a fraction is taken ("1.5s"), case does not matter.
///
/// Errors: kInvalidArgument for an empty, negative or other text and for more than 100 years.
/// Source: the forms of PM2's ecosystem files and of process-compose.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

/// A size: "1048576", "512K", "100MB", "1.5 G", "10 GiB". Units are powers of 1024 whatever their
/// spelling (K, KB, KiB; M, G, T alike; B and no unit are bytes), case does not matter; a fraction
/// of a byte is dropped.
///
/// Errors: kInvalidArgument for an empty, negative or other text and for 8 EiB or more.
/// Source: `max_memory_restart` of PM2's ecosystem files.
Result<ByteCount> parse_size(std::string_view text);

/// A whole decimal number with an optional sign, nothing before or behind it.
/// Errors: kInvalidArgument, also when it does not fit 64 bits.
Result<std::int64_t> parse_integer(std::string_view text);

/// For people: "0ms", "350ms", "4.2s", "12s", "3m 12s", "5h 2m", "2d 4h". Two units at most,
/// rounded down; a negative duration has a leading '-'.
std::string format_duration(std::chrono::milliseconds duration);

/// The shortest exact text that parse_duration reads back: "1600ms", "5s", "2m", "1h".
std::string exact_duration(std::chrono::milliseconds duration);

/// For people: "0 B", "999 B", "12.3 MB", "1.0 GB"; powers of 1024, one decimal from KB on.
std::string format_size(ByteCount size);

/// The shortest exact text that parse_size reads back: "16384B", "64K", "1M".
std::string exact_size(ByteCount size);

/// The candidate that someone who wrote `word` most likely meant, if any is near enough.
///
/// Nearness is the number of inserted, deleted, replaced and swapped neighbouring letters, case
/// ignored; at most a third of the longer word's letters may differ (one in words up to five
/// letters). A word that is the beginning of exactly one candidate means that one. A tie goes to
/// the first candidate. `word` beyond 256 characters has no nearest.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

/// "; did you mean 'x'?" or nothing: the tail of a message about an unknown name.
std::string suggestion(std::string_view word, std::span<const std::string> candidates);

/// The same text with every maximal ill-formed sequence replaced by U+FFFD; well-formed UTF-8 is
/// unchanged. Source: Unicode 15 section 3.9, table 3-7; "substitution of maximal subparts".
std::string to_valid_utf8(std::string_view bytes);

/// Whether `bytes` is well-formed UTF-8.
bool is_valid_utf8(std::string_view bytes);

/// `text` with A to Z in lower case, all else as it is; whatever the locale.
std::string lower_ascii(std::string_view text);

/// Without these characters at both ends.
std::string_view trimmed(std::string_view text, std::string_view blanks = " \t");

/// Whether `text` holds a C0 control character (NUL, tab and newline included) or DEL.
bool has_control_characters(std::string_view text);

}  // namespace zona::core
