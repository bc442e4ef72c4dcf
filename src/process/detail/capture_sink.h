/// @file
/// CaptureSink: one log file, with its index, written by one or several streams.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "os/splice.h"
#include "process/detail/capture_context.h"
#include "process/detail/capture_peek.h"

namespace zona::process::detail {

/// Streams are named by their key, slot << 1 | LogStream.
using StreamKey = std::uint32_t;

/// The file is opened at the first byte and stays open unless others need its descriptor more; its
/// position is its size. All members but path(), mutex() and last_use() need the mutex held. Errors
/// of writing are errno numbers, because they come in the hot path.
///
/// An *open line* is one whose beginning stands at the end of the file and whose rest its writer
/// still has to write: others wait for it, up to a moment.
class CaptureSink {
  public:
    /// A file as the system knows it.
    struct Identity {
        std::uint64_t device = 0;
        std::uint64_t inode = 0;
        auto operator<=>(const Identity&) const = default;
    };

    CaptureSink(CaptureContext& context, std::string path);
    ~CaptureSink() { context_.open_files.closed(*this); }
    CaptureSink(const CaptureSink&) = delete;
    CaptureSink& operator=(const CaptureSink&) = delete;

    std::mutex& mutex() { return mutex_; }
    const std::string& path() const { return path_; }
    /// /dev/null: never shared between slots.
    bool discards() const { return discards_; }

    /// Makes the file and the directories above it if they are missing and checks that it can be
    /// written. Nothing stays open. Errors: those of Capture::attach for a log file.
    core::Result<Identity> create();
    /// The file in use has this identity, or is not opened yet.
    bool may_be(const Identity& identity) const { return !file_ || identity_ == identity; }

    void join(LineMode lines);
    void leave();
    bool used() const { return users_ > 0; }
    bool whole_lines() const { return !discards_ && (always_whole_lines_ || users_ > 1); }

    /// When it was used last.
    core::SteadyTime last_use() const { return last_use_.load(std::memory_order_relaxed); }
    /// For OpenFiles. The next byte opens it again.
    void close_file() { file_.reset(); }

    /// Moves up to `most` bytes from `fifo`, which is not empty, to the end of the file.
    os::Transfer take(int fifo, std::size_t most, StreamKey writer, CapturePeek& peek);
    /// Writes `text` at the end. The number of bytes that went in, or an errno.
    os::Transfer append(std::string_view text);
    /// Whether the file is empty or ends with a newline; also when that cannot be found out.
    bool at_line_start();
    /// The present size; 0 when there is no file.
    std::uint64_t size() const;
    /// Opens the file by its name again. Errors: as create(); the old file stays in use.
    core::Result<void> reopen();

    /// When `writer` may write: nullopt is now; else another stream is in the middle of a line and
    /// has until then. It is remembered as waiting.
    std::optional<core::SteadyTime> wait_for_turn(StreamKey writer, core::SteadyTime now);
    /// `writer` has written a part of a line; the others wait for the rest until `until`.
    void leave_line_open(StreamKey writer, core::SteadyTime until);
    /// The file ends with a newline now. Whoever waited, to be tried again.
    std::vector<StreamKey> close_line();

  private:
    struct OpenLine {
        StreamKey writer;
        core::SteadyTime until;
    };

    core::Result<void> open();
    int open_or_errno();
    void adopt_open_line(std::uint64_t size);
    void follow_name(core::SteadyTime now);
    os::Transfer copy_from(int fifo, std::size_t most, std::uint64_t offset, CapturePeek& peek);
    void note_time(std::uint64_t offset, core::SteadyTime now);
    void report_index(const core::Result<void>& outcome);

    CaptureContext& context_;
    const std::string path_;
    const bool discards_;
    std::atomic<core::SteadyTime> last_use_{};
    std::mutex mutex_;  // guards everything below
    os::UniqueFd file_;
    Identity identity_;
    LogIndexWriter index_;
    bool index_failed_ = false;
    bool always_whole_lines_ = false;
    bool copies_;
    int users_ = 0;
    std::uint64_t last_size_ = 0;
    core::SteadyTime next_name_check_{};
    std::optional<StreamKey> last_writer_;
    std::optional<OpenLine> open_line_;
    std::vector<StreamKey> waiting_;
};

}  // namespace zona::process::detail
