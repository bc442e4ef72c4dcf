/// @file
/// Compression of answers on their way over the network.
#pragma once

#include "core/byte_count.h"
#include "net/middleware.h"

namespace zona::net {

/// What is compressed.
struct CompressOptions {
    /// Bodies of more bytes are compressed; zero: none is.
    core::ByteCount above = core::ByteCount::kib(4);
    /// Larger ones go as they are: compressing holds up the other requests of the executor, about
    /// 10 ms for each MiB.
    core::ByteCount most = core::ByteCount::mib(8);
};

/// Encodes bodies with gzip, at zlib's quickest level.
///
/// Only a body that the client takes so (Accept-Encoding, its weights honoured: identity is kept
/// where the client prefers it), of a type that is text (JSON, XML, JavaScript, text/...), over
/// TCP: over the unix socket it would cost more than it saves. Left alone are answers that have a
/// Content-Encoding, forbid it (Cache-Control: no-transform) or are partial (206), and bodies that
/// do not become smaller.
///
/// Streams are left alone, too. One of kind kOnDrain has to deliver every record at once; one that
/// ends by itself could be compressed, and is not for now.
///
/// Adds Vary: Accept-Encoding where the encoding depends on the request. A strong ETag becomes a
/// weak one: the bytes differ, the meaning does not. It therefore stands outside of conditional().
/// Memory: the body twice, and 256 KiB. Nothing secret is ever reflected beside what an attacker
/// chose in an answer that a browser gets unasked (keys are no cookies), so BREACH has no ground.
/// Source: HTTP-18; RFC 9110 sections 8.4, 8.8 and 12.5.3.
Middleware compress(CompressOptions options);

}  // namespace zona::net
