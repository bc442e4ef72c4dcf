#include <fmt/format.h>

#include "core/fault.h"
#include "process/app_command.h"
#include "process/detail/engine.h"

namespace zona::process {
namespace {

std::int64_t ns(core::SystemTime time) {
    return time.time_since_epoch().count();
}

/// What an account's owner expects to find; settings of the file win.
void add_account(std::map<std::string, std::string>& env, const os::Credentials& who) {
    const os::UserEntry user = os::find_user(who.uid);
    if (user.name.empty()) return;
    env["USER"] = user.name;
    env["LOGNAME"] = user.name;
    env["HOME"] = user.home;
    env["SHELL"] = user.shell;
}

std::vector<os::ResourceLimit> limits_of(const AppSpec& spec, const SupervisorOptions& options) {
    std::vector<os::ResourceLimit> out;
    out.push_back({RLIMIT_NOFILE, options.child_fd_limit_soft, options.child_fd_limit_hard});
    const bool says_core = spec.limits.contains("core");
    if (options.child_core_limit && !says_core) {
        out.push_back(
            {RLIMIT_CORE, options.child_core_limit->soft, options.child_core_limit->hard});
    }
    for (const auto& [name, pair] : spec.limits) {
        const auto resource = limit_resource(name);
        if (!resource) continue;
        if (*resource == RLIMIT_NOFILE) out.front() = {RLIMIT_NOFILE, 0, 0};
        os::ResourceLimit limit{.resource = *resource};
        if (pair.soft) limit.soft = *pair.soft;
        if (pair.hard) limit.hard = *pair.hard;
        if (*resource == RLIMIT_NOFILE) {
            out.front() = limit;
        } else {
            out.push_back(limit);
        }
    }
    return out;
}

}  // namespace

std::map<std::string, std::string> Supervisor::Engine::environment(const Entry& entry) const {
    const AppSpec& spec = entry.stored.app->spec;
    std::map<std::string, std::string> env = entry.stored.app->caller_environment;
    if (spec.user || spec.group) {
        if (const auto who =
                os::find_credentials(spec.user.value_or(""), spec.group.value_or(""))) {
            add_account(env, *who);
        }
    }
    for (const auto& [name, value] : spec.env)
        env[name] = value;
    const std::string instance = std::to_string(entry.stored.instance);
    env["NODE_APP_INSTANCE"] = instance;
    env["PM2_INSTANCE_ID"] = instance;
    env["pm_id"] = std::to_string(entry.stored.pm_id);
    env["name"] = spec.name;
    env["PMDAEMON_PROCESS_NAME"] = spec.name;
    env["PMDAEMON_PROCESS_ID"] = entry.stored.id.to_string();
    env["PMDAEMON_NAMESPACE"] = spec.namespace_;
    env["PMDAEMON_VERSION"] = options_.version;
    return env;
}

core::Result<void> Supervisor::Engine::attach(Entry& entry) {
    const AppSpec& spec = entry.stored.app->spec;
    LogTargets targets{.out_file = entry.stored.out_file,
                       .error_file = entry.stored.error_file,
                       .stdin_mode = spec.stdin_mode,
                       .owner = {os::effective_uid(), os::effective_gid()},
                       .lines = spec.merge_logs ? LineMode::kWholeLines : LineMode::kRaw};
    if (spec.user || spec.group) {
        ZONA_TRY(const auto who,
                 os::find_credentials(spec.user.value_or(""), spec.group.value_or("")));
        targets.owner = {who.uid, who.gid};
    }
    ZONA_TRY_VOID(deps_.capture.attach(entry.slot, std::move(targets)));
    std::uint32_t streams = kStreamOut | kStreamErr;
    if (spec.stdin_mode == StdinMode::kPipe) streams |= kStreamIn;
    Slot& slot = slot_of(entry);
    if (slot.streams != streams) slot.held_by.store(0);
    slot.streams = streams;
    return {};
}

std::vector<std::pair<Entry*, core::Error>> Supervisor::Engine::hold(
    std::span<Entry* const> entries) {
    const std::int32_t keeper = deps_.table.header().keeper_pid.load();
    std::vector<Entry*> asked;
    std::vector<HeldStreams> wanted;
    for (Entry* entry : entries) {
        const Slot& slot = slot_of(*entry);
        if (slot.held_by.load() == keeper) continue;
        asked.push_back(entry);
        wanted.push_back({entry->slot, slot.streams});
    }
    const std::vector<core::Result<void>> held = deps_.keeper.hold(wanted);
    std::vector<std::pair<Entry*, core::Error>> failed;
    for (std::size_t i = 0; i < held.size(); ++i) {
        if (held[i]) {
            slot_of(*asked[i]).held_by.store(keeper);
        } else {
            failed.emplace_back(asked[i], held[i].error());
        }
    }
    return failed;
}

core::Result<Placement> Supervisor::Engine::place(Entry& entry) {
    const TreeId id{entry.slot, entry.stored.id.to_string()};
    // One adopted from a daemon that had less of the host stays as it is while anything is in it.
    const bool outgrown = entry.tree && !entry.tree->guaranteed() &&
                          deps_.containment.tier() != Tier::kSweep &&
                          entry.tree->is_empty().value_or(false);
    if (!entry.tree || outgrown) {
        ZONA_TRY(entry.tree, deps_.containment.prepare(id));
    }
    auto placement = entry.tree->placement();
    if (!placement && placement.error().code() == core::Code::kNotFound) {
        // Somebody removed the group from outside.
        ZONA_TRY(entry.tree, deps_.containment.prepare(id));
        placement = entry.tree->placement();
    }
    return placement;
}

core::Result<os::SpawnPlan> Supervisor::Engine::plan(Entry& entry) {
    const AppSpec& spec = entry.stored.app->spec;
    os::SpawnPlan plan;
    std::map<std::string, std::string> env = environment(entry);
    if (spec.user || spec.group) {
        ZONA_TRY(plan.credentials,
                 os::find_credentials(spec.user.value_or(""), spec.group.value_or("")));
    }
    const auto path = env.find("PATH");
    const std::string path_value = path == env.end() ? std::string(kDefaultPath) : path->second;
    ZONA_TRY(ResolvedCommand command, resolve_command(spec, SystemPathProbe(), path_value));
    for (const auto& [name, value] : command.default_environment)
        env.try_emplace(name, value);
    entry.interpreter = command.interpreter.value_or("");
    plan.executable = std::move(command.executable);
    plan.arguments = std::move(command.arguments);
    plan.directory = spec.cwd;
    plan.umask = spec.umask;
    plan.nice = spec.nice;
    plan.limits = limits_of(spec, options_);
    ZONA_TRY(const Placement placement, place(entry));
    plan.environment.reserve(env.size() + 1);
    for (const auto& [name, value] : env)
        plan.environment.push_back(fmt::format("{}={}", name, value));
    placement.add_to(plan);
    ZONA_TRY_VOID(check_exec_size(plan.arguments, plan.environment, std::nullopt));
    return plan;
}

void Supervisor::Engine::spawn(Entry& entry) {
    Slot& slot = slot_of(entry);
    const bool again = slot.state() == SlotState::kIntent;  // a dead daemon's, no child exists
    const std::uint64_t incarnation = again ? slot.incarnation() : slot.incarnation() + 1;
    entry.launched_at = deps_.clock.steady();
    entry.spawn_failure.clear();
    forget_ended_survivors(entry);
    auto planned = plan(entry);
    core::Result<ChildStreams> streams = planned ? deps_.capture.open_for_child(entry.slot)
                                                 : core::Result<ChildStreams>(planned.error());
    if (!streams) {
        return not_started(
            entry, incarnation,
            {streams.error().message(), os::SpawnStep::kExec, streams.error().system_error()});
    }
    planned->stdin_fd = streams->in.get();
    planned->stdout_fd = streams->out.get();
    planned->stderr_fd = streams->err.get();

    const LogPositions positions = deps_.capture.positions(entry.slot);
    const auto oom = entry.tree->oom_kills();
    entry.oom_before = oom ? oom->count : 0;
    slot.out_begin = positions.out;
    slot.err_begin = positions.err;
    slot.of_keeper.store(0);
    slot.start_ticks = 0;
    slot.restart_at_ns = 0;
    slot.spawned_ns = ns(deps_.clock.system());
    slot.pid.store(0);
    ZONA_FAULT("spawn.prepared");
    slot.word.store(Slot::make_word(incarnation, SlotState::kIntent));
    ZONA_FAULT("spawn.intent");
    const os::SpawnOutcome outcome = os::spawn(*planned, slot.pid.address());
    ZONA_FAULT("spawn.cloned");
    spawned(entry, incarnation, outcome);
}

void Supervisor::Engine::spawned(Entry& entry, std::uint64_t incarnation,
                                 const os::SpawnOutcome& outcome) {
    Slot& slot = slot_of(entry);
    if (outcome.pid <= 0) {
        return not_started(entry, incarnation,
                           {core::Error::from_errno(outcome.error_number, "cannot clone").message(),
                            os::SpawnStep::kClone, outcome.error_number});
    }
    slot.word.store(Slot::make_word(incarnation, SlotState::kRunning));
    ZONA_FAULT("spawn.running");
    if (!outcome.started()) {
        const std::string reason =
            core::Error::from_errno(outcome.error_number,
                                    fmt::format("cannot {}", os::to_string(outcome.failed_step)))
                .message();
        // It has ended already: a vforked child returns here by exec or exit only.
        os::reap_child(outcome.pid);
        return not_started(entry, incarnation, {reason, outcome.failed_step, outcome.error_number});
    }
    children_[outcome.pid] = &entry;
    entry.parent = Parent::kUs;
    const auto started = entry.tree->started(outcome.pid);
    if (started) {
        slot.start_ticks = started->start_ticks;
        slot.of_keeper.store(1);
    }
    ZONA_FAULT("spawn.done");
    log_.info("started", {{"pm_id", entry.stored.pm_id},
                          {"name", entry.stored.app->spec.name},
                          {"pid", outcome.pid},
                          {"incarnation", incarnation}});
    feed(entry, {.kind = EventKind::kSpawned});
    arm(entry, TimerKind::kReady, kReadyAfter);
}

void Supervisor::Engine::not_started(Entry& entry, std::uint64_t incarnation, NotStarted why) {
    Slot& slot = slot_of(entry);
    entry.spawn_failure = std::move(why.reason);
    entry.last_ran = Milliseconds(0);
    entry.last_exit_code = -1;
    log_.warn("cannot start", {{"pm_id", entry.stored.pm_id},
                               {"name", entry.stored.app->spec.name},
                               {"reason", entry.spawn_failure}});
    const LogPositions at = deps_.capture.positions(entry.slot);
    const core::SystemTime now = deps_.clock.system();
    const ExitRecord record{.process = entry.stored.id,
                            .incarnation = incarnation,
                            .spawned_at = now,
                            .exited_at = now,
                            .flags = kExitNotStarted,
                            .out = {at.out, at.out},
                            .err = {at.err, at.err},
                            .error_number = why.error_number,
                            .failed_step = why.step};
    slot.spawned_ns = ns(now);
    slot.exited_ns = ns(now);
    append_history(record);
    slot.history.store(incarnation);
    slot.pid.store(0);
    slot.word.store(Slot::make_word(incarnation, SlotState::kIdle));
    entry.parent = Parent::kNone;
    resolve_ready(entry, exit_view(entry, record));
    feed(entry, {.kind = EventKind::kSpawnFailed});
}

}  // namespace zona::process
