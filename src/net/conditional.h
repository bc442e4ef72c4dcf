/// @file
/// Entity tags: a client that has an answer already is told so instead of getting it again.
#pragma once

#include "core/byte_count.h"
#include "net/middleware.h"

namespace zona::net {

/// Larger bodies get no tag.
inline constexpr core::ByteCount kMostTagged = core::ByteCount::mib(8);

/// Gives the 200 of a GET or HEAD with a JSON body an ETag, and answers 304 without a body when
/// If-None-Match has it already.
///
/// The tag is a 128-bit hash of the body's bytes (XXH3): equal bytes have equal tags on every
/// server and after a restart, and a body with a field that always changes (`uptime_ms`) never has
/// the tag of before. The handler runs either way; what is saved is the way back. A tag that the
/// handler set is kept and compared. The comparison is the weak one, since compress() makes tags
/// weak; a 304 carries the tag as the client has it. Its other headers are those of the 200, but
/// for Content-Type, as it has no content.
///
/// Cache-Control stays as it is (no-store, by security_headers): the tags are for clients that keep
/// an answer themselves, not for caches on disks. An answer that its handler lets caches keep has a
/// tag whatever it is and however large (CACHE-03).
///
/// It sees an answer only when authentication let the request pass. Source: RFC 9110 sections 8.8.3
/// and 13.1.2.
Middleware conditional();

/// The same answer, for caches between (CDNs), too: it is the same for everybody. They ask with its
/// tag whether it is still so (RFC 9111 section 5.2.2.4). Source: CACHE-03.
Response kept_by_anybody(Response response);

}  // namespace zona::net
