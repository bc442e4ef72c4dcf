/// @file
/// Which passwords are taken, in the manner of NIST SP 800-63B section 5.1.1.2: long enough, not
/// easily guessed, nothing about kinds of characters, no expiry. Source: AUTH-42, GAP-52.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/secret.h"

namespace zona::identity {

/// What is asked of a new password.
struct PasswordRules {
    std::size_t min_length = 12;  ///< characters, not bytes; 8 at least
    /// Of its last ones, the present included, none may come again; 0: any may.
    std::size_t remembered = 5;
};

/// Bits below which a password counts as one that is guessed: 2^34 tries.
inline constexpr double kMinPasswordBits = 34;

/// Whether it may be one: valid UTF-8 without control characters, at least rules.min_length
/// characters, at most kMaxPasswordBytes, and not among what is tried first: common passwords,
/// words, names, dates, rows of keys, repetitions, and `words`, the names around it (the user's,
/// the tenant's), by themselves or put together. How many tries it takes is estimated by zxcvbn,
/// over its first 100 bytes. Takes a millisecond or so. Whether it was used before is not known
/// here. Errors: kInvalidArgument, saying which, never repeating the password.
core::Result<void> check_password(const PasswordRules& rules, const core::Secret& password,
                                  std::span<const std::string> words);

}  // namespace zona::identity
