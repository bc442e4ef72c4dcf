/// @file
/// Which server has a key: slots of a Redis Cluster, and consistent hashing over servers that know
/// nothing of each other. Pure functions and values. Source: Redis Cluster specification; Karger et
/// al. 1997.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/redis/endpoint.h"

namespace zona::cache::redis {

/// Slots of every cluster.
inline constexpr std::size_t kSlots = 16384;

/// The slot of what stands in a key's braces, or of a key without any: CRC16 (XMODEM).
std::uint16_t slot_of(std::string_view tag);

/// What MOVED and ASK say.
struct Redirect {
    bool is_ask = false;
    std::uint16_t slot = 0;
    Endpoint to;  ///< no host: that of whoever said so

    /// Of an error's text; false: it is no redirection.
    static bool parse(std::string_view text, Redirect& out);
};

/// Servers on a circle, each at many places: who joins or leaves moves its own share alone. Where
/// the servers are listed in another order, keys stay where they are.
class Ring {
  public:
    /// Of servers that are all different.
    explicit Ring(const std::vector<Endpoint>& servers);
    /// The index of the server. Precondition: there is one.
    std::size_t find(std::string_view tag) const;

  private:
    std::vector<std::pair<std::uint64_t, std::size_t>> places_;  ///< sorted
};

}  // namespace zona::cache::redis
