#include "store/sqlite/detail/checkpointer.h"

#include <utility>

#include "core/fault.h"
#include "os/thread.h"

namespace zona::store::detail {

using core::Result;

Checkpointer::Checkpointer(std::unique_ptr<Connection> connection, std::uint32_t checkpoint_frames,
                           std::uint32_t reset_frames, core::Logger log)
    : connection_(std::move(connection)),
      checkpoint_frames_(checkpoint_frames),
      reset_frames_(reset_frames),
      log_(std::move(log)),
      due_at_(checkpoint_frames),
      thread_([this] { run(); }) {}

Checkpointer::~Checkpointer() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void Checkpointer::committed(std::uint32_t frames) {
    frames_ = frames;
    const std::lock_guard lock(mutex_);
    // The log began anew.
    if (frames + checkpoint_frames_ < due_at_) due_at_ = frames + checkpoint_frames_;
    if (frames < due_at_) return;
    due_at_ = frames + checkpoint_frames_;
    due_ = true;
    wake_.notify_one();
}

void Checkpointer::disk_full() {
    const std::lock_guard lock(mutex_);
    due_ = true;
    wake_.notify_one();
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

Result<void> Checkpointer::sync_file() {
    // Through the VFS: a descriptor of our own, when closed, would drop SQLite's locks.
    sqlite3_file* file = nullptr;
    int code = sqlite3_file_control(connection_->get(), "main", SQLITE_FCNTL_FILE_POINTER,
                                    static_cast<void*>(&file));
    if (code == SQLITE_OK && file != nullptr && file->pMethods != nullptr)
        code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
    if (code != SQLITE_OK) return connection_->error(code);
    return {};
}

void Checkpointer::pass() {
    auto progress = checkpoint(*connection_);
    if (progress.has_value() && progress->frames >= static_cast<int>(reset_frames_) &&
        progress->left() > 0) {
        if (auto synced = sync_file(); !synced.has_value()) {
            log_.report("the database could not be synced", synced.error());
            return;
        }
        progress = checkpoint(*connection_);
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

void Checkpointer::run() {
    os::name_this_thread("store-wal");
    std::unique_lock lock(mutex_);
    while (true) {
        wake_.wait(lock, [this] { return due_ || stop_; });
        if (stop_) return;
        due_ = false;
        lock.unlock();
        pass();
        lock.lock();
    }
}

}  // namespace zona::store::detail
