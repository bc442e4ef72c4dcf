/// @file
/// Bytes as text: base64url and hexadecimal. Pure functions, any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"

namespace zona::crypto {

/// Without padding. Source: RFC 4648 section 5.
std::string base64url(std::span<const std::byte> bytes);

/// With padding, as header fields have it. Source: RFC 4648 section 4.
std::string base64(std::span<const std::byte> bytes);

/// What base64url() gave. Each text has one reading and each reading one text: padding, other
/// characters, an impossible length and bits set behind the last byte are refused.
/// Errors: kInvalidArgument; the message does not repeat the text, which may be secret.
core::Result<std::string> from_base64url(std::string_view text);

/// Two digits a byte, lower case.
std::string hex(std::span<const std::byte> bytes);

/// What hex() gave, either case. Errors: kInvalidArgument; the message does not repeat the text.
core::Result<std::string> from_hex(std::string_view text);

}  // namespace zona::crypto
