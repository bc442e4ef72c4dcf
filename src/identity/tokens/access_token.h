/// @file
/// Access tokens: what one says, how it is written and read. Pure functions, any thread.
///
/// A token is a JWS (jws.h) of type "at+jwt" with the claims `iss`, `aud`, `sub` (the user's
/// number), `tenant` (none: a Super Admin), `roles`, `sid`, `jti`, `iat`, `nbf`, `exp`. It is no
/// proof by itself: its session must be in the session store. Source: AUTH-16, RFC 7519, RFC 9068.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/random.h"
#include "core/result.h"
#include "identity/tokens/json_web_key.h"
#include "identity/tokens/jws.h"

namespace zona::identity {

/// What a token says.
struct AccessClaims {
    core::Uuid id;       ///< `jti`
    core::Uuid session;  ///< `sid`
    std::int64_t user_id = 0;
    std::string tenant;  ///< by code; empty: a Super Admin
    std::vector<std::string> roles;
    core::SystemTime issued_at{};  ///< in whole seconds, and good from then on
    core::SystemTime expires_at{};

    bool operator==(const AccessClaims&) const = default;
};

/// By whom tokens are made, and for whom.
struct TokenParties {
    std::string issuer;
    std::string audience;
};

/// The text of a token. Moments are written in whole seconds.
std::string write_access_token(const AccessClaims& claims, const TokenParties& parties,
                               const SigningKey& key);

/// What `token` says, which `key` must have signed. Whether it is over is left to the caller: a
/// token that was revoked is unknown first.
///
/// Errors: kInvalidToken: not signed by `key`; another type, issuer or audience; from a future
/// beyond kClockLeeway; a claim that is missing, twice or of another type; longer than
/// kLongestAccess. No message repeats what it says.
core::Result<AccessClaims> read_access_token(const Jws& token, const VerificationKey& key,
                                             const TokenParties& parties, core::SystemTime now);

}  // namespace zona::identity
