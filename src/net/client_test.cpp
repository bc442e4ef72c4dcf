#include "net/client.h"

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "net/testing/test_server.h"

namespace zona::net {
namespace {

using namespace std::chrono_literals;

const core::RealClock kClock;

core::Deadline patience() {
    return core::Deadline::after(kClock, kPatience);
}

ClientRequest get(std::string_view target) {
    return {.target = target};
}

asio::awaitable<core::Result<void>> two_lines(BodyWriter& out) {
    ZONA_CO_TRY_VOID(co_await out.write("one\n"));
    ZONA_CO_TRY_VOID(co_await out.write("two\n"));
    co_return core::Result<void>();
}

/// Answers each connection's first bytes with a fixed text, and closes.
class ScriptedServer {
  public:
    explicit ScriptedServer(std::string answer, int connections = 1)
        : listener_(os::listen_unix(path_, 8).value()),
          thread_([this, answer = std::move(answer), connections] {
              for (int i = 0; i < connections; ++i)
                  serve(answer);
          }) {}
    ScriptedServer(const ScriptedServer&) = delete;
    ScriptedServer& operator=(const ScriptedServer&) = delete;
    ~ScriptedServer() { thread_.join(); }
    const std::string& path() const { return path_; }

  private:
    void serve(const std::string& answer) {
        const os::UniqueFd peer =
            os::UniqueFd::adopt(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        (void)os::wait_ready(peer.get(), os::WaitFor::kReadable, kPatience);
        std::array<char, 4096> buffer{};
        (void)os::receive_some(peer.get(), buffer);
        (void)os::send_some(peer.get(), answer);
    }

    core::TemporaryDirectory directory_;
    std::string path_ = directory_.path() + "/api.sock";
    os::UniqueFd listener_;
    std::thread thread_;
};

class ClientTest : public testing::Test {
  protected:
    void SetUp() override {
        server_.route(Method::kGet, "/ping", [](Request&) { return Response::success("1"); });
        server_.route(Method::kPost, "/echo", [](Request& r) { return Response::json(r.body); });
        server_.route(Method::kGet, "/lines", [](Request&) {
            return Response::streaming("application/x-ndjson", two_lines, StreamEnd::kByItself);
        });
        server_.route(Method::kGet, "/headers", [](Request& r) {
            return Response::json(std::string(r.headers.find("X-Mine").value_or("")));
        });
        server_.start();
    }

