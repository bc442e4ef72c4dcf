/// @file
/// ResponseParser: the bytes of one HTTP/1.1 response, taken apart strictly. No Asio, no Beast.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "net/headers.h"

namespace zona::net::detail {

class ResponseParser {
  public:
    /// Takes pieces of the body. False ends the parsing.
    using Sink = std::function<bool(std::string_view)>;

    /// `method` is the request's: an answer to HEAD has no body.
    explicit ResponseParser(std::string_view method);

    /// Reads `data` as far as the response goes, giving the body's bytes to `sink`. Interim answers
    /// (1xx) are skipped. Returns how many bytes it consumed, all but those behind the response.
    /// Errors: kInternal for what is not HTTP/1.1, two framings or a broken chunk; kTooLarge for a
    /// head over 64 KiB.
    core::Result<std::size_t> feed(std::string_view data, const Sink& sink);

    /// The input has ended. Errors: kUnavailable when the response is not complete.
    core::Result<void> end_of_input();

    bool head_done() const { return state_ > State::kFields; }
    bool done() const { return state_ == State::kDone; }
    /// The sink wanted no more.
    bool stopped() const { return stopped_; }
    /// Whether the connection carries another request. Precondition: done().
    bool keep_alive() const { return keep_alive_; }

    int status() const { return status_; }
    Headers& headers() { return headers_; }

  private:
    enum class State : std::uint8_t {
        kStatusLine,
        kFields,
        kLength,  ///< left_ bytes of body
        kUntilEnd,
        kChunkSize,
        kChunkData,  ///< left_ bytes of the chunk
        kChunkEnd,
        kTrailers,
        kDone,
    };

    core::Result<void> take_line(std::string_view line);
    core::Result<void> take_status(std::string_view line);
    core::Result<void> take_field(std::string_view line);
    core::Result<void> take_chunk_size(std::string_view line);
    core::Result<void> end_head();
    bool in_lines() const;

    State state_ = State::kStatusLine;
    bool head_request_;
    bool stopped_ = false;
    bool keep_alive_ = false;
    int version_ = 11;
    int status_ = 0;
    std::uint64_t left_ = 0;
    std::size_t line_bytes_ = 0;  ///< of the head, the trailers or the size line so far
    std::string line_;
    Headers headers_;
};

}  // namespace zona::net::detail
