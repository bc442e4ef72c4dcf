#include "store/sqlite/detail/read_pool.h"

#include <utility>

#include <fmt/format.h>

#include "os/thread.h"

namespace zona::store::detail {

ReadPool::ReadPool(std::vector<std::unique_ptr<Connection>> connections, const SessionSetup& setup,
                   std::size_t max_waiting)
    : connections_(std::move(connections)), setup_(setup), max_waiting_(max_waiting) {
    for (const auto& connection : connections_)
        threads_.emplace_back([this, &connection] { run(*connection); });
}

ReadPool::~ReadPool() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_)
        thread.join();
}

void ReadPool::submit(Work work) {
    bool stopping = false;
    {
        const std::lock_guard lock(mutex_);
        if (!stop_ && queue_.size() < max_waiting_) {
            queue_.push_back(std::move(work));
            wake_.notify_one();
            return;
        }
        stopping = stop_;
    }
    if (stopping) {
        work(core::Error(core::Code::kCancelled, "the database is being closed"));
        return;
    }
    work(core::Error(core::Code::kTooManyRequests,
                     fmt::format("{} reads wait for the database already", max_waiting_)));
}

void ReadPool::run(Connection& connection) {
    os::name_this_thread("store-reader");
    std::unique_lock lock(mutex_);
    while (true) {
        wake_.wait(lock, [this] { return stop_ || !queue_.empty(); });
        if (queue_.empty()) return;
        Work work = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        serve(connection, work);
        lock.lock();
    }
}

void ReadPool::serve(Connection& connection, Work& work) {
    const auto run = [&connection](const char* sql) -> core::Result<void> {
        ZONA_TRY(Statement statement, connection.prepare(sql));
        return statement.run();
    };
    if (auto begun = run("BEGIN"); !begun.has_value()) {
        work(begun.take_error());
        return;
    }
    Session session(connection, setup_);
    work(&session);
    // Nothing was changed: there is nothing that could fail to be kept.
    (void)run("COMMIT");
}

}  // namespace zona::store::detail
