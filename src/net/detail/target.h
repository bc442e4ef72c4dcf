/// @file
/// The request target: split, percent-decoded and checked.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "net/http.h"

namespace zona::net::detail {

/// How '+' reads: as itself in paths, as a space in queries (application/x-www-form-urlencoded).
enum class Plus : unsigned char { kLiteral, kSpace };

/// Decodes %XX. nullopt for a '%' without two hexadecimal digits.
std::optional<std::string> percent_decode(std::string_view text, Plus plus);

/// Fills path, segments and query of `request` from its target.
///
/// Accepts origin-form ("/a?b=c"), absolute-form with scheme http or https ("http://host/a", its
/// authority is not compared with Host: zona serves one site), and "*" for OPTIONS, which gives the
/// path "*". Errors: kInvalidArgument for another form, a user name before the host, a raw byte
/// outside of printable ASCII, a fragment, a broken or unpaired escape, a control character or
/// ill-formed UTF-8 after decoding, and a segment "." or "..": none of them has one meaning for all
/// who look at the path. More than kMaxQueryParameters query parameters, too. Source: RFC 9112
/// section 3.2, RFC 3986 sections 2.1 and 3.3.
core::Result<void> parse_target(Request& request);

inline constexpr std::size_t kMaxQueryParameters = 1000;

}  // namespace zona::net::detail
