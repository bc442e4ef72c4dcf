/// @file
/// Page tokens: where the next page begins, in a form that only this product can make.
///
/// base64url of: one byte of format, the place, and the first 16 bytes of HMAC-SHA-256 over format,
/// scope, collection, query and place. The query is part of what is signed and not of the token: a
/// token is good for the query, collection and scope it was made for, and for no other.
/// Pure; any thread. Source: RFC 2104, RFC 4648 section 5.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "core/secret.h"
#include "store/collection.h"
#include "store/detail/plan.h"
#include "store/query.h"

namespace zona::store::detail {

/// Bytes of a token that is looked at; the largest place that an index has fits.
inline constexpr std::size_t kMaxTokenBytes = 8192;
/// Bytes that a key must have.
inline constexpr std::size_t kMinTokenKey = 32;

/// The token that page requests of this query can go on with.
std::string make_token(const core::Secret& key, const Collection& collection, const Query& query,
                       const Place& place);

/// Its place. Errors: kInvalidArgument, one message for all that is not a token of this query,
/// collection and scope, made with this key: who tries learns nothing from it.
core::Result<Place> read_token(const core::Secret& key, const Collection& collection,
                               const Query& query, std::string_view token);

/// A place as bytes, and back; nothing for bytes that no place gives. For tests and fuzzing.
std::string encode_place(const Place& place);
std::optional<Place> decode_place(std::string_view bytes);

}  // namespace zona::store::detail
