#include "api/detail/log_feed.h"

#include <algorithm>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "core/text.h"
#include "core/time_format.h"

namespace zona::api {

namespace asio = boost::asio;
using core::Result;
using process::LogFiles;
using process::LogReader;
using process::LogSource;
using process::LogStream;

std::vector<LogSource> sources_of(const std::vector<LogFiles>& files, const LogSelection& wanted,
                                  const process::Capture& capture) {
    std::vector<LogSource> out;
    const auto add = [&](const LogFiles& f, LogStream stream, const std::string& path) {
        // One file for both streams, or for several instances.
        if (std::ranges::find(out, path, &LogSource::path) != out.end()) return;
        out.push_back({.pm_id = f.pm_id,
                       .name = f.name,
                       .instance = f.instance,
                       .stream = stream,
                       .path = path,
                       .index_path = capture.index_path(path)});
    };
    for (const LogFiles& f : files) {
        if (wanted.out) add(f, LogStream::kOut, f.out_file);
        if (wanted.err) add(f, LogStream::kErr, f.error_file);
    }
    return out;
}

void choose_stream(LogSelection& selection, std::string_view stream) {
    selection.out = stream != "err";
    selection.err = stream != "out";
}

Result<core::SystemTime> read_since(std::string_view text, const core::Clock& clock) {
    if (auto time = core::parse_rfc3339(text)) return *time;
    const auto ago = core::parse_duration(text);
    if (!ago) {
        return core::Error(
            core::Code::kInvalidArgument,
            "since: give a time like 2026-01-31T12:00:00Z, or how long ago like 10m");
    }
    return clock.system() - *ago;
}

/// Sleeps until another thread wakes it; a wake before the sleep counts.
class LogFeed::Alarm : public std::enable_shared_from_this<Alarm> {
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

    asio::awaitable<bool> wait(core::Deadline deadline) {
        if (!rung_) {
            timer_.expires_at(deadline.moment());
            co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
        }
        co_return std::exchange(rung_, false);
    }

  private:
    asio::any_io_executor executor_;
    asio::steady_timer timer_;
    bool rung_ = false;
};

/// What the objects of a source begin with, up to the text: the time changes seldom.
struct LogFeed::Prefix {
    std::string fixed;
    std::string whole;
    std::optional<core::SystemTime> time;
};

LogFeed::LogFeed(std::vector<LogFiles> files, LogSelection selection, process::Capture& capture,
                 const asio::any_io_executor& executor)
    : selection_(std::move(selection)),
      capture_(capture),
      files_(std::move(files)),
      alarm_(std::make_shared<Alarm>(executor)) {
    open();
}

LogFeed::~LogFeed() = default;

void LogFeed::open() {
    reader_ =
        std::make_unique<LogReader>(sources_of(files_, selection_, capture_), selection_.follow);
    prefixes_.clear();
    for (const LogSource& source : reader_->sources()) {
        std::string fixed = fmt::format(R"({{"pm_id":{},"name":)", source.pm_id);
        core::append_json_string(fixed, source.name);
        fixed += fmt::format(R"(,"instance":{},"stream":"{}","time":)", source.instance,
                             process::to_string(source.stream));
        prefixes_.push_back({.fixed = fixed, .whole = fixed + R"(null,"line":)", .time = {}});
    }
    if (selection_.follow == process::Follow::kNo) return;
    std::vector<std::uint32_t> slots;
    for (const LogFiles& f : files_)
        slots.push_back(f.slot);
    subscription_ = capture_.subscribe(slots, [alarm = alarm_] { alarm->ring(); });
}

Result<void> LogFeed::seek() {
    if (!selection_.cursor.empty()) return reader_->seek(selection_.cursor);
    if (selection_.since) return reader_->seek_since(*selection_.since);
    return reader_->seek_tail(selection_.lines);
}

/// A file that a cursor does not know begins at its beginning.
Result<void> LogFeed::add(LogFiles files) {
    const std::string here = reader_->cursor();
    files_.push_back(std::move(files));
    open();
    ring();
    return reader_->seek(here);
}

bool LogFeed::has(std::uint32_t pm_id) const {
    return std::ranges::find(files_, pm_id, &LogFiles::pm_id) != files_.end();
}

void LogFeed::append_line(std::string& out, const process::LogLineView& line) {
    Prefix& prefix = prefixes_[line.source];
    if (line.time != prefix.time) {
        prefix.time = line.time;
        prefix.whole = prefix.fixed;
        prefix.whole += line.time ? '"' + core::to_rfc3339(*line.time) + '"' : "null";
        prefix.whole += R"(,"line":)";
    }
    out += prefix.whole;
    core::append_json_string(out, line.text);
    if (line.partial) out += R"(,"partial":true)";
    if (line.split) out += R"(,"split":true)";
    out += '}';
}

Result<std::size_t> LogFeed::append_lines(std::string& out, std::string_view before,
                                          std::string_view after) {
    return reader_->visit(kBlock, [&](const process::LogLineView& line) {
        out += before;
        append_line(out, line);
        out += after;
    });
}

Result<std::string_view> LogFeed::next_bytes(std::size_t max_bytes) {
    return reader_->next_bytes(max_bytes);
}

void LogFeed::rearm() {
    subscription_.rearm();
}

asio::awaitable<bool> LogFeed::wait(core::Deadline deadline) {
    return alarm_->wait(deadline);
}

void LogFeed::ring() {
    alarm_->ring();
}

}  // namespace zona::api
