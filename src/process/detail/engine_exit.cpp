#include <algorithm>
#include <csignal>
#include <ctime>

#include "core/fault.h"
#include "os/helpers.h"
#include "process/detail/engine.h"
#include "process/log_tail.h"

namespace zona::process {

namespace asio = boost::asio;

void Supervisor::Engine::reap_children() {
    while (const auto exit = os::peek_exited_child()) {
        const auto found = children_.find(exit->pid);
        if (found == children_.end()) {
            reap_other(exit->pid);
            continue;
        }
        Entry& entry = *found->second;
        ZONA_FAULT("exit.seen");
        record_exit(entry, exit);
        ZONA_FAULT("exit.recorded");
        os::reap_child(exit->pid);
        children_.erase(exit->pid);
        ZONA_FAULT("exit.reaped");
        finish_exit(entry);
    }
}

/// Not one of the processes: a helper's end is for who runs it.
void Supervisor::Engine::reap_other(pid_t pid) {
    if (deps_.helpers == nullptr) return os::reap_child(pid);
    deps_.helpers->reap(pid);
}

void Supervisor::Engine::take_adopted_exits() {
    std::vector<std::uint32_t> ended;
    for (const auto& [pm_id, entry] : entries_) {
        if (entry->parent != Parent::kKeeper) continue;
        if (slot_of(*entry).state() == SlotState::kExited) ended.push_back(pm_id);
    }
    for (const std::uint32_t pm_id : ended) {
        if (const auto found = entries_.find(pm_id); found != entries_.end()) {
            finish_exit(*found->second);
        }
    }
}

/// How a process that is not ours ended, as far as the kernel still tells: before it has been
/// reaped /proc does, afterwards the pidfd of a newer kernel.
std::optional<os::ChildExit> Supervisor::Engine::foreign_exit(const Entry& entry,
                                                              const os::UniqueFd& pidfd) {
    const Slot& slot = slot_of(entry);
    const auto zombie =
        deps_.containment.proc().exit_of_zombie({slot.pid.load(), slot.start_ticks});
    if (zombie && *zombie) return *zombie;
    return os::exit_of_foreign(pidfd);
}

void Supervisor::Engine::watch_foreign(Entry& entry, os::UniqueFd pidfd) {
    entry.parent = Parent::kNobody;
    entry.pidfd =
        std::make_unique<asio::posix::stream_descriptor>(deps_.loop, std::move(pidfd).release());
    const std::uint32_t pm_id = entry.stored.pm_id;
    entry.pidfd->async_wait(asio::posix::descriptor_base::wait_read,
                            [this, pm_id](const auto& error) {
                                const auto found = entries_.find(pm_id);
                                if (error || found == entries_.end() || !found->second->pidfd)
                                    return;
                                Entry& ended = *found->second;
                                os::UniqueFd fd = os::UniqueFd::adopt(ended.pidfd->release());
                                ended.pidfd.reset();
                                record_exit(ended, foreign_exit(ended, fd));
                                finish_exit(ended);
                            });
}

/// Writes an exit into the slot; nullopt is an end that nobody saw.
void Supervisor::Engine::record_exit(Entry& entry, const std::optional<os::ChildExit>& how) {
    Slot& slot = slot_of(entry);
    slot.exited_ns = deps_.clock.system().time_since_epoch().count();
    slot.exit_how = how ? how->how : 0;
    slot.exit_status = how ? how->status : 0;
    slot.user_us = how ? how->user_us : 0;
    slot.system_us = how ? how->system_us : 0;
    slot.max_rss_kb = how ? how->max_rss_kb : 0;
    slot.word.store(Slot::make_word(slot.incarnation(), SlotState::kExited));
}

/// The exit stands in the slot: drain, history, then what the life's rules say.
void Supervisor::Engine::finish_exit(Entry& entry) {
    Slot& slot = slot_of(entry);
    changed(entry);
    entry.parent = Parent::kNone;
    disarm(entry, TimerKind::kReady);
    const LogPositions at = deps_.capture.drain(entry.slot, Final::kYes);
    ZONA_FAULT("exit.drained");
    const std::uint64_t incarnation = slot.incarnation();
    ExitRecord record{.process = entry.stored.id,
                      .incarnation = incarnation,
                      .pid = slot.pid.load(),
                      .spawned_at = core::SystemTime(std::chrono::nanoseconds(slot.spawned_ns)),
                      .exited_at = core::SystemTime(std::chrono::nanoseconds(slot.exited_ns)),
                      .how = slot.exit_how,
                      .status = slot.exit_status,
                      .user_cpu = std::chrono::microseconds(slot.user_us),
                      .system_cpu = std::chrono::microseconds(slot.system_us),
                      .max_rss = core::ByteCount::kib(slot.max_rss_kb),
                      .out = {slot.out_begin, at.out},
                      .err = {slot.err_begin, at.err}};
    if (slot.asked.load() != 0) record.flags |= kExitRequested;
    if (slot.exit_how == 0) record.flags |= kExitUnknown;
    if (entry.tree && slot.exit_how == CLD_KILLED && slot.exit_status == SIGKILL) {
        const auto oom = entry.tree->oom_kills();
        if (oom && oom->count > entry.oom_before) record.flags |= kExitOutOfMemory;
    }
    if (slot.history.load() != incarnation &&
        !deps_.history.contains(entry.stored.id, incarnation, record.spawned_at)) {
        append_history(record);
    }
    ZONA_FAULT("exit.history");
    slot.history.store(incarnation);
    slot.word.store(Slot::make_word(incarnation, SlotState::kIdle));
    ZONA_FAULT("exit.idle");

    const ExitView exit = exit_view(entry, record);
    log_.info("ended", {{"pm_id", entry.stored.pm_id},
                        {"name", entry.stored.app->spec.name},
                        {"pid", record.pid},
                        {"code", exit.code},
                        {"signal", exit.signal},
                        {"cause", cause_name(exit.cause)},
                        {"requested", exit.requested}});
    tell(entry, {.kind = ProcessEvent::Kind::kExit, .exit = exit});
    resolve_ready(entry, exit);
    follow_exit(entry);
}

void Supervisor::Engine::append_history(const ExitRecord& record) {
    if (auto appended = deps_.history.append(record); !appended) {
        // It is kept in memory and written with the next one.
        log_.report("an exit is not in the history file yet", appended.error(),
                    {{"pid", record.pid}});
    }
}

void Supervisor::Engine::follow_exit(Entry& entry) {
    const Slot& slot = slot_of(entry);
    entry.last_ran = std::chrono::duration_cast<Milliseconds>(
        std::chrono::nanoseconds(std::max<std::int64_t>(0, slot.exited_ns - slot.spawned_ns)));
    entry.last_exit_code = slot.exit_how == CLD_EXITED ? slot.exit_status : -1;
    bool empty = true;
    if (entry.tree) {
        const auto left = entry.tree->is_empty();
        // What cannot be looked at is not taken for gone: check_tree() asks again, and kills.
        empty = left.has_value() && *left;
        if (!left) {
            log_.report("cannot look at what is left of a process", left.error(),
                        {{"pm_id", entry.stored.pm_id}});
        }
    }
    if (empty) list_suspects(entry);
    feed(entry, {.kind = EventKind::kExited,
                 .tree_empty = empty,
                 .ran = entry.last_ran,
                 .exit_code = entry.last_exit_code});
}

Outcome Supervisor::Engine::outcome_of(Entry& entry, Outcome::Kind kind,
                                       std::optional<ExitView> exit) {
    Outcome out{
        .pm_id = entry.stored.pm_id,
        .name = entry.stored.app->spec.name,
        .instance = entry.stored.instance,
        .kind = kind,
        .after = std::chrono::duration_cast<Milliseconds>(deps_.clock.steady() - entry.launched_at),
        .exit = std::move(exit),
        .stderr_tail = {},
        .hint = {}};
    if (out.exit && kind == Outcome::Kind::kExited) {
        out.after =
            std::chrono::duration_cast<Milliseconds>(out.exit->exited_at - out.exit->started_at);
        out.stderr_tail =
            tail_lines(entry.stored.error_file, out.exit->err_begin, out.exit->err_end, kTailLines);
        out.hint = hint_for(entry.stored.app->spec, *out.exit, out.stderr_tail);
    }
    if (out.exit && kind == Outcome::Kind::kNotStarted) out.hint = out.exit->reason;
    return out;
}

}  // namespace zona::process
