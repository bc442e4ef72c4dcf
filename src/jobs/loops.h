/// @file
/// Loops: what a daemon looks after every few seconds as long as it lives: whether its cache
/// answers, which tokens are over, its metrics.
///
/// Unlike a job (scheduler.h) a loop is of this process alone, leaves no history and asks no
/// database, so it may turn often. All share one thread, which sleeps until the next is due: their
/// work is short and waits for nobody. One without anything to do is not waited for, so that a
/// daemon at rest wakes up for nothing. What fails or throws is logged and counted, comes again
/// after its interval, and leaves the others alone. Source: BG-01..BG-07, specification § 8.10.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/result.h"

namespace zona::jobs {

/// What is done again and again.
struct Loop {
    std::string name;                                             ///< "cache health check"
    std::chrono::milliseconds interval{std::chrono::minutes(1)};  ///< from an end to a beginning
    std::function<core::Result<void>()> work;
    std::function<bool()> needed{};  ///< whether there is anything to do; empty: always
};

/// See the file comment. All members from one thread, or one after the other.
class Loops {
  public:
    /// `clock` and `metrics` outlive it. Metrics, by {loop}: zona_loop_turns_total,
    /// zona_loop_failures_total.
    Loops(std::vector<Loop> loops, const core::Clock& clock, core::Logger log,
          core::MetricRegistry& metrics);
    Loops(const Loops&) = delete;
    Loops& operator=(const Loops&) = delete;
    ~Loops();  ///< stop()

    /// Begins them in the order given, which the log shows, and has each turn once. Call once. The
    /// thread inherits the signals that the caller blocks.
    void start();
    /// One that was not needed may be now; for each time that this may be so. Any thread.
    void poke();
    /// Tells them to end, and waits for that; what turns is finished first. The log shows it.
    /// Idempotent.
    void stop();

    /// For tests, in the place of start(): has those turn that are due, and says when the next is.
    core::SteadyTime turn();

  private:
    struct Member {
        Loop loop;
        core::Counter& turns;
        core::Counter& failures;
        core::SteadyTime due{};  ///< by whoever takes turns
    };

    void run();
    void turn(Member& member) const;

    const core::Clock& clock_;
    core::Logger log_;
    std::vector<Member> members_;
    std::mutex mutex_;
    std::condition_variable told_;
    bool stopping_ = false;  // guarded by mutex_
    std::atomic<bool> poked_ = false;
    std::thread thread_;
};

}  // namespace zona::jobs