    TestServer server_;
};

TEST_F(ClientTest, AsksAndKeepsTheConnection) {
    HttpClient client(unix_transport(server_.endpoint()), kClock);
    Headers headers;
    headers.add("X-Mine", "yes");

    const auto first = client.request(get("/ping"), patience());
    const auto second = client.request({.target = "/headers", .headers = &headers}, patience());

    ASSERT_TRUE(first.has_value()) << first.error().message();
    EXPECT_EQ(first->status, 200);
    EXPECT_EQ(first->body, R"({"success":true,"data":1})");
    EXPECT_EQ(second->body, "yes");
    std::size_t open = 0;
    server_.on_server([&](Server& live) { open = live.connections(); });
    EXPECT_EQ(open, 1U);
}

TEST_F(ClientTest, SendsABodyOfAnySize) {
    HttpClient client(unix_transport(server_.endpoint()), kClock);
    Headers headers;
    headers.add("Content-Type", "application/json");
    for (const std::size_t size : {std::size_t{1}, std::size_t{1000}, std::size_t{1'000'000}}) {
        const std::string body(size, 'x');

        const auto answer = client.request(
            {.method = "POST", .target = "/echo", .headers = &headers, .body = body}, patience());

        ASSERT_TRUE(answer.has_value()) << answer.error().message();
        EXPECT_TRUE(answer->body == body);
    }
}

TEST_F(ClientTest, ReadsTheRefusalOfABodyThatTheServerDoesNotTake) {
    HttpClient client(unix_transport(server_.endpoint()), kClock);
    const std::string body(10'000'000, 'x');

    const auto answer =
        client.request({.method = "POST", .target = "/echo", .body = body}, patience());

    ASSERT_TRUE(answer.has_value()) << answer.error().message();
    EXPECT_EQ(answer->status, 413);
    EXPECT_EQ(client.request(get("/ping"), patience())->status, 200) << "on a new connection";
}

TEST_F(ClientTest, StreamsPieceByPiece) {
    HttpClient client(unix_transport(server_.endpoint()), kClock);
    std::string all;

    const auto answer = client.stream(
        get("/lines"),
        [&all](std::string_view piece) {
            all += piece;
            return Flow::kContinue;
        },
        patience());

    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, "");
    EXPECT_EQ(all, "one\ntwo\n");
}

TEST_F(ClientTest, StreamCollectsTheBodyOfARefusal) {
    HttpClient client(unix_transport(server_.endpoint()), kClock);

    const auto answer = client.stream(
        get("/nowhere"),
        [](std::string_view) {
            ADD_FAILURE();
            return Flow::kStop;
        },
        patience());

    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->status, 404);
    EXPECT_TRUE(answer->body.contains("NOT_FOUND"));
}

TEST_F(ClientTest, StreamStopsWhenTheSinkHasEnough) {
    HttpClient client(unix_transport(server_.endpoint()), kClock);
    int pieces = 0;

    const auto answer = client.stream(
        get("/lines"),
        [&pieces](std::string_view) {
            ++pieces;
            return Flow::kStop;
        },
        patience());

    EXPECT_TRUE(answer.has_value());
    EXPECT_EQ(pieces, 1);
    EXPECT_EQ(client.request(get("/ping"), patience())->status, 200);
}

TEST_F(ClientTest, ReplacesAConnectionThatTheServerClosed) {
    HttpClient client(unix_transport(server_.endpoint()), kClock);
    Headers headers;
    headers.add("Connection", "close");

    ASSERT_EQ(client.request({.target = "/ping", .headers = &headers}, patience())->status, 200);

    EXPECT_EQ(client.request(get("/ping"), patience())->status, 200);
}

TEST_F(ClientTest, RefusesWhatWouldBreakTheRequest) {
    HttpClient client(unix_transport(server_.endpoint()), kClock);
    Headers bad_value;
    bad_value.add("X", "a\r\nY: b");
    Headers bad_name;
    bad_name.add("X: y\r\nZ", "a");

    for (const auto& request : {get(""), get("/a b"), get("/a\r\nX: y"), get("/\xc3\xa4"),
                                ClientRequest{.method = "G ET", .target = "/"},
                                ClientRequest{.target = "/", .headers = &bad_value},
                                ClientRequest{.target = "/", .headers = &bad_name}}) {
        const auto answer = client.request(request, patience());
        ASSERT_FALSE(answer.has_value());
        EXPECT_EQ(answer.error().code(), core::Code::kInvalidArgument);
    }
}

TEST(Client, ReportsThatNobodyListensAsUnavailable) {
    const core::TemporaryDirectory directory;
    const std::string path = directory.path() + "/api.sock";
    HttpClient client(unix_transport(path), kClock);

    const auto absent = client.request(get("/ping"), patience());
    (void)os::listen_unix(path, 1).value();  // closed at once, the file stays
    const auto refused = client.request(get("/ping"), patience());

    EXPECT_EQ(absent.error().code(), core::Code::kUnavailable);
    EXPECT_TRUE(absent.error().message().contains(path));
    EXPECT_EQ(refused.error().code(), core::Code::kUnavailable);
}

TEST(Client, ReachesASocketBehindALongPath) {
    const core::TemporaryDirectory directory;
    std::string deep = directory.path();
    for (int i = 0; i < 4; ++i)
        deep += "/" + std::string(60, 'd');
    std::filesystem::create_directories(deep);
    const std::string path = deep + "/api.sock";
    const os::UniqueFd listener = os::listen_unix(path, 8).value();
    std::thread server([&listener] {
        const os::UniqueFd peer = os::UniqueFd::adopt(::accept(listener.get(), nullptr, nullptr));
        (void)os::send_some(peer.get(), "HTTP/1.1 204 No Content\r\n\r\n");
        (void)os::wait_ready(peer.get(), os::WaitFor::kReadable, kPatience);
    });
    HttpClient client(unix_transport(path), kClock);

    const auto answer = client.request(get("/ping"), patience());
    server.join();

    ASSERT_TRUE(answer.has_value()) << answer.error().message();
    EXPECT_EQ(answer->status, 204);
}

TEST(Client, GivesUpAtItsDeadline) {
    const core::TemporaryDirectory directory;
    const std::string path = directory.path() + "/api.sock";
    const os::UniqueFd silent = os::listen_unix(path, 8).value();
    HttpClient client(unix_transport(path), kClock);

    const auto answer = client.request(get("/ping"), core::Deadline::after(kClock, 2ms));

    EXPECT_EQ(answer.error().code(), core::Code::kTimeout);
}

TEST(Client, GivesUpAtItsDeadlineWhileItSends) {
    const core::TemporaryDirectory directory;
    const std::string path = directory.path() + "/api.sock";
    const os::UniqueFd silent = os::listen_unix(path, 8).value();
    HttpClient client(unix_transport(path), kClock);
    const std::string body(10'000'000, 'x');

    const auto answer = client.request({.method = "POST", .target = "/", .body = body},
                                       core::Deadline::after(kClock, 2ms));

    EXPECT_EQ(answer.error().code(), core::Code::kTimeout);
}

TEST(Client, TellsBrokenAnswersApart) {
    struct Case {
        std::string answer;
        core::Code code;
    };
    const std::vector<Case> cases = {
        {"", core::Code::kUnavailable},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", core::Code::kUnavailable},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
         core::Code::kUnavailable},
        {"+PONG\r\n", core::Code::kInternal},
        {"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + std::string(500, 'x'),
         core::Code::kTooLarge},
    };
    for (const Case& entry : cases) {
        const ScriptedServer server(entry.answer);
        HttpClient client(unix_transport(server.path()), kClock, core::ByteCount(100));

        const auto answer = client.request(get("/"), patience());

        ASSERT_FALSE(answer.has_value()) << entry.answer;
        EXPECT_EQ(answer.error().code(), entry.code) << answer.error().message();
    }
}

