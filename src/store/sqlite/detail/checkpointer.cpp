#include "store/sqlite/detail/checkpointer.h"

#include "core/fault.h"

namespace zona::store::detail {

using core::Result;

void Checkpointer::committed(std::uint32_t frames) {
    frames_ = frames;
    ++commits_;
    // The log began anew.
    if (frames + checkpoint_frames_ < due_at_) due_at_ = frames + checkpoint_frames_;
    if (frames < due_at_) return;
    due_at_ = frames + checkpoint_frames_;
    due_ = true;
}

void Checkpointer::rest() {
    const auto frames = static_cast<std::uint32_t>(frames_);
    if (frames + checkpoint_frames_ < due_at_ + rest_frames_) return;
    due_at_ = frames + checkpoint_frames_;
    due_ = true;
}

void Checkpointer::closed() {
    frames_ = 0;
    due_at_ = checkpoint_frames_;
    due_ = false;
    finish_asked_ = false;
}

void Checkpointer::finish(Connection& writer) {
    if (!finish_asked_.exchange(false)) return;
    // What it does not reach now comes with the next pass.
    if (const auto progress = checkpoint(writer); progress.has_value()) ++checkpoints_;
}

Result<Checkpointer::Progress> Checkpointer::checkpoint(Connection& connection) {
    Progress progress;
    const int code = sqlite3_wal_checkpoint_v2(connection.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                               &progress.frames, &progress.moved);
    ZONA_FAULT("store.checkpointed");
    if (code != SQLITE_OK) return connection.error(code);
    return progress;
}

Result<void> Checkpointer::sync_file(Connection& connection) {
    // Through the VFS: a descriptor of our own, when closed, would drop SQLite's locks.
    sqlite3_file* file = nullptr;
    int code = sqlite3_file_control(connection.get(), "main", SQLITE_FCNTL_FILE_POINTER,
                                    static_cast<void*>(&file));
    if (code == SQLITE_OK && file != nullptr && file->pMethods != nullptr)
        code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
    if (code != SQLITE_OK) return connection.error(code);
    return {};
}

void Checkpointer::pass(Connection& connection) {
    auto progress = checkpoint(connection);
    if (progress.has_value() && progress->frames >= static_cast<int>(reset_frames_) &&
        progress->left() > 0) {
        if (auto synced = sync_file(connection); !synced.has_value()) {
            log_.report("the database could not be synced", synced.error());
            return;
        }
        progress = checkpoint(connection);
    }
    if (!progress.has_value()) {
        log_.report("the write-ahead log could not be moved into the database", progress.error());
        return;
    }
    ++checkpoints_;
    if (progress->frames >= static_cast<int>(reset_frames_) &&
        progress->left() <= static_cast<int>(kLastFrames))
        finish_asked_ = true;
}

}  // namespace zona::store::detail
