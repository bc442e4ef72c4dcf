/// @file
/// Workers: threads that block in the driver, each with a client of its own; and the queues of what
/// waits for one.
///
/// A worker is made when something waits and none is free, up to the maximum. One that has had
/// nothing to do for the idle time-out closes its connection and ends, down to the minimum; those
/// that stay ping their server. Of writes at most so many run at a time, and one goes before reads.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "core/log.h"
#include "core/result.h"
#include "store/mongo/detail/client.h"
#include "store/mongo_database.h"

namespace zona::store::mongo {

/// What a worker is asked for.
enum class WorkKind : std::uint8_t { kRead, kWrite };

class Workers {
  public:
    /// Called once, with a client, or with the reason why there is none.
    using Work = std::move_only_function<void(core::Result<Client*>)>;

    /// `factory` outlives it. `writes`: how many at a time.
    Workers(const MongoOptions& options, const ClientFactory& factory, std::size_t writes,
            core::Logger log);
    /// Does what waits.
    ~Workers();
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    /// Errors given to it: kTooManyRequests, kCancelled, before this returns.
    void submit(WorkKind kind, Work work);
    /// Something to be done now and then by a worker that has nothing else to do.
    void every(std::chrono::milliseconds interval, std::function<void(Client&)> task);

    /// @{
    /// Those members that it knows.
    void fill(MongoStats& stats) const;
    void fill(DatabaseLoad& load) const;
    /// @}

  private:
    using Time = std::chrono::steady_clock::time_point;
    struct Worker {
        std::thread thread;
        bool ended = false;  // guarded by mutex_
    };
    void run(Worker& self);
    /// What to do next; nothing: the time came for something else.
    bool take(Work& work, WorkKind& kind);
    bool may_take_write() const { return !writes_.empty() && writing_ < max_writing_; }
    void serve(std::unique_ptr<Client>& client, Work& work);
    /// Checks its connection, and does what is done now and then. False: it should end.
    bool rest(std::unique_ptr<Client>& client, std::unique_lock<std::mutex>& lock, Time idle_since);
    void ping(std::unique_ptr<Client>& client, std::unique_lock<std::mutex>& lock);
    void add_worker();
    std::list<Worker> take_ended();

    const MongoOptions options_;
    const ClientFactory& factory_;
    const std::size_t max_writing_;
    const core::Logger log_;

    mutable std::mutex mutex_;
    // All guarded by mutex_.
    std::condition_variable wake_;
    std::deque<Work> reads_;
    std::deque<Work> writes_;
    std::list<Worker> workers_;
    std::size_t alive_ = 0;
    std::size_t idle_ = 0;
    std::size_t writing_ = 0;
    bool stop_ = false;
    bool healthy_ = true;
    std::function<void(Client&)> task_;
    std::chrono::milliseconds task_interval_{0};
    Time task_due_ = Time::max();
    MongoStats stats_;
};

}  // namespace zona::store::mongo
