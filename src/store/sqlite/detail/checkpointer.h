/// @file
/// Checkpointer: when and how the write-ahead log of one file is moved into it, beside the writer.
///
/// Automatic checkpoints are off, because they would be the writer's. Every `checkpoint_frames`
/// frames, or `rest_frames` when nobody waits to write, a connection of its own, which lives that
/// long, runs a PASSIVE checkpoint, which blocks nobody. The log begins anew only when all of it is
/// in the file at a moment at which nobody writes; under load that moment never comes by itself. So
/// above `reset_frames` the file is synced first, so that the sync to come is short, checkpointed
/// again, and the writer is asked to move the last frames (kLastFrames at most) between two of its
/// commits. Never TRUNCATE: that one waits for readers.
///
/// All but pass() are the writer's; that may run beside them.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <utility>

#include "core/log.h"
#include "store/sqlite/detail/connection.h"

namespace zona::store::detail {

class Checkpointer {
  public:
    /// What the writer does by itself, at most.
    static constexpr std::uint32_t kLastFrames = 512;

    /// After how many frames; more than `checkpoint` of `rest` count for as many.
    struct Frames {
        std::uint32_t rest = 0;
        std::uint32_t checkpoint = 0;
        std::uint32_t reset = 0;
    };

    Checkpointer(const Frames& frames, core::Logger log)
        : rest_frames_(std::min(frames.rest, frames.checkpoint)),
          checkpoint_frames_(frames.checkpoint),
          reset_frames_(frames.reset),
          log_(std::move(log)),
          due_at_(frames.checkpoint) {}

    /// After a commit: so many frames are in the log now.
    void committed(std::uint32_t frames);
    /// Nobody waits to write.
    void rest();
    /// The disk was full: what is in the log may make room there when it begins anew.
    void disk_full() { due_ = true; }
    /// Whether a pass is due since it was asked last.
    bool take_due() { return std::exchange(due_, false); }
    /// Between two transactions; does something only if a pass asked for it.
    void finish(Connection& writer);

    /// Moves what is in the log. Errors are reported in the log; a later pass may do.
    void pass(Connection& connection);
    /// The file is closed: its log is in it.
    void closed();

    std::uint64_t checkpoints() const { return checkpoints_; }
    std::uint64_t frames() const { return frames_; }
    std::uint64_t commits() const { return commits_; }

  private:
    /// Frames in the log, and of them those that are in the file.
    struct Progress {
        int frames = 0;
        int moved = 0;
        int left() const { return frames - moved; }
    };
    static core::Result<Progress> checkpoint(Connection& connection);
    static core::Result<void> sync_file(Connection& connection);

    const std::uint32_t rest_frames_;
    const std::uint32_t checkpoint_frames_;
    const std::uint32_t reset_frames_;
    const core::Logger log_;

    std::uint32_t due_at_;  // frames that ask for the next pass; the writer's
    bool due_ = false;      // the writer's
    std::atomic<std::uint64_t> frames_ = 0;
    std::atomic<std::uint64_t> checkpoints_ = 0;
    std::atomic<std::uint64_t> commits_ = 0;
    std::atomic<bool> finish_asked_ = false;
};

}  // namespace zona::store::detail
