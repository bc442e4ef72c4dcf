/// @file
/// Conditions: when, and from where, a role holds. Value types and pure functions; any thread.
/// Source: AUTH-33.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "net/network.h"

namespace zona::identity {

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
    std::vector<net::Network> networks;  ///< any of them; none: from anywhere

    bool is_empty() const { return weekdays == 0 && from == until && networks.empty(); }
    /// Whether all of them do.
    bool hold(const Context& context) const;
    bool operator==(const Conditions&) const = default;
};

}  // namespace zona::identity
