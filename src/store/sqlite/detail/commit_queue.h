/// @file
/// CommitQueue: the one thread that writes, and its group commit.
///
/// Transactions that wait are run one after the other, each in a savepoint, and committed together
/// by one sync; then all are answered. One that fails is undone alone. When the last batch was
/// large the thread waits a little for the next to become as large (kGather at most, and only while
/// fewer wait than 3/4 of the last batch): the clients that were answered are about to come back.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/log.h"
#include "store/database.h"
#include "store/sqlite/detail/checkpointer.h"
#include "store/sqlite/detail/session.h"

namespace zona::store::detail {

class CommitQueue {
  public:
    /// How long a batch waits for more.
    static constexpr std::chrono::microseconds kGather{500};

    /// What it may hold.
    struct Limits {
        std::size_t waiting = 0;
        std::size_t batch = 0;
    };

    /// All outlive it. The connection is this thread's from now on.
    CommitQueue(Connection& connection, const SessionSetup& setup, Checkpointer& checkpointer,
                Limits limits);
    /// Commits and answers what waits.
    ~CommitQueue();
    CommitQueue(const CommitQueue&) = delete;
    CommitQueue& operator=(const CommitQueue&) = delete;

    /// As Database::submit_write().
    void submit(Database::WriteWork work, Callback<void> done);

    std::uint64_t transactions() const { return transactions_; }
    std::uint64_t batches() const { return batches_; }

  private:
    struct Waiting {
        Database::WriteWork work;
        Callback<void> done;
        core::Result<void> answer;
    };
    using Batch = std::vector<Waiting>;

    void run();
    /// Waits for work; false: there is none and none will come.
    bool gather(Batch& batch);
    void commit(Batch& batch);
    /// Runs them from `from` on; gives the place behind the last one of the transaction.
    std::size_t run_together(Batch& batch, std::size_t from);
    core::Result<void> run_one(Session& session, Waiting& waiting);
    static void fail(Batch& batch, std::size_t from, std::size_t to, const core::Error& error);

    Connection& connection_;
    const SessionSetup& setup_;
    Checkpointer& checkpointer_;
    const Limits limits_;
    std::atomic<std::uint64_t> transactions_ = 0;
    std::atomic<std::uint64_t> batches_ = 0;

    std::mutex mutex_;  // guards the next block
    std::condition_variable wake_;
    Batch queue_;
    std::size_t wanted_ = 1;  // so many wake the thread
    bool stop_ = false;

    std::size_t last_batch_ = 0;  // the thread's alone
    std::thread thread_;
};

}  // namespace zona::store::detail
