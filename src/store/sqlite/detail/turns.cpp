#include "store/sqlite/detail/turns.h"

#include <system_error>

#include "os/thread.h"

namespace zona::store::detail {

TurnPool::TurnPool(const char* name, std::size_t threads) : name_(name), most_(threads) {
    start_one();
}

TurnPool::~TurnPool() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_)
        thread.join();
}

void TurnPool::start_one() {
    threads_.emplace_back([this] { run(); });
}

void TurnPool::add(Turn& turn) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(&turn);
    waiting_.store(queue_.size(), std::memory_order_relaxed);
    if (queue_.size() <= idle_) {
        wake_.notify_one();
        return;
    }
    if (threads_.size() >= most_) return;
    try {
        start_one();
    } catch (const std::system_error&) {
        // The host has no thread left; those that are there do the work.
        most_ = threads_.size();
    }
}

void TurnPool::run() {
    os::name_this_thread(name_);
    std::unique_lock lock(mutex_);
    while (true) {
        ++idle_;
        wake_.wait(lock, [this] { return stop_ || !queue_.empty(); });
        --idle_;
        if (queue_.empty()) return;
        Turn* const turn = queue_.front();
        queue_.pop_front();
        waiting_.store(queue_.size(), std::memory_order_relaxed);
        lock.unlock();
        const After after = turn->take();
        lock.lock();
        // This thread goes on at once, so nobody has to be woken up for it.
        if (after == After::kAgain) queue_.push_back(turn);
    }
}

}  // namespace zona::store::detail
