#include "process/detail/engine.h"

#include <csignal>

#include <boost/asio/post.hpp>

#include "core/fault.h"

namespace zona::process {

namespace asio = boost::asio;

Supervisor::Engine::Engine(SupervisorOptions options, SupervisorDeps deps)
    : options_(std::move(options)),
      deps_(deps),
      log_(deps.logging.logger("process")),
      timer_(deps.loop) {}

Supervisor::Engine::~Engine() {
    // These descriptors belong to the root; Asio must not close them.
    if (keeper_) keeper_->release();
    if (adopted_) adopted_->release();
}

void Supervisor::Engine::begin_watching() {
    const int signals[] = {SIGCHLD};
    auto fd = os::signals_as_fd(signals);
    if (!fd) {
        log_.report("cannot watch for the ends of children", fd.error());
        return;
    }
    signals_.emplace(deps_.loop, std::move(*fd).release());
    keeper_.emplace(deps_.loop, deps_.keeper.fd());
    adopted_.emplace(deps_.loop, deps_.keeper_events_fd);
    wait_for_signals();
    wait_for_keeper();
    wait_for_adopted_exits();
}

void Supervisor::Engine::post(std::move_only_function<void()> work) {
    asio::post(deps_.loop, [work = std::move(work)]() mutable { work(); });
}

void Supervisor::Engine::wait_for_signals() {
    signals_->async_wait(asio::posix::descriptor_base::wait_read, [this](const auto& error) {
        if (error) return;
        while (os::next_signal(signals_->native_handle()) != 0) {
        }
        reap_children();
        wait_for_signals();
    });
}

void Supervisor::Engine::wait_for_adopted_exits() {
    adopted_->async_wait(asio::posix::descriptor_base::wait_read, [this](const auto& error) {
        if (error) return;
        os::drain_eventfd(adopted_->native_handle());
        take_adopted_exits();
        wait_for_adopted_exits();
    });
}

void Supervisor::Engine::wait_for_keeper() {
    // The keeper never speaks unasked: readable means that it is dead.
    keeper_->async_wait(asio::posix::descriptor_base::wait_read, [this](const auto& error) {
        if (error) return;
        become_keeper();
    });
}

Entry* Supervisor::Engine::by_slot(std::uint32_t slot) {
    const auto found = slots_.find(slot);
    return found == slots_.end() ? nullptr : found->second;
}

void Supervisor::Engine::feed(Entry& entry, const Event& event) {
    changed(entry);
    const LifecycleState before = entry.life;
    Transition t = transition(entry.policy, entry.life, event);
    entry.life = t.state;
    if (t.state.phase != before.phase) entry.held_because = t.held_because;
    mirror(entry);
    if (before.phase != t.state.phase) {
        log_.debug("changed state", {{"pm_id", entry.stored.pm_id},
                                     {"name", entry.stored.app->spec.name},
                                     {"from", status_name(before.phase)},
                                     {"to", status_name(t.state.phase)}});
    }
    if (status_name(before.phase) != status_name(t.state.phase)) {
        tell(entry, {.kind = ProcessEvent::Kind::kStatus,
                     .from = status_name(before.phase),
                     .to = status_name(t.state.phase)});
    }
    const std::uint32_t pm_id = entry.stored.pm_id;
    for (const Action& action : t.actions) {
        carry_out(entry, action);
        if (!entries_.contains(pm_id)) return;
    }
}

void Supervisor::Engine::mirror(Entry& entry) {
    Slot& slot = slot_of(entry);
    slot.restarts.store(entry.life.restarts);
    slot.unstable_restarts.store(entry.life.unstable_restarts);
    slot.backoff_ms.store(static_cast<std::uint32_t>(entry.life.backoff.count()));
    slot.asked.store(static_cast<std::uint32_t>(entry.life.goal));
    slot.phase.store(static_cast<std::uint32_t>(entry.life.phase));
}

void Supervisor::Engine::carry_out(Entry& entry, const Action& action) {
    switch (action.kind) {
        case ActionKind::kSpawn:
            spawn(entry);
            return;
        case ActionKind::kSignalMain:
        case ActionKind::kSignalTree: {
            if (!entry.tree) return;
            const Target target =
                action.kind == ActionKind::kSignalMain ? Target::kGroup : Target::kTree;
            const auto sent = entry.tree->signal(entry.stored.app->spec.kill_signal, target);
            if (!sent) log_.report("cannot signal", sent.error(), {{"pm_id", entry.stored.pm_id}});
            return;
        }
        case ActionKind::kKillTree:
            if (!entry.killing) entry.killing_since = deps_.clock.steady();
            entry.killing = true;
            return check_tree(entry);
        case ActionKind::kWatchTree:
            if (entry.killing) return;
            entry.tree_interval = Milliseconds(1);
            return arm(entry, TimerKind::kTree, entry.tree_interval);
        case ActionKind::kArmKillTimer:
            return arm(entry, TimerKind::kKill, action.delay);
        case ActionKind::kArmRestartTimer: {
            const auto due = deps_.clock.system() + action.delay;
            slot_of(entry).restart_at_ns = due.time_since_epoch().count();
            return arm(entry, TimerKind::kRestart, action.delay);
        }
        case ActionKind::kCancelTimers:
            slot_of(entry).restart_at_ns = 0;
            for (std::size_t kind = 0; kind < kTimerKinds; ++kind) {
                disarm(entry, static_cast<TimerKind>(kind));
            }
            entry.killing = false;
            return;
        case ActionKind::kStopped:
            resolve(entry, Waiter::For::kRest, std::optional<Outcome>());
            return;
        case ActionKind::kRemove:
            return remove(entry);
    }
}

void Supervisor::Engine::arm(Entry& entry, TimerKind kind, Milliseconds delay) {
    disarm(entry, kind);
    const core::SteadyTime when = deps_.clock.steady() + delay;
    entry.timers[static_cast<std::size_t>(kind)] = when;
    due_.emplace(when, entry.stored.pm_id, kind);
    schedule_timer();
}

void Supervisor::Engine::disarm(Entry& entry, TimerKind kind) {
    auto& timer = entry.timers[static_cast<std::size_t>(kind)];
    if (!timer) return;
    due_.erase({*timer, entry.stored.pm_id, kind});
    timer.reset();
}

void Supervisor::Engine::schedule_timer() {
    if (due_.empty()) {
        // Left armed: one idle wake-up at most, instead of a system call for each disarm.
        return;
    }
    const core::SteadyTime first = std::get<0>(*due_.begin());
    if (first >= armed_for_) return;
    armed_for_ = first;
    timer_.expires_at(first);
    timer_.async_wait([this](const auto& error) {
        if (error) return;
        armed_for_ = core::SteadyTime::max();
        run_timers();
    });
}

void Supervisor::Engine::run_timers() {
    const core::SteadyTime now = deps_.clock.steady();
    while (!due_.empty() && std::get<0>(*due_.begin()) <= now) {
        const auto [when, pm_id, kind] = *due_.begin();
        due_.erase(due_.begin());
        const auto found = entries_.find(pm_id);
        if (found == entries_.end()) continue;
        found->second->timers[static_cast<std::size_t>(kind)].reset();
        timer_fired(*found->second, kind);
    }
    schedule_timer();
}

void Supervisor::Engine::timer_fired(Entry& entry, TimerKind kind) {
    changed(entry);
    switch (kind) {
        case TimerKind::kKill:
            return feed(entry, {.kind = EventKind::kKillTimeout});
        case TimerKind::kRestart:
            slot_of(entry).restart_at_ns = 0;
            return feed(entry, {.kind = EventKind::kRestartDue});
        case TimerKind::kTree:
            return check_tree(entry);
        case TimerKind::kReady:
            if (entry.life.phase == Phase::kOnline) resolve_ready(entry, std::nullopt);
            return;
    }
}

void Supervisor::Engine::check_tree(Entry& entry) {
    bool empty = true;
    Milliseconds again(1);
    if (entry.tree && entry.killing) {
        const auto step = entry.tree->kill_step();
        empty = step.has_value() && step->empty;
        if (step) again = std::max(step->retry_after, Milliseconds(1));
        if (!step) log_.report("cannot kill", step.error(), {{"pm_id", entry.stored.pm_id}});
    } else if (entry.tree) {
        const auto left = entry.tree->is_empty();
        empty = left.has_value() && *left;
        again = entry.tree_interval = std::min(entry.tree_interval * 2, Milliseconds(50));
    }
    const bool given_up =
        entry.killing && deps_.clock.steady() - entry.killing_since > kGiveUpAfter;
    if (given_up && !empty) {
        list_survivors(entry);
        log_.error("some of its processes cannot be killed",
                   {{"pm_id", entry.stored.pm_id}, {"survivors", entry.survivors.size()}});
        // A main child that cannot die is not replaced: its exit is still to come.
        if (entry.life.child_alive) return arm(entry, TimerKind::kTree, Milliseconds(1000));
        empty = true;
    }
    if (!empty || entry.life.child_alive) return arm(entry, TimerKind::kTree, again);
    if (!given_up) list_suspects(entry);
    entry.killing = false;
    feed(entry,
         {.kind = EventKind::kTreeEmpty, .ran = entry.last_ran, .exit_code = entry.last_exit_code});
}

void Supervisor::Engine::list_survivors(Entry& entry) {
    auto found = entry.tree->survivors();
    if (found) {
        entry.survivors = std::move(*found);
        changed(entry);
    } else {
        log_.report("cannot look for survivors", found.error(), {{"pm_id", entry.stored.pm_id}});
    }
}

/// After a stop that found nothing more: without a guarantee that is no proof, and what may be its
/// is listed for people to judge.
void Supervisor::Engine::list_suspects(Entry& entry) {
    if (entry.life.goal == Goal::kNone || !entry.tree || entry.tree->guaranteed()) return;
    list_survivors(entry);
    if (entry.survivors.empty()) return;
    log_.warn("processes may have outlived the stop",
              {{"pm_id", entry.stored.pm_id}, {"survivors", entry.survivors.size()}});
}

/// Takes those off the list that have ended meanwhile.
void Supervisor::Engine::forget_ended_survivors(Entry& entry) const {
    std::erase_if(entry.survivors, [this](const Survivor& survivor) {
        const auto there = deps_.containment.proc().stat(survivor.process);
        return there && (!*there || (*there)->is_dead());
    });
}

void Supervisor::Engine::resolve(Entry& entry, Waiter::For what,
                                 const core::Result<std::optional<Outcome>>& result) {
    std::vector<Waiter> kept;
    std::vector<Waiter> done;
    for (Waiter& waiter : entry.waiters) {
        (waiter.what == what ? done : kept).push_back(std::move(waiter));
    }
    entry.waiters = std::move(kept);
    for (Waiter& waiter : done)
        waiter.done(result);
}

void Supervisor::Engine::resolve_ready(Entry& entry, std::optional<ExitView> exit) {
    const std::uint64_t now = slot_of(entry).incarnation();
    std::vector<Waiter> kept;
    std::vector<Waiter> done;
    for (Waiter& waiter : entry.waiters) {
        const bool due = waiter.what == Waiter::For::kReady && waiter.incarnation <= now;
        (due ? done : kept).push_back(std::move(waiter));
    }
    entry.waiters = std::move(kept);
    if (done.empty()) return;
    Outcome::Kind kind = Outcome::Kind::kReady;
    if (exit) {
        kind = exit->cause == ExitView::Cause::kNotStarted ? Outcome::Kind::kNotStarted
                                                           : Outcome::Kind::kExited;
    }
    const Outcome outcome = outcome_of(entry, kind, std::move(exit));
    for (Waiter& waiter : done)
        waiter.done(std::optional<Outcome>(outcome));
}

void Supervisor::Engine::remove(Entry& entry) {
    const std::uint32_t pm_id = entry.stored.pm_id;
    if (auto removed = deps_.state.remove(entry.stored.id); !removed) {
        log_.report("cannot record a deletion", removed.error(), {{"pm_id", pm_id}});
    }
    ZONA_FAULT("delete.recorded");
    if (entry.tree) {
        if (auto released = entry.tree->release(); !released) {
            log_.report("cannot remove its group", released.error(), {{"pm_id", pm_id}});
        }
    }
    if (auto detached = deps_.capture.detach(entry.slot, RemoveFifos::kYes); !detached) {
        log_.report("cannot remove its FIFOs", detached.error(), {{"pm_id", pm_id}});
    }
    deps_.keeper.drop(entry.slot);
    if (auto forgotten = deps_.history.forget(entry.stored.id); !forgotten) {
        log_.report("cannot forget its exits", forgotten.error(), {{"pm_id", pm_id}});
    }
    deps_.table.release(entry.slot);
    slots_.erase(entry.slot);
    for (const std::string* file : {&entry.stored.out_file, &entry.stored.error_file}) {
        const auto [first, last] = log_files_.equal_range(*file);
        const auto own =
            std::find_if(first, last, [&](const auto& i) { return i.second == &entry; });
        if (own != last) log_files_.erase(own);
    }
    std::vector<Waiter> waiters = std::move(entry.waiters);
    for (std::size_t kind = 0; kind < kTimerKinds; ++kind)
        disarm(entry, static_cast<TimerKind>(kind));
    left(entry);
    entries_.erase(pm_id);
    if (entries_.empty()) next_pm_id_ = 0;
    for (Waiter& waiter : waiters) {
        if (waiter.what == Waiter::For::kReady) {
            waiter.done(core::Error(core::Code::kConflict, "it was deleted meanwhile"));
        } else {
            waiter.done(std::optional<Outcome>());
        }
    }
}

}  // namespace zona::process
