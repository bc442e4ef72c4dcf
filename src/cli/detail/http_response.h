/// @file
/// The reading of one HTTP/1.1 response from bytes as they arrive. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"

namespace zona::cli {

/// Takes the bytes of one response, in any portions, and gives status and body.
///
/// Understands what zonad sends: Content-Length, chunked transfer coding (trailers are dropped), a
/// body up to the end of the connection, and interim 1xx responses, which are skipped. Source: RFC
/// 9112 sections 6 and 7.
class HttpResponseReader {
  public:
    /// Errors: kInternal: this is no HTTP/1.1 response. Nothing more can be fed then.
    core::Result<void> feed(std::string_view bytes);
    /// The connection ended. Errors: kUnavailable: before the response was complete.
    core::Result<void> end_of_input();

    bool has_head() const { return status_ != 0; }
    int status() const { return status_; }
    /// The response is complete; what was fed behind it is ignored.
    bool finished() const { return part_ == Part::kDone; }
    /// The body's bytes since the last take.
    std::string take_body();
    std::size_t body_size() const { return body_.size(); }

  private:
    enum class Part : std::uint8_t {
        kHead,
        kCounted,    ///< remaining_ bytes of body
        kUntilEnd,   ///< body up to the end of the connection
        kChunkSize,  ///< the line before a chunk
        kChunk,      ///< remaining_ bytes of it
        kChunkEnd,   ///< the empty line behind it
        kTrailer,    ///< lines up to an empty one
        kDone,
    };

    core::Result<bool> step();
    core::Result<void> read_head(std::string_view head);
    core::Result<void> read_chunk_size(std::string_view line);
    bool take_counted(Part next);

    Part part_ = Part::kHead;
    int status_ = 0;
    std::uint64_t remaining_ = 0;
    std::string input_;
    std::string body_;
};

}  // namespace zona::cli
