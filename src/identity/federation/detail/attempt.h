// What whoever begins to sign in by a provider keeps: the sealed attempt.
#pragma once

#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/random.h"
#include "core/result.h"
#include "core/secret.h"

namespace zona::vault {
class FieldSealer;
}

namespace zona::identity::detail {

inline constexpr std::size_t kMostRedirect = 512;

/// What an attempt holds.
struct Attempt {
    std::string tenant;
    std::string provider;
    std::string redirect_uri;
    core::Secret number;  ///< 256 random bits
    core::SystemTime ends{};

    /// A text of 43 characters that only who knows the number knows.
    std::string derived(std::string_view purpose) const;
    std::string state() const { return derived("state"); }
    std::string nonce() const { return derived("nonce"); }
    core::Secret verifier() const { return core::Secret(derived("verifier")); }
    /// The id of a request by SAML. Of the state alone: so the answer and the state that comes with
    /// it are held against each other where the attempt is not.
    std::string request() const { return request_of(state()); }
    static std::string request_of(std::string_view state) { return "_" + std::string(state); }
};

/// A new one, with a number of its own.
Attempt new_attempt(core::Random& random, core::SystemTime ends);

core::Result<core::Secret> seal(const vault::FieldSealer& fields, const Attempt& attempt);
/// Errors: kUnauthenticated: it is none of ours, or over.
core::Result<Attempt> open_attempt(const vault::FieldSealer& fields, const core::Secret& text,
                                   core::SystemTime now);

/// Whether it leads to a program on the host of whoever signs in.
bool is_loopback(std::string_view uri);

}  // namespace zona::identity::detail
