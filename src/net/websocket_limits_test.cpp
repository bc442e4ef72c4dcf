// What a client of a WebSocket may not do, and what it gets for it.
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "net/testing/test_server.h"
#include "net/testing/websocket_client.h"

namespace zona::net {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

/// What the handler saw. Set on the server's thread before `ended`.
struct Seen {
    std::atomic<std::size_t> messages = 0;
    std::atomic<bool> ended = false;
    WebSocketClosed closed;
};

asio::awaitable<core::Result<void>> read_all(Seen& seen, WebSocket& socket) {
    while (true) {
        const WebSocketInput input = co_await socket.read();
        if (const auto* closed = std::get_if<WebSocketClosed>(&input)) {
            seen.closed = *closed;
            seen.ended = true;
            co_return core::Result<void>();
        }
        ++seen.messages;
    }
}

class WebSocketLimits : public testing::Test {
  protected:
    void start(const WebSocketOptions& socket = {}) {
        if (server_ != nullptr) server_->stop();
        seen_.ended = false;
        seen_.messages = 0;
        ServerOptions options = patient_options();
        options.linger_time = 1ms;
        server_ = std::make_unique<TestServer>(options);
        server_->route(Method::kGet, "/ws", [this, socket](Request&) {
            auto body = [this](WebSocket& open) { return read_all(seen_, open); };
            return core::Result<Response>(Response::websocket(body, socket));
        });
        server_->start();
    }
    void TearDown() override {
        if (server_ != nullptr) server_->stop();
    }
    /// Sends `bytes`, sees the close frame and the end, and that the handler was told.
    Frame closed_for(const std::string& bytes) {
        WebSocketClient client(server_->endpoint());
        client.send(bytes);
        const Frame close = client.read_message();
        EXPECT_EQ(close.opcode, kClose);
        EXPECT_TRUE(client.raw().closed_silently());
        EXPECT_TRUE(TestServer::eventually([&] { return seen_.ended.load(); }));
        EXPECT_EQ(seen_.closed.by, WebSocketEnd::kByServer);
        EXPECT_EQ(seen_.closed.code, close.code());
        seen_.ended = false;
        return close;
    }

