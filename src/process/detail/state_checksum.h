/// @file
/// CRC-32C, the checksum of every file in state/.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace zona::process::detail {

/// The CRC-32C (Castagnoli) of `data`; continues from `before`, the checksum of what came first.
///
/// Finds every burst of up to 32 bits and, in records of these sizes, every change of up to three
/// bits. It is no protection against somebody who wants to deceive. Source: RFC 3720 section 12.1.
std::uint32_t crc32c(std::string_view data, std::uint32_t before = 0);

/// The number of exactly eight digits 0-9 a-f: nothing else means the same, so that no flipped bit
/// goes unnoticed.
std::optional<std::uint32_t> parse_checksum(std::string_view digits);

}  // namespace zona::process::detail
