/// @file
/// ID tokens of OpenID Connect: whether one is good, and what it says. Pure functions, any thread.
/// Source: OpenID Connect Core 1.0 section 3.1.3.7, RFC 8725.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "identity/tokens/json_web_key.h"

namespace boost::json {
class object;
}

namespace zona::identity {

/// How far the clock of a provider may be from ours.
inline constexpr std::chrono::seconds kProviderLeeway{60};

/// What a token must say to be taken.
struct IdTokenWanted {
    std::string issuer;
    std::string client_id;
    std::string nonce;
    core::SystemTime now{};
};

/// Whether one of these keys may be the token's: if not, they may be outdated.
bool has_key_for(std::string_view token, std::span<const VerificationKey> keys);

/// The claims of a token that one of `keys` has signed: the one of its `kid`, or, without a `kid`,
/// any of its algorithm.
///
/// Errors: kInvalidToken, saying what is wrong and repeating nothing: no token, no such key,
/// another signature, issuer, audience (also one among others without `azp`), `azp` or nonce; over;
/// of the future; without `sub`, `exp` or `iat`; over kMostTokenBytes.
core::Result<boost::json::object> read_id_token(std::string_view token,
                                                std::span<const VerificationKey> keys,
                                                const IdTokenWanted& wanted);

/// The texts of a claim by its name, which may lead into objects with dots: a text is a list of
/// one; none if it is not there or of another kind.
std::vector<std::string> texts_of_claim(const boost::json::object& claims, std::string_view name);

}  // namespace zona::identity
