#include "process/lifecycle.h"

#include <algorithm>

#include <fmt/format.h>

namespace zona::process {
namespace {

void spawn(Transition& t) {
    t.state.phase = Phase::kLaunching;
    t.state.goal = Goal::kNone;
    t.actions.add(ActionKind::kSpawn);
}

void rest(Transition& t, Phase phase, std::string_view why) {
    t.state.phase = phase;
    t.state.goal = Goal::kNone;
    t.state.child_alive = false;
    t.held_because = why;
    t.actions.add(ActionKind::kCancelTimers);
    t.actions.add(ActionKind::kStopped);
}

void fresh_counters(LifecycleState& state) {
    state.unstable_restarts = 0;
    state.backoff = Milliseconds(0);
}

Milliseconds next_delay(const RestartPolicy& policy, LifecycleState& state, Milliseconds ran) {
    if (policy.backoff_first.count() == 0) return policy.restart_delay;
    if (ran > kBackoffResetUptime) state.backoff = Milliseconds(0);
    state.backoff = state.backoff.count() == 0
                        ? policy.backoff_first
                        : std::min(kLongestBackoff, Milliseconds(state.backoff.count() * 3 / 2));
    return state.backoff;
}

/// The child has ended by itself, or could not be started, and nothing of its tree is left.
void decide_restart(const RestartPolicy& policy, Transition& t, const Event& event) {
    LifecycleState& s = t.state;
    if (!policy.autorestart) return rest(t, Phase::kStopped, "autorestart is off");
    if (event.exit_code >= 0 && std::ranges::count(policy.stop_exit_codes, event.exit_code) > 0) {
        return rest(t, Phase::kStopped, "its exit code is one of stop_exit_codes");
    }
    const bool stable = event.ran >= policy.min_uptime;
    s.unstable_restarts = stable ? 0 : s.unstable_restarts + 1;
    if (!stable && s.unstable_restarts >= static_cast<std::uint32_t>(policy.max_restarts)) {
        return rest(t, Phase::kErrored, "it ended max_restarts times in a row before min_uptime");
    }
    Milliseconds delay = next_delay(policy, s, event.ran);
    if (event.kind == EventKind::kSpawnFailed) delay = std::max(delay, kSpawnRetryDelay);
    if (delay.count() == 0) {
        ++s.restarts;
        return spawn(t);
    }
    s.phase = Phase::kWaiting;
    t.actions.add(ActionKind::kArmRestartTimer, delay);
}

/// The tree of a child whose end was asked for is empty.
void reach_goal(Transition& t) {
    const Goal goal = t.state.goal;
    t.state.child_alive = false;
    switch (goal) {
        case Goal::kRestart:
            t.actions.add(ActionKind::kCancelTimers);
            ++t.state.restarts;
            return spawn(t);
        case Goal::kDelete:
            rest(t, Phase::kStopped, "");
            t.actions.add(ActionKind::kRemove);
            return;
        case Goal::kNone:
        case Goal::kStop:
            return rest(t, Phase::kStopped, "");
    }
}

void begin_stop(const RestartPolicy& policy, Transition& t, Goal goal) {
    t.state.phase = Phase::kStopping;
    t.state.goal = goal;
    if (policy.kill_timeout.count() == 0) {
        t.actions.add(ActionKind::kKillTree);
        return;
    }
    t.actions.add(ActionKind::kSignalMain);
    t.actions.add(ActionKind::kArmKillTimer, policy.kill_timeout);
}

Goal goal_of(EventKind kind) {
    switch (kind) {
        case EventKind::kStop:
            return Goal::kStop;
        case EventKind::kDelete:
            return Goal::kDelete;
        default:
            return Goal::kRestart;
    }
}

/// The rest of the tree gets the stop signal and what is left of the grace.
void end_rest_of_tree(const RestartPolicy& policy, Transition& t, bool timer_runs) {
    if (policy.kill_timeout.count() == 0) {
        t.actions.add(ActionKind::kKillTree);
        return;
    }
    t.actions.add(ActionKind::kSignalTree);
    if (!timer_runs) t.actions.add(ActionKind::kArmKillTimer, policy.kill_timeout);
    t.actions.add(ActionKind::kWatchTree);
}

void at_rest(Transition& t, const Event& event) {
    switch (event.kind) {
        case EventKind::kStart:
        case EventKind::kRestart:
            fresh_counters(t.state);
            t.actions.add(ActionKind::kCancelTimers);
            return spawn(t);
        case EventKind::kStop:
            fresh_counters(t.state);
            return rest(t, Phase::kStopped, "");
        case EventKind::kDelete:
            rest(t, Phase::kStopped, "");
            t.actions.add(ActionKind::kRemove);
            return;
        case EventKind::kRestartDue:
            if (t.state.phase != Phase::kWaiting) return;
            ++t.state.restarts;
            return spawn(t);
        default:
            return;
    }
}

void launching(const RestartPolicy& policy, Transition& t, const Event& event) {
    switch (event.kind) {
        case EventKind::kSpawned:
            t.state.phase = Phase::kOnline;
            t.state.child_alive = true;
            return;
        case EventKind::kSpawnFailed:
            return decide_restart(policy, t, event);
        default:
            return;  // a spawn ends within the same turn of the loop
    }
}

void online(const RestartPolicy& policy, Transition& t, const Event& event) {
    switch (event.kind) {
        case EventKind::kStop:
        case EventKind::kDelete:
            return begin_stop(policy, t, goal_of(event.kind));
        case EventKind::kRestart:
            fresh_counters(t.state);
            return begin_stop(policy, t, Goal::kRestart);
        case EventKind::kExited:
            t.state.child_alive = false;
            if (event.tree_empty) return decide_restart(policy, t, event);
            t.state.phase = Phase::kCleaning;
            return end_rest_of_tree(policy, t, false);
        default:
            return;
    }
}

void stopping(const RestartPolicy& policy, Transition& t, const Event& event) {
    switch (event.kind) {
        case EventKind::kStart:
        case EventKind::kRestart:
        case EventKind::kStop:
            if (t.state.goal != Goal::kDelete) t.state.goal = goal_of(event.kind);
            return;
        case EventKind::kDelete:
            t.state.goal = Goal::kDelete;
            return;
        case EventKind::kExited:
            t.state.child_alive = false;
            if (event.tree_empty) return reach_goal(t);
            return end_rest_of_tree(policy, t, true);
        case EventKind::kTreeEmpty:
            if (!t.state.child_alive) reach_goal(t);
            return;
        case EventKind::kKillTimeout:
            t.actions.add(ActionKind::kKillTree);
            return;
        default:
            return;
    }
}

void cleaning(const RestartPolicy& policy, Transition& t, const Event& event) {
    switch (event.kind) {
        case EventKind::kStop:
        case EventKind::kDelete:
        case EventKind::kRestart:
            t.state.phase = Phase::kStopping;
            t.state.goal = goal_of(event.kind);
            return;
        case EventKind::kTreeEmpty:
            t.actions.add(ActionKind::kCancelTimers);
            return decide_restart(policy, t, event);
        case EventKind::kKillTimeout:
            t.actions.add(ActionKind::kKillTree);
            return;
        default:
            return;
    }
}

std::string_view name(EventKind kind) {
    switch (kind) {
        case EventKind::kStart:
            return "start";
        case EventKind::kStop:
            return "stop";
        case EventKind::kRestart:
            return "restart";
        case EventKind::kDelete:
            return "delete";
        case EventKind::kReset:
            return "reset";
        case EventKind::kSpawned:
            return "spawned";
        case EventKind::kSpawnFailed:
            return "spawn failed";
        case EventKind::kExited:
            return "exited";
        case EventKind::kTreeEmpty:
            return "tree empty";
        case EventKind::kKillTimeout:
            return "grace over";
        case EventKind::kRestartDue:
            return "restart due";
    }
    return "";
}

std::string_view name(ActionKind kind) {
    switch (kind) {
        case ActionKind::kSpawn:
            return "spawn";
        case ActionKind::kSignalMain:
            return "stop signal to its group";
        case ActionKind::kSignalTree:
            return "stop signal to the rest";
        case ActionKind::kKillTree:
            return "SIGKILL to all that is left";
        case ActionKind::kWatchTree:
            return "watch the tree";
        case ActionKind::kArmKillTimer:
            return "begin the grace";
        case ActionKind::kArmRestartTimer:
            return "begin the delay";
        case ActionKind::kCancelTimers:
            return "cancel timers";
        case ActionKind::kStopped:
            return "tell who waits";
        case ActionKind::kRemove:
            return "forget it";
    }
    return "";
}

}  // namespace

std::string_view status_name(Phase phase) {
    switch (phase) {
        case Phase::kStopped:
            return "stopped";
        case Phase::kLaunching:
            return "launching";
        case Phase::kOnline:
            return "online";
        case Phase::kStopping:
            return "stopping";
        case Phase::kCleaning:
        case Phase::kWaiting:
            return "waiting restart";
        case Phase::kErrored:
            return "errored";
    }
    return "";
}

bool Actions::has(ActionKind kind) const {
    return std::ranges::any_of(*this, [kind](const Action& a) { return a.kind == kind; });
}

Transition transition(const RestartPolicy& policy, const LifecycleState& state,
                      const Event& event) {
    Transition t{.state = state, .actions = {}, .held_because = {}};
    if (event.kind == EventKind::kReset) {
        t.state.restarts = 0;
        fresh_counters(t.state);
        return t;
    }
    switch (state.phase) {
        case Phase::kStopped:
        case Phase::kErrored:
        case Phase::kWaiting:
            at_rest(t, event);
            return t;
        case Phase::kLaunching:
            launching(policy, t, event);
            return t;
        case Phase::kOnline:
            online(policy, t, event);
            return t;
        case Phase::kStopping:
            stopping(policy, t, event);
            return t;
        case Phase::kCleaning:
            cleaning(policy, t, event);
            return t;
    }
    return t;
}

std::string lifecycle_table() {
    std::string out = "| In | when | then | and |\n|---|---|---|---|\n";
    const auto row = [&out](std::string_view in, const std::string& when, const Transition& t,
                            const LifecycleState& before) {
        if (t.state == before && t.actions.size() == 0) return;
        std::string actions;
        for (const Action& a : t.actions) {
            if (!actions.empty()) actions += ", ";
            actions += name(a.kind);
        }
        const std::string_view goals[] = {"", " (then stopped)", " (then started)",
                                          " (then forgotten)"};
        out += fmt::format("| {} | {} | {}{} | {} |\n", in, when, status_name(t.state.phase),
                           goals[static_cast<std::size_t>(t.state.goal)], actions);
    };
    const RestartPolicy policy;
    for (const Phase phase : kPhases) {
        for (const EventKind kind : kEventKinds) {
            LifecycleState before{.phase = phase};
            before.child_alive = phase == Phase::kOnline || phase == Phase::kStopping;
            if (phase == Phase::kStopping) before.goal = Goal::kStop;
            Event event{.kind = kind, .ran = Milliseconds(5000)};
            const std::string_view in =
                phase == Phase::kCleaning ? "cleaning up" : status_name(phase);
            if (kind == EventKind::kExited) {
                row(in, "exited, nothing left", transition(policy, before, event), before);
                event.tree_empty = false;
                row(in, "exited, some of its tree left", transition(policy, before, event), before);
                continue;
            }
            if (kind == EventKind::kTreeEmpty) before.child_alive = false;
            row(in, std::string(name(kind)), transition(policy, before, event), before);
        }
    }
    return out;
}

}  // namespace zona::process
