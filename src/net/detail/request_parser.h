/// @file
/// RequestParser: bytes to Request, one message after the other, strictly.
///
/// The grammar is Boost.Beast's; on top of it everything is refused that two readers of the same
/// bytes could understand differently (request smuggling, RFC 9112 section 11.2): folded lines,
/// more than one Content-Length, any Transfer-Encoding but "chunked", both at once, either in
/// HTTP/1.0 with chunks, no or several Host. Trailers are read and dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "core/byte_count.h"
#include "net/http.h"

namespace zona::net::detail {

struct HeadLimits {
    core::ByteCount bytes;   ///< request line and fields; more is 431
    std::size_t fields = 0;  ///< more is 431
};

class RequestParser {
  public:
    enum class State : std::uint8_t {
        kHead,   ///< the head is not complete
        kBody,   ///< the head is, the body is not
        kDone,   ///< the message is complete
        kFault,  ///< the message is refused, see fault()
    };

    explicit RequestParser(HeadLimits limits);
    ~RequestParser();
    RequestParser(const RequestParser&) = delete;
    RequestParser& operator=(const RequestParser&) = delete;

    /// Starts a new message, which is read into `request` (cleared by the caller, outlives the
    /// message).
    void begin(Request& request);

    /// Takes no memory until the next begin(), which must come before everything else.
    void end();

    /// Reads from `data`: what was not consumed before, and more. Stops behind the head and behind
    /// the message. Returns how many bytes are consumed; they need not be kept. Ask state() for the
    /// outcome.
    std::size_t feed(std::string_view data);

    State state() const;

    /// From now on a body over `limit` is a fault (413), also one that only announces to be. State
    /// kBody or kDone.
    void limit_body(core::ByteCount limit);

    /// Whether the client waits for "100 Continue". State kBody.
    bool expects_continue() const;
    /// Whether the connection may carry another request after this one.
    bool keep_alive() const;

    /// Moves the reason out. Precondition: state() == kFault.
    Fault take_fault();

  private:
    class Impl;
    HeadLimits limits_;
    std::unique_ptr<Impl> impl_;
};

}  // namespace zona::net::detail
