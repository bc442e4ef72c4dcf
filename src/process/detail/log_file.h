/// @file
/// LogFile: one log file of a LogReader, line by line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "os/fd.h"
#include "process/log_index.h"
#include "process/log_reader.h"

namespace zona::process::detail {

/// Where a file was read to, such that it can be recognised later.
struct LogFilePosition {
    std::uint64_t path_hash = 0;  ///< 48 bits
    std::uint64_t inode = 0;      ///< 0: there was no file
    std::uint64_t offset = 0;
    std::uint32_t before =
        0;  ///< hash of the bytes before the offset: inode numbers are used again
};

/// Whether descriptors stay open between calls.
enum class KeepOpen : std::uint8_t { kNo, kYes };

class LogFile {
  public:
    /// A line at hand. The text is valid until the next call.
    struct Line {
        std::uint64_t offset = 0;
        std::string_view text;
        bool partial = false;
        bool split = false;
    };
    /// The beginning of a line and its time.
    struct Start {
        std::uint64_t offset = 0;
        std::optional<core::SystemTime> time;
    };

    LogFile(std::string path, std::string index_path, Follow follow, KeepOpen keep);

    /// The line at the position, without moving; nullopt: nothing there (yet).
    core::Result<std::optional<Line>> peek();
    /// The arrival of the line that peek() gave.
    core::Result<std::optional<core::SystemTime>> time();
    /// Moves behind the line that peek() gave.
    void pop();
    /// The bytes at the position as they are, at most `most`, moving behind them; empty: nothing
    /// there (yet). Valid until the next call.
    core::Result<std::string_view> bytes(std::size_t most);

    void seek(std::uint64_t offset);
    /// The beginnings of the last lines, at most `most`, in the order of the file.
    core::Result<std::vector<Start>> last_lines(std::size_t most);
    /// Where seek_tail(0) stands: the end, or the beginning of a line that is not finished yet.
    core::Result<std::uint64_t> end();
    core::Result<std::uint64_t> since(core::SystemTime since);

    /// Inode 0, which is nowhere, when the file cannot be read.
    LogFilePosition position() const;
    /// Stands at `position` if this is still the same file, else at the beginning.
    core::Result<void> seek(const LogFilePosition& position);

    const std::string& path() const { return path_; }

  private:
    core::Result<bool> open();
    core::Result<std::size_t> read_more();
    core::Result<bool> look_again();
    core::Result<std::optional<core::SystemTime>> time_at(std::uint64_t offset);
    core::Result<std::uint64_t> line_start(std::uint64_t offset);
    core::Result<std::uint64_t> readable_size();
    void release();
    core::Error named(core::Error error) const;
    std::uint64_t buffer_end() const { return begin_ + buffer_.size(); }

    std::string path_;
    std::string index_path_;
    Follow follow_;
    KeepOpen keep_;

    os::UniqueFd file_;
    std::uint64_t inode_ = 0;             ///< of the file that the position is in; 0: none yet
    std::optional<std::uint64_t> limit_;  ///< Follow::kNo: where the file ended first
    std::string buffer_;                  ///< bytes from begin_
    std::uint64_t begin_ = 0;
    std::size_t used_ = 0;             ///< of the buffer: given out
    std::optional<std::size_t> head_;  ///< bytes that pop() moves over
    bool gone_ = false;      ///< the name means another file: what is left is all there will be
    std::size_t piece_ = 0;  ///< size of the next read

    std::optional<LogIndexReader> index_;
    bool index_current_ = false;  ///< it knows all bytes that were read
    std::optional<LogIndexReader::Block> block_;
    std::uint64_t untimed_end_ = 0;  ///< offsets below have no time
};

/// The identity of a path in a cursor.
std::uint64_t hash_of_path(std::string_view path);

}  // namespace zona::process::detail
