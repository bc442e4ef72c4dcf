/// @file
/// Small bounded process trees for the tests of containment: what services do to escape a stop.
///
/// The test binary is executed again by os::spawn (so that every way of placing a child is
/// exercised) and plays the shape that the variable ZONA_FORK_TREE names. Each process of a tree
/// holds the write end of one pipe as its stdout; end of file there proves, apart from all tested
/// code, that none is left. Whatever happens, every process ends by itself after 10 s and a tree
/// never has more than 200 at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include <sys/types.h>

#include "os/fd.h"
#include "os/spawn.h"

namespace zona::os::testing {

enum class Shape : std::uint8_t {
    kSleeper,   ///< one process
    kGroup,     ///< three processes in the main's group
    kDaemon,    ///< the main, and a double-forked setsid process that ignores SIGTERM
    kScrubbed,  ///< as kDaemon, but the second is `sleep` with an empty environment (`env -i`)
    kErased,    ///< as kScrubbed, and it has lowered RLIMIT_LOCKS: no trace is left on purpose
    kChain,  ///< the main, and a process that is replaced by its own child, in a new session, every
             ///< millisecond
    kTight,  ///< the same without any pause
    kStorm,  ///< the main, and 40 such chains at once
};

class ForkTree {
  public:
    /// Starts it; `place` may change the plan first. The calling process becomes the reaper of
    /// orphans.
    explicit ForkTree(Shape shape, const std::function<void(SpawnPlan&)>& place = {});
    ForkTree(const ForkTree&) = delete;
    ForkTree& operator=(const ForkTree&) = delete;
    /// Kills what it knows, waits until the rest has ended by itself, reaps everything.
    ~ForkTree();

    pid_t main() const { return outcome_.pid; }
    const SpawnOutcome& outcome() const { return outcome_; }
    /// Waits until the whole shape is there. False: it did not come.
    bool wait_ready();
    /// The double-forked process, for kDaemon, kScrubbed and kErased.
    pid_t second() const { return second_; }
    /// Whether a process of the tree still runs.
    bool any_alive();
    /// Waits for the end of all; false after `limit`.
    bool wait_all_dead(std::chrono::milliseconds limit = std::chrono::seconds(5));
    /// Waits until the main is a zombie and leaves it so.
    void wait_main_zombie();
    /// Reaps every child of this process that has ended; the main if it has.
    void reap();

  private:
    bool read_reports(std::chrono::milliseconds limit);

    SpawnOutcome outcome_;
    UniqueFd reports_;
    int awaited_ = 1;
    pid_t second_ = 0;
    bool all_dead_ = false;
};

}  // namespace zona::os::testing
