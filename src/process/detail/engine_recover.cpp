#include <algorithm>
#include <cstdlib>
#include <system_error>

#include "core/fault.h"
#include "process/detail/engine.h"

namespace zona::process {
namespace {
/// A waiting restart found after a jump of the clock waits no longer than the longest delay there
/// can be.
constexpr Milliseconds kLongestResumedDelay = SpecLimits::kDuration;
/// The kernel's ticks are 10 ms; a process of the same number and this age is the same.
constexpr Milliseconds kSameAge{100};
constexpr std::size_t kVerifiedAtOnce = 16;
}  // namespace

void Supervisor::Engine::recover(std::vector<StoredProcess> loaded, std::uint32_t next_pm_id) {
    next_pm_id_ = next_pm_id;
    std::unordered_map<core::Uuid, std::uint32_t> slots;
    const std::uint32_t used = deps_.table.used();
    for (std::uint32_t i = 0; i < used; ++i) {
        const Slot& slot = deps_.table.slot(i);
        if (slot.state() != SlotState::kFree) slots[Table::owner(slot)] = i;
    }
    // After an ordered stop the slots tell of the stop; what should run is started.
    const bool clean = deps_.table.header().stopping.load() == kStopDone;
    if (clean) deps_.table.header().stopping.store(0);
    std::vector<std::pair<std::uint32_t, Entry*>> recovered;
    for (StoredProcess& stored : loaded) {
        auto entry = std::make_unique<Entry>();
        entry->policy = policy_of(stored.app->spec);
        entry->stored = std::move(stored);
        const auto known = slots.find(entry->stored.id);
        if (known == slots.end()) {
            auto slot = deps_.table.take(entry->stored.id);
            if (!slot) {
                log_.report("cannot take up a process", slot.error(),
                            {{"name", entry->stored.app->spec.name}});
                continue;
            }
            entry->slot = *slot;
        } else {
            entry->slot = known->second;
            slots.erase(known);
        }
        next_pm_id_ = std::max(next_pm_id_, entry->stored.pm_id + 1);
        recovered.emplace_back(entry->slot, entry.get());
        enter(std::move(entry));
    }
    {
        const std::jthread trees = find_trees(recovered);
        attach_all(recovered);
    }
    for (const auto& [number, entry] : recovered)
        recover_slot(number, entry);
    for (const auto& [id, number] : slots)
        recover_slot(number, nullptr);
    // What the keeper recorded while we looked.
    take_adopted_exits();
    for (const auto& [number, entry] : recovered) {
        if (!clean) {
            resume(*entry);
        } else if (entry->stored.desired == Desired::kRunning) {
            feed(*entry, {.kind = EventKind::kStart});
        }
    }
    look_again(recovered);
    if (deps_.table.header().stopping.load() == kStopBegun) shutdown(Shutdown::kStop, {}, {});
}

/// What a takeover leaves for after its first answers.
void Supervisor::Engine::look_again(
    const std::vector<std::pair<std::uint32_t, Entry*>>& recovered) {
    std::vector<std::uint32_t> trusted;
    std::size_t running = 0;
    for (const auto& [number, entry] : recovered) {
        if (entry->life.child_alive) ++running;
        if (entry->parent == Parent::kKeeper) trusted.push_back(entry->stored.pm_id);
    }
    if (!recovered.empty())
        log_.info("took over", {{"processes", recovered.size()}, {"running", running}});
    post([this, trusted = std::move(trusted)]() mutable { verify(std::move(trusted)); });
    // Later ones have the same keeper: nothing can have got lost in between.
    if (deps_.table.header().daemons.load() <= 1) post([this] { look_for_strays(); });
}

/// Looks on a second thread for the groups of those that surely live, while this one opens their
/// streams: each is nearly half of a takeover. The others' are looked for later, one by one.
std::jthread Supervisor::Engine::find_trees(
    const std::vector<std::pair<std::uint32_t, Entry*>>& recovered) {
    const auto find = [this, &recovered] {
        for (const auto& [number, entry] : recovered) {
            const Slot& slot = deps_.table.slot(number);
            if (slot.state() == SlotState::kRunning && slot.of_keeper.load() != 0)
                adopt_tree(*entry, slot);
        }
    };
    try {
        return std::jthread(find);
    } catch (const std::system_error& error) {
        log_.warn("no second thread for the takeover", {{"reason", error.code().message()}});
        return {};
    }
}

void Supervisor::Engine::attach_all(
    const std::vector<std::pair<std::uint32_t, Entry*>>& recovered) {
    const auto cannot_capture = [this](const Entry& entry, const core::Error& error) {
        log_.report("cannot capture the output of a process", error,
                    {{"pm_id", entry.stored.pm_id}});
    };
    std::vector<Entry*> attached;
    attached.reserve(recovered.size());
    for (const auto& [slot, entry] : recovered) {
        if (const auto done = attach(*entry)) {
            attached.push_back(entry);
        } else {
            cannot_capture(*entry, done.error());
        }
    }
    for (const auto& [entry, error] : hold(attached))
        cannot_capture(*entry, error);
}

void Supervisor::Engine::recover_slot(std::uint32_t number, Entry* entry) {
    Slot& slot = deps_.table.slot(number);
    if (entry == nullptr) {
        // The state was deleted, or lost with a damaged file. A deleted one has no child any more.
        if (slot.state() == SlotState::kIdle || slot.state() == SlotState::kExited ||
            (slot.state() == SlotState::kIntent && slot.pid.load() == 0)) {
            deps_.keeper.drop(number);
            deps_.table.release(number);
            return;
        }
        log_.error("a child runs whose settings are lost; it is left alone",
                   {{"pid", slot.pid.load()}, {"slot", number}});
        return;
    }
    restore_counters(*entry, slot);
    if (slot.state() == SlotState::kIntent && slot.pid.load() != 0) {
        const std::uint64_t inc = slot.incarnation();
        slot.word.replace(Slot::make_word(inc, SlotState::kIntent),
                          Slot::make_word(inc, SlotState::kRunning));
    }
    ZONA_FAULT("takeover.slot");
    switch (slot.state()) {
        case SlotState::kRunning:
            adopt(*entry, slot);
            return;
        case SlotState::kExited:
            entry->life.phase = entry->life.goal == Goal::kNone ? Phase::kOnline : Phase::kStopping;
            entry->life.child_alive = true;
            entry->parent = Parent::kKeeper;
            if (!entry->tree) adopt_tree(*entry, slot);
            return;
        case SlotState::kFree:
        case SlotState::kIdle:
        case SlotState::kIntent:
            return;
    }
}

void Supervisor::Engine::restore_counters(Entry& entry, Slot& slot) {
    entry.life.restarts = slot.restarts.load();
    entry.life.unstable_restarts = slot.unstable_restarts.load();
    entry.life.backoff = Milliseconds(slot.backoff_ms.load());
    entry.life.goal = static_cast<Goal>(std::min<std::uint32_t>(slot.asked.load(), 3));
}

void Supervisor::Engine::adopt_tree(Entry& entry, const Slot& slot) {
    auto tree = deps_.containment.adopt({entry.slot, entry.stored.id.to_string()},
                                        {slot.pid.load(), slot.start_ticks});
    if (tree) {
        entry.tree = std::move(*tree);
    } else {
        log_.report("cannot find the group of a process", tree.error(),
                    {{"pm_id", entry.stored.pm_id}});
    }
}

void Supervisor::Engine::adopt(Entry& entry, Slot& slot) {
    const pid_t pid = slot.pid.load();
    const pid_t keeper = deps_.table.header().keeper_pid.load();
    entry.life.phase = Phase::kOnline;
    entry.life.child_alive = true;
    const bool known = slot.of_keeper.load() != 0;
    const auto stat = known ? std::nullopt : stat_of(pid);
    const bool there = stat && (slot.start_ticks == 0 || stat->start_ticks == slot.start_ticks);
    if (there && stat->parent == keeper) {
        slot.start_ticks = stat->start_ticks;
        slot.of_keeper.store(1);
    }
    // kExited: recorded this moment; take_adopted_exits() goes on.
    if (slot.of_keeper.load() != 0 || slot.state() == SlotState::kExited) {
        entry.parent = Parent::kKeeper;
    } else {
        adopt_foreign(entry, slot);
        if (entry.parent == Parent::kNone) return;
    }
    if (!entry.tree) adopt_tree(entry, slot);
    log_.debug(
        "adopted",
        {{"pm_id", entry.stored.pm_id}, {"name", entry.stored.app->spec.name}, {"pid", pid}});
    const Goal goal = entry.life.goal;
    if (goal == Goal::kNone) return;
    // A stop was under way: its grace begins anew.
    entry.life.goal = Goal::kNone;
    const EventKind kinds[] = {EventKind::kStop, EventKind::kStop, EventKind::kRestart,
                               EventKind::kDelete};
    feed(entry, {.kind = kinds[static_cast<std::size_t>(goal)]});
}

std::optional<os::ProcStat> Supervisor::Engine::stat_of(pid_t pid) const {
    auto stat = deps_.containment.proc().stat(pid);
    if (!stat) {
        log_.report("cannot read /proc", stat.error(), {{"pid", pid}});
        return std::nullopt;
    }
    return std::move(*stat);
}

/// Whether a process whose start time was not stored any more is the one that the slot's clone
/// made: by its mark, or, before it has executed its program, by its age.
bool Supervisor::Engine::is_the_spawned(const Entry& entry, const Slot& slot,
                                        const os::ProcStat& stat) const {
    const os::ProcFs& proc = deps_.containment.proc();
    const auto mark = proc.variable(stat.pid, "ZONA_PROCESS");
    if (mark && *mark) return **mark == entry.stored.id.to_string();
    const auto uptime = proc.uptime();
    if (!uptime) return false;
    const auto age = uptime->count() -
                     static_cast<std::int64_t>(stat.start_ticks * 1000 / os::ticks_per_second());
    const auto now = deps_.clock.system().time_since_epoch().count();
    return std::abs(age - (now - slot.spawned_ns) / 1'000'000) < kSameAge.count();
}

/// Its keeper is dead too: found again by pid and start time.
void Supervisor::Engine::adopt_foreign(Entry& entry, Slot& slot) {
    const pid_t pid = slot.pid.load();
    auto pidfd = os::open_pidfd(pid);
    const auto stat = stat_of(pid);
    if (!pidfd && pidfd.error().code() != core::Code::kNotFound) {
        // Taken for alive: a successor beside it would be worse than an end that is noticed late.
        log_.report("a process cannot be watched; its end is noticed by the next daemon",
                    pidfd.error(), {{"pm_id", entry.stored.pm_id}, {"pid", pid}});
        entry.parent = Parent::kKeeper;
        return;
    }
    bool same = pidfd.has_value() && stat && !stat->is_dead();
    if (same && slot.start_ticks != 0) same = stat->start_ticks == slot.start_ticks;
    if (same && slot.start_ticks == 0) {
        same = is_the_spawned(entry, slot, *stat);
        if (same) slot.start_ticks = stat->start_ticks;
    }
    if (same) return watch_foreign(entry, std::move(*pidfd));
    // It ended while nobody looked. Never invented: the end is unknown, but for what the kernel
    // still tells.
    std::optional<os::ChildExit> how;
    if (pidfd && stat && stat->is_dead()) how = foreign_exit(entry, *pidfd);
    record_exit(entry, how);
    entry.parent = Parent::kKeeper;
}

/// Looks whether the children that the table vouches for are there, a few with each turn of the
/// loop: a takeover answers before a thousand files of /proc are read, yet nothing that a fault
/// made vanish is called online for long.
void Supervisor::Engine::verify(std::vector<std::uint32_t> left) {
    for (std::size_t i = 0; i < kVerifiedAtOnce && !left.empty(); ++i) {
        const auto found = entries_.find(left.back());
        left.pop_back();
        if (found == entries_.end()) continue;
        Entry& entry = *found->second;
        Slot& slot = slot_of(entry);
        // In this order: a keeper that consumes a zombie has recorded it before.
        const auto stat = deps_.containment.proc().stat({slot.pid.load(), slot.start_ticks});
        if (!stat || *stat || entry.parent != Parent::kKeeper ||
            slot.state() != SlotState::kRunning) {
            continue;
        }
        log_.error("a child is gone and nobody recorded its end",
                   {{"pm_id", entry.stored.pm_id}, {"pid", slot.pid.load()}});
        record_exit(entry, std::nullopt);
        finish_exit(entry);
    }
    if (!left.empty()) post([this, left = std::move(left)]() mutable { verify(std::move(left)); });
}

/// Removes the empty groups of processes that are gone from the list. What runs in others is told,
/// and left alone: only lost settings make such, and their owner may still want the program.
void Supervisor::Engine::look_for_strays() {
    // Also slots without settings: recover_slot() has told of those.
    std::vector<TreeId> known;
    for (std::uint32_t i = 0; i < deps_.table.used(); ++i) {
        const Slot& slot = deps_.table.slot(i);
        if (slot.state() != SlotState::kFree) known.push_back({i, Table::owner(slot).to_string()});
    }
    const auto strays = deps_.containment.take_strays(known);
    if (!strays) return log_.report("cannot look for left-over process groups", strays.error());
    for (const auto& stray : *strays) {
        const auto left = stray->members();
        if (!left) {
            log_.report("cannot read a left-over process group", left.error());
            continue;
        }
        for (const os::ProcessRef& process : *left) {
            log_.warn("a process of this home runs whose settings are lost; it is left alone",
                      {{"pid", process.pid}});
        }
    }
}

/// What the dead daemon had decided, or was about to, is done.
void Supervisor::Engine::resume(Entry& entry) {
    Slot& slot = slot_of(entry);
    if (entry.life.child_alive || entry.parent != Parent::kNone) return;
    switch (static_cast<Phase>(slot.phase.load())) {
        case Phase::kOnline:
        case Phase::kStopping:
        case Phase::kCleaning:
            // The exit is in the history, what follows from it was not begun.
            entry.life.phase = entry.life.goal == Goal::kNone ? Phase::kOnline : Phase::kStopping;
            entry.life.child_alive = true;
            adopt_tree(entry, slot);
            return follow_exit(entry);
        case Phase::kLaunching:
            if (deps_.table.header().stopping.load() != 0) return;
            entry.life.phase = Phase::kLaunching;
            return spawn(entry);
        case Phase::kWaiting: {
            const auto now = deps_.clock.system().time_since_epoch().count();
            const std::int64_t left = std::clamp<std::int64_t>(
                (slot.restart_at_ns - now) / 1'000'000, 0, kLongestResumedDelay.count());
            entry.life.phase = Phase::kWaiting;
            return arm(entry, TimerKind::kRestart, Milliseconds(left));
        }
        case Phase::kErrored:
            entry.life.phase = Phase::kErrored;
            entry.held_because = "it ended max_restarts times in a row before min_uptime";
            return;
        case Phase::kStopped:
            if (entry.life.goal == Goal::kDelete) return feed(entry, {.kind = EventKind::kDelete});
            // New and not started yet, unless it has come to rest after a run.
            if (slot.incarnation() == 0 && entry.stored.desired == Desired::kRunning) {
                feed(entry, {.kind = EventKind::kStart});
            }
            return;
    }
}

}  // namespace zona::process
