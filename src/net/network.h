/// @file
/// Network addresses: the one reading of them, networks, and sets of networks.
///
/// An IPv4 address mapped into IPv6 is that IPv4 address throughout, as a socket
/// of both families shows it. Value types and pure functions; any thread. Source: AUTH-33, SEC-16.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace zona::net {

/// 128 bits; an IPv4 address is mapped into IPv6 (RFC 4291 section 2.5.5.2).
using AddressBits = std::array<std::uint8_t, 16>;

/// The bits of a numeric address without port; nullopt for any other text. The zone of a link-local
/// one ("%eth0") does not count.
std::optional<AddressBits> address_bits(std::string_view text);
/// Whether they are those of an IPv4 address.
bool is_ipv4(const AddressBits& bits);

/// What one client has for sure, which is all of an IPv4 address and the first 64 bits of an IPv6
/// one: "203.0.113.7", "2001:db8:1:2::/64". A text that is no address is taken as it is.
std::string client_network(std::string_view address);

/// A network: "10.0.0.0/8", "fd00::/8"; an address is a network of its own.
class Network {
  public:
    /// Errors: kInvalidArgument: no address, a length that does not fit, bits set behind it.
    static core::Result<Network> parse(std::string_view text);
    /// Whether the numeric address lies in it; a text that is no address lies in none. A network of
    /// IPv6 holds no IPv4 address, "::/0" neither.
    bool contains(std::string_view address) const;
    /// As parse() takes it.
    const std::string& text() const { return text_; }
    /// Its first address.
    const AddressBits& first() const { return bits_; }
    /// Its last address.
    AddressBits last() const;
    bool operator==(const Network&) const = default;

  private:
    std::string text_;
    AddressBits bits_{};
    std::uint8_t length_ = 0;  ///< of 128
};

/// Any number of networks; looking for an address takes the logarithm of it.
class NetworkSet {
  public:
    NetworkSet() = default;
    /// Of all of them; they may overlap.
    explicit NetworkSet(std::span<const Network> networks);
    /// Errors: kInvalidArgument, naming the first entry that is no network.
    static core::Result<NetworkSet> parse(std::span<const std::string> entries);

    bool empty() const { return size_ == 0; }
    /// How many networks it was made of.
    std::size_t size() const { return size_; }
    /// As Network::contains() of any of them.
    bool contains(std::string_view address) const;

  private:
    /// First and last address.
    using Range = std::pair<AddressBits, AddressBits>;

    std::vector<Range> four_;  ///< ordered, none touches another
    std::vector<Range> six_;   ///< as four_
    std::size_t size_ = 0;
};

/// The networks of a list as threat feeds have it: one a line, `#` and `;` begin a comment. Errors:
/// kInvalidArgument naming the first wrong line.
core::Result<std::vector<Network>> parse_network_list(std::string_view text);

}  // namespace zona::net
