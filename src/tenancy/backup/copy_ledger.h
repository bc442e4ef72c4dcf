/// @file
/// CopyLedger: which files zona has brought to one other place, in a file that is only appended to,
/// a line for each event, and written anew when most of its lines have been overtaken.
///
///     zona copies 1 PLACE
///     begun NAME                      it is about to be brought there
///     put TIME SIZE MTIME NAME        it was brought there
///     found TIME SIZE MTIME NAME      it was there already, the same
///     removed TIME END NAME           it, or all below it, is deleted here; END: keep, now
///     gone NAME                       it is of no interest any more
///
/// Times are nanoseconds since 1970. A last line that is cut is no line. Another PLACE begins a new
/// ledger: what is in the former place stays there. Source: SEC-09.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "os/fd.h"
#include "tenancy/backup/backup_copies.h"

namespace zona::tenancy {

/// What a file was when it was copied.
struct CopiedFile {
    std::uint64_t bytes = 0;
    std::int64_t mtime_ns = 0;
    bool operator==(const CopiedFile&) const = default;
};

/// One place's. Any thread.
class CopyLedger {
  public:
    /// What is known of one file.
    struct Entry {
        std::optional<core::SystemTime> copied_at;  ///< none: it was only begun
        CopiedFile file;
        bool is_ours = true;  ///< zona has put it there
        std::optional<core::SystemTime> removed_at;
        CopyEnd end = CopyEnd::kAsKept;
    };
    /// By the names of files.
    using Entries = std::map<std::string, Entry, std::less<>>;

    /// `place`: without line ends. Errors: those of the disk.
    static core::Result<std::unique_ptr<CopyLedger>> open(std::string path, std::string place);
    CopyLedger(const CopyLedger&) = delete;
    CopyLedger& operator=(const CopyLedger&) = delete;
    ~CopyLedger() = default;

    /// @{
    /// Each is on the disk when it returns. Errors: those of the disk; then nothing has changed.
    core::Result<void> begun(const std::string& name);
    core::Result<void> put(const std::string& name, CopiedFile file, core::SystemTime now);
    core::Result<void> found(const std::string& name, CopiedFile file, core::SystemTime now);
    core::Result<void> removed(const std::string& name, CopyEnd end, core::SystemTime now);
    core::Result<void> gone(const std::string& name);
    /// @}

    /// Nothing: nothing is known of that file.
    std::optional<Entry> find(std::string_view name) const;
    /// The names of those that are there.
    std::vector<std::string> copied() const;
    /// Those that are deleted here.
    std::vector<std::pair<std::string, Entry>> removed() const;

  private:
    CopyLedger(std::string path, std::string place);
    core::Result<void> load();
    void apply(std::string_view line);
    core::Result<void> append(const std::string& line);
    core::Result<void> rewrite();
    std::string text() const;

    const std::string path_;
    const std::string place_;
    mutable std::mutex mutex_;
    // All guarded by mutex_.
    Entries entries_;
    os::UniqueFd file_;  // empty: to be written anew first
    std::size_t lines_ = 0;
};

}  // namespace zona::tenancy
