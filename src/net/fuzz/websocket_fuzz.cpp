// Any bytes, in any pieces, behind a good handshake: the socket must end, and with it the
// connection; the server sends only well-formed frames, at most one close frame, and that last; a
// handler gets only whole messages within the limits, texts only in UTF-8.
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <variant>

#include <boost/asio/io_context.hpp>
#include <boost/beast/websocket/detail/utf8_checker.hpp>

#include "core/clock.h"
#include "net/detail/connection.h"
#include "net/testing/memory_stream.h"

namespace zona::net {
namespace {

constexpr std::int64_t kMessage = 300;
constexpr std::string_view kHandshake =
    "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

void require(bool condition, const char* what, const std::string& output) {
    if (condition) return;
    std::cerr << what << "\n" << output << "\n";
    std::abort();
}

/// What the handler does, by the input.
enum class Manner : std::uint8_t { kEcho, kRead, kLeave, kClose };

asio::awaitable<core::Result<void>> handle(Manner manner, WebSocket& socket) {
    if (manner == Manner::kLeave) co_return core::Result<void>();
    while (true) {
        WebSocketInput input = co_await socket.read();
        if (std::holds_alternative<WebSocketClosed>(input)) co_return core::Result<void>();
        auto& message = std::get<WebSocketMessage>(input);
        require(std::ssize(message.data) <= kMessage, "a message over the limit", message.data);
        require(
            message.kind == WebSocketKind::kBinary || boost::beast::websocket::detail::check_utf8(
                                                          message.data.data(), message.data.size()),
            "a text that is not UTF-8", message.data);
        if (manner == Manner::kClose) socket.close(CloseCode::kPolicy, message.data.substr(0, 200));
        if (manner == Manner::kRead) continue;
        const SharedText text = share(std::move(message.data));
        const WebSocketKind kind = message.kind;
        ZONA_CO_TRY_VOID(co_await socket.write(text, kind));
    }
}

asio::awaitable<core::Result<Response>> answer(Manner manner) {
    WebSocketOptions options;
    options.message = core::ByteCount(kMessage);
    options.fragments = 8;
    options.waiting_messages = 3;
    options.control_frames = 10;
    co_return Response::websocket([manner](WebSocket& open) { return handle(manner, open); },
                                  options);
}

/// The server's frames behind the answer to the handshake.
void check(const std::string& output) {
    const std::size_t head = output.find("\r\n\r\n");
    require(output.starts_with("HTTP/1.1 101 ") && head != std::string::npos, "no upgrade", output);
    std::string_view rest = std::string_view(output).substr(head + 4);
    bool closed = false;
    while (!rest.empty()) {
        require(!closed, "something behind the close frame", output);
        require(rest.size() >= 2, "half a frame", output);
        const auto first = static_cast<unsigned char>(rest[0]);
        std::size_t size = static_cast<unsigned char>(rest[1]);
        rest.remove_prefix(2);
        require(first == 0x81 || first == 0x82 || first == 0x88 || first == 0x8a,
                "a frame of another kind", output);
        require(size <= 126, "a masked or endless frame", output);
        if (size == 126) {
            require(rest.size() >= 2, "half a frame", output);
            size = static_cast<std::size_t>(static_cast<unsigned char>(rest[0])) << 8U |
                   static_cast<unsigned char>(rest[1]);
            rest.remove_prefix(2);
        }
        require(rest.size() >= size, "half a frame", output);
        rest.remove_prefix(size);
        closed = first == 0x88;
    }
}

asio::awaitable<void> serve(std::shared_ptr<detail::Connection> connection) {
    co_await connection->serve();
}

}  // namespace
}  // namespace zona::net

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace zona::net;
    if (size < 3) return 0;
    static const zona::core::RealClock clock;

    MemoryStream::Wire wire;
    wire.pieces = {data[0], data[1]};
    if (data[0] == 0) wire.pieces.clear();
    const auto manner = static_cast<Manner>(data[2] % 4);
    wire.input = kHandshake;
    wire.input.append(reinterpret_cast<const char*>(data) + 3, size - 3);

    zona::core::Logger quiet;
    asio::io_context context(1);
    Application application{Chain({}, [manner](Request&) { return answer(manner); }), {}};
    const auto shared = std::make_shared<detail::Shared>(context.get_executor(), ServerOptions(),
                                                         std::move(application), clock, quiet);
    auto connection = std::make_shared<detail::Connection>(
        shared, std::make_unique<MemoryStream>(context.get_executor(), wire), UnixPeer{});
    auto stop = connection->cancellation();
    shared->tasks.spawn("connection", serve(std::move(connection)), std::move(stop));
    context.run();

    require(shared->connections.empty(), "the connection did not end", wire.output);
    check(wire.output);
    return 0;
}
