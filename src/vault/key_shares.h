/// @file
/// Key shares: a key in escrow with several people, of whom some must come together.
///
/// Shamir's scheme over GF(256), byte by byte. Fewer shares than needed say nothing about the key.
/// Pure functions, any thread. Source: SEC-07; A. Shamir, How to share a secret, 1979.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"
#include "core/result.h"
#include "core/secret.h"
#include "crypto/key.h"

namespace zona::vault {

/// How many shares there are and how many are needed.
struct ShareCount {
    std::uint8_t needed = 2;
    std::uint8_t total = 3;
};

/// The key as `count.total` texts, each "zona-share-" and 17 groups of 6 hexadecimal digits, fit to
/// be written down. In each: of which set, which number, how many are needed, a check of the key,
/// and a checksum.
/// Errors: kInvalidArgument unless 2 <= needed <= total <= 100.
core::Result<std::vector<core::Secret>> split_key(const crypto::Key& key, ShareCount count,
                                                  core::Random& random);

/// The key again, of at least as many shares as needed, in any order; case, blanks and dashes do
/// not matter. Errors: kInvalidArgument, naming the share by its place in `shares`, for one with a
/// mistake in it, of another set or given twice; for too few, with how many are missing; and when
/// they are good by themselves and make no key that fits the check. No message repeats a share.
core::Result<crypto::Key> combine_shares(std::span<const core::Secret> shares);

}  // namespace zona::vault
