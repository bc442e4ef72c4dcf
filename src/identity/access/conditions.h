/// @file
/// Conditions: when, and from where, a role holds. Value types and pure functions; any thread.
/// Source: AUTH-33.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace zona::identity {

/// A network: "10.0.0.0/8", "fd00::/8"; an address is a network of its own.
class Network {
  public:
    /// Errors: kInvalidArgument: no address, a length that does not fit, bits set behind it.
    static core::Result<Network> parse(std::string_view text);
    /// Whether the numeric address lies in it. An IPv4 address mapped into IPv6 is that IPv4
    /// address; a text that is no address lies in none.
    bool contains(std::string_view address) const;
    /// As parse() takes it.
    const std::string& text() const { return text_; }
    bool operator==(const Network&) const = default;

  private:
    std::string text_;
    std::array<std::uint8_t, 16> bits_{};  ///< IPv4 as ::ffff:a.b.c.d
    std::uint8_t length_ = 0;              ///< of 128
};

/// When and from where somebody asks.
struct Context {
    core::SystemTime time;
    std::string_view address;  ///< numeric; empty: the unix socket, which is in every network
};

/// All that are given must hold; none: always.
struct Conditions {
    /// Bit 0 is Monday, as ISO 8601 counts; 0: any day. Days and times are UTC.
    std::uint8_t weekdays = 0;
    /// @{
    /// From the first minute of the day to before the second; a span over midnight belongs to the
    /// day on which it begins. Equal: the whole day.
    std::chrono::minutes from{0};
    std::chrono::minutes until{0};
    /// @}
    std::vector<Network> networks;  ///< any of them; none: from anywhere

    bool is_empty() const { return weekdays == 0 && from == until && networks.empty(); }
    /// Whether all of them do.
    bool hold(const Context& context) const;
    bool operator==(const Conditions&) const = default;
};

}  // namespace zona::identity
