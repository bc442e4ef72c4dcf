/// @file
/// ExitHistory: how the last runs of every process ended, in HOME/state/exits.
///
/// The supervisor appends a record after a child's output is drained and before its table slot is
/// used again, so that no exit is lost when the daemon dies. Records have a fixed size and a
/// checksum each: one that is torn or damaged costs no other. There are two files of a bounded
/// size, `exits` and `exits.previous`; when `exits` is full a new one begins with what is
/// remembered, so that the crashes of one process do not push out the history of another.
///
/// An append is one write(2) without a sync: a restart never waits for the disk. A power cut may
/// cost the last exits, a kill -9 costs none. Threading: one thread, the supervision's. Formats:
/// docs/adr/0003-state-files.md. Source: PM-08, REL-20, references of PM-08.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <sys/types.h>

#include "core/byte_count.h"
#include "core/clock.h"
#include "core/random.h"
#include "core/result.h"
#include "os/fd.h"
#include "os/spawn.h"

namespace zona::process {

/// A part of a log file: what one run has written.
struct LogRange {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    bool operator==(const LogRange&) const = default;
};

/// Bits of ExitRecord::flags.
enum ExitFlags : std::uint32_t {
    kExitRequested = 1U << 0U,    ///< by a stop, restart or delete
    kExitOutOfMemory = 1U << 1U,  ///< the kernel killed it for memory
    kExitUnknown = 1U << 2U,      ///< the child lost both its parents: `how`, `status` mean nothing
    kExitNotStarted = 1U << 3U,   ///< nothing was executed: `failed_step`, `error_number` say why
};

/// The end of one run of a process.
struct ExitRecord {
    core::Uuid process;
    std::uint64_t incarnation = 0;  ///< unique together with `process` and `spawned_at`
    pid_t pid = 0;
    core::SystemTime spawned_at{};
    core::SystemTime exited_at{};
    int how = 0;     ///< CLD_EXITED, CLD_KILLED, CLD_DUMPED
    int status = 0;  ///< exit code or signal
    std::uint32_t flags = 0;
    std::chrono::microseconds user_cpu{0};
    std::chrono::microseconds system_cpu{0};
    core::ByteCount max_rss;  ///< a multiple of 1 KiB
    LogRange out;
    LogRange err;
    int error_number = 0;
    os::SpawnStep failed_step = os::SpawnStep::kNone;

    bool operator==(const ExitRecord&) const = default;
};

/// Where the files are and how large they become.
struct ExitHistoryOptions {
    std::string directory;  ///< HOME/state, absolute; made if it is not there
    /// Of each of the two files; at least room for 64 records of 128 bytes.
    core::ByteCount file_size = core::ByteCount::mib(2);
};

/// How runs ended, on disk. Guarantees, errors and threading: history.h.
class ExitHistory {
  public:
    /// This many of the latest exits of each process are remembered.
    static constexpr std::size_t kKept = 10;

    /// Reads what is there. Records that are torn or damaged are skipped and counted in warnings();
    /// a file that holds none at all is renamed to `exits.damaged`. On a full disk it opens.
    /// Errors  kConflict: a file of a newer format; nothing was touched. Others as open(2),
    /// mkdir(2).
    static core::Result<std::unique_ptr<ExitHistory>> open(ExitHistoryOptions options);

    /// Remembers the end of a run and writes it, together with all that could not be written
    /// before. A run that is there already (recovery met a record that was written but not marked)
    /// is left as it is, successfully. Errors  as open(2) and write(2), kResourceExhausted for a
    /// full disk: the record is remembered
    ///         and written with a later append(), flush() or forget(); it is lost if the daemon
    ///         dies before. More than 4096 waiting ones push out the oldest (unwritable()).
    core::Result<void> append(const ExitRecord& record);

    /// Writes what waits, if anything does. Errors as append().
    core::Result<void> flush();

    /// The latest exits, newest first, at most `most` and kKept.
    std::vector<ExitRecord> recent(const core::Uuid& process, std::size_t most) const;
    /// The latest exit; nullopt when none is remembered.
    std::optional<ExitRecord> last(const core::Uuid& process) const;

    /// Whether the end of this run is among those remembered. The time tells runs of different
    /// boots apart: incarnations begin anew with the table.
    bool contains(const core::Uuid& process, std::uint64_t incarnation,
                  core::SystemTime spawned_at) const;

    /// Drops all exits of a deleted process; a mark in the file keeps them from coming back.
    /// Errors as append(); they are dropped in any case.
    core::Result<void> forget(const core::Uuid& process);

    /// Sentences about what was found damaged at open().
    const std::vector<std::string>& warnings() const { return warnings_; }
    /// Records that wait to be written.
    std::size_t waiting() const { return waiting_.size(); }
    /// Records that will never be in the file.
    std::uint64_t unwritable() const { return unwritable_; }

  private:
    explicit ExitHistory(ExitHistoryOptions options) : options_(std::move(options)) {}
    core::Result<void> load();
    void remember(const ExitRecord& record);
    core::Result<void> write(std::string block);
    core::Result<void> ensure_file();
    core::Result<void> turn_over();
    std::string remembered() const;

    ExitHistoryOptions options_;
    // Oldest first. As large as they need to be: most processes have few.
    std::unordered_map<core::Uuid, std::vector<ExitRecord>> exits_;
    std::deque<std::string> waiting_;  // blocks
    os::UniqueFd file_;
    std::uint64_t size_ = 0;    // of `exits`, a whole number of blocks
    bool header_good_ = false;  // else it is to be written first
    std::uint64_t unwritable_ = 0;
    std::vector<std::string> warnings_;
};

}  // namespace zona::process
