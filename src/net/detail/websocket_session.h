/// @file
/// WebSocketSession: one open WebSocket over a connection's stream.
///
/// The frames are Boost.Beast's. Three coroutines share a session: one reads as long as there is
/// room, so that pings are answered and a close is noticed at any time; one writes what is queued,
/// pings and the close frame; the third is the handler's. None of the first two is ever cancelled,
/// since that would spoil the socket for the others: they end when the stream does.
#pragma once

#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "core/byte_count.h"
#include "core/result.h"
#include "net/detail/websocket_pipe.h"
#include "net/http.h"
#include "net/websocket.h"

namespace zona::net::detail {

class WebSocketSession final : public WebSocket {
  public:
    /// How it went.
    struct Outcome {
        WebSocketClosed closed;
        core::Result<void> body;
        bool close_sent = false;
        core::ByteCount received;  ///< behind the request
        core::ByteCount sent;
    };

    WebSocketSession(WebSocketLink link, WebSocketOptions options, std::string subprotocol);
    ~WebSocketSession() override;

    /// Answers the handshake with the fields of `response`, runs `body`, closes; the body has ended
    /// then. The stream is open still unless it broke. Call once.
    asio::awaitable<Outcome> run(const Request& request, const Response& response,
                                 WebSocketBody& body);

    /// Ends in order, with 1001.
    void drain();
    /// Ends at once; the stream was closed.
    void cut();

    asio::awaitable<WebSocketInput> read() override;
    asio::awaitable<core::Result<void>> write(SharedText data, WebSocketKind kind) override;
    void close(CloseCode code, std::string_view reason) override;
    const std::string& subprotocol() const override { return subprotocol_; }

  private:
    class Impl;
    std::string subprotocol_;
    std::unique_ptr<Impl> impl_;
};

}  // namespace zona::net::detail
