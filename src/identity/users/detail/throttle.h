// Counting tries to sign in, and how long the next one waits: the table of users.h.
#pragma once

#include <cstdint>
#include <string>

#include "core/clock.h"
#include "core/result.h"
#include "store/database.h"

namespace zona::identity::detail {

/// A try to sign in, as it is counted.
struct Attempt {
    std::string tenant;
    std::string name_key;  ///< in lower case; anything that somebody typed
    std::string network;   ///< net::client_network() of the address
    bool known = false;    ///< this name has signed in from there before
};

/// Counts it as a failure, before it is known whether it is one. Errors: kTooManyRequests: it comes
/// too early, and is not counted.
core::Result<void> begin_attempt(store::Writer& core, const Attempt& attempt, core::SystemTime now);

/// What became of it.
enum class Verdict : std::uint8_t {
    kGood,       ///< no failure; those of the name at this address are forgotten
    kUndecided,  ///< no failure; those before it stay
};
/// Takes back what begin_attempt() counted; to be called for what was no failure.
core::Result<void> end_attempt(store::Writer& core, const Attempt& attempt, Verdict verdict);

}  // namespace zona::identity::detail