    Seen seen_;
    std::unique_ptr<TestServer> server_;
};

TEST_F(WebSocketLimits, RefusesAnAnnouncedGigabyteAtOnce) {
    start();
    EXPECT_EQ(closed_for(frame_head(kBinary, 1U << 30U)).code(), CloseCode::kTooBig);
    EXPECT_EQ(closed_for(frame_head(kText, (1U << 20U) + 1)).code(), CloseCode::kTooBig);
    EXPECT_EQ(closed_for("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"s).code(),
              CloseCode::kTooBig);
}

TEST_F(WebSocketLimits, CountsTheFragmentsOfAMessageTogether) {
    WebSocketOptions options;
    options.message = core::ByteCount(10);
    start(options);
    EXPECT_EQ(closed_for(frame(kText, "123456", Final::kNo) + frame(kContinuation, "78901")).code(),
              CloseCode::kTooBig);
    EXPECT_EQ(seen_.messages, 0U);
    WebSocketClient client(server_->endpoint());
    client.send(frame(kText, "123456", Final::kNo) + frame(kContinuation, "7890") +
                frame(kText, "1234567890"));
    EXPECT_TRUE(TestServer::eventually([&] { return seen_.messages == 2; }));
}

TEST_F(WebSocketLimits, RefusesMoreFragments) {
    WebSocketOptions options;
    options.fragments = 5;
    start(options);
    std::string many = frame(kText, "", Final::kNo);
    for (int i = 0; i < 5; ++i)
        many += frame(kContinuation, "", Final::kNo);
    const Frame close = closed_for(many);
    EXPECT_EQ(close.code(), CloseCode::kPolicy);
    EXPECT_EQ(close.reason(), "a message has more than 5 fragments");
}

TEST_F(WebSocketLimits, RefusesAFloodOfControlFrames) {
    WebSocketOptions options;
    options.control_frames = 20;
    options.control_time = 1h;
    start(options);
    for (const int opcode : {kPing, kPong}) {
        WebSocketClient client(server_->endpoint());
        for (int i = 0; i < 20; ++i)
            client.send(frame(opcode, std::to_string(i)));
        client.send(frame(opcode, "one too many"));
        int pongs = 0;
        Frame next = client.read();
        while (next.opcode == kPong) {
            ++pongs;
            next = client.read();
        }
        EXPECT_LE(pongs, 20);
        EXPECT_EQ(next.code(), CloseCode::kPolicy);
        EXPECT_TRUE(next.reason().contains("more than 20 pings")) << next.reason();
        EXPECT_TRUE(client.raw().closed_silently());
    }
}

TEST_F(WebSocketLimits, RefusesMalformedFrames) {
    start();
    const std::string masked_ping = frame(kPing, "");
    for (const std::string& bad : std::vector<std::string>{
             "\x81\x02hi"s,                                     // not masked
             "\xc1\x80\0\0\0\0"s,                               // a reserved bit
             "\x83\x80\0\0\0\0"s,                               // a reserved kind of data
             "\x8b\x80\0\0\0\0"s,                               // a reserved kind of control
             frame(kPing, "", Final::kNo),                      // a control frame in fragments
             frame_head(kPing, 126) + std::string(126, 'x'),    // one that is too long
             frame(kContinuation, "x"),                         // the rest of nothing
             frame(kText, "x", Final::kNo) + frame(kText, ""),  // a message within another
             "\x81\xfe\0\x05\0\0\0\0hello"s,                    // a length longer than need be
             frame(kClose, "x"),                                // half a code
             frame(kClose, close_payload(1005)),                // codes that are never sent
             frame(kClose, close_payload(999)),
             frame(kClose, close_payload(1000, "\xff"))}) {  // a reason that is no text
        EXPECT_EQ(closed_for(bad).code(), CloseCode::kProtocolError) << testing::PrintToString(bad);
    }
    EXPECT_EQ(seen_.messages, 0U);
}

TEST_F(WebSocketLimits, RefusesATextThatIsNotUtf8) {
    start();
    for (const std::string& bad :
         {frame(kText, "\xc3\x28"), frame(kText, "\xed\xa0\x80"), frame(kText, "cut \xc3"),
          frame(kText, "cut \xc3", Final::kNo) + frame(kContinuation, ""),
          frame(kText, "\xf4\x90", Final::kNo) + frame(kContinuation, "\x80\x80")}) {
        EXPECT_EQ(closed_for(bad).code(), CloseCode::kBadText) << testing::PrintToString(bad);
    }
    WebSocketClient client(server_->endpoint());
    client.send(frame(kBinary, "\xc3\x28"));
    EXPECT_TRUE(TestServer::eventually([&] { return seen_.messages == 1; }));
}

TEST_F(WebSocketLimits, PingsASilentClientAsLongAsItAnswers) {
    WebSocketOptions options;
    options.ping_after = 1ms;
    options.pong_time = kPatience;
    options.control_frames = 1000;
    start(options);
    WebSocketClient client(server_->endpoint());
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(client.read().opcode, kPing);
        client.send(frame(kPong, ""));
    }
    EXPECT_FALSE(seen_.ended);
}

TEST_F(WebSocketLimits, ClosesWhenAPingIsNotAnswered) {
    WebSocketOptions options;
    options.ping_after = options.pong_time = 1ms;
    start(options);
    const Frame close = closed_for("");
    EXPECT_EQ(close.code(), CloseCode::kPolicy);
    EXPECT_EQ(close.reason(), "no answer to a ping");
}

asio::awaitable<core::Result<void>> leave(WebSocket&) {
    co_return core::Result<void>();
}

// The client's mistakes must not keep a socket that is being closed.
TEST_F(WebSocketLimits, HoldWhileTheServerWaitsForTheClientsClose) {
    WebSocketOptions options;
    options.close_time = kPatience;
    options.control_frames = 3;
    ServerOptions limits = patient_options();
    limits.linger_time = 1ms;
    server_ = std::make_unique<TestServer>(limits);
    server_->route(Method::kGet, "/ws", [options](Request&) {
        return core::Result<Response>(Response::websocket(leave, options));
    });
    server_->start();
    const std::string ping = frame(kPing, "x");
    for (const std::string& bad : {frame(kText, "\xff"), "\x81\x02hi"s,
                                   frame_head(kText, 1U << 30U), ping + ping + ping + ping}) {
        WebSocketClient client(server_->endpoint());
        EXPECT_EQ(client.read().code(), CloseCode::kNormal);
        client.send(bad);
        EXPECT_TRUE(client.raw().closed_silently()) << "and no second close frame";
    }
    for (const std::string& bad : {frame(kText, "\xff"), "\x81\x02hi"s}) {
        WebSocketClient client(server_->endpoint(), "", bad);
        EXPECT_EQ(client.read().opcode, kClose) << "whoever was first";
        EXPECT_TRUE(client.raw().closed_silently());
    }
}

}  // namespace
}  // namespace zona::net
