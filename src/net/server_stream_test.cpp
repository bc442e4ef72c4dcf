// Streams, deadlines of handlers, draining, and what happens when descriptors run out.
#include <string>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "net/testing/test_server.h"

namespace zona::net {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;

constexpr std::string_view kPing = "GET /ping HTTP/1.1\r\nHost: zona\r\n\r\n";
constexpr std::string_view kStream = "GET /stream HTTP/1.1\r\nHost: zona\r\n\r\n";

/// A stream that a test directs. Used on the server's thread, but for the atomics.
struct Script {
    explicit Script(asio::io_context& context) : wake(context) {
        wake.expires_at(asio::steady_timer::time_point::max());
    }
    asio::steady_timer wake;
    std::string first = "first\n";
    std::string block;  ///< written over and over if not empty
    std::atomic<bool> started = false;
    std::atomic<bool> ended = false;
    std::atomic<std::size_t> written = 0;
    std::atomic<core::Code> result = core::Code::kInternal;
};

/// Marks the end of a body however it ends.
struct Ended {
    Script& script;
    ~Ended() { script.ended = true; }
};

/// Writes one line, then waits for the script's timer, which only a test or the server's
/// cancellation ends.
class Follow {
  public:
    explicit Follow(Script& script) : script_(&script) {}
    asio::awaitable<core::Result<void>> operator()(BodyWriter& out) const {
        const Ended ended{*script_};
        ZONA_CO_TRY_VOID(co_await out.write(script_->first));
        script_->started = true;
        const auto [error] = co_await script_->wake.async_wait(asio::as_tuple(asio::use_awaitable));
        script_->result = error ? core::Code::kCancelled : core::Code::kUnsupported;
        co_return core::Result<void>();
    }

  private:
    Script* script_;
};

/// Writes blocks until a write fails.
class Flood {
  public:
    explicit Flood(Script& script) : script_(&script) {}
    asio::awaitable<core::Result<void>> operator()(BodyWriter& out) const {
        const Ended ended{*script_};
        script_->started = true;
        while (true) {
            core::Result<void> taken = co_await out.write(script_->block);
            if (!taken.has_value()) {
                script_->result = taken.error().code();
                co_return taken;
            }
            ++script_->written;
        }
    }

  private:
    Script* script_;
};

asio::awaitable<core::Result<void>> three_lines(BodyWriter& out) {
    for (const std::string_view line : {"one\n", "", "two\n", "three\n"}) {
        ZONA_CO_TRY_VOID(co_await out.write(line));
    }
    co_return core::Result<void>();
}

asio::awaitable<core::Result<void>> fails_halfway(BodyWriter& out) {
    ZONA_CO_TRY_VOID(co_await out.write("half"));
    co_return core::Error(core::Code::kInternal, "the source broke");
}

asio::awaitable<core::Result<void>> throws_halfway(BodyWriter& out) {
    ZONA_CO_TRY_VOID(co_await out.write("half"));
    throw std::runtime_error("the source exploded");
}

template <class Body>
core::Result<Response> streaming(Body body, StreamEnd end = StreamEnd::kByItself) {
    return Response::streaming("application/x-ndjson", std::move(body), end);
}

/// A server with /ping and /stream.
class HttpStream : public testing::TestWithParam<Transport> {
  protected:
    void start(std::function<core::Result<Response>()> answer,
               const ServerOptions& options = patient_options()) {
        if (server_ != nullptr) server_->stop();
        script_.reset();  // its timer belongs to the server's context
        server_ = std::make_unique<TestServer>(options, GetParam());
        server_->route(Method::kGet, "/ping", [](Request&) { return Response::success("1"); });
        server_->route(Method::kGet, "/stream", [answer](Request&) { return answer(); });
        script_ = std::make_unique<Script>(server_->context());
        server_->start();
    }
    void TearDown() override {
        if (server_ != nullptr) server_->stop();
    }
    RawClient client() { return RawClient(server_->endpoint()); }

