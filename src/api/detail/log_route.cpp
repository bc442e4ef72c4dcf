#include "api/detail/log_route.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "core/json.h"
#include "core/text.h"
#include "core/time_format.h"
#include "process/log_reader.h"

namespace zona::api {

namespace asio = boost::asio;
using core::Code;
using core::Error;
using core::Result;
using process::LogReader;
using process::LogSource;
using process::LogStream;

namespace {

constexpr std::size_t kBlock = 64UL * 1024;  ///< bytes of lines rendered and written at a time

/// Sleeps until another thread wakes it; a wake before the sleep counts.
class Alarm : public std::enable_shared_from_this<Alarm> {
  public:
    explicit Alarm(asio::any_io_executor executor)
        : executor_(std::move(executor)), timer_(executor_) {}

    /// Any thread.
    void ring() {
        asio::post(executor_, [self = shared_from_this()] {
            self->rung_ = true;
            self->timer_.cancel();
        });
    }

    asio::awaitable<void> wait() {
        if (!rung_) {
            timer_.expires_at(asio::steady_timer::time_point::max());
            co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
        }
        rung_ = false;
    }

  private:
    asio::any_io_executor executor_;
    asio::steady_timer timer_;
    bool rung_ = false;
};

struct LogRequest {
    bool out = true;
    bool err = true;
    std::size_t lines = 0;
    std::optional<core::SystemTime> since;
    std::string cursor;
    bool follow = false;
};

Result<core::SystemTime> read_since(std::string_view text, const core::Clock& clock) {
    if (auto time = core::parse_rfc3339(text)) return *time;
    const auto ago = core::parse_duration(text);
    if (!ago) {
        return Error(Code::kInvalidArgument,
                     "since: give a time like 2026-01-31T12:00:00Z, or how long ago like 10m");
    }
    return clock.system() - *ago;
}

Result<LogRequest> read_request(const Call& call, const core::Clock& clock) {
    LogRequest out;
    const auto stream = call.text("stream");
    out.out = stream != "err";
    out.err = stream != "out";
    out.lines = static_cast<std::size_t>(call.integer("lines").value_or(0));
    if (const auto since = call.text("since")) {
        ZONA_TRY(out.since, read_since(*since, clock));
    }
    out.cursor = call.text("cursor").value_or("");
    out.follow = call.flag("follow");
    return out;
}

std::vector<LogSource> sources_of(const std::vector<process::LogFiles>& files,
                                  const LogRequest& wanted, const process::Capture& capture) {
    std::vector<LogSource> out;
    const auto add = [&](const process::LogFiles& f, LogStream stream, const std::string& path) {
        for (const LogSource& known : out) {
            if (known.path == path) return;  // one file for both streams, or for several instances
        }
        out.push_back({.pm_id = f.pm_id,
                       .name = f.name,
                       .instance = f.instance,
                       .stream = stream,
                       .path = path,
                       .index_path = capture.index_path(path)});
    };
    for (const process::LogFiles& f : files) {
        if (wanted.out) add(f, LogStream::kOut, f.out_file);
        if (wanted.err) add(f, LogStream::kErr, f.error_file);
    }
    return out;
}

void append_line(std::string& text, const LogReader& reader, const process::LogLine& line) {
    const LogSource& source = reader.sources()[line.source];
    text += "{\"pm_id\":";
    text += std::to_string(source.pm_id);
    text += ",\"name\":";
    core::append_json_string(text, source.name);
    text += ",\"instance\":";
    text += std::to_string(source.instance);
    text += ",\"stream\":\"";
    text += process::to_string(source.stream);
    text += "\",\"time\":";
    if (line.time) {
        text += '"';
        text += core::to_rfc3339(*line.time);
        text += '"';
    } else {
        text += "null";
    }
    text += ",\"line\":";
    core::append_json_string(text, line.text);
    if (line.partial) text += ",\"partial\":true";
    if (line.split) text += ",\"split\":true";
    text += "}\n";
}

/// What one stream of lines works with, owned by its body.
struct Streaming {
    LogReader reader;
    std::vector<std::uint32_t> slots;
    process::Capture& capture;
    bool follow;
};

asio::awaitable<Result<void>> run(std::shared_ptr<Streaming> streaming, net::BodyWriter& writer) {
    const auto executor = co_await asio::this_coro::executor;
    const auto alarm = std::make_shared<Alarm>(executor);
    process::Subscription subscription;
    if (streaming->follow) {
        subscription = streaming->capture.subscribe(streaming->slots, [alarm] { alarm->ring(); });
    }
    for (;;) {
        // Armed before the read: what comes after the read rings again.
        if (streaming->follow) subscription.rearm();
        std::string text;
        ZONA_CO_TRY(const auto lines, streaming->reader.next(kBlock));
        for (const process::LogLine& line : lines)
            append_line(text, streaming->reader, line);
        if (!lines.empty()) {
            if (streaming->follow) {
                text += "{\"cursor\":";
                core::append_json_string(text, streaming->reader.cursor());
                text += "}\n";
            }
            ZONA_CO_TRY_VOID(co_await writer.write(text));
            continue;
        }
        if (!streaming->follow) co_return Result<void>();
        co_await alarm->wait();
    }
}

}  // namespace

Result<net::Response> stream_logs(const Call& call, const std::vector<process::LogFiles>& files,
                                  process::Capture& capture, const core::Clock& clock) {
    ZONA_TRY(const LogRequest wanted, read_request(call, clock));
    auto streaming = std::make_shared<Streaming>(
        Streaming{.reader = LogReader(sources_of(files, wanted, capture),
                                      wanted.follow ? process::Follow::kYes : process::Follow::kNo),
                  .slots = {},
                  .capture = capture,
                  .follow = wanted.follow});
    for (const process::LogFiles& f : files)
        streaming->slots.push_back(f.slot);
    if (!wanted.cursor.empty()) {
        ZONA_TRY_VOID(streaming->reader.seek(wanted.cursor));
    } else if (wanted.since) {
        ZONA_TRY_VOID(streaming->reader.seek_since(*wanted.since));
    } else {
        ZONA_TRY_VOID(streaming->reader.seek_tail(wanted.lines));
    }
    return net::Response::streaming(
        "application/x-ndjson",
        [streaming = std::move(streaming)](net::BodyWriter& writer) {
            return run(streaming, writer);
        },
        wanted.follow ? net::StreamEnd::kOnDrain : net::StreamEnd::kByItself);
}

}  // namespace zona::api
