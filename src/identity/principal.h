/// @file
/// Principal: on whose behalf a request is made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/random.h"

namespace zona::identity {

/// What a principal may do. Each contains the one before.
enum class Scope : std::uint8_t {
    kViewer,  ///< read everything, change nothing
    kAdmin,
};

/// "viewer", "admin".
std::string_view to_string(Scope scope);
/// The scope of that name; nullopt for any other text.
std::optional<Scope> scope_from(std::string_view name);

/// Keys are one kind of principal; users and tenants will be others.
struct Principal {
    /// How it was known who asks.
    enum class Kind : std::uint8_t {
        kLocalUser,  ///< whoever may open the unix socket
        kApiKey,
        kAnybody,  ///< nobody has to say who they are (development on loopback)
    };
    Kind kind = Kind::kAnybody;
    std::string name;  ///< of the key; "uid 0" of a local user
    Scope scope = Scope::kViewer;
    std::optional<core::Uuid> key_id = {};  ///< of the key
    std::string tenant = {};  ///< the only one that may be reached, by code; empty: all

    /// For logs: "key default", "uid 0", "anybody".
    std::string to_string() const;
    bool operator==(const Principal&) const = default;
};

}  // namespace zona::identity
