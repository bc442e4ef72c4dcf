#include "api/detail/log_route.h"

#include <boost/asio/this_coro.hpp>

#include "api/detail/log_feed.h"
#include "api/detail/stream_form.h"
#include "core/json.h"
#include "net/event_stream.h"

namespace zona::api {

namespace asio = boost::asio;
using core::Code;
using core::Error;
using core::Result;
using process::Follow;

namespace {

/// Bytes of a raw file read and written at a time: one system call each.
constexpr std::size_t kRawBlock = 256UL * 1024;

struct LogRequest {
    LogSelection selection;
    StreamForm form = StreamForm::kLines;
};

Result<LogRequest> read_request(const Call& call, const core::Clock& clock) {
    LogRequest out;
    LogSelection& wanted = out.selection;
    out.form = stream_form(call);
    choose_stream(wanted, call.text("stream").value_or("all"));
    wanted.lines = static_cast<std::size_t>(call.integer("lines").value_or(0));
    if (const auto since = call.text("since")) {
        ZONA_TRY(wanted.since, read_since(*since, clock));
    }
    wanted.cursor = call.text("cursor").value_or("");
    const bool follows = call.flag("follow") || out.form == StreamForm::kEvents;
    wanted.follow = follows ? Follow::kYes : Follow::kNo;
    if (out.form == StreamForm::kEvents) {
        if (const auto last = net::last_event_id(call.request())) wanted.cursor = *last;
    }
    return out;
}

std::string cursor_object(const LogFeed& feed) {
    std::string out = R"({"cursor":)";
    core::append_json_string(out, feed.cursor());
    out += '}';
    return out;
}

asio::awaitable<Result<void>> send_lines(std::shared_ptr<LogFeed> feed, Follow follow,
                                         net::BodyWriter& writer) {
    std::string text;
    for (;;) {
        // Armed before the read: what comes after the read rings again.
        if (follow == Follow::kYes) feed->rearm();
        text.clear();
        ZONA_CO_TRY(const std::size_t lines, feed->append_lines(text, "", "\n"));
        if (lines > 0) {
            if (follow == Follow::kYes) text += cursor_object(*feed) + '\n';
            ZONA_CO_TRY_VOID(co_await writer.write(text));
            continue;
        }
        if (follow == Follow::kNo) co_return Result<void>();
        co_await feed->wait(core::Deadline::never());
    }
}

asio::awaitable<Result<void>> send_bytes(std::shared_ptr<LogFeed> feed, Follow follow,
                                         net::BodyWriter& writer) {
    for (;;) {
        if (follow == Follow::kYes) feed->rearm();
        ZONA_CO_TRY(const std::string_view bytes, feed->next_bytes(kRawBlock));
        if (!bytes.empty()) {
            ZONA_CO_TRY_VOID(co_await writer.write(bytes));
            continue;
        }
        if (follow == Follow::kNo) co_return Result<void>();
        co_await feed->wait(core::Deadline::never());
    }
}

/// One event a line, and one with the id behind each block.
asio::awaitable<Result<void>> send_events(std::shared_ptr<LogFeed> feed, const core::Clock& clock,
                                          net::EventStream& out) {
    std::string text;
    ZONA_CO_TRY_VOID(co_await out.heartbeat());  // the answer begins now, lines or not
    for (;;) {
        feed->rearm();
        text.clear();
        ZONA_CO_TRY(const std::size_t lines,
                    feed->append_lines(text, "event: log\ndata: ", "\n\n"));
        if (lines > 0) {
            const std::string cursor = feed->cursor();
            const std::string data = cursor_object(*feed);
            ZONA_CO_TRY(
                const std::string event,
                net::format_event({.id = cursor, .event = "cursor", .data = data, .retry = {}}));
            text += event;
            ZONA_CO_TRY_VOID(co_await out.send_formatted(text));
            continue;
        }
        const bool more = co_await feed->wait(core::Deadline::after(clock, kHeartbeat));
        if (!more) ZONA_CO_TRY_VOID(co_await out.heartbeat());
    }
}

}  // namespace

Result<net::Response> stream_logs(const Call& call, const std::vector<process::LogFiles>& files,
                                  process::Capture& capture, const core::Clock& clock,
                                  const asio::any_io_executor& executor) {
    ZONA_TRY(LogRequest wanted, read_request(call, clock));
    const Follow follow = wanted.selection.follow;
    auto feed = std::make_shared<LogFeed>(files, std::move(wanted.selection), capture, executor);
    if (wanted.form == StreamForm::kRaw && feed->files() != 1) {
        return Error(Code::kInvalidArgument,
                     "format=raw gives one file as it is: select one process, and say stream=out "
                     "or stream=err");
    }
    ZONA_TRY_VOID(feed->seek());
    if (wanted.form == StreamForm::kEvents) {
        return net::event_stream(
            [feed, &clock](net::EventStream& out) { return send_events(feed, clock, out); });
    }
    const auto end = follow == Follow::kYes ? net::StreamEnd::kOnDrain : net::StreamEnd::kByItself;
    if (wanted.form == StreamForm::kRaw) {
        return net::Response::streaming(
            "text/plain; charset=utf-8",
            [feed, follow](net::BodyWriter& writer) { return send_bytes(feed, follow, writer); },
            end);
    }
    return net::Response::streaming(
        "application/x-ndjson",
        [feed, follow](net::BodyWriter& writer) { return send_lines(feed, follow, writer); }, end);
}

}  // namespace zona::api
