/// @file
/// TurnPool: a bounded number of threads for any number of files, each of which gets turns.
///
/// Who has work asks for a turn and does a bounded part of it when the turn comes; if work is left,
/// it asks again and stands behind all others. So nobody waits for more than one turn of each
/// other, and who has no work costs nothing.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace zona::store::detail {

/// What becomes of a turn when it is over.
enum class After : std::uint8_t {
    kDone,   ///< nothing; it may be gone already
    kAgain,  ///< it stands behind all that wait
};

/// Something that does a part of its work when its turn comes.
class Turn {
  public:
    /// On a thread of the pool. Must not throw, nor wait for another turn of the same pool.
    virtual After take() = 0;

  protected:
    ~Turn() = default;
};

class TurnPool {
  public:
    /// `threads` at most, at least 1: the first one at once, others as they are needed. `name` is
    /// theirs, a literal of at most 15 bytes.
    TurnPool(const char* name, std::size_t threads);
    /// Gives what waits its turn first.
    ~TurnPool();
    TurnPool(const TurnPool&) = delete;
    TurnPool& operator=(const TurnPool&) = delete;

    /// Puts it behind all that wait; it must live until the turn is over. Any thread.
    void add(Turn& turn);
    /// Whether a thread that rests a little keeps nobody waiting.
    bool nobody_waits() const { return waiting_.load(std::memory_order_relaxed) == 0; }

  private:
    void run();
    void start_one();

    const char* const name_;
    std::atomic<std::size_t> waiting_ = 0;  // queue_.size()

    std::mutex mutex_;  // guards the next block
    std::condition_variable wake_;
    std::size_t most_;  // threads
    std::deque<Turn*> queue_;
    std::size_t idle_ = 0;
    bool stop_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace zona::store::detail