    std::unique_ptr<TestServer> server_;
    std::unique_ptr<Script> script_;
};

INSTANTIATE_TEST_SUITE_P(Over, HttpStream,
                         testing::Values(Transport::kUnix, Transport::kTcp, Transport::kTls),
                         name_of_transport);

TEST_P(HttpStream, SendsChunksAndKeepsTheConnection) {
    start([] { return streaming(three_lines); });
    RawClient raw = client();

    const RawResponse response = raw.ask(kStream);

    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.header("Transfer-Encoding"), "chunked");
    EXPECT_EQ(response.header("Content-Length"), "(none)");
    EXPECT_EQ(response.body, "one\ntwo\nthree\n");
    EXPECT_TRUE(response.complete);
    EXPECT_EQ(raw.ask(kPing).status, 200);
}

TEST_P(HttpStream, EndsByClosingForHttp10) {
    start([] { return streaming(three_lines); });
    RawClient raw = client();

    raw.send("GET /stream HTTP/1.0\r\n\r\n");
    const std::string all = raw.read_to_end();

    EXPECT_TRUE(all.ends_with("\r\n\r\none\ntwo\nthree\n")) << all;
    EXPECT_FALSE(all.contains("chunked"));
}

TEST_P(HttpStream, IsNotStartedForHead) {
    start([this] { return streaming(Follow(*script_)); });
    RawClient raw = client();

    EXPECT_EQ(raw.ask("HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD").status, 200);
    EXPECT_EQ(raw.ask(kPing).status, 200);
    EXPECT_FALSE(script_->started);
}

TEST_P(HttpStream, IsCutWhenItsBodyFails) {
    for (const auto& body : {fails_halfway, throws_halfway}) {
        start([body] { return streaming(body); });
        RawClient raw = client();

        const RawResponse response = raw.ask(kStream);

        EXPECT_EQ(response.status, 200);
        EXPECT_EQ(response.body, "half");
        EXPECT_FALSE(response.complete)
            << "no last chunk: the client sees that the rest is missing";
        EXPECT_EQ(server_->wait_for_lines("\"outcome\":\"cut\"", 1).size(), 1U);
        EXPECT_EQ(server_->wait_for_lines("a streamed body failed", 1).size(), 1U);
    }
}

TEST_P(HttpStream, AnIdleBodyIsCancelledWhenTheClientGoesAway) {
    start([this] { return streaming(Follow(*script_)); });
    RawClient raw = client();
    raw.send(kStream);
    raw.read_until("first\n");

    raw.close();

    EXPECT_TRUE(TestServer::eventually([&] { return script_->ended.load(); }));
    EXPECT_EQ(script_->result, core::Code::kCancelled);
    const auto lines = server_->wait_for_lines("\"outcome\":\"client_gone\"", 1);
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_TRUE(lines[0].contains("\"path\":\"/stream\""));
}

// TCP does not tell it from a client that has gone.
TEST_P(HttpStream, AClientThatOnlyEndsItsSendingGoesOnReading) {
    if (GetParam() != Transport::kUnix) {
        start([this] { return streaming(Follow(*script_)); });
        RawClient raw = client();
        raw.send(kStream);
        raw.end_output();
        EXPECT_TRUE(TestServer::eventually([&] { return script_->ended.load(); }));
        EXPECT_EQ(script_->result, core::Code::kCancelled);
        return;
    }
    start([this] { return streaming(Follow(*script_)); });
    RawClient raw = client();
    raw.send(kStream);
    raw.end_output();
    raw.read_until("first\n");

    EXPECT_EQ(client().ask(kPing).status, 200) << "a turn of the server's loop";
    EXPECT_FALSE(script_->ended);

    asio::post(server_->context(), [this] { script_->wake.cancel(); });
    EXPECT_EQ(raw.read_until("0\r\n\r\n"), "\r\n0\r\n\r\n");
}

TEST_P(HttpStream, AHalfClosedClientThatGoesAwayIsNoticed) {
    start([this] { return streaming(Follow(*script_)); });
    RawClient raw = client();
    raw.send(kStream);
    raw.end_output();
    raw.read_until("first\n");

    raw.close();

    EXPECT_TRUE(TestServer::eventually([&] { return script_->ended.load(); }));
    EXPECT_EQ(script_->result, core::Code::kCancelled);
}

