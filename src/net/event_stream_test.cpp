#include "net/event_stream.h"

#include <string>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include "net/testing/test_server.h"

namespace zona::net {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;
namespace asio = boost::asio;

std::string formatted(const ServerEvent& event) {
    return format_event(event).value();
}

TEST(EventFormat, HasAFieldForEachPart) {
    EXPECT_EQ(formatted({.id = "17", .event = "exit", .data = "{\"a\":1}", .retry = 2500ms}),
              "id: 17\nevent: exit\nretry: 2500\ndata: {\"a\":1}\n\n");
    EXPECT_EQ(formatted({.data = "x"}), "data: x\n\n");
}

// PM-63
TEST(EventFormat, NoLineOfTheDataBecomesAFieldOfItsOwn) {
    EXPECT_EQ(formatted({.data = "a\nb\r\nc\rid: 9\n\nevent: x"}),
              "data: a\ndata: b\ndata: c\ndata: id: 9\ndata: \ndata: event: x\n\n");
    EXPECT_EQ(formatted({.data = "a\n"}), "data: a\ndata: \n\n");
    EXPECT_EQ(formatted({.data = "\r\n"}), "data: \ndata: \n\n");
}

TEST(EventFormat, RefusesWhatWouldBeAnotherEvent) {
    for (const std::string_view bad : {"a\nb"sv, "a\r"sv, "\n"sv, "a\0b"sv}) {
        EXPECT_EQ(format_event({.id = bad, .data = "x"}).error().code(),
                  core::Code::kInvalidArgument);
    }
    EXPECT_FALSE(format_event({.event = "a\rdata: b", .data = "x"}).has_value());
    EXPECT_FALSE(format_event({.data = "x", .retry = -1ms}).has_value());
}

asio::awaitable<core::Result<void>> three_events(EventStream& out) {
    const ServerEvent first{.id = "1", .data = "one\ntwo"};
    ZONA_CO_TRY_VOID(co_await out.send(first));
    ZONA_CO_TRY_VOID(co_await out.heartbeat());
    const ServerEvent bad{.id = "2\n", .data = "never seen"};
    const core::Result<void> refused = co_await out.send(bad);
    if (refused.has_value()) co_return refused;
    co_return co_await out.send_formatted("data: shared\n\n");
}

TEST(EventStream, IsAStreamedBodyOfItsOwnType) {
    TestServer server;
    server.route(Method::kGet, "/events", [](Request&) { return event_stream(three_events); });
    server.start();
    RawClient raw(server.endpoint());

    const RawResponse response = raw.ask("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");

    EXPECT_EQ(response.header("Content-Type"), "text/event-stream");
    EXPECT_EQ(response.header("Cache-Control"), "no-store");
    EXPECT_EQ(response.body, "id: 1\ndata: one\ndata: two\n\n:\n\ndata: shared\n\n");
    EXPECT_TRUE(response.complete);
}

asio::awaitable<core::Result<void>> endless(EventStream& out) {
    ZONA_CO_TRY_VOID(co_await out.heartbeat());
    asio::steady_timer never(co_await asio::this_coro::executor,
                             asio::steady_timer::time_point::max());
    co_await never.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return core::Result<void>();
}

TEST(EventStream, ADrainEndsItInOrder) {
    TestServer server;
    server.route(Method::kGet, "/events", [](Request&) { return event_stream(endless); });
    server.start();
    RawClient raw(server.endpoint());
    raw.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
    raw.read_until(":\n\n");

    server.drain(kPatience);

    EXPECT_EQ(raw.read_until("0\r\n\r\n"), "\r\n0\r\n\r\n");
    server.join();
}

TEST(EventStream, FindsWhereAClientWas) {
    Request request;
    EXPECT_EQ(last_event_id(request), std::nullopt);
    request.headers.add("Last-Event-ID", "");
    EXPECT_EQ(last_event_id(request), std::nullopt);
    request.headers.set("Last-Event-ID", "41");
    EXPECT_EQ(last_event_id(request), "41");
}

}  // namespace
}  // namespace zona::net
