/// @file
/// Where a Redis is, and how zona signs in. Plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/secret.h"

namespace zona::cache::redis {

/// A server by name or numeric address.
struct Endpoint {
    static constexpr std::uint16_t kDefaultPort = 6379;

    std::string host;
    std::uint16_t port = kDefaultPort;

    /// "redis.example:6379", "127.0.0.1", "[::1]:6379". Errors: kInvalidArgument, saying what one
    /// looks like.
    static core::Result<Endpoint> parse(std::string_view text);
    /// Several, separated by commas. Errors: the same.
    static core::Result<std::vector<Endpoint>> parse_list(std::string_view text);
    /// As parse() takes it.
    std::string to_string() const;

    auto operator<=>(const Endpoint&) const = default;
};

/// Who zona is to a server. Source: Redis' AUTH and SELECT.
struct Login {
    std::string user;       ///< of an access list; empty: the default user
    core::Secret password;  ///< empty: none is asked for
    int database = 0;
};

}  // namespace zona::cache::redis