TEST_P(HttpStream, ABlockedWriteIsCancelledWhenTheClientGoesAway) {
    start([this] { return streaming(Flood(*script_)); });
    script_->block = std::string(1U << 20U, 'x');
    RawClient raw = client();
    raw.send(kStream);
    raw.read_until("\r\n\r\n");

    raw.close();

    EXPECT_TRUE(TestServer::eventually([&] { return script_->ended.load(); }));
    EXPECT_EQ(script_->result, core::Code::kCancelled);
}

TEST_P(HttpStream, ASlowClientHoldsTheBodyBackAndIsCutOff) {
    ServerOptions options = patient_options();
    options.write_time = 3ms;
    start([this] { return streaming(Flood(*script_)); }, options);
    script_->block = std::string(16U << 20U, 'x');
    RawClient raw = client();

    raw.send(kStream);

    EXPECT_TRUE(TestServer::eventually([&] { return script_->ended.load(); }));
    EXPECT_LT(script_->written, 3U) << "the socket's buffer is far smaller than a block";
    EXPECT_EQ(server_->wait_for_lines("\"outcome\":\"client_gone\"", 1).size(), 1U);
}

TEST_P(HttpStream, KeepsARequestThatIsSentAheadForLater) {
    start([this] { return streaming(Follow(*script_)); });
    RawClient raw = client();
    raw.send(std::string(kStream) + std::string(kPing));
    raw.read_until("first\n");
    raw.send(kPing);
    EXPECT_EQ(client().ask(kPing).status, 200);

    asio::post(server_->context(), [this] { script_->wake.cancel(); });

    EXPECT_EQ(raw.read_until("0\r\n\r\n"), "\r\n0\r\n\r\n");
    EXPECT_EQ(raw.read().body, R"({"success":true,"data":1})");
    EXPECT_EQ(raw.read().body, R"({"success":true,"data":1})");
}

TEST_P(HttpStream, SendsALargePlainBody) {
    const std::string large(5'000'000, 'x');
    start([&] { return core::Result<Response>(Response::json(large)); });
    RawClient raw = client();

    const RawResponse response = raw.ask(kStream);

    EXPECT_TRUE(response.body == large);
    EXPECT_EQ(raw.ask(kPing).status, 200);
}

TEST_P(HttpStream, DrainEndsAnOpenEndedStreamInOrder) {
    start([this] { return streaming(Follow(*script_), StreamEnd::kOnDrain); });
    RawClient raw = client();
    raw.send(kStream);
    raw.read_until("first\n");
    ASSERT_TRUE(TestServer::eventually([&] { return script_->started.load(); }));

    server_->drain(kPatience);

    EXPECT_EQ(raw.read_until("0\r\n\r\n"), "\r\n0\r\n\r\n");
    server_->join();
    EXPECT_TRUE(server_->served());
}

TEST_P(HttpStream, DrainWaitsForAFiniteStream) {
    start([this] { return streaming(Follow(*script_)); });
    RawClient raw = client();
    raw.send(kStream);
    raw.read_until("first\n");
    ASSERT_TRUE(TestServer::eventually([&] { return script_->started.load(); }));

    server_->drain(kPatience);
    EXPECT_FALSE(script_->ended);
    asio::post(server_->context(), [this] { script_->wake.cancel(); });

    EXPECT_EQ(raw.read_until("0\r\n\r\n"), "\r\n0\r\n\r\n");
    EXPECT_TRUE(raw.closed_silently());
    server_->join();
}

TEST_P(HttpStream, DrainCutsWhatIsLeftAtItsDeadline) {
    start([this] { return streaming(Follow(*script_)); });
    RawClient raw = client();
    raw.send(kStream);
    raw.read_until("first\n");

    server_->drain(2ms);
    server_->join();

    EXPECT_TRUE(server_->served());
    EXPECT_EQ(raw.read_to_end(), "\r\n") << "the rest of the chunk, and no last chunk";
    EXPECT_EQ(server_->wait_for_lines("\"outcome\":\"cut\"", 1).size(), 1U);
}

