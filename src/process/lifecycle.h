/// @file
/// The life of one process as a pure function: (policy, state, event) → (state, actions).
///
/// No clock, no system call, no allocation: the supervisor feeds events and carries the actions
/// out, in order. docs/lifecycle.md holds the table that lifecycle_table() renders.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace zona::process {

/// The unit of all delays here.
using Milliseconds = std::chrono::milliseconds;

/// The part of an app's settings that decides about restarts and stops.
struct RestartPolicy {
    bool autorestart = true;
    int max_restarts = 16;  ///< consecutive runs shorter than min_uptime until it is held
    Milliseconds min_uptime{1000};
    Milliseconds restart_delay{0};
    Milliseconds backoff_first{
        0};  ///< 0: none; then each delay is 1.5 times the last, at most 15 s
    Milliseconds kill_timeout{1600};
    std::vector<int> stop_exit_codes;
};

/// No delay of a backoff grows beyond this.
inline constexpr Milliseconds kLongestBackoff{15000};
/// A run this long makes the next backoff begin anew.
inline constexpr Milliseconds kBackoffResetUptime{30000};

/// At least this long until a program that could not be executed is tried again: it would spin
/// otherwise.
inline constexpr Milliseconds kSpawnRetryDelay{100};

/// Where a process is in its life.
enum class Phase : std::uint8_t {
    kStopped,    ///< no child, none wanted now
    kLaunching,  ///< a spawn is under way
    kOnline,     ///< the child lives
    kStopping,   ///< its end was asked for
    kCleaning,   ///< the child ended by itself; the rest of its tree is being ended
    kWaiting,    ///< the next start is due at a time
    kErrored,    ///< given up: too many short runs, or it cannot be started
};
/// Every phase, for tables and tests.
inline constexpr std::array kPhases = {Phase::kStopped,  Phase::kLaunching, Phase::kOnline,
                                       Phase::kStopping, Phase::kCleaning,  Phase::kWaiting,
                                       Phase::kErrored};

/// PM2's names: "stopped" "launching" "online" "stopping" "waiting restart" "errored".
std::string_view status_name(Phase phase);

/// What follows when the present child's tree has ended.
enum class Goal : std::uint8_t { kNone, kStop, kRestart, kDelete };

/// What is known of one process between two events.
struct LifecycleState {
    Phase phase = Phase::kStopped;
    Goal goal = Goal::kNone;
    bool child_alive = false;  ///< the main child has not been seen to end
    std::uint32_t restarts = 0;
    std::uint32_t unstable_restarts = 0;
    Milliseconds backoff{0};  ///< the last delay of a backoff; 0 = none yet

    bool operator==(const LifecycleState&) const = default;
};

/// What can happen to a process.
enum class EventKind : std::uint8_t {
    kStart,        ///< asked for
    kStop,         ///< asked for, or the daemon is shutting down
    kRestart,      ///< asked for
    kDelete,       ///< asked for
    kReset,        ///< asked for: counters to zero
    kSpawned,      ///< the program executes
    kSpawnFailed,  ///< it does not; no child is left
    kExited,       ///< the main child has ended
    kTreeEmpty,    ///< nothing of its tree is left (or the supervisor has given up on survivors)
    kKillTimeout,  ///< the grace has passed
    kRestartDue,   ///< the delay has passed
};
/// Every kind of event, for tables and tests.
inline constexpr std::array kEventKinds = {
    EventKind::kStart,     EventKind::kStop,        EventKind::kRestart,     EventKind::kDelete,
    EventKind::kReset,     EventKind::kSpawned,     EventKind::kSpawnFailed, EventKind::kExited,
    EventKind::kTreeEmpty, EventKind::kKillTimeout, EventKind::kRestartDue};

/// One thing that happened, with what is known about it.
struct Event {
    EventKind kind;
    bool tree_empty = true;  ///< kExited: nothing but the main child was there
    Milliseconds ran{0};     ///< kExited: how long it lived
    int exit_code = -1;      ///< kExited: its code; -1 for a signal or an unknown end
};

/// What the supervisor is told to do.
enum class ActionKind : std::uint8_t {
    kSpawn,            ///< start the child; answer with kSpawned or kSpawnFailed
    kSignalMain,       ///< the stop signal to the child's process group
    kSignalTree,       ///< the stop signal to all that is left of the tree
    kKillTree,         ///< SIGKILL to all that is left, again until it is empty; then kTreeEmpty
    kWatchTree,        ///< answer with kTreeEmpty once nothing is left
    kArmKillTimer,     ///< kKillTimeout after `delay`
    kArmRestartTimer,  ///< kRestartDue after `delay`
    kCancelTimers,
    kStopped,  ///< tell those who wait: it is at rest, and whether it is held
    kRemove,   ///< forget the process
};

/// One thing to do; `delay` matters to the timers only.
struct Action {
    ActionKind kind;
    Milliseconds delay{0};
    bool operator==(const Action&) const = default;
};

/// At most this many actions follow from one event.
inline constexpr std::size_t kMostActions = 6;

/// What follows from one event, in the order in which it is to be done. No allocation.
class Actions {
  public:
    /// Precondition: size() < kMostActions.
    void add(ActionKind kind, Milliseconds delay = Milliseconds(0)) {
        items_[size_++] = Action{kind, delay};
    }
    const Action* begin() const { return items_.data(); }
    const Action* end() const { return items_.data() + size_; }
    std::size_t size() const { return size_; }
    /// Whether an action of that kind is among them.
    bool has(ActionKind kind) const;

  private:
    std::array<Action, kMostActions> items_{};
    std::size_t size_ = 0;
};

/// The answer to an event.
struct Transition {
    LifecycleState state;
    Actions actions;
    std::string_view held_because;  ///< why it is not started again; empty if it is or nobody asked
};

/// The whole policy. Total: every event in every phase has an answer, if only "nothing".
///
/// Guarantees: kSpawn only when no child and nothing of its tree is left (PM-08's "never doubled");
/// a stop, a deletion or a shutdown is never followed by a restart; every kSignalMain is followed
/// by kArmKillTimer or kKillTree; kRemove only with nothing left. Source: PM-03, PM-04, PM-08;
/// PM2's documented rule: max_restarts counts *consecutive* short runs.
Transition transition(const RestartPolicy& policy, const LifecycleState& state, const Event& event);

/// The table of docs/lifecycle.md: a row for each phase and event that changes something.
std::string lifecycle_table();

}  // namespace zona::process
