/// @file
/// Checkpointer: moves the write-ahead log into the file, beside the writer.
///
/// Automatic checkpoints are off, because they would be the writer's. Every `checkpoint_frames`
/// frames a thread with a connection of its own runs a PASSIVE checkpoint, which blocks nobody. The
/// log begins anew only when all of it is in the file at a moment at which nobody writes; under
/// load that moment never comes by itself. So above `reset_frames` the thread syncs the file, so
/// that the sync to come is short, checkpoints again, and asks the writer to move the last frames
/// (kLastFrames at most) between two of its commits. Never TRUNCATE: that one waits for readers.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "core/log.h"
#include "store/sqlite/detail/connection.h"

namespace zona::store::detail {

class Checkpointer {
  public:
    /// What the writer does by itself, at most.
    static constexpr std::uint32_t kLastFrames = 512;

    Checkpointer(std::unique_ptr<Connection> connection, std::uint32_t checkpoint_frames,
                 std::uint32_t reset_frames, core::Logger log);
    ~Checkpointer();
    Checkpointer(const Checkpointer&) = delete;
    Checkpointer& operator=(const Checkpointer&) = delete;

    /// The writer, after a commit: so many frames are in the log now. Returns at once.
    void committed(std::uint32_t frames);
    /// The writer, between two transactions; does something only if it was asked to.
    void finish(Connection& writer);
    /// The disk was full: what is in the log may make room there when it begins anew.
    void disk_full();

    std::uint64_t checkpoints() const { return checkpoints_; }
    std::uint64_t frames() const { return frames_; }

  private:
    /// Frames in the log, and of them those that are in the file.
    struct Progress {
        int frames = 0;
        int moved = 0;
        int left() const { return frames - moved; }
    };
    void run();
    void pass();
    static core::Result<Progress> checkpoint(Connection& connection);
    core::Result<void> sync_file();

    const std::unique_ptr<Connection> connection_;
    const std::uint32_t checkpoint_frames_;
    const std::uint32_t reset_frames_;
    const core::Logger log_;

    std::atomic<std::uint64_t> frames_ = 0;
    std::atomic<std::uint64_t> checkpoints_ = 0;
    std::atomic<bool> finish_asked_ = false;

    std::mutex mutex_;  // guards the next block
    std::condition_variable wake_;
    std::uint32_t due_at_;  // frames that ask for the next pass
    bool due_ = false;
    bool stop_ = false;

    std::thread thread_;
};

}  // namespace zona::store::detail
