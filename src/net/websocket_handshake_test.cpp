// The opening handshake: what is upgraded, what is refused and how, and that all of it passes the
// chain like any other request.
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "net/testing/test_server.h"
#include "net/testing/websocket_client.h"

namespace zona::net {
namespace {

asio::awaitable<core::Result<void>> tell_subprotocol(WebSocket& socket) {
    const SharedText text = share("[" + socket.subprotocol() + "]");
    co_return co_await socket.write(text);
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
}

class WebSocketHandshake : public testing::Test {
  protected:
    void SetUp() override {
        server_.route(Method::kGet, "/ws", [this](Request&) -> core::Result<Response> {
            ++handled_;
            WebSocketOptions options;
            options.subprotocols = {"zona.v2", "zona.v1"};
            return Response::websocket(tell_subprotocol, options);
        });
        server_.route(Method::kGet, "/closed", [](Request&) -> core::Result<Response> {
            return core::Error(core::Code::kForbidden, "not for you");
        });
        server_.start();
    }
    RawResponse ask(const std::string& request, std::string_view method = "GET") {
        RawClient raw(server_.endpoint());
        return raw.ask(request, method);
    }

    int handled_ = 0;
    TestServer server_;
};

// PM-56
TEST_F(WebSocketHandshake, IsAnsweredWithTheFieldsOfEveryResponse) {
    WebSocketClient client(server_.endpoint(), "X-Correlation-Id: abc\r\n");

    const std::string& head = client.head();
    EXPECT_TRUE(head.starts_with("HTTP/1.1 101 Switching Protocols\r\n")) << head;
    EXPECT_TRUE(head.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
        << "the example of RFC 6455 section 1.3";
    EXPECT_TRUE(head.contains("\r\nUpgrade: websocket\r\n"));
    EXPECT_TRUE(head.contains("\r\nX-Correlation-Id: abc\r\n"));
    EXPECT_TRUE(head.contains("\r\nX-Content-Type-Options: nosniff\r\n"));
    EXPECT_TRUE(head.contains("\r\nDate: "));
    EXPECT_FALSE(head.contains("Beast"));
    EXPECT_FALSE(head.contains("Sec-WebSocket-Protocol"));
    EXPECT_EQ(client.read().payload, "[]");
    EXPECT_EQ(client.read().code(), CloseCode::kNormal);
    EXPECT_TRUE(client.finish());
    const auto lines = server_.wait_for_lines("\"message\":\"request\"", 1);
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_TRUE(lines[0].contains("\"route\":\"/ws\",\"status\":101")) << lines[0];
    EXPECT_TRUE(lines[0].contains("\"correlation_id\":\"abc\",\"outcome\":\"complete\""));
    const std::size_t sent = head.size() + 4 + 4;
    EXPECT_TRUE(lines[0].contains("\"bytes_out\":" + std::to_string(sent))) << lines[0];
    const std::size_t received =
        handshake("/ws", "X-Correlation-Id: abc\r\n").size() + frame(kClose, "12").size();
    EXPECT_TRUE(lines[0].contains("\"bytes_in\":" + std::to_string(received))) << lines[0];
}

TEST_F(WebSocketHandshake, AnswersTheFirstOfferedSubprotocolThatIsKnown) {
    for (const auto& [offer, answer] : std::vector<std::pair<std::string, std::string>>{
             {"Sec-WebSocket-Protocol: zona.v1, zona.v2\r\n", "zona.v1"},
             {"Sec-WebSocket-Protocol: soap,,zona.v2\r\n", "zona.v2"},
             {"Sec-WebSocket-Protocol: soap\r\nSec-WebSocket-Protocol:\tzona.v1 \r\n", "zona.v1"},
             {"Sec-WebSocket-Protocol: ZONA.V1, zona.v\r\n", ""}}) {
        WebSocketClient client(server_.endpoint(), offer);
        EXPECT_EQ(client.read().payload, "[" + answer + "]");
        EXPECT_EQ(client.head().contains("\r\nSec-WebSocket-Protocol: " + answer + "\r\n"),
                  !answer.empty());
    }
}

TEST_F(WebSocketHandshake, LeavesOffersOfCompressionUnanswered) {
    WebSocketClient client(
        server_.endpoint(),
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
    EXPECT_TRUE(client.head().starts_with("HTTP/1.1 101"));
    EXPECT_FALSE(client.head().contains("Sec-WebSocket-Extensions"));
}

TEST_F(WebSocketHandshake, WhatIsNoneGetsToKnowWhatIsSpoken) {
    const std::string good = handshake();
    for (const std::string& request :
         {replaced(good, "Upgrade: websocket\r\n", ""),
          replaced(good, "Upgrade: websocket\r\n", "Upgrade: h2c\r\n"),
          replaced(good, "Connection: Upgrade\r\n", ""),
          replaced(good, "Connection: Upgrade\r\n", "Connection: keep-alive\r\n"),
          replaced(good, "HTTP/1.1", "HTTP/1.0")}) {
        const RawResponse response = ask(request);
        EXPECT_EQ(response.status, 426) << request;
        EXPECT_EQ(response.header("Upgrade"), "websocket");
        EXPECT_TRUE(response.header("Connection").starts_with("upgrade"));
        EXPECT_TRUE(response.body.contains("\"code\":\"INVALID_ARGUMENT\"")) << response.body;
        EXPECT_TRUE(response.body.contains("correlation_id"));
    }
    EXPECT_EQ(ask(replaced(good, "GET", "HEAD"), "HEAD").status, 426);
    EXPECT_EQ(ask(replaced(good, "GET", "POST"), "POST").status, 405);
}

TEST_F(WebSocketHandshake, AnotherVersionGetsToKnowTheOneThatIsSpoken) {
    const std::string version = "Sec-WebSocket-Version: 13\r\n";
    for (const std::string& other :
         {std::string(), std::string("Sec-WebSocket-Version: 8\r\n"),
          std::string("Sec-WebSocket-Version: 013\r\n"), version + version}) {
        const RawResponse response = ask(replaced(handshake(), version, other));
        EXPECT_EQ(response.status, 426) << other;
        EXPECT_EQ(response.header("Sec-WebSocket-Version"), "13");
    }
}

TEST_F(WebSocketHandshake, ABadKeyIsRefusedAndTheConnectionGoesOn) {
    const std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    RawClient raw(server_.endpoint());
    for (const std::string& bad :
         {std::string(), key + key, std::string("Sec-WebSocket-Key: short\r\n"),
          std::string("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n"),
          std::string("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j?Q==\r\n")}) {
        const RawResponse response = raw.ask(replaced(handshake(), key, bad));
        EXPECT_EQ(response.status, 400) << bad;
        EXPECT_TRUE(response.body.contains("Sec-WebSocket-Key"));
    }
    raw.send(handshake());
    EXPECT_TRUE(raw.read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
}

// PM-56, PM-58
TEST_F(WebSocketHandshake, ARefusalOfTheChainIsAnOrdinaryResponse) {
    const RawResponse response = ask(handshake("/closed"));
    EXPECT_EQ(response.status, 403);
    EXPECT_TRUE(response.body.contains("\"code\":\"FORBIDDEN\""));
    EXPECT_EQ(ask(handshake("/nowhere")).status, 404);
    EXPECT_EQ(handled_, 0);
}

}  // namespace
}  // namespace zona::net
