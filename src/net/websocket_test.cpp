// Messages, closes and drains of WebSockets over real sockets.
#include <string>
#include <variant>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include "net/testing/test_server.h"
#include "net/testing/websocket_client.h"

namespace zona::net {
namespace {

using namespace std::chrono_literals;

/// What a handler tells its test. Set on the server's thread before `ended`.
struct Script {
    std::atomic<bool> started = false;
    std::atomic<bool> ended = false;
    std::atomic<bool> go = false;
    std::atomic<std::size_t> messages = 0;
    WebSocketClosed closed;
};

/// Marks the end of a handler however it ends.
struct Ended {
    Script& script;
    ~Ended() { script.ended = true; }
};

asio::awaitable<core::Result<void>> echo(Script& script, WebSocket& socket) {
    const Ended ended{script};
    script.started = true;
    while (true) {
        WebSocketInput input = co_await socket.read();
        if (const auto* closed = std::get_if<WebSocketClosed>(&input)) {
            script.closed = *closed;
            co_return core::Result<void>();
        }
        auto& message = std::get<WebSocketMessage>(input);
        ++script.messages;
        const SharedText text = share(std::move(message.data));
        const WebSocketKind kind = message.kind;
        ZONA_CO_TRY_VOID(co_await socket.write(text, kind));
    }
}

/// Until it is cancelled.
asio::awaitable<void> forever() {
    asio::steady_timer never(co_await asio::this_coro::executor,
                             asio::steady_timer::time_point::max());
    co_await never.async_wait(asio::as_tuple(asio::use_awaitable));
}

/// Waits for nothing that comes, without reading.
asio::awaitable<core::Result<void>> idle(Script& script, WebSocket& socket) {
    const Ended ended{script};
    ZONA_CO_TRY_VOID(co_await socket.write(share("hello")));
    script.started = true;
    co_await forever();
    co_return core::Result<void>();
}

/// Reads once, and then does not look any more.
asio::awaitable<core::Result<void>> read_once(Script& script, WebSocket& socket) {
    const Ended ended{script};
    co_await socket.read();
    script.started = true;
    co_await forever();
    co_return core::Result<void>();
}

asio::awaitable<core::Result<void>> flood(Script& script, WebSocket& socket) {
    const Ended ended{script};
    const SharedText block = share(std::string(16U << 20U, 'x'));
    script.started = true;
    while (true) {
        ZONA_CO_TRY_VOID(co_await socket.write(block));
        ++script.messages;
    }
}

asio::awaitable<core::Result<void>> write_one(WebSocket& socket, SharedText text) {
    co_return co_await socket.write(std::move(text));
}

/// Three writes at once.
asio::awaitable<core::Result<void>> write_together(Script&, WebSocket& socket) {
    using namespace asio::experimental::awaitable_operators;
    auto one = write_one(socket, share("one"));
    auto two = write_one(socket, share(std::string(300'000, '2')));
    auto three = write_one(socket, share("three"));
    auto all = std::move(one) && std::move(two) && std::move(three);
    co_await std::move(all);
    co_return core::Result<void>();
}

asio::awaitable<core::Result<void>> pump(WebSocket& socket) {
    const SharedText text = share("tick");
    ZONA_CO_TRY_VOID(co_await socket.write(text));
    co_await forever();
    co_return core::Result<void>();
}

/// What a stream of updates does: it writes by itself and takes commands.
asio::awaitable<core::Result<void>> write_and_read(Script& script, WebSocket& socket) {
    using namespace asio::experimental::awaitable_operators;
    auto writing = pump(socket);
    auto reading = echo(script, socket);
    auto both = std::move(writing) || std::move(reading);
    co_await std::move(both);
    co_return core::Result<void>();
}

asio::awaitable<core::Result<void>> close_with_reason(Script& script, WebSocket& socket) {
    const Ended ended{script};
    ZONA_CO_TRY_VOID(co_await socket.write(share("last words")));
    socket.close(static_cast<CloseCode>(4001), "so long" + std::string(200, 'x') + "\xc3\xa9");
    const WebSocketInput input = co_await socket.read();
    script.closed = std::get<WebSocketClosed>(input);
    const core::Result<void> late = co_await socket.write(share("too late"));
    if (late.has_value()) co_return core::Error(core::Code::kInternal, "it was sent");
    co_return core::Result<void>();
}

asio::awaitable<core::Result<void>> fail(Script&, WebSocket&) {
    co_return core::Error(core::Code::kInternal, "the source broke");
}
asio::awaitable<core::Result<void>> throw_up(Script&, WebSocket& socket) {
    ZONA_CO_TRY_VOID(co_await socket.write(share("half")));
    throw std::runtime_error("the source exploded");
}
asio::awaitable<core::Result<void>> leave(Script& script, WebSocket&) {
    script.ended = true;
    co_return core::Result<void>();
}

/// Reads nothing until the test says so.
asio::awaitable<core::Result<void>> read_later(Script& script, WebSocket& socket) {
    script.started = true;
    asio::steady_timer pause(co_await asio::this_coro::executor);
    while (!script.go) {
        pause.expires_after(1ms);
        co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    co_return co_await echo(script, socket);
}

using Body = asio::awaitable<core::Result<void>> (*)(Script&, WebSocket&);

class WebSocketOver : public testing::TestWithParam<Transport> {
  protected:
    void start(Body body, WebSocketOptions socket = {},
               const ServerOptions& options = patient_options()) {
        server_ = std::make_unique<TestServer>(options, GetParam());
        server_->route(Method::kGet, "/ws", [this, body, socket](Request&) {
            auto bound = [this, body](WebSocket& open) { return body(script_, open); };
            return core::Result<Response>(Response::websocket(bound, socket));
        });
        server_->route(Method::kGet, "/ping", [](Request&) { return Response::success("1"); });
        server_->start();
    }
    void TearDown() override {
        if (server_ != nullptr) server_->stop();
    }
    WebSocketClient client(std::string_view ahead = "") {
        return WebSocketClient(server_->endpoint(), "", ahead);
    }
    void wait_for_end() {
        ASSERT_TRUE(TestServer::eventually([&] { return script_.ended.load(); }));
    }
    std::size_t ended_as(std::string_view outcome) {
        return server_->wait_for_lines("\"outcome\":\"" + std::string(outcome) + "\"", 1).size();
    }

    Script script_;
    std::unique_ptr<TestServer> server_;
};

INSTANTIATE_TEST_SUITE_P(Transports, WebSocketOver,
                         testing::Values(Transport::kUnix, Transport::kTcp), name_of_transport);

TEST_P(WebSocketOver, CarriesMessagesOfEverySizeAndKind) {
    start(echo);
    WebSocketClient socket = client();
    for (const std::size_t size : {0U, 1U, 125U, 126U, 65'535U, 65'536U, 1'000'000U}) {
        const std::string text(size, 'x');
        socket.send_text(text);
        const Frame back = socket.read();
        EXPECT_EQ(back.opcode, kText);
        EXPECT_TRUE(back.payload == text) << size;
    }
    socket.send(frame(kBinary, std::string("\0\xff", 2)));
    const Frame back = socket.read();
    EXPECT_EQ(back.opcode, kBinary);
    EXPECT_EQ(back.payload, std::string("\0\xff", 2));
}

TEST_P(WebSocketOver, PutsFragmentsTogetherAndAnswersPingsBetweenThem) {
    start(echo);
    WebSocketClient socket = client();
    socket.send(frame(kText, "Gr\xc3", Final::kNo) + frame(kPing, "still there?") +
                frame(kContinuation, "", Final::kNo) +
                frame(kContinuation, "\xbc\xc3\x9f", Final::kYes));

    const Frame pong = socket.read();
    EXPECT_EQ(pong.opcode, kPong);
    EXPECT_EQ(pong.payload, "still there?");
    EXPECT_EQ(socket.read().payload, "Gr\xc3\xbc\xc3\x9f");
}

TEST_P(WebSocketOver, GivesTheHandlerWhatCameRightBehindTheRequest) {
    start(echo);
    std::string ahead;
    for (int i = 0; i < 40; ++i)
        ahead += frame(kText, "message " + std::to_string(i) + std::string(100, '.'));
    WebSocketClient socket = client(ahead);
    for (int i = 0; i < 40; ++i)
        EXPECT_TRUE(socket.read().payload.starts_with("message " + std::to_string(i) + "."));
    socket.send(frame(kClose, close_payload(1000)));
    EXPECT_EQ(socket.read().code(), CloseCode::kNormal);
    EXPECT_TRUE(socket.raw().closed_silently());
    EXPECT_EQ(server_
                  ->wait_for_lines(
                      "\"bytes_in\":" + std::to_string(handshake().size() + ahead.size() + 8), 1)
                  .size(),
              1U);
}

TEST_P(WebSocketOver, AnswersPingsWhileTheHandlerDoesSomethingElse) {
    start(idle);
    WebSocketClient socket = client();
    EXPECT_EQ(socket.read().payload, "hello");
    socket.send(frame(kPing, "1") + frame(kPong, "unasked") + frame(kPing, ""));
    EXPECT_EQ(socket.read().payload, "1");
    const Frame second = socket.read();
    EXPECT_EQ(second.opcode, kPong);
    EXPECT_EQ(second.payload, "");
}

TEST_P(WebSocketOver, AnswersTheClientsCloseAndTellsTheHandler) {
    start(echo);
    WebSocketClient socket = client();
    socket.send_text("first");
    EXPECT_EQ(socket.read().payload, "first");

    socket.send(frame(kClose, close_payload(4321, "done")));

    EXPECT_EQ(static_cast<int>(socket.read().code()), 4321);
    EXPECT_TRUE(socket.raw().closed_silently());
    wait_for_end();
    EXPECT_EQ(script_.closed.by, WebSocketEnd::kByClient);
    EXPECT_EQ(static_cast<int>(script_.closed.code), 4321);
    EXPECT_EQ(script_.closed.reason, "done");
    EXPECT_EQ(script_.messages, 1U);
    EXPECT_EQ(ended_as("complete"), 1U);
}

TEST_P(WebSocketOver, AClientMayCloseWithoutACode) {
    start(echo);
    WebSocketClient socket = client();
    socket.send(frame(kClose, ""));
    EXPECT_EQ(socket.read().opcode, kClose);
    EXPECT_TRUE(socket.raw().closed_silently());
    wait_for_end();
    EXPECT_EQ(script_.closed.by, WebSocketEnd::kByClient);
    EXPECT_EQ(script_.closed.code, CloseCode::kNoCode);
}

TEST_P(WebSocketOver, CancelsAHandlerThatDoesNotReadWhenTheClientCloses) {
    start(idle);
    WebSocketClient socket = client();
    EXPECT_EQ(socket.read().payload, "hello");
    EXPECT_TRUE(TestServer::eventually([&] { return script_.started.load(); }));
    socket.send(frame(kClose, close_payload(1000)));
    EXPECT_EQ(socket.read().code(), CloseCode::kNormal);
    wait_for_end();
    EXPECT_EQ(ended_as("complete"), 1U);
}

TEST_P(WebSocketOver, CancelsAHandlerThatIsToldAndDoesNotEnd) {
    WebSocketOptions options;
    options.handler_time = 1ms;
    start(read_once, options);
    WebSocketClient socket = client();
    socket.send_text("go");
    EXPECT_TRUE(TestServer::eventually([&] { return script_.started.load(); }));
    socket.send(frame(kClose, close_payload(1000)));
    EXPECT_EQ(socket.read().code(), CloseCode::kNormal);
    wait_for_end();
    EXPECT_EQ(ended_as("complete"), 1U);
}

TEST_P(WebSocketOver, EndsAHandlerThatReadsAndWritesAtTheSameTime) {
    start(write_and_read);
    WebSocketClient socket = client();
    EXPECT_EQ(socket.read().payload, "tick");
    socket.send_text("command");
    EXPECT_EQ(socket.read().payload, "command");
    socket.send(frame(kClose, close_payload(1000)));
    wait_for_end();
    EXPECT_EQ(script_.closed.by, WebSocketEnd::kByClient);
}

TEST_P(WebSocketOver, NoticesAClientThatIsGoneOrEndsItsSending) {
    for (const bool closes : {true, false}) {
        start(echo);
        WebSocketClient socket = client();
        socket.send_text("there");
        EXPECT_EQ(socket.read().payload, "there");
        if (closes) {
            socket.raw().close();
        } else {
            socket.raw().end_output();
            EXPECT_TRUE(socket.raw().closed_silently()) << "without a close frame nothing is said";
        }
        wait_for_end();
        EXPECT_EQ(script_.closed.by, WebSocketEnd::kLost);
        EXPECT_EQ(script_.closed.code, CloseCode::kLost);
        EXPECT_EQ(ended_as("client_gone"), 1U);
        server_->stop();
        script_.ended = false;
    }
}

TEST_P(WebSocketOver, ClosesWithTheHandlersCodeAndReason) {
    start(close_with_reason);
    WebSocketClient socket = client();
    EXPECT_EQ(socket.read().payload, "last words");
    const Frame close = socket.read();
    EXPECT_EQ(static_cast<int>(close.code()), 4001);
    EXPECT_EQ(close.reason(), "so long" + std::string(116, 'x'));
    wait_for_end();
    EXPECT_EQ(script_.closed.by, WebSocketEnd::kByServer);
    socket.send_text("still sending") && socket.send(frame(kPing, ""));
    EXPECT_TRUE(socket.finish(4001));
    EXPECT_EQ(ended_as("complete"), 1U);
}

TEST_P(WebSocketOver, ClosesNormallyWhenTheHandlerReturns) {
    start(leave);
    WebSocketClient socket = client();
    EXPECT_EQ(socket.read().code(), CloseCode::kNormal);
    EXPECT_EQ(client().read().code(), CloseCode::kNormal) << "the first does not hold others up";
    EXPECT_TRUE(socket.finish());
}

TEST_P(WebSocketOver, DoesNotWaitForeverForTheClientsClose) {
    WebSocketOptions options;
    options.close_time = 1ms;
    ServerOptions server = patient_options();
    server.linger_time = 1ms;
    start(leave, options, server);
    WebSocketClient socket = client();
    EXPECT_EQ(socket.read().code(), CloseCode::kNormal);
    EXPECT_TRUE(socket.raw().closed_silently());
    EXPECT_EQ(ended_as("complete"), 1U);
}

// PM-64
TEST_P(WebSocketOver, AHandlerThatFailsClosesWith1011AndTellsNothing) {
    for (const Body body : {fail, throw_up}) {
        start(body);
        WebSocketClient socket = client();
        Frame close = socket.read();
        if (close.opcode == kText) close = socket.read();
        EXPECT_EQ(close.code(), CloseCode::kInternalError);
        EXPECT_FALSE(close.reason().contains("source"));
        EXPECT_TRUE(socket.finish(1011));
        EXPECT_EQ(ended_as("cut"), 1U);
        EXPECT_EQ(server_->wait_for_lines("the handler of a WebSocket failed", 1).size(), 1U);
        server_->stop();
    }
}

TEST_P(WebSocketOver, SendsWritesOfOneTimeInTheirOrder) {
    start(write_together);
    WebSocketClient socket = client();
    EXPECT_EQ(socket.read().payload, "one");
    EXPECT_EQ(socket.read().payload.size(), 300'000U);
    EXPECT_EQ(socket.read().payload, "three");
    EXPECT_EQ(socket.read().code(), CloseCode::kNormal);
}

// PM-55
TEST_P(WebSocketOver, CutsASlowReaderAndNobodyElse) {
    ServerOptions options = patient_options();
    options.write_time = 3ms;
    start(flood, {}, options);
    WebSocketClient socket = client();
    wait_for_end();
    EXPECT_EQ(script_.messages, 0U) << "the socket's buffer is far smaller than a message";
    EXPECT_EQ(ended_as("client_gone"), 1U);
    EXPECT_EQ(RawClient(server_->endpoint()).ask("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n").status,
              200);
}

TEST_P(WebSocketOver, HoldsAClientBackThatSendsMoreThanIsRead) {
    WebSocketOptions options;
    options.waiting_messages = 2;
    start(read_later, options);
    WebSocketClient socket = client();
    for (int i = 0; i < 5; ++i)
        socket.send_text(std::to_string(i));
    socket.send(frame(kPing, "behind"));
    ASSERT_TRUE(TestServer::eventually([&] { return script_.started.load(); }));
    EXPECT_EQ(RawClient(server_->endpoint()).ask("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n").status,
              200)
        << "a turn of the server's loop";

    script_.go = true;

    std::vector<std::string> texts;
    while (texts.size() < 5) {
        const Frame next = socket.read();
        if (next.opcode == kText) texts.push_back(next.payload);
        if (next.opcode == kPong) {
            EXPECT_GE(script_.messages, 2U) << "the ping stood behind what had no room";
        }
        if (next.opcode == kEnd) break;
    }
    EXPECT_EQ(texts, (std::vector<std::string>{"0", "1", "2", "3", "4"}));
}

TEST_P(WebSocketOver, ADrainClosesWith1001AndWaitsForTheClient) {
    for (const Body body : {Body{echo}, Body{idle}}) {
        start(body);
        WebSocketClient socket = client();
        ASSERT_TRUE(TestServer::eventually([&] { return script_.started.load(); }));

        server_->drain(kPatience);

        Frame close = socket.read();
        if (close.opcode == kText) close = socket.read();
        EXPECT_EQ(close.code(), CloseCode::kGoingAway);
        wait_for_end();
        EXPECT_FALSE(server_->served()) << "the client's close is waited for";
        EXPECT_TRUE(socket.finish(1001));
        server_->join();
        EXPECT_TRUE(server_->served());
        script_.started = script_.ended = false;
    }
}

TEST_P(WebSocketOver, ADrainDoesNotWaitForAClientThatDoesNotAnswer) {
    WebSocketOptions options;
    options.close_time = 1ms;
    ServerOptions server = patient_options();
    server.linger_time = 1ms;
    start(echo, options, server);
    WebSocketClient socket = client();
    ASSERT_TRUE(TestServer::eventually([&] { return script_.started.load(); }));

    server_->drain(kPatience);
    server_->join();

    EXPECT_EQ(socket.read().code(), CloseCode::kGoingAway);
    EXPECT_TRUE(socket.raw().closed_silently());
}

TEST_P(WebSocketOver, AStopCutsItAndCancelsTheHandler) {
    for (const Body body : {Body{echo}, Body{idle}, Body{flood}}) {
        start(body);
        WebSocketClient socket = client();
        ASSERT_TRUE(TestServer::eventually([&] { return script_.started.load(); }));

        server_->stop();

        EXPECT_TRUE(script_.ended);
        EXPECT_TRUE(server_->served());
        script_.started = script_.ended = false;
    }
}

TEST_P(WebSocketOver, CountsAgainstTheConnections) {
    ServerOptions options = patient_options();
    options.connections = 2;
    start(echo, {}, options);
    WebSocketClient one = client();
    WebSocketClient two = client();
    EXPECT_TRUE(two.head().starts_with("HTTP/1.1 101"));
    EXPECT_TRUE(client().head().starts_with("HTTP/1.1 503"));
}

}  // namespace
}  // namespace zona::net
