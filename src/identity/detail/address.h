// Addresses as bits, for networks and for counting.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace zona::identity::detail {

/// 128 bits; an IPv4 address is ::ffff:a.b.c.d.
using AddressBits = std::array<std::uint8_t, 16>;
/// Bits before those of an IPv4 address.
inline constexpr std::uint8_t kMappedBits = 96;

/// The bits of a numeric address without port; nullopt for any other text. An IPv4 address mapped
/// into IPv6 is the IPv4 address; the zone of a link-local one ("%eth0") does not count.
std::optional<AddressBits> address_bits(std::string_view text);
/// Whether they are those of an IPv4 address.
bool is_ipv4(const AddressBits& bits);

/// What one client has for sure: all of an IPv4 address, the first 64 bits of an IPv6 one. A text
/// that is no address is taken as it is.
std::string client_network(std::string_view address);

}  // namespace zona::identity::detail
