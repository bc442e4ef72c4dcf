/// @file
/// Capture: what managed processes write, moved from their FIFOs into their log files, exactly.
///
/// Each process has a slot; its stdout and stderr are the FIFOs `<slot>.out` and `<slot>.err`, its
/// stdin the FIFO `<slot>.in` if it has one. The child holds its FIFOs O_RDWR, so no death of ours
/// can give it SIGPIPE; the keeper holds them too, so what was written survives the death of child
/// and daemon together.
///
/// Exactness. Bytes go by splice(2) from the FIFO to the log file at an explicit offset, which is
/// the file's size, read again before each splice. That size is the only position there is: after
/// `kill -9` at any instruction every byte is either still in the FIFO or in the file, never in
/// both or in neither, and a new Capture goes on where the old one was killed. A log file is
/// appended to, never shortened or rewritten.
///
/// Whole lines. A file with one writer gets its bytes at once, as they come. A file with several
/// writers (stdout and stderr in one file, `merge_logs`, or LineMode::kWholeLines) gets whole
/// lines: the last newline is found in a tee(2) of the FIFO and the splice ends there. An
/// unfinished line stays in the FIFO until its newline comes, its process has ended, or it has
/// waited `partial_line_wait`; a line longer than the FIFO is written in parts, during which the
/// others wait, for `partial_line_wait` at most. A line cut by a `kill -9` is completed before
/// another writer's: the index file names the last writer.
///
/// When a log file cannot be written (disk full, quota, I/O error, no descriptors) its stream is
/// left alone and tried again every `retry`, which stops the process at its next full FIFO; after
/// `disk_full_wait` its output is dropped and counted; as soon as writing works, the line `[zona] N
/// bytes of output were lost here: <reason>` is written first. Other streams are not held up. A
/// disk that is merely slow does hold them up: one thread writes all files.
///
/// A file system without splice (EINVAL) gets copies: tee, pwrite, then consume. Never loses a
/// byte; a `kill -9` between the last two doubles at most 64 kB. No local file system of
/// Linux 5.10+ needs this.
///
/// Threads: one of its own ("zona-capture", all signals blocked), asleep in epoll_wait without a
/// timeout while nothing is written. All members may be called from any thread; drain() and
/// detach() write log files on theirs, so the program ignores SIGXFSZ. Nothing throws. Source:
/// PM-19, PM-24, REL-20; design decision 12; splice(2), tee(2), fifo(7), pipe(7).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/result.h"
#include "os/fd.h"
#include "process/app_spec.h"
#include "process/log_index.h"

namespace zona::process {

/// How bytes get from a FIFO into a regular file.
enum class CaptureMethod : std::uint8_t {
    kSplice,  ///< and kCopy for files whose file system refuses it
    kCopy,    ///< always; for tests of the fallback
};

/// Where it works, and its waits and limits.
struct CaptureOptions {
    std::string fifo_directory;   ///< HOME/run/fifo; must exist
    std::string index_directory;  ///< HOME/state/log-index; made if missing, mode 0700
    std::chrono::nanoseconds disk_full_wait = std::chrono::seconds(5);
    std::chrono::nanoseconds retry = std::chrono::milliseconds(100);
    std::chrono::nanoseconds partial_line_wait = std::chrono::seconds(1);
    /// While a file is written to, how often its name is compared with it. A file that was renamed,
    /// removed or replaced gets no more bytes after this time: the name is opened again.
    std::chrono::nanoseconds name_check = std::chrono::seconds(1);
    /// Log files open at one time, two more for a moment. With more files than that in use, each
    /// opens again when its turn comes; so too when the process has no descriptor left.
    std::size_t open_files = 1024;
    LogIndexLimits index;
    CaptureMethod method = CaptureMethod::kSplice;
};

/// The user that a process runs as.
struct Owner {
    uid_t uid = 0;
    gid_t gid = 0;
};

/// Whether bytes may be written as they come or only as whole lines.
enum class LineMode : std::uint8_t {
    kRaw,         ///< whole lines only while the file has several writers
    kWholeLines,  ///< always: other writers are going to come (`merge_logs`)
};

/// Where the output of a slot goes.
struct LogTargets {
    std::string out_file;    ///< absolute; "/dev/null" discards
    std::string error_file;  ///< absolute; may be `out_file`, or a file of other slots
    StdinMode stdin_mode = StdinMode::kNull;
    Owner owner;  ///< gets the FIFOs, so that the child can open /dev/stdout
    LineMode lines = LineMode::kRaw;
};

/// The descriptors 0, 1 and 2 of a child, for os::SpawnPlan. Close them once it runs.
struct ChildStreams {
    os::UniqueFd in;   ///< read end of the FIFO, or /dev/null
    os::UniqueFd out;  ///< O_RDWR, blocking, a file description of the child's own
    os::UniqueFd err;  ///< likewise
};

/// Sizes of the two log files; 0 for one that does not exist or discards.
struct LogPositions {
    std::uint64_t out = 0;
    std::uint64_t err = 0;
};

/// What has been moved for a slot since attach().
struct CaptureCounters {
    std::uint64_t out_bytes = 0;
    std::uint64_t err_bytes = 0;
    std::uint64_t dropped_bytes = 0;  ///< both streams
};

/// Whether the writer of a slot's FIFOs has ended, so that an unfinished last line is all there
/// will be.
enum class Final : std::uint8_t { kNo, kYes };
/// Whether a slot is given up for good, its FIFOs with it.
enum class RemoveFifos : std::uint8_t { kNo, kYes };

namespace detail {
class CaptureEngine;
class CaptureFollowers;
}  // namespace detail

/// A follower's registration; ends when it dies. May outlive the Capture.
class Subscription {
  public:
    Subscription() = default;
    Subscription(Subscription&& other) noexcept;
    Subscription& operator=(Subscription&& other) noexcept;
    /// Afterwards `wake` neither runs nor is called again. Not from within `wake`.
    ~Subscription();

