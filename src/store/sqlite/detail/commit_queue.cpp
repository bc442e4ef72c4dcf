#include "store/sqlite/detail/commit_queue.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "core/fault.h"
#include "os/thread.h"

namespace zona::store::detail {

using core::Code;
using core::Error;
using core::Result;

CommitQueue::CommitQueue(Connection& connection, const SessionSetup& setup,
                         Checkpointer& checkpointer, Limits limits)
    : connection_(connection), setup_(setup), checkpointer_(checkpointer), limits_(limits) {
    const auto hook = [](void* self, sqlite3*, const char*, int frames) {
        static_cast<CommitQueue*>(self)->checkpointer_.committed(
            static_cast<std::uint32_t>(frames));
        return SQLITE_OK;
    };
    sqlite3_wal_hook(connection_.get(), hook, this);
    thread_ = std::thread([this] { run(); });
}

CommitQueue::~CommitQueue() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake_.notify_one();
    thread_.join();
    sqlite3_wal_hook(connection_.get(), nullptr, nullptr);
}

void CommitQueue::submit(Database::WriteWork work, Callback<void> done) {
    bool stopping = false;
    {
        const std::lock_guard lock(mutex_);
        if (!stop_ && queue_.size() < limits_.waiting) {
            queue_.push_back({.work = std::move(work), .done = std::move(done)});
            if (queue_.size() == wanted_) wake_.notify_one();
            return;
        }
        stopping = stop_;
    }
    if (stopping) {
        done(Error(Code::kCancelled, "the database is being closed"));
        return;
    }
    done(Error(Code::kTooManyRequests,
               fmt::format("{} changes wait for the database already", limits_.waiting)));
}

bool CommitQueue::gather(Batch& batch) {
    std::unique_lock lock(mutex_);
    const auto reached = [this] { return queue_.size() >= wanted_ || stop_; };
    wanted_ = 1;
    wake_.wait(lock, reached);
    wanted_ = std::min(limits_.batch, last_batch_ * 3 / 4);
    if (queue_.size() < wanted_) wake_.wait_for(lock, kGather, reached);
    wanted_ = SIZE_MAX;
    if (queue_.empty()) return false;
    const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), limits_.batch));
    std::move(queue_.begin(), queue_.begin() + count, std::back_inserter(batch));
    queue_.erase(queue_.begin(), queue_.begin() + count);
    return true;
}

void CommitQueue::run() {
    os::name_this_thread("store-writer");
    Batch batch;
    while (gather(batch)) {
        last_batch_ = batch.size();
        commit(batch);
        for (Waiting& waiting : batch)
            waiting.done(std::move(waiting.answer));
        batch.clear();
        checkpointer_.finish(connection_);
    }
}

void CommitQueue::commit(Batch& batch) {
    for (std::size_t at = 0; at < batch.size();) {
        if (auto begun = connection_.execute("BEGIN IMMEDIATE"); !begun.has_value()) {
            fail(batch, at, batch.size(), begun.error());
            return;
        }
        const std::size_t end = run_together(batch, at);
        ZONA_FAULT("store.before_commit");
        if (connection_.in_transaction()) {
            if (auto done = connection_.execute("COMMIT"); !done.has_value()) {
                fail(batch, at, end, done.error());
                if (connection_.in_transaction()) (void)connection_.execute("ROLLBACK");
            }
        }
        ZONA_FAULT("store.after_commit");
        ++batches_;
        transactions_ += end - at;
        at = end;
    }
    const auto is_full = [](const Waiting& waiting) {
        return !waiting.answer.has_value() &&
               waiting.answer.error().code() == Code::kResourceExhausted;
    };
    if (std::ranges::any_of(batch, is_full)) checkpointer_.disk_full();
}

std::size_t CommitQueue::run_together(Batch& batch, std::size_t from) {
    Session session(connection_, setup_);
    for (std::size_t at = from; at < batch.size(); ++at) {
        batch[at].answer = run_one(session, batch[at]);
        // On a full disk SQLite may undo the whole transaction, with all that went before.
        if (!connection_.in_transaction()) {
            const Error undone = batch[at].answer.has_value()
                                     ? Error(Code::kInternal, "the transaction was undone")
                                     : batch[at].answer.error();
            fail(batch, from, at + 1, undone);
            return at + 1;
        }
    }
    return batch.size();
}

Result<void> CommitQueue::run_one(Session& session, Waiting& waiting) {
    ZONA_TRY_VOID(connection_.execute("SAVEPOINT one"));
    Result<void> answer = waiting.work(session);
    if (!connection_.in_transaction()) return answer;
    Result<void> ended =
        connection_.execute(answer.has_value() ? "RELEASE one" : "ROLLBACK TO one; RELEASE one");
    return ended.has_value() ? std::move(answer) : std::move(ended);
}

/// Those that had an error of their own keep it.
void CommitQueue::fail(Batch& batch, std::size_t from, std::size_t to, const Error& error) {
    for (std::size_t i = from; i < to; ++i) {
        if (batch[i].answer.has_value()) batch[i].answer = error;
    }
}

}  // namespace zona::store::detail
