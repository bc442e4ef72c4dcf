/// @file
/// ReadPool: threads that read, each with a connection of its own; one queue for all.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/result.h"
#include "store/sqlite/detail/session.h"

namespace zona::store::detail {

class ReadPool {
  public:
    /// Called once, with a session in a transaction or the error that kept it from being begun.
    using Work = std::move_only_function<void(core::Result<Session*>)>;

    /// One thread for each connection; `setup` outlives it.
    ReadPool(std::vector<std::unique_ptr<Connection>> connections, const SessionSetup& setup,
             std::size_t max_waiting);
    /// Does what waits.
    ~ReadPool();
    ReadPool(const ReadPool&) = delete;
    ReadPool& operator=(const ReadPool&) = delete;

    /// As Database::submit_read().
    void submit(Work work);

  private:
    void run(Connection& connection);
    void serve(Connection& connection, Work& work);

    const std::vector<std::unique_ptr<Connection>> connections_;
    const SessionSetup& setup_;
    const std::size_t max_waiting_;

    std::mutex mutex_;  // guards the next block
    std::condition_variable wake_;
    std::deque<Work> queue_;
    bool stop_ = false;

    std::vector<std::thread> threads_;
};

}  // namespace zona::store::detail
