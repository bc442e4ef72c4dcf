/// @file
/// WebSocket as a handler sees it: messages in, messages out, a close with its code.
///
/// The handler of an ordinary GET route returns Response::websocket(); the connection does the
/// upgrade. So an upgrade passes the whole chain (net/middleware.h): limits, correlation id,
/// authentication, metrics; its access line, of status 101, is written when the socket ends.
///
///     asio::awaitable<core::Result<void>> echo(WebSocket& socket) {
///         while (true) {
///             WebSocketInput input = co_await socket.read();
///             auto* message = std::get_if<WebSocketMessage>(&input);
///             if (message == nullptr) co_return core::Result<void>();
///             ZONA_CO_TRY_VOID(co_await socket.write(share(std::move(message->data))));
///         }
///     }
///
/// permessage-deflate is not spoken: an offer of it is left unanswered, as RFC 7692 permits.
/// Source: RFC 6455; PM-55, PM-56, PM-58, PM-69.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "core/byte_count.h"
#include "core/result.h"
#include "net/shared_text.h"

namespace zona::net {

namespace asio = boost::asio;

struct Request;

/// Why a socket is closed; any other registered or private code (3000 to 4999) is cast from its
/// number. Source: RFC 6455 section 7.4.1, IANA WebSocket Close Code registry.
enum class CloseCode : std::uint16_t {
    kNormal = 1000,
    kGoingAway = 1001,        ///< the server drains, or the client leaves the page
    kProtocolError = 1002,    ///< unmasked or malformed frames
    kUnsupportedData = 1003,  ///< a kind of message that the handler does not take
    kNoCode = 1005,           ///< never sent: the client closed without a code
    kLost = 1006,             ///< never sent: the connection broke without a close
    kBadText = 1007,          ///< a text message is not UTF-8
    kPolicy = 1008,           ///< a limit on rates or fragments, an unanswered ping
    kTooBig = 1009,           ///< a message over WebSocketOptions::message
    kInternalError = 1011,    ///< the handler failed
    kTryAgainLater = 1013,    ///< the client is too slow, or too many are here
};

/// What a message holds.
enum class WebSocketKind : std::uint8_t {
    kText,  ///< UTF-8; checked when received, the handler's duty when sent
    kBinary,
};

/// A whole message, its fragments put together.
struct WebSocketMessage {
    WebSocketKind kind = WebSocketKind::kText;
    std::string data;
};

/// Who ended a socket.
enum class WebSocketEnd : std::uint8_t {
    kByClient,  ///< with a close frame
    kByServer,  ///< with a close frame: the handler, a limit, a drain
    kLost,      ///< without one: broken, cut, or too slow
};

/// How a socket ended.
struct WebSocketClosed {
    WebSocketEnd by = WebSocketEnd::kLost;
    CloseCode code = CloseCode::kLost;
    std::string reason;  ///< UTF-8 of at most 123 bytes; a client's is not to be trusted
};

/// What a read brings.
using WebSocketInput = std::variant<WebSocketMessage, WebSocketClosed>;

/// Every limit of one socket. What a client gets for exceeding one stands beside it. An open socket
/// counts against ServerOptions::connections like any other connection.
struct WebSocketOptions {
    /// What the handler speaks. The first one that the client offers and that stands here is
    /// answered; none of them: none is.
    std::vector<std::string> subprotocols;

    core::ByteCount message = core::ByteCount::mib(1);  ///< 1009, before memory is taken for it
    std::size_t fragments = 1024;                       ///< frames of one message: 1008
    /// Messages that wait for the handler's read(); as many bytes as one message may have count as
    /// full too. No more is read from the client then, nor are its pings answered.
    std::size_t waiting_messages = 16;

    /// Pings, pongs and closes of the client within control_time: 1008.
    std::size_t control_frames = 60;
    std::chrono::milliseconds control_time = std::chrono::seconds(10);

    /// A client that has sent nothing for so long is pinged.
    std::chrono::milliseconds ping_after = std::chrono::seconds(30);
    /// One that then sends nothing, no pong either, for so long: 1008.
    std::chrono::milliseconds pong_time = std::chrono::seconds(20);

    /// From the server's wish to close until the client's close frame; the connection is then
    /// closed without it. A client that takes nothing of a message for ServerOptions::write_time is
    /// cut off without a close frame, which it would not take either.
    std::chrono::milliseconds close_time = std::chrono::seconds(5);
    /// What a handler that reads gets to end by itself after the socket has; then it is cancelled.
    std::chrono::milliseconds handler_time = std::chrono::seconds(1);
};

/// An open WebSocket. All members run on the connection's executor. The server reads all the time,
/// so pings are answered and a close is noticed while the handler does something else.
///
/// | What happens                     | read()                        | write()    | the handler |
/// | ---                              | ---                           | ---        | --- |
/// | the client closes, or is lost    | what came before, then Closed | kCancelled | is cancelled |
/// | a limit is exceeded, a drain     | Closed                        | kCancelled | is cancelled |
/// | the handler calls close()        | Closed                        | kCancelled | goes on |
/// | the handler returns              |                               |            | 1000 is sent |
/// | the handler fails or throws      |                               |            | 1011 is sent |
///
/// A handler that has ever called read() is told by it, and cancelled only after handler_time. Any
/// other one gets the cancellation (terminal) of StreamBody at once.
class WebSocket {
  public:
    WebSocket() = default;
    WebSocket(const WebSocket&) = delete;
    WebSocket& operator=(const WebSocket&) = delete;
    virtual ~WebSocket() = default;

    /// Waits for the next message, or tells how the socket ended; then at once, every time.
    /// A wait that is cancelled takes no message, and returns Closed of kLost. One read at a time.
    virtual asio::awaitable<WebSocketInput> read() = 0;

    /// Sends one message of one frame, and waits until the socket has taken all of it: the
    /// back-pressure of a slow client. Several may wait; they are sent in order. Cancelling the
    /// wait does not take the message back.
    /// Errors: kCancelled: the socket has ended.
    virtual asio::awaitable<core::Result<void>> write(SharedText data, WebSocketKind kind) = 0;
    /// The same for a text.
    asio::awaitable<core::Result<void>> write(SharedText text) {
        return write(std::move(text), WebSocketKind::kText);
    }

    /// Sends what write() was given before, then a close frame; a reason is cut to 123 bytes.
    /// Returns at once; does nothing when the socket has ended.
    virtual void close(CloseCode code, std::string_view reason) = 0;

    /// The one that was answered; empty: none.
    virtual const std::string& subprotocol() const = 0;
};

/// What a route does with an open socket. Runs on the connection's executor, with the request that
/// asked for it alive.
using WebSocketBody = std::move_only_function<asio::awaitable<core::Result<void>>(WebSocket&)>;

/// What Response::websocket() carries.
struct WebSocketOffer {
    WebSocketBody body;
    WebSocketOptions options;
    std::string subprotocol;  ///< filled by negotiate_websocket()
};

/// Whether this is a request for a WebSocket, valid or not: GET of HTTP/1.1 with Upgrade: websocket
/// and Connection: Upgrade.
bool asks_for_websocket(const Request& request);

/// The elements of Sec-WebSocket-Protocol, in the client's order. The views live as long as the
/// request's headers do not change.
std::vector<std::string_view> offered_subprotocols(const Request& request);

}  // namespace zona::net