TEST(Client, ConnectsAnewAfterAnError) {
    const ScriptedServer server("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", 2);
    HttpClient client(unix_transport(server.path()), kClock);

    EXPECT_FALSE(client.request(get("/"), patience()).has_value());
    EXPECT_FALSE(client.request(get("/"), patience()).has_value());
}

/// Listens and never answers.
struct SilentServer {
    core::TemporaryDirectory directory;
    std::string path = directory.path() + "/api.sock";
    os::UniqueFd listener = os::listen_unix(path, 8).value();
};

TEST(ClientWatch, LooksUpWhenItsDescriptorIsReadable) {
    const SilentServer server;
    const os::Pipe pipe = os::make_pipe().value();
    ASSERT_TRUE(os::write_all(pipe.write.get(), "x"));
    HttpClient client(unix_transport(server.path), kClock);
    client.watch({pipe.read.get(), std::chrono::nanoseconds::max(),
                  [](IdleReason reason) -> core::Result<std::chrono::nanoseconds> {
                      EXPECT_EQ(reason, IdleReason::kReadable);
                      return core::Error(core::Code::kCancelled, "interrupted");
                  }});

    const auto answer = client.request(get("/ping"), patience());

    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().code(), core::Code::kCancelled);
}

TEST(ClientWatch, LooksUpInEachQuietUntilItSaysEnough) {
    const SilentServer server;
    HttpClient client(unix_transport(server.path), kClock);
    int looks = 0;
    client.watch({-1, 1ns, [&](IdleReason reason) -> core::Result<std::chrono::nanoseconds> {
                      EXPECT_EQ(reason, IdleReason::kQuiet);
                      if (++looks == 3) return core::Error(core::Code::kCancelled, "enough");
                      return 1ns;
                  }});

    EXPECT_EQ(client.request(get("/ping"), patience()).error().code(), core::Code::kCancelled);
    EXPECT_EQ(looks, 3);
}

TEST(ClientWatch, DeadlineEndsTheWaitWhateverIsWatched) {
    const SilentServer server;
    HttpClient client(unix_transport(server.path), kClock);
    client.watch({-1, 1h, [](IdleReason) -> core::Result<std::chrono::nanoseconds> { return 1h; }});

    EXPECT_EQ(client.request(get("/ping"), core::Deadline::after(kClock, 1ms)).error().code(),
              core::Code::kTimeout);
}

}  // namespace
}  // namespace zona::net