/// Handlers that wait for the script's timer.
class HttpHandler : public HttpStream {
  protected:
    void start_waiting(const ServerOptions& options, RouteOptions route = {}) {
        server_ = std::make_unique<TestServer>(options);
        script_ = std::make_unique<Script>(server_->context());
        Script& script = *script_;
        server_->route(Method::kGet, "/ping", [](Request&) { return Response::success("1"); });
        ASSERT_TRUE(
            server_->router()
                .add(
                    Method::kGet, "/wait", [&script](Request&) { return wait(script); }, route)
                .has_value());
        ASSERT_TRUE(server_->router()
                        .add(
                            Method::kGet, "/stuck",
                            [&script](Request&) { return ignore_cancellation(script); }, route)
                        .has_value());
        server_->start();
    }

    static asio::awaitable<core::Result<Response>> wait(Script& script) {
        const Ended ended{script};
        script.started = true;
        const auto [error] = co_await script.wake.async_wait(asio::as_tuple(asio::use_awaitable));
        if (error) co_return core::Error(core::Code::kCancelled, "cancelled");
        co_return Response::success("\"waited\"");
    }

    /// Polls a flag, so that no cancellation reaches it.
    static asio::awaitable<core::Result<Response>> ignore_cancellation(Script& script) {
        const Ended ended{script};
        script.started = true;
        const auto executor = script.wake.get_executor();
        while (script.written == 0)
            co_await asio::post(executor, asio::use_awaitable);
        co_return Response::success("\"too late\"");
    }
};

TEST_F(HttpHandler, IsCancelledAtTheDeadlineAndAnswered504) {
    ServerOptions options = patient_options();
    options.request_time = 2ms;
    options.overtime = kPatience;
    start_waiting(options);
    RawClient raw = client();

    const RawResponse response = raw.ask("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");

    EXPECT_EQ(response.status, 504);
    EXPECT_TRUE(response.body.contains("\"code\":\"TIMEOUT\""));
    EXPECT_EQ(response.header("Connection"), "close");
    EXPECT_TRUE(script_->ended);
    const auto lines = server_->wait_for_lines("\"message\":\"request\"", 1);
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_TRUE(lines[0].contains("\"route\":\"/wait\",\"status\":504")) << lines[0];
}

TEST_F(HttpHandler, IsOvertakenWhenItIgnoresItsCancellation) {
    ServerOptions options = patient_options();
    options.request_time = 2ms;
    options.overtime = 1ms;
    start_waiting(options);
    RawClient raw = client();

    const RawResponse response = raw.ask("GET /stuck HTTP/1.1\r\nHost: x\r\n\r\n");

    EXPECT_EQ(response.status, 504);
    EXPECT_TRUE(response.body.contains("its effect may still come"));
    EXPECT_TRUE(raw.closed_silently());
    EXPECT_FALSE(script_->ended);
    EXPECT_EQ(client().ask(kPing).status, 200);
    script_->written = 1;
    EXPECT_TRUE(TestServer::eventually([&] { return script_->ended.load(); }));
    EXPECT_EQ(server_->wait_for_lines("\"path\":\"/stuck\"", 1).size(), 2U)
        << "the error and one access line, none for the late answer";
}

TEST_F(HttpHandler, TakesTheTimeThatItsRouteGives) {
    ServerOptions options = patient_options();
    options.request_time = 2ms;
    RouteOptions route;
    route.limits.time = 0ms;
    start_waiting(options, route);
    RawClient raw = client();
    raw.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(TestServer::eventually([&] { return script_->started.load(); }));

    std::this_thread::sleep_for(10ms);  // longer than the server's own limit: nothing may happen
    EXPECT_FALSE(script_->ended);
    asio::post(server_->context(), [this] { script_->wake.cancel(); });

    EXPECT_EQ(raw.read().status, 499) << "what the handler said when its timer was cancelled";
}

