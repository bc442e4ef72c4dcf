/// @file
/// The one text form of a moment: RFC 3339 in UTC. Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/result.h"

namespace zona::core {

/// "2026-03-09T07:12:44.031Z": UTC, always three digits of milliseconds (rounded down), always 'Z'.
///
/// The width is fixed at 24 characters for the years 0000-9999, so the text sorts like the time.
/// Source: RFC 3339 section 5.6.
std::string to_rfc3339(SystemTime time);

/// The moment that an RFC 3339 text names.
///
/// Takes 'T', 't' or one space between date and time, 'Z', 'z' or an offset "+hh:mm", and any
/// number of fractional digits, of which nine count. A leap second (":60") is the first moment of
/// the next minute. Errors: kInvalidArgument for any other text, for a date that does not exist
/// (February 30th), and for a moment outside of 1677-09-22..2262-04-10, which nanoseconds cannot
/// hold. Source: RFC 3339 section 5.6.
Result<SystemTime> parse_rfc3339(std::string_view text);

/// The moment that somebody means: parse_rfc3339(), or how long before `now` it was, "10m".
/// Errors: kInvalidArgument, saying both.
Result<SystemTime> parse_moment(std::string_view text, SystemTime now);

}  // namespace zona::core
