/// @file
/// What a client says about encodings of a body.
#pragma once

#include <span>
#include <string_view>

namespace zona::net::detail {

/// Whether gzip is taken and at least as welcome as the plain body, by the lines of
/// Accept-Encoding. No line, an empty one, and one without gzip and '*' mean no. An element whose
/// weight cannot be read counts as refused. Source: RFC 9110 sections 12.4.2 and 12.5.3.
bool prefers_gzip(std::span<const std::string_view> lines);

}  // namespace zona::net::detail
