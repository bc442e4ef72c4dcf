/// @file
/// News: what instances tell each other about what has changed. One line of words; Redis puts the
/// origin and the number of it in front (scripts.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cache/key.h"

namespace zona::cache::detail {

/// What has happened.
struct News {
    enum class Kind : char {
        kWritten = 'w',  ///< key, version
        kRemoved = 'r',  ///< key, floor
        kTag = 't',      ///< tenant, name
        kPattern = 'p',  ///< tenant, pattern
        kTenant = 'a',   ///< tenant
    };

    Kind kind = Kind::kTenant;
    std::string tenant;  ///< not escaped, as all here
    std::optional<Key> key{};
    std::int64_t version = 0;
    std::string tag{};
    Pattern pattern{};

    /// The words that Redis is given.
    std::string to_words() const;
};

/// News as they arrive.
struct Delivered {
    std::string origin;
    std::int64_t number = 0;  ///< among the tenant's
    News news;

    /// None: it was not written by a cache.
    static std::optional<Delivered> parse(std::string_view text);
};

}  // namespace zona::cache::detail
