// LogFeed: the lines of several log files, rendered, for every form in which they are streamed.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "core/clock.h"
#include "core/deadline.h"
#include "core/result.h"
#include "process/capture.h"
#include "process/log_reader.h"
#include "process/supervisor.h"

namespace zona::api {

/// Which lines: `cursor` wins over `since`, which wins over `lines`.
struct LogSelection {
    bool out = true;
    bool err = true;
    std::size_t lines = 0;
    std::optional<core::SystemTime> since;
    std::string cursor;
    process::Follow follow = process::Follow::kNo;
};

/// The files with these lines, each once: streams and instances may share one.
std::vector<process::LogSource> sources_of(const std::vector<process::LogFiles>& files,
                                           const LogSelection& wanted,
                                           const process::Capture& capture);

/// "out", "err" or "all" into `selection`.
void choose_stream(LogSelection& selection, std::string_view stream);

/// A time, or how long ago. Errors: kInvalidArgument.
core::Result<core::SystemTime> read_since(std::string_view text, const core::Clock& clock);

/// The files are the buffer: nothing is read that its client has not asked for, so a slow one costs
/// nothing and loses nothing. Belongs to one executor, which runs one handler at a time.
class LogFeed {
  public:
    /// Bytes of lines rendered and written at a time.
    static constexpr std::size_t kBlock = 64UL * 1024;

    /// `capture` outlives it.
    LogFeed(std::vector<process::LogFiles> files, LogSelection selection, process::Capture& capture,
            const boost::asio::any_io_executor& executor);
    LogFeed(const LogFeed&) = delete;
    LogFeed& operator=(const LogFeed&) = delete;
    ~LogFeed();

    /// Stands where the selection says. Errors: those of LogReader's seeks.
    core::Result<void> seek();
    /// Also gives the lines of another process, all of them. Errors: those of LogReader::seek.
    core::Result<void> add(process::LogFiles files);
    bool has(std::uint32_t pm_id) const;

    /// How many files there are: one file for several streams or instances counts once.
    std::size_t files() const { return reader_->sources().size(); }

    /// Appends the next lines, about kBlock bytes of them, each as the object LogLine of
    /// docs/api.md between `before` and `after`. Returns how many; none at the end. Errors: those
    /// of LogReader::next.
    core::Result<std::size_t> append_lines(std::string& out, std::string_view before,
                                           std::string_view after);
    /// The next bytes of the only file. Errors and preconditions: LogReader::next_bytes.
    core::Result<std::string_view> next_bytes(std::size_t max_bytes);
    /// Where append_lines() goes on, for LogSelection::cursor.
    std::string cursor() const { return reader_->cursor(); }

    /// Before a read: what comes after it ends the next wait().
    void rearm();
    /// Waits until there may be more. False: `deadline` has passed.
    boost::asio::awaitable<bool> wait(core::Deadline deadline);
    /// Ends the present or the next wait().
    void ring();

  private:
    class Alarm;
    struct Prefix;
    void open();
    void append_line(std::string& out, const process::LogLineView& line);

    LogSelection selection_;
    process::Capture& capture_;
    std::vector<process::LogFiles> files_;
    std::unique_ptr<process::LogReader> reader_;
    std::vector<Prefix> prefixes_;  ///< of the reader's sources
    // Shared with what the capture still calls.
    std::shared_ptr<Alarm> alarm_;
    process::Subscription subscription_;
};

}  // namespace zona::api
