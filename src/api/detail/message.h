// The messages that clients send over WebSockets, and their fields.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>

#include "core/result.h"
#include "net/websocket.h"

namespace zona::api {

/// The text in this field; nothing if there is none, or something else.
inline std::optional<std::string> text_of(const boost::json::object& object, std::string_view key) {
    const boost::json::value* value = object.if_contains(key);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return std::string(value->get_string());
}

/// Gives `take` each text until the socket ends, or a write of `take`'s failed. Other messages
/// close the socket.
template <class Take>
boost::asio::awaitable<core::Result<void>> read_texts(net::WebSocket& socket, Take take) {
    for (;;) {
        const net::WebSocketInput input = co_await socket.read();
        const auto* message = std::get_if<net::WebSocketMessage>(&input);
        if (message == nullptr) co_return core::Result<void>();
        if (message->kind != net::WebSocketKind::kText) {
            socket.close(net::CloseCode::kUnsupportedData, "messages are JSON texts");
            continue;
        }
        const core::Result<void> taken = co_await take(message->data);
        if (!taken) co_return core::Result<void>();  // the socket has ended
    }
}

}  // namespace zona::api
