/// @file
/// From the log stream of the API to lines on the screen, exactly once each.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/detail/console.h"
#include "cli/detail/model.h"
#include "cli/detail/options.h"
#include "core/result.h"

namespace zona::cli {

/// One line of a log, as the stream carries it.
struct LogLine {
    std::int64_t pm_id = 0;
    std::string name;
    std::string stream;  ///< out or err
    std::string text;
};

/// Prints a log stream over any number of connections. One thread.
///
/// The stream carries a cursor now and then. What comes before the first one is the history: it is
/// held back, so that a connection that breaks inside it can be replaced by a new one from the
/// beginning, and printed file by file under headers. Afterwards lines are printed as they come; on
/// a new connection that resumes at the cursor, the lines that were printed since are skipped, file
/// by file. So no line is lost and none is shown twice, whenever the connection breaks. (Only a
/// daemon that paused inside the history without a cursor can make it show the history twice.)
class LogPrinter {
  public:
    /// `console` outlives it. `processes` name the files of the headers and the width of the names.
    LogPrinter(const LogsOptions& options, OutputFormat format, std::span<const Process> processes,
               Console& console);

    /// The next bytes of the present connection. Errors: kInternal: a line that is no JSON object.
    core::Result<void> feed(std::string_view bytes);
    /// Prints the history that is held back, if it is: when the stream pauses, and at its end.
    void release();
    /// The connection broke. The next one resumes at cursor(), from the beginning if that is empty.
    void begin_again();

    const std::string& cursor() const { return cursor_; }
    /// Whether history is held back that release() would print.
    bool holds() const { return holds_; }
    /// Whether a new connection can take over without loss or repetition: the history is still held
    /// back, or a cursor came.
    bool can_resume() const { return holds_ || !cursor_.empty(); }

  private:
    using File = std::pair<std::int64_t, std::string>;
    using Held = std::pair<std::string, LogLine>;

    core::Result<void> take(const std::string& json);
    void take_cursor(std::string cursor);
    /// Prints it unless an earlier connection brought it.
    void print_new(const std::string& json, const LogLine& line);
    void print(const std::string& json, const LogLine& line);
    std::string prefix_of(const LogLine& line);

    LogsOptions options_;
    OutputFormat format_;
    Console& console_;
    std::map<File, std::string> paths_;
    std::size_t name_width_ = 0;

    std::string partial_;
    bool holds_ = true;
    std::vector<Held> held_;
    std::size_t held_bytes_ = 0;
    std::string cursor_;
    std::map<File, std::uint64_t> printed_;   ///< since the cursor, over all connections
    std::map<File, std::uint64_t> received_;  ///< since the cursor, on this connection
};

}  // namespace zona::cli
