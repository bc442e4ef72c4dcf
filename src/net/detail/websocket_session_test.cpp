// A session over a stream that shows what is given to it.
#include "net/detail/websocket_session.h"

#include <string>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "core/clock.h"
#include "net/testing/websocket_client.h"

namespace zona::net::detail {
namespace {

/// Keeps where the written bytes stand; its peer says nothing.
class ShowingStream final : public Stream {
  public:
    explicit ShowingStream(const asio::any_io_executor& executor) : closed_(executor) {}

    asio::awaitable<core::Result<std::size_t>> read_some(std::span<char>) override {
        while (open_)
            co_await closed_.wait();
        co_return core::Error(core::Code::kCancelled, "closed");
    }
    asio::awaitable<core::Result<void>> write(std::span<const std::string_view> pieces) override {
        written.insert(written.end(), pieces.begin(), pieces.end());
        calls.push_back(pieces.size());
        co_return core::Result<void>();
    }
    asio::awaitable<void> wait_hangup() override { co_return; }
    void end_output() override {}
    void cancel() override {}
    void close() override {
        open_ = false;
        closed_.notify();
    }

    std::vector<std::string_view> written;
    std::vector<std::size_t> calls;

  private:
    Condition closed_;
    bool open_ = true;
};

asio::awaitable<void> run(WebSocketSession& session, const Request& request,
                          const Response& response, WebSocketBody& body, Stream& stream) {
    co_await session.run(request, response, body);
    stream.close();
}

asio::awaitable<core::Result<void>> write_both(WebSocket& socket, const SharedText& one,
                                               const SharedText& other) {
    ZONA_CO_TRY_VOID(co_await socket.write(one));
    co_return co_await socket.write(other);
}

// PM-69
TEST(WebSocketSession, WritesASharedMessageFromWhereItStands) {
    asio::io_context context(1);
    const core::RealClock clock;
    ShowingStream stream(context.get_executor());
    const auto deadlines = std::make_shared<DeadlineQueue>(context.get_executor(), clock);
    WebSocketOptions options;
    options.close_time = std::chrono::milliseconds(1);
    WebSocketSession session({.executor = context.get_executor(),
                              .deadlines = deadlines,
                              .clock = clock,
                              .stream = stream,
                              .write_time = kPatience,
                              .ahead = {}},
                             options, "");
    Request request;
    request.method = Method::kGet;
    request.headers.add("Sec-WebSocket-Version", "13");
    request.headers.add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    const SharedText small = share(std::string(1000, 's'));
    const SharedText large = share(std::string(1'000'000, 'l'));
    WebSocketBody body = [&](WebSocket& socket) { return write_both(socket, small, large); };
    const Response response;
    asio::co_spawn(context, run(session, request, response, body, stream), asio::detached);
    context.run();

    std::size_t in_place = 0;
    std::size_t total = 0;
    for (const std::string_view piece : stream.written) {
        total += piece.size();
        for (const SharedText& text : {small, large}) {
            if (piece.data() >= text->data() && piece.data() < text->data() + text->size())
                in_place += piece.size();
        }
    }
    EXPECT_EQ(in_place, small->size() + large->size()) << "no copy is made";
    EXPECT_LT(total - in_place, 500U) << "heads only";
    EXPECT_EQ(small.use_count(), 1) << "the session has let go";
}

}  // namespace
}  // namespace zona::net::detail