    /// Lets the next bytes call `wake` again. Follow without loss: rearm(), read until there is
    /// nothing more, then wait for `wake`.
    void rearm();

  private:
    friend class Capture;
    Subscription(std::shared_ptr<detail::CaptureFollowers> followers, std::uint64_t id);
    // Shared with the Capture, which may die first.
    std::shared_ptr<detail::CaptureFollowers> followers_;
    std::uint64_t id_ = 0;
};

/// Moves what the processes write from their FIFOs into their log files. Guarantees, errors and
/// threading: capture.h.
class Capture {
  public:
    /// Starts the thread. `clock` must outlive the Capture.
    /// Errors: kNotFound (no FIFO directory), kResourceExhausted (descriptors, threads), from
    /// errno.
    static core::Result<std::unique_ptr<Capture>> start(CaptureOptions options,
                                                        const core::Clock& clock, core::Logger log);
    /// Stops the thread. What is in the FIFOs stays there for a successor.
    ~Capture();
    Capture(const Capture&) = delete;
    Capture& operator=(const Capture&) = delete;

    /// Begins to capture a slot. Both log files exist afterwards, with the directories above them
    /// (new ones 0755, new files 0640); their descriptors are opened at the first byte. Bytes that
    /// an earlier daemon left in the FIFOs are moved. The FIFOs are made if they are missing, mode
    /// 0600.
    /// @param slot  < kTableSlots.
    /// Errors: kConflict: the slot is attached, or a FIFO's name is taken by something else.
    /// kInvalidArgument: a slot out of range, a log file that is not absolute, or a directory,
    /// device, socket or FIFO. kForbidden, kResourceExhausted and others from errno, the path
    /// named. The slot is not attached then; files and FIFOs that were made remain.
    core::Result<void> attach(std::uint32_t slot, LogTargets targets);

    /// The descriptors for a new child of the slot. Errors: kNotFound: not attached.
    /// kResourceExhausted.
    core::Result<ChildStreams> open_for_child(std::uint32_t slot);

    /// Moves what is in the slot's FIFOs now into the files, on the calling thread, and returns the
    /// sizes then: the end of the output of a child that has exited. About 3 µs when nothing is
    /// there.
    ///
    /// Stops after 64 MB in case a surviving descendant goes on writing. What cannot be written now
    /// (disk full, another writer's unfinished line) stays in the FIFO and follows later. Waits for
    /// the capture thread at most while it moves 1 MB of this slot. Zeroes for a slot that is not
    /// attached.
    /// @param final  kYes: an unfinished last line of a shared file is written, too.
    LogPositions drain(std::uint32_t slot, Final final);

    /// The present sizes, without moving anything. Zeroes for a slot that is not attached.
    LogPositions positions(std::uint32_t slot) const;

    /// Drains, then ends the capture of a slot. Not attached is success.
    /// Errors: from errno when a FIFO cannot be removed; the slot is detached all the same.
    core::Result<void> detach(std::uint32_t slot, RemoveFifos remove);

    /// Puts `text` into the slot's stdin FIFO, without waiting for its reader; a text that nobody
    /// has read when the process ends is read by its successor.
    ///
    /// Up to 4,096 bytes (PIPE_BUF) go in as a whole or not at all. A longer text grows the FIFO to
    /// 1 MB if it must, and may go in partly. Errors: kNotFound: not attached. kConflict: the
    /// slot's stdin is /dev/null. kTooManyRequests: the FIFO is full, the message says how many
    /// bytes went in.
    core::Result<void> write_stdin(std::uint32_t slot, std::string_view text);

    /// Opens the log files by their names again, after somebody has moved them away.
    /// Errors: kNotFound: not attached; as attach() for the files. The old files stay in use then.
    core::Result<void> reopen(std::uint32_t slot);

    /// Calls `wake` after bytes were added to a log file of one of the slots, once until rearm().
    ///
    /// Bytes that come after this returns are never missed. A slot need not be attached yet. While
    /// nobody follows, a splice costs one relaxed load for it.
    /// @param wake  called on the capture thread or one that drains, under a lock: it must be short
    /// and may
    ///              call nothing of this class but rearm() of another Subscription's thread (post
    ///              it).
    Subscription subscribe(std::span<const std::uint32_t> slots, std::function<void()> wake);

    /// Zeroes for a slot that is not attached.
    CaptureCounters counters(std::uint32_t slot) const;
    /// Bytes dropped for all slots since start(): the metric `capture.dropped`.
    std::uint64_t dropped() const;

    /// The index of times of a log file, for LogReader.
    std::string index_path(std::string_view log_file) const;

  private:
    explicit Capture(std::unique_ptr<detail::CaptureEngine> engine);
    std::unique_ptr<detail::CaptureEngine> engine_;
};

}  // namespace zona::process
