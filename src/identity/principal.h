/// @file
/// Principal: on whose behalf a request is made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/random.h"

namespace zona::identity {

/// What a key may do.
enum class Scope : std::uint8_t {
    kViewer,   ///< read everything, change nothing
    kAdmin,    ///< everything
    kLimited,  ///< what its permissions or roles say
};

/// "viewer", "admin", "limited".
std::string_view to_string(Scope scope);
/// The scope of that name; nullopt for any other text.
std::optional<Scope> scope_from(std::string_view name);

/// Who it is, and what is known of them without asking a database. What they may do is
/// beside it in the request (caller.h).
struct Principal {
    /// How it was known who asks.
    enum class Kind : std::uint8_t {
        kLocalUser,  ///< whoever may open the unix socket
        kApiKey,
        kAnybody,  ///< nobody has to say who they are (development on loopback)
        kUser,     ///< a user with a session, by their access token
    };
    Kind kind = Kind::kAnybody;
    std::string name;                       ///< of the key or the user; "uid 0" of a local user
    Scope scope = Scope::kViewer;           ///< of a key
    std::optional<core::Uuid> key_id = {};  ///< of the key
    /// The only one that may be reached, by code; empty: all. A user's own; Super Admins have none.
    std::string tenant = {};
    std::int64_t user_id = 0;             ///< of a user, within the tenant; others: 0
    core::Uuid session = {};              ///< of a user; others: nil
    bool second_factor = false;           ///< of a user, who has shown one at the sign-in
    std::vector<std::string> roles = {};  ///< of a user or a limited key, by name, in order

    /// For logs: "key default", "uid 0", "anybody", "user anna of acme", "user root".
    std::string to_string() const;
    bool operator==(const Principal&) const = default;
};

}  // namespace zona::identity
