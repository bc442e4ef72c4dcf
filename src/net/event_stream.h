/// @file
/// EventStream: Server-Sent Events on top of a streamed body.
///
///     co_return event_stream(
///         [this](EventStream& out) -> asio::awaitable<core::Result<void>> { ... });
///
/// Source: HTML standard, section "Server-sent events".
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "core/result.h"
#include "net/http.h"

namespace zona::net {

/// One event. Empty fields are left out; the views need to live only until the call returns.
struct ServerEvent {
    std::string_view id;     ///< what a client that comes back sends as Last-Event-ID
    std::string_view event;  ///< its type; without one a browser says "message"
    std::string_view data;   ///< any lines; a client sees each line end as "\n"
    /// How long a client waits before it comes back, from now on.
    std::optional<std::chrono::milliseconds> retry;
};

/// `event` as bytes, with its empty line. A broadcast formats once and sends the same bytes to all
/// (PM-69).
/// Errors: kInvalidArgument: a line end in `id` or `event`, or a zero byte in `id`, which would
/// make another event of it, or a negative `retry`.
core::Result<std::string> format_event(const ServerEvent& event);

/// Writes events into a streamed body; the BodyWriter outlives it. Each call waits for a slow
/// client, and fails as BodyWriter::write() does.
class EventStream {
  public:
    /// Writes to `out`.
    explicit EventStream(BodyWriter& out) : out_(out) {}
    EventStream(const EventStream&) = delete;
    EventStream& operator=(const EventStream&) = delete;

    /// Errors: those of format_event(), then nothing was sent, and of BodyWriter::write().
    asio::awaitable<core::Result<void>> send(const ServerEvent& event);
    /// Sends what format_event() made; `text` lives until the wait is over.
    asio::awaitable<core::Result<void>> send_formatted(std::string_view text);
    /// Sends a comment, which no client sees: it keeps proxies from closing an idle stream, and
    /// finds out that a client is gone.
    asio::awaitable<core::Result<void>> heartbeat();

  private:
    BodyWriter& out_;
};

/// As StreamBody.
using EventBody = std::move_only_function<asio::awaitable<core::Result<void>>(EventStream&)>;

/// A response of type text/event-stream that nobody stores; a proxy of nginx does not hold it back
/// either. A drain ends it (StreamEnd::kOnDrain); browsers then come back by themselves.
Response event_stream(EventBody body);

/// What a client that comes back saw last; nothing, or an id that format_event() would not take,
/// gives nothing.
std::optional<std::string_view> last_event_id(const Request& request);

}  // namespace zona::net