TEST_F(HttpHandler, DrainLetsItFinishAndClosesIdleConnections) {
    start_waiting(patient_options());
    RawClient idle = client();
    ASSERT_EQ(idle.ask(kPing).status, 200);
    RawClient fresh = client();
    RawClient raw = client();
    raw.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(TestServer::eventually([&] { return script_->started.load(); }));

    server_->drain(kPatience);

    EXPECT_TRUE(idle.closed_silently());
    EXPECT_FALSE(script_->ended);
    const RawResponse first = fresh.ask(kPing);
    EXPECT_EQ(first.status, 200) << "it had connected before the drain";
    EXPECT_EQ(first.header("Connection"), "close");
    asio::post(server_->context(), [this] { script_->wake.cancel(); });
    EXPECT_EQ(raw.read().header("Connection"), "close");
    server_->join();
    EXPECT_TRUE(server_->served());
}

TEST_F(HttpHandler, DrainLeavesTheBacklogToTheNextHolderOfTheSocket) {
    start_waiting(patient_options());

    server_->drain(kPatience);
    server_->join();

    EXPECT_FALSE(os::connect_unix(server_->endpoint()).has_value())
        << "nobody holds it in this test";
}

TEST_F(HttpHandler, StopCancelsIt) {
    start_waiting(patient_options());
    RawClient raw = client();
    raw.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(TestServer::eventually([&] { return script_->started.load(); }));

    server_->stop();

    EXPECT_TRUE(script_->ended);
    EXPECT_TRUE(server_->served());
    EXPECT_TRUE(raw.closed_silently());
}

TEST_F(HttpHandler, AClientThatGoesAwayDoesNotCancelIt) {
    start_waiting(patient_options());
    RawClient raw = client();
    raw.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(TestServer::eventually([&] { return script_->started.load(); }));

    raw.close();
    EXPECT_EQ(client().ask(kPing).status, 200);

    EXPECT_FALSE(script_->ended);
    asio::post(server_->context(), [this] { script_->wake.cancel(); });
    EXPECT_EQ(server_->wait_for_lines("\"outcome\":\"client_gone\"", 1).size(), 1U);
}

TEST_F(HttpHandler, ServesQueuedClientsWhenDescriptorsAreBack) {
    start_waiting(patient_options());
    RawClient waiting = client();
    ASSERT_EQ(waiting.ask(kPing).status, 200);
    rlimit saved{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &saved), 0);
    const int lowest_free = ::dup(0);
    ::close(lowest_free);
    // The client's own descriptor is the last that fits.
    const rlimit tight{static_cast<rlim_t>(lowest_free) + 1, saved.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);

    RawClient raw = client();
    raw.send(kPing);
    const auto lines = server_->wait_for_lines("cannot accept connections", 1);
    EXPECT_EQ(waiting.ask(kPing).status, 200) << "open connections go on";
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &saved), 0);

    EXPECT_EQ(raw.read().status, 200);
    EXPECT_EQ(lines.size(), 1U);
    const auto& failures = server_->metrics().counter("zona_http_accept_failures_total", "help");
    EXPECT_LT(failures.value(), 20U) << "it waits between attempts";
}

TEST(Server, RefusesWhatIsNoListeningSocket) {
    TestServer server;
    server.start();
    server.on_server([](Server& live) {
        auto pipe = os::make_pipe();
        const auto not_a_socket = live.listen(std::move(pipe->read));
        std::array<int, 2> ends{};
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
        os::UniqueFd other = os::UniqueFd::adopt(ends[1]);
        const auto not_listening = live.listen(os::UniqueFd::adopt(ends[0]));
        const auto silent = live.listen(os::UniqueFd::adopt(::socket(AF_INET, SOCK_STREAM, 0)));
        const auto other_type = live.listen(os::UniqueFd::adopt(::socket(AF_INET, SOCK_DGRAM, 0)));

        EXPECT_EQ(not_a_socket.error().code(), core::Code::kInvalidArgument);
        EXPECT_EQ(not_listening.error().code(), core::Code::kInvalidArgument);
        EXPECT_EQ(silent.error().code(), core::Code::kInvalidArgument);
        EXPECT_EQ(other_type.error().code(), core::Code::kUnsupported);
    });
}

}  // namespace
}  // namespace zona::net
