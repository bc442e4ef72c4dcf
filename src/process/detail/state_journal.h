/// @file
/// The journal: one line per change, appended as it happens.
///
///     1 89abcdef 17 {"op":"put",...}
///     format, CRC-32C of "format sequence body", sequence number, body (JSON without a newline)
///
/// The framing stays the same in all formats. Sequence numbers grow by one. A journal is cut into
/// segments, files `journal.N`; a snapshot names the first segment that it needs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "os/fd.h"

namespace zona::process::detail {

struct JournalRecord {
    std::uint64_t sequence = 0;
    std::string_view body;  ///< refers to the text that was read
};

/// How the good part of a segment ends.
enum class JournalEnd : std::uint8_t {
    kClean,
    kTorn,     ///< the last line has no end: it was being written
    kDamaged,  ///< a line whose checksum does not hold
    kNewer,    ///< a line of a newer zona
};

struct JournalReading {
    std::vector<JournalRecord> records;  ///< all before the end
    JournalEnd end = JournalEnd::kClean;
    std::uint64_t good_bytes = 0;       ///< size of the good part
    std::int64_t format = 0;            ///< kNewer: the line's
    std::vector<JournalRecord> behind;  ///< kDamaged: whole records found behind the bad line
};

/// The line of one record, its newline included. Precondition: no newline in `body`.
std::string journal_line(std::uint64_t sequence, std::string_view body);

/// Reads a whole segment; takes any bytes.
JournalReading read_journal(std::string_view text);

/// A segment that is being written.
///
/// Never leaves half a record before a whole one: a write that fails is cut off again, and as long
/// as that fails nothing more is appended. One thread at a time.
class JournalFile {
  public:
    /// A new segment, mode 0600. Errors: as open(2); kConflict if `path` exists.
    static core::Result<JournalFile> create(std::string path);
    /// An existing segment, to go on behind its first `good_bytes`; the rest is cut off.
    static core::Result<JournalFile> resume(std::string path, std::uint64_t good_bytes);

    /// Appends one line by one write. Errors: kResourceExhausted for a full disk, quota or file
    /// size limit, others as write(2); the file holds what it held before.
    core::Result<void> append(std::string_view line);
    /// fdatasync(2) of all that was appended before the call. May run beside append().
    core::Result<void> sync() const;

    std::uint64_t size() const { return size_; }
    const std::string& path() const { return path_; }

  private:
    JournalFile(std::string path, os::UniqueFd fd, std::uint64_t size)
        : path_(std::move(path)), fd_(std::move(fd)), size_(size) {}
    core::Error failed(core::Error error) const;

    std::string path_;
    os::UniqueFd fd_;
    std::uint64_t size_;
    bool cut_first_ = false;  // there may be bytes behind size_
};

}  // namespace zona::process::detail
