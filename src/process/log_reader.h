/// @file
/// LogReader: the log files of several processes as one sequence of lines, for the API and the
/// command.
///
/// Lines come in the order of their times, which the side indexes give (log_index.h): the time of a
/// line is the arrival of the block that its first byte came in, to a tenth of a second. Lines of
/// one file keep their order, lines of one time come in the order of the sources, lines without a
/// time (older than the index) come first.
///
/// A file is only read, by blocking preads of at most 64 kB, and may grow, be replaced or be
/// removed meanwhile. Files that do not exist have no lines yet. With up to kMostOpen files each is
/// held open, so a file that others rename while it is followed is read to its end before the new
/// one; with more, each is opened for each read.
///
/// No thread and no waiting of its own: when next() gives nothing, wait for a Subscription's wake
/// and call it again (rearm before next(), see Capture::subscribe). Threading: one thread at a
/// time. Nothing throws. Source: issue item 7; docs/api.md, "Log stream"; PM-19.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "process/log_stream.h"

namespace zona::process {

/// One log file of one process.
struct LogSource {
    std::uint32_t pm_id = 0;
    std::string name;
    std::uint32_t instance = 0;
    LogStream stream = LogStream::kOut;
    std::string path;
    std::string index_path;  ///< Capture::index_path of `path`
};

/// One line.
struct LogLine {
    std::size_t source = 0;  ///< which of sources()
    std::optional<core::SystemTime> time;
    std::string text;      ///< any bytes but '\n', which is cut off; at most kMostLine
    bool partial = false;  ///< the file ends without a newline after it
    bool split = false;    ///< the next line of this source goes on where this one ends
};

/// The same while it is in the reader's memory: valid until the visitor that gets it returns.
struct LogLineView {
    std::size_t source = 0;
    std::optional<core::SystemTime> time;
    std::string_view text;
    bool partial = false;
    bool split = false;
};

/// Whether more is expected at the end.
enum class Follow : std::uint8_t {
    kNo,   ///< the end is where the files end at the first read; an unfinished last line is given,
           ///< partial
    kYes,  ///< an unfinished last line is held back until its newline comes
};

/// Reads several log files as one. Guarantees, errors and threading: log_reader.h.
class LogReader {
  public:
    /// Longer lines come in parts of this size (cut between UTF-8 characters).
    static constexpr std::size_t kMostLine = 65536;
    static constexpr std::size_t kMostOpen = 256;

    /// Stands at the beginning of all files. Sources with the same path (stdout and stderr in one
    /// file, merged instances) are read once, as the first of them: a raw file does not tell its
    /// writers apart.
    LogReader(std::vector<LogSource> sources, Follow follow);
    ~LogReader();
    LogReader(LogReader&&) noexcept;
    LogReader& operator=(LogReader&&) noexcept;

    const std::vector<LogSource>& sources() const { return sources_; }

    /// Stands before the last `lines` lines of each process (by pm_id, both its streams together);
    /// 0 is the end. Looks back at most 64 kB a line and 64 MB a file. Errors: from errno when a
    /// file cannot be read, which is named; the position is undefined then.
    core::Result<void> seek_tail(std::size_t lines);

    /// Stands before the first block of each file that arrived at or after `since`, at the
    /// beginning of the line that it starts in. Lines without a time are older than any `since`.
    /// Errors: as seek_tail.
    core::Result<void> seek_since(core::SystemTime since);

    /// Stands where cursor() was taken, in this or another process, also after a restart of either.
    ///
    /// A file that was replaced, shortened or not among the cursor's begins at its beginning: what
    /// a cursor cannot place is given rather than left out. Errors: kInvalidArgument: not a cursor
    /// of cursor(); nothing has changed. Else as seek_tail.
    core::Result<void> seek(std::string_view cursor);

    /// The next lines, about `max_bytes` bytes of them (one line at least); empty at the end.
    ///
    /// Errors: from errno when a file cannot be read, which is named. That file gives no more
    /// lines; the call after the error goes on with the others.
    core::Result<std::vector<LogLine>> next(std::size_t max_bytes);

    /// The same without a copy: calls `visitor` with each line, and returns how many there were.
    /// `visitor` may call nothing of the reader but sources().
    core::Result<std::size_t> visit(std::size_t max_bytes,
                                    const std::function<void(const LogLineView&)>& visitor);

    /// The next bytes of the only file as they are, at most `max_bytes`; empty at the end. They are
    /// valid until the next call. Precondition: there is one source, and neither next() nor visit()
    /// was called since the last seek. Errors: as next().
    core::Result<std::string_view> next_bytes(std::size_t max_bytes);

    /// The present position, as an opaque text of letters, digits, '-' and '_': about 26 characters
    /// for each file. It names files by their path, inode and the last bytes read; not by device,
    /// whose number may change with a reboot.
    std::string cursor() const;

  private:
    struct Entry;
    core::Result<void> seek_tail_of_process(std::vector<Entry*>& files, std::size_t lines);
    core::Result<void> advance(Entry& entry);
    void forget_heads();

    std::vector<LogSource> sources_;
    Follow follow_;
    std::vector<std::unique_ptr<Entry>> entries_;
    std::vector<Entry*> heap_;  ///< files with a line at hand, the earliest in front
    std::optional<core::Error> pending_error_;
};

}  // namespace zona::process
