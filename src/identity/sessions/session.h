/// @file
/// Session: what stands behind a user's tokens. Value types.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/random.h"
#include "core/result.h"
#include "core/secret.h"
#include "store/database.h"

namespace zona::identity {

/// A user, by the number that they have within their tenant.
struct UserKey {
    std::string tenant;  ///< by code; empty: a Super Admin
    std::int64_t id = 0;

    bool operator==(const UserKey&) const = default;
};

/// What a token says of its user when it is made.
struct UserNow {
    std::string name;
    std::vector<std::string> roles;  ///< by name, in order
};
/// Who a user is now, asked within the transaction that begins or renews a session; nullopt: nobody
/// who may have one (removed, locked). An error leaves the session as it was. May be called again;
/// has no other effect.
using FindUser =
    std::function<core::Result<std::optional<UserNow>>(store::Reader& core, const UserKey& user)>;

/// From where a user comes, as far as is known; longer texts are cut.
struct Client {
    std::string address;
    std::string user_agent;

    bool operator==(const Client&) const = default;
};

/// Behind the method of a session whose user has shown a second factor.
inline constexpr std::string_view kSecondFactorSuffix = "+code";

/// A session that is to begin: whoever asks for one has found out who the user is.
struct NewSession {
    UserKey user;
    /// How it was found out: "password", "saml"; with kSecondFactorSuffix: a second factor, too.
    std::string method;
    Client client;
};

/// What happens when a user has as many sessions as they may.
enum class OverLimit : std::uint8_t {
    kEndOldest,  ///< the one that began first ends
    kRefuse,     ///< the new one is refused
};

/// How long sessions last, and how many there are. Source: GAP-52; the absolute end and the idle
/// time are those of NIST SP 800-63B section 4.2.3.
struct SessionLimits {
    std::chrono::milliseconds access{std::chrono::minutes(15)};  ///< at most kLongestAccess
    std::chrono::milliseconds refresh{std::chrono::hours(24)};   ///< of a refresh token
    std::chrono::milliseconds idle{std::chrono::minutes(30)};    ///< without a request
    std::chrono::milliseconds absolute{std::chrono::hours(12)};  ///< whatever happens
    std::size_t per_user = 10;                                   ///< 0: any number
    OverLimit over = OverLimit::kEndOldest;
};

/// What is known of a session.
struct Session {
    core::Uuid id;
    UserKey user;
    std::string name;  ///< of the user
    std::vector<std::string> roles;
    std::string method;
    Client client;
    core::SystemTime made{};
    core::SystemTime last_used{};  ///< some uses later, at most a twentieth of the idle time
    core::SystemTime idle_end{};
    core::SystemTime absolute_end{};
    std::int64_t generation = 0;  ///< how often it was renewed

    /// When it ends if nobody uses it.
    core::SystemTime end() const { return std::min(idle_end, absolute_end); }
};

/// What a browser gets.
struct BrowserSession {
    core::Secret cookie;  ///< good as long as the session
    Session session;
};

/// What a client gets.
struct Tokens {
    core::Secret access;
    core::Secret refresh;
    core::SystemTime access_end{};
    core::SystemTime refresh_end{};
    Session session;
};

}  // namespace zona::identity
