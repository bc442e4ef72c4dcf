/// @file
/// BackupCopies: the backups once more in other places: a directory, a mounted share for instance,
/// and wherever a command takes them.
///
/// A directory has the same files under the same names: what is restored from here is restored from
/// there. Each file is written under another name, synced, read back and compared by SHA-256, then
/// renamed. A command is run for each file, and has taken it when it exits 0. Of a whole backup its
/// list comes last, so that what is there is whole.
///
/// With the first copies a directory gets the file `.zona-copies`. One that lacks it, and all that
/// was copied, is not the place any more: a mount point, for instance, whose share is not mounted.
///
/// What was taken where stands in a ledger for each place (copy_ledger.h). What zona deletes here
/// goes from the directory too, if zona has put it there, and nothing else does: files that are
/// missing here for any other reason, a lost disk first of all, stay there. What a command has
/// taken is left to the other side. Source: SEC-09, REL-07.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/result.h"
#include "os/helpers.h"

namespace zona::tenancy {

class CopyLedger;

/// From where to where.
struct CopyOptions {
    std::string from;                   ///< OperationsOptions::backups
    std::string state;                  ///< the directory of the ledgers; absolute
    std::string to;                     ///< a directory, absolute; empty: none
    std::chrono::milliseconds keep{0};  ///< how long a copy in `to` stays when its backup has gone
    std::string command;                ///< parse_copy_command(); empty: none
    std::chrono::milliseconds command_limit{std::chrono::hours(1)};  ///< for each file
    std::vector<std::string> environment{};                          ///< of the command, complete
};

/// What they work with; all outlive them.
struct CopyDeps {
    const core::Clock& clock;
    os::Helpers& helpers;
    core::Logger log;
    /// Called when has_news() becomes true by note_change() or note_removal(); on any thread; must
    /// be short. Empty: nobody is to know.
    std::function<void()> changed{};
};

/// The words of a command: divided at blanks, outside of "" and ''; a backslash keeps the character
/// behind it, outside of ''. There is no shell. In each word `{file}` stands for the absolute path
/// of a file and `{name}` for its name below the backups, "_all/UUID/core.zbk".
/// Errors: kInvalidArgument: a quote that does not end; no `{file}` in it.
core::Result<std::vector<std::string>> parse_copy_command(std::string_view text);

/// A line of a program's output, fit for a log: user names and passwords in addresses, and what
/// stands behind `password=`, `token:` and the like, as "***".
std::string without_secrets(std::string_view line);

/// What a pass has seen and done.
struct CopyReport {
    std::size_t files = 0;    ///< finished ones
    std::size_t copied = 0;   ///< of these, that a place had not, or had another
    std::size_t removed = 0;  ///< copies of what is deleted here
    std::uint64_t bytes = 0;  ///< of those that were copied
};

/// When the copy of a backup goes that is deleted here.
enum class CopyEnd : std::uint8_t { kAsKept, kAtOnce };

/// All places. Any thread, but one pass at a time.
class BackupCopies {
  public:
    /// Errors: those of parse_copy_command(); of reading the ledgers.
    static core::Result<std::unique_ptr<BackupCopies>> open(CopyOptions options, CopyDeps deps);
    BackupCopies(const BackupCopies&) = delete;
    BackupCopies& operator=(const BackupCopies&) = delete;
    ~BackupCopies();

    /// Whether there is any place.
    bool is_wanted() const { return directory_ != nullptr || command_ != nullptr; }

    /// Brings every place up to date; what is to go goes first. Blocks. `go_on` is asked between
    /// two files; `stop` ends a command. Both places are tried; the error is that of the first that
    /// failed, and what was copied stays. Errors: kInvalidArgument: `to` is no directory, not the
    /// one that the copies were in, or within `from`: nothing is changed there. kConflict: a file
    /// does not read as it was written. kUnavailable: the command failed, with what became of it;
    /// its output is in the log. Those of both disks and of `go_on`.
    core::Result<CopyReport> pass(const std::function<core::Result<void>()>& go_on,
                                  const std::stop_token& stop = {});

    /// To be called before a file or a directory is deleted for good: `name` is below `from`. Then
    /// its copy goes with a later pass. Errors: those of the disk.
    core::Result<void> note_removal(const std::string& name, CopyEnd end = CopyEnd::kAsKept);

    /// To be called after something was written below `from`.
    void note_change();
    /// Whether something was written or removed since the last pass began; true at first, and after
    /// a pass that failed.
    bool has_news() const { return has_news_; }

    /// When the file came to the last place that wanted it; nothing: not everywhere yet.
    std::optional<core::SystemTime> copied_at(const std::string& name) const;

  private:
    BackupCopies(CopyOptions options, CopyDeps deps);
    core::Result<void> bring_all(
        CopyReport& report, const std::function<core::Result<void>()>& go_on,
        const std::function<core::Result<void>(const std::string&)>& bring) const;
    core::Result<bool> is_marked() const;
    core::Result<void> to_directory(CopyReport& report,
                                    const std::function<core::Result<void>()>& go_on);
    core::Result<void> to_directory(const std::string& name, CopyReport& report);
    core::Result<void> to_command(const std::string& name, CopyReport& report,
                                  const std::stop_token& stop);
    core::Result<void> forget_taken();
    core::Result<void> run_command(const std::string& name, const std::stop_token& stop);
    core::Result<void> prune(CopyReport& report);

    const CopyOptions options_;
    const CopyDeps deps_;
    std::vector<std::string> words_;
    std::unique_ptr<CopyLedger> directory_;  // null: none
    std::unique_ptr<CopyLedger> command_;    // null: none
    std::atomic<bool> has_news_ = true;
};

}  // namespace zona::tenancy
