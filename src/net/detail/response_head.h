/// @file
/// The head of a response as bytes, and the Date that stands in it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "net/http.h"

namespace zona::net::detail {

/// How the end of a body is told.
enum class Framing : std::uint8_t {
    kLength,    ///< Content-Length
    kChunked,   ///< Transfer-Encoding: chunked
    kUntilEnd,  ///< by closing: HTTP/1.0
    kNone,      ///< 204, 304: no body, no length
};

/// What the server adds to a response's own fields.
struct Wire {
    Framing framing = Framing::kLength;
    bool keep_alive = true;
    std::string_view date;
};

/// Appends status line and fields with the empty line. Control characters in values become spaces,
/// a field whose name is no token is left out, and so are the fields that the server writes itself.
void append_head(std::string& out, const Response& response, const Wire& wire);

/// Whether a response's own field of this name is sent: a token that the server does not write
/// itself.
bool is_sent(std::string_view name);

/// Appends a field's value, made fit for the wire.
void append_value(std::string& out, std::string_view value);

/// "Not Found"; "Unknown" for a status without a name.
std::string_view reason_of(int status);

/// Whether a response of this status has a body at all. Source: RFC 9110 sections 15.3.5
/// and 15.4.5.
bool has_body(int status);

/// "Sun, 06 Nov 1994 08:49:37 GMT", made anew once a second.
class DateCache {
  public:
    std::string_view at(core::SystemTime now);

  private:
    std::int64_t second_ = -1;
    std::string text_;
};

}  // namespace zona::net::detail
