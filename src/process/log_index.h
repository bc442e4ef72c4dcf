/// @file
/// The side index of times: when the bytes at an offset of a raw log file arrived.
///
/// A raw log holds exactly what its process wrote, so it carries no time. For each log file a small
/// file below `HOME/state/log-index/` remembers {offset, time} about ten times a second of
/// activity:
///
///     header, 32 bytes   magic and version | inode of the log file | last writer | reserved
///     record, 16 bytes   offset (48 bits), check (16 bits) | time, ns since 1970 (64 bits, signed)
///
/// A record says: the bytes from `offset` up to the next record's offset arrived at `time` or
/// within the interval after it. It is written before its bytes, so a kill can leave a record
/// without bytes, never bytes without a record. Offsets never decrease; times do when the host's
/// clock is set back, and a search by time is then as good as the clock was.
///
/// The index is a help, not a store: it is not synced, a torn or damaged record is passed over, and
/// a file that cannot belong to its log file (other inode, offsets behind its end) is begun anew.
/// Losing it costs the times of the lines that are there, nothing else. All integers are little
/// endian, as the host's. Source: design decision 12; issue item 7 (`zona logs --since` and
/// merging).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/result.h"
#include "os/fd.h"

namespace zona::process {

/// One entry of an index.
struct LogIndexRecord {
    std::uint64_t offset = 0;  ///< < 2^48
    core::SystemTime time{};
    bool operator==(const LogIndexRecord&) const = default;
};

/// Limits and intervals of an index.
struct LogIndexLimits {
    /// A block of bytes gets a record when the last one is older. The resolution of every time.
    std::chrono::nanoseconds interval = std::chrono::milliseconds(100);
    /// A file that reaches this size is thinned out: of the older three quarters every second
    /// record goes, so old times get coarser, and are never all lost. 4 MB are 262,142 records, 7
    /// hours of activity.
    std::uint64_t bytes = 4U << 20U;
};

/// The index file of a log file: the end of its name, made fit for a file name, and a hash of the
/// whole path. `directory` and `log_path` are absolute; nothing is created.
std::string log_index_path(std::string_view directory, std::string_view log_path);

/// The writing side. One per log file and daemon; one thread at a time.
///
/// Holds no descriptor between calls: thousands of processes would need thousands of them for a
/// call ten times a second. A failed call leaves an index that readers can use; the next call tries
/// again.
class LogIndexWriter {
  public:
    /// Touches nothing yet; `path` is that of log_index_path().
    explicit LogIndexWriter(std::string path, LogIndexLimits limits = {});

    /// Takes the file over for a log file with this inode and size; begins it anew if it is
    /// missing, damaged, or not this log file's. Call it before the first note() and when the log
    /// file was replaced or has become shorter. Errors: from errno; the index has no records of
    /// this log file then and note() does nothing.
    core::Result<void> begin(std::uint64_t inode, std::uint64_t size);

    /// Notes that bytes are about to be written at `offset`, if the last record is older than the
    /// interval.
    /// @param steady  decides whether a record is due, so a step of the host's clock does not
    /// matter. Errors: from errno (a full disk); it is tried again after the interval.
    core::Result<void> note(std::uint64_t offset, core::SteadyTime steady, core::SystemTime now);
    /// Whether note() would write: lets the caller avoid asking for the time of day.
    bool due(core::SteadyTime steady) const { return begun_ && steady >= next_; }

    /// Remembers who writes next (any number), so that a successor knows whose unfinished line the
    /// log file ends with. Writes only when it changes. Errors: from errno; the old one stands.
    core::Result<void> set_writer(std::uint32_t writer);
    /// The remembered one; nullopt when there is none. Valid after begin().
    std::optional<std::uint32_t> writer() const { return writer_; }

    const std::string& path() const { return path_; }

  private:
    core::Result<void> begin_anew(std::uint64_t inode);
    core::Result<void> append(LogIndexRecord record);
    core::Result<os::UniqueFd> thin_out(const os::UniqueFd& file, std::uint64_t records);

    std::string path_;
    LogIndexLimits limits_;
    bool begun_ = false;
    std::uint64_t inode_ = 0;
    core::SteadyTime next_{};
    std::optional<std::uint32_t> writer_;
};

/// The reading side: a snapshot that refresh() renews. One thread at a time; any process.
///
/// Every search is a binary search with small pread(2) calls over one open file, so a writer that
/// replaces the file meanwhile does not disturb it. Arbitrary bytes in the file give arbitrary
/// times, never a crash.
class LogIndexReader {
  public:
    /// What is known about an offset: its record and where the next one begins.
    struct Block {
        LogIndexRecord record;
        std::uint64_t end = UINT64_MAX;  ///< first offset that is not covered; UINT64_MAX: open end
    };

    /// An index file that does not exist or is none gives an empty reader. Errors: from errno.
    static core::Result<LogIndexReader> open(std::string path);

    /// Sees records that were written since, also in a file that took the old one's place.
    /// Errors: from errno; the reader is empty then.
    core::Result<void> refresh();

    /// The block that `offset` belongs to; nullopt when it lies before the first record.
    std::optional<Block> find(std::uint64_t offset) const;
    /// The arrival of the byte at `offset`.
    std::optional<core::SystemTime> time_at(std::uint64_t offset) const;
    /// The offset of the first block that arrived at or after `since`; nullopt when there is none.
    std::optional<std::uint64_t> offset_since(core::SystemTime since) const;

    std::uint64_t records() const { return count_; }
    /// The inode of the log file that the records are about; 0 when there are none.
    std::uint64_t inode() const { return inode_; }

  private:
    explicit LogIndexReader(std::string path) : path_(std::move(path)) {}
    void clear();
    std::optional<LogIndexRecord> record(std::uint64_t number) const;
    /// The last good record at or before `number`, and its number; none at or after `first`.
    std::optional<LogIndexRecord> good_at(std::uint64_t& number, std::uint64_t first) const;
    std::optional<LogIndexRecord> good_from(std::uint64_t number) const;
    /// The number of the last good record that `before` holds for; it must hold for a prefix of
    /// them.
    template <class Predicate>
    std::optional<std::uint64_t> last_where(Predicate before) const;

    std::string path_;
    os::UniqueFd file_;
    std::uint64_t count_ = 0;
    std::uint64_t inode_ = 0;
};

}  // namespace zona::process
