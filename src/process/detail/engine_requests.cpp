#include <algorithm>
#include <charconv>
#include <csignal>

#include <fmt/format.h>

#include "core/fault.h"
#include "process/app_command.h"
#include "process/descriptor_budget.h"
#include "process/detail/engine.h"

namespace zona::process {
namespace {

core::SystemTime at(std::int64_t ns) {
    return core::SystemTime(std::chrono::nanoseconds(ns));
}

core::Error ending() {
    return core::Error(core::Code::kUnavailable, "zona is stopping");
}

/// Whether an app can be started as things are now: its program, directory, interpreter, user.
core::Result<void> check_startable(const AppSpec& spec,
                                   const std::map<std::string, std::string>& environment) {
    if (spec.user || spec.group) {
        ZONA_TRY(const auto who,
                 os::find_credentials(spec.user.value_or(""), spec.group.value_or("")));
        if (who.uid != os::effective_uid() && os::effective_uid() != 0) {
            return core::Error(core::Code::kForbidden,
                               fmt::format("only root may run an app as another user ('{}')",
                                           spec.user.value_or(spec.group.value_or(""))));
        }
    }
    std::string path(kDefaultPath);
    if (const auto given = environment.find("PATH"); given != environment.end())
        path = given->second;
    if (const auto own = spec.env.find("PATH"); own != spec.env.end()) path = own->second;
    ZONA_TRY(const ResolvedCommand command, resolve_command(spec, SystemPathProbe(), path));
    return {};
}

/// Counts answers that come in any order; gives the whole list, by pm_id, to `done` with the last.
template <class T>
struct Gather {
    Gather(std::size_t count, Progress told) : processes(count), progress(std::move(told)) {}

    std::size_t processes;
    std::size_t missing = processes + 2;  // the commit, and who begins it all
    Progress progress;
    std::vector<T> items;
    std::move_only_function<void(std::vector<T>)> done;

    void tell(const OperationResult& result) {
        if (progress.finished) progress.finished(result);
    }
    void committed() {
        if (progress.accepted) progress.accepted(processes);
        one_less();
    }
    void one_less() {
        if (--missing > 0) return;
        std::ranges::sort(items, {}, &T::pm_id);
        done(std::move(items));
    }
};

/// Of a start that adds instances, only what is told about these: those from `before` on.
Progress of_new_instances(Progress progress, std::size_t before) {
    Progress out;
    out.accepted = [before, accepted = std::move(progress.accepted)](std::size_t all) mutable {
        if (accepted) accepted(all - before);
    };
    out.finished =
        [before, finished = std::move(progress.finished)](const OperationResult& result) mutable {
            if (finished && result.instance >= before) finished(result);
        };
    return out;
}

core::Result<std::uint32_t> wanted_instances(const std::string& text, std::size_t now) {
    const bool relative = text.starts_with('+') || text.starts_with('-');
    std::uint32_t number = 0;
    const char* begin = text.data() + (relative ? 1 : 0);
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(begin, end, number);
    if (error != std::errc() || stop != end || begin == end) {
        return core::Error(core::Code::kInvalidArgument,
                           fmt::format("instances: '{}' is not a number, +N or -N", text));
    }
    std::int64_t wanted = number;
    if (text.starts_with('+')) wanted = static_cast<std::int64_t>(now) + number;
    if (text.starts_with('-')) wanted = static_cast<std::int64_t>(now) - number;
    if (wanted < 1 || wanted > SpecLimits::kInstances) {
        return core::Error(
            core::Code::kInvalidArgument,
            fmt::format("instances: {} is not within 1 to {}; to end an app use stop "
                        "or delete",
                        wanted, SpecLimits::kInstances));
    }
    return static_cast<std::uint32_t>(wanted);
}

}  // namespace

RestartPolicy policy_of(const AppSpec& spec) {
    return RestartPolicy{.autorestart = spec.autorestart,
                         .max_restarts = spec.max_restarts,
                         .min_uptime = spec.min_uptime,
                         .restart_delay = spec.restart_delay,
                         .backoff_first = spec.exp_backoff_restart_delay,
                         .kill_timeout = spec.kill_timeout,
                         .stop_exit_codes = spec.stop_exit_codes};
}

std::vector<Entry*> Supervisor::Engine::in_order() {
    std::vector<Entry*> out;
    out.reserve(entries_.size());
    for (const auto& [pm_id, entry] : entries_)
        out.push_back(entry.get());
    return out;
}

core::Result<std::vector<Entry*>> Supervisor::Engine::select(
    std::span<const std::string> selectors) {
    std::vector<Entry*> all = in_order();
    if (selectors.empty()) return all;
    std::vector<SelectableProcess> views;
    views.reserve(all.size());
    for (const Entry* e : all) {
        views.push_back({e->stored.pm_id, e->stored.id, e->stored.app->spec.name,
                         e->stored.app->spec.namespace_});
    }
    ZONA_TRY(const std::vector<std::size_t> chosen, select_processes(selectors, views));
    std::vector<Entry*> out;
    out.reserve(chosen.size());
    for (const std::size_t i : chosen)
        out.push_back(all[i]);
    return out;
}

core::Result<Entry*> Supervisor::Engine::find_one(const std::string& id) {
    const std::string selectors[] = {id};
    ZONA_TRY(std::vector<Entry*> found, select(selectors));
    // `all`, a namespace and an expression select; they are nobody's id.
    const auto uuid = core::Uuid::parse(id);
    std::erase_if(found, [&](const Entry* e) {
        return id != e->stored.app->spec.name && id != std::to_string(e->stored.pm_id) &&
               !(uuid && *uuid == e->stored.id);
    });
    if (found.size() == 1) return found.front();
    if (found.empty())
        return core::Error(core::Code::kNotFound,
                           fmt::format("no process has the id or the name '{}'", id));
    core::Error error(core::Code::kInvalidArgument,
                      fmt::format("'{}' names {} processes; give the id of one", id, found.size()));
    for (const Entry* e : found) {
        error.detail(
            {.where = std::to_string(e->stored.pm_id),
             .problem = fmt::format("{} instance {}", e->stored.app->spec.name, e->stored.instance),
             .hint = {}});
    }
    return error;
}

ExitView Supervisor::Engine::exit_view(const Entry& entry, const ExitRecord& record) const {
    ExitView out{.incarnation = record.incarnation,
                 .pid = record.pid,
                 .started_at = record.spawned_at,
                 .exited_at = record.exited_at,
                 .requested = (record.flags & kExitRequested) != 0,
                 .user_us = record.user_cpu.count(),
                 .system_us = record.system_cpu.count(),
                 .max_rss_kb = static_cast<std::int64_t>(record.max_rss.bytes() / 1024),
                 .out_begin = record.out.begin,
                 .out_end = record.out.end,
                 .err_begin = record.err.begin,
                 .err_end = record.err.end};
    if ((record.flags & kExitNotStarted) != 0) {
        out.cause = ExitView::Cause::kNotStarted;
        const bool newest = record.incarnation == deps_.table.slot(entry.slot).incarnation() ||
                            record.incarnation > deps_.table.slot(entry.slot).incarnation();
        out.reason = newest && !entry.spawn_failure.empty()
                         ? entry.spawn_failure
                         : core::Error::from_errno(
                               record.error_number,
                               fmt::format("cannot {}", os::to_string(record.failed_step)))
                               .message();
    } else if ((record.flags & kExitUnknown) != 0 || record.how == 0) {
        out.cause = ExitView::Cause::kUnknown;
    } else if (record.how == CLD_EXITED) {
        out.cause = ExitView::Cause::kExited;
        out.code = record.status;
    } else {
        out.cause = (record.flags & kExitOutOfMemory) != 0 ? ExitView::Cause::kOutOfMemory
                                                           : ExitView::Cause::kSignaled;
        out.signal = record.status;
        out.core_dumped = record.how == CLD_DUMPED;
    }
    return out;
}

std::vector<ExitView> Supervisor::Engine::exits(const Entry& entry) const {
    std::vector<ExitView> out;
    for (const ExitRecord& record : deps_.history.recent(entry.stored.id, ExitHistory::kKept)) {
        out.push_back(exit_view(entry, record));
    }
    return out;
}

ProcessView Supervisor::Engine::view(Entry& entry) {
    const Slot& slot = slot_of(entry);
    ProcessView out{
        .stored = entry.stored, .slot = entry.slot, .status = status_name(entry.life.phase)};
    if (entry.life.child_alive) {
        out.pid = slot.pid.load();
        out.uptime =
            std::chrono::duration_cast<Milliseconds>(deps_.clock.system() - at(slot.spawned_ns));
        out.uptime = std::max(out.uptime, Milliseconds(0));
    }
    if (slot.spawned_ns != 0) out.started_at = at(slot.spawned_ns);
    out.restarts = entry.life.restarts;
    out.unstable_restarts = entry.life.unstable_restarts;
    if (entry.life.phase == Phase::kWaiting && slot.restart_at_ns != 0)
        out.restart_at = at(slot.restart_at_ns);
    if (entry.life.phase == Phase::kErrored || entry.life.phase == Phase::kStopped) {
        out.held_because = entry.held_because;
    }
    if (const auto last = deps_.history.last(entry.stored.id))
        out.last_exit = exit_view(entry, *last);
    out.tier = entry.tree ? entry.tree->tier() : deps_.containment.tier();
    out.guaranteed = entry.tree ? entry.tree->guaranteed() : deps_.containment.guaranteed();
    forget_ended_survivors(entry);
    out.survivors = entry.survivors;
    out.interpreter = entry.interpreter;
    out.version = versions_.of(entry.slot);
    return out;
}

void Supervisor::Engine::committed(std::move_only_function<void(core::Result<void>)> then) {
    deps_.state.commit([this, then = std::move(then)](core::Result<void> result) mutable {
        // On the writer's thread.
        post([then = std::move(then), result = std::move(result)]() mutable {
            then(std::move(result));
        });
    });
}

void Supervisor::Engine::decide_log_files(StoredProcess& process) const {
    const AppSpec& spec = process.app->spec;
    std::string stem = path_safe_name(spec.name);
    if (spec.namespace_ != "default") stem = path_safe_name(spec.namespace_) + "." + stem;
    const std::string suffix =
        spec.instances > 1 && !spec.merge_logs ? fmt::format("-{}", process.instance) : "";
    const auto taken = [this, &spec](const std::string& path) {
        const auto [first, last] = log_files_.equal_range(path);
        return std::any_of(first, last, [&spec](const auto& item) {
            const AppSpec& other = item.second->stored.app->spec;
            const bool same_app = other.name == spec.name && other.namespace_ == spec.namespace_;
            return !(same_app && spec.merge_logs);
        });
    };
    const auto file = [&](const std::optional<std::string>& given, std::string_view kind) {
        if (given) {
            // Instances with a file each, unless they are to share one.
            if (suffix.empty()) return *given;
            const auto dot = given->rfind('.');
            const auto slash = given->rfind('/');
            if (dot == std::string::npos || dot < slash) return *given + suffix;
            return given->substr(0, dot) + suffix + given->substr(dot);
        }
        std::string path = fmt::format("{}/{}-{}{}.log", options_.logs_dir, stem, kind, suffix);
        if (taken(path)) {
            path = fmt::format("{}/{}-{}-id{}.log", options_.logs_dir, stem, kind, process.pm_id);
        }
        return path;
    };
    process.out_file = file(spec.out_file, "out");
    process.error_file = file(spec.error_file, "error");
}

/// Whether so many more can be made.
core::Result<void> Supervisor::Engine::check_room(const AppSpec& spec,
                                                  std::size_t instances) const {
    if (entries_.size() + instances > options_.max_processes) {
        return core::Error(
            core::Code::kResourceExhausted,
            fmt::format("there are {} processes; {} more would be over the limit of {} "
                        "(limits.max_processes)",
                        entries_.size(), instances, options_.max_processes));
    }
    std::size_t descriptors = instances * DescriptorBudget::of_process(spec);
    for (const auto& [pm_id, entry] : entries_)
        descriptors += DescriptorBudget::of_process(entry->stored.app->spec);
    if (descriptors <= options_.descriptors) return {};
    return core::Error(
        core::Code::kResourceExhausted,
        fmt::format("there are {} processes, and the limit on open files of this host leaves no "
                    "room for {} more; raise it (LimitNOFILE= in a systemd unit, or ulimit -n), "
                    "and see `zona doctor`",
                    entries_.size(), instances));
}

/// A new process at rest, recorded but not committed. check_room() comes before; then the keeper
/// must hold its streams.
core::Result<Entry*> Supervisor::Engine::create(const std::shared_ptr<const StoredApp>& app,
                                                std::uint32_t instance) {
    auto owned = std::make_unique<Entry>();
    Entry& entry = *owned;
    entry.stored.id = core::Uuid::v4(deps_.random);
    entry.stored.pm_id = next_pm_id_;
    entry.stored.instance = instance;
    entry.stored.app = app;
    entry.stored.created_at = deps_.clock.system();
    entry.policy = policy_of(app->spec);
    decide_log_files(entry.stored);
    ZONA_TRY(entry.slot, deps_.table.take(entry.stored.id));
    const auto undo = [this, &entry](core::Error error) {
        if (auto detached = deps_.capture.detach(entry.slot, RemoveFifos::kYes); !detached) {
            log_.report("cannot remove its FIFOs", detached.error());
        }
        deps_.keeper.drop(entry.slot);
        deps_.table.release(entry.slot);
        return error;
    };
    ZONA_FAULT("create.slot");
    if (auto attached = attach(entry); !attached) return undo(attached.take_error());
    if (auto put = deps_.state.put(entry.stored); !put) return undo(put.take_error());
    ZONA_FAULT("create.recorded");
    ++next_pm_id_;
    enter(std::move(owned));
    return &entry;
}

/// Into the list, with a slot and log files.
void Supervisor::Engine::enter(std::unique_ptr<Entry> owned) {
    Entry& entry = *owned;
    slots_[entry.slot] = &entry;
    log_files_.emplace(entry.stored.out_file, &entry);
    log_files_.emplace(entry.stored.error_file, &entry);
    entries_[entry.stored.pm_id] = std::move(owned);
    entered(entry);
}

core::Result<std::vector<Entry*>> Supervisor::Engine::create_missing(
    const StartRequest& request, std::vector<Entry*>& to_start) {
    std::vector<Entry*> touched;
    std::vector<Entry*> created;
    const auto fail = [&](core::Error error) {
        for (Entry* e : created)
            remove(*e);
        return error;
    };
    for (const AppSpec& spec : request.apps) {
        std::vector<Entry*> existing;
        for (Entry* e : in_order()) {
            const AppSpec& other = e->stored.app->spec;
            if (other.name == spec.name && other.namespace_ == spec.namespace_)
                existing.push_back(e);
        }
        if (!existing.empty() && request.existing == Existing::kRefuse) {
            return fail(core::Error(core::Code::kConflict,
                                    fmt::format("a process named '{}' exists already", spec.name))
                            .detail({.where = spec.name,
                                     .problem = "exists",
                                     .hint = fmt::format(
                                         "`zona restart {0}` restarts it, `zona delete {0}` "
                                         "removes it, --name gives this one another name",
                                         spec.name)}));
        }
        const auto app = std::make_shared<const StoredApp>(StoredApp{spec, request.environment});
        for (Entry* e : existing) {
            touched.push_back(e);
            changed(*e);
            if (e->life.child_alive || e->life.phase == Phase::kWaiting) continue;
            e->stored.app = app;
            e->stored.desired = Desired::kRunning;
            e->policy = policy_of(spec);
            if (auto put = deps_.state.put(e->stored); !put) return fail(put.take_error());
            to_start.push_back(e);
        }
        const auto first = static_cast<std::uint32_t>(existing.size());
        const auto end = std::max(first, static_cast<std::uint32_t>(spec.instances));
        if (auto room = check_room(spec, end - first); !room) return fail(room.take_error());
        for (std::uint32_t i = first; i < end; ++i) {
            auto entry = create(app, i);
            if (!entry) return fail(entry.take_error());
            touched.push_back(*entry);
            created.push_back(*entry);
            to_start.push_back(*entry);
        }
    }
    if (auto failed = hold(created); !failed.empty()) return fail(std::move(failed[0].second));
    return touched;
}

void Supervisor::Engine::start(const StartRequest& request, Callback<StartReply> done,
                               Progress progress) {
    if (shutting_down_) return done(ending());
    for (const AppSpec& spec : request.apps) {
        if (auto startable = check_startable(spec, request.environment); !startable) {
            return done(std::move(startable.take_error().context(spec.name)));
        }
    }
    std::vector<Entry*> to_start;
    auto touched = create_missing(request, to_start);
    if (!touched) return done(touched.take_error());
    StartBatch batch;
    for (const Entry* e : *touched)
        batch.shown.push_back(e->stored.pm_id);
    for (const Entry* e : to_start)
        batch.started.push_back(e->stored.pm_id);
    start_batch(std::move(batch), std::move(done), std::move(progress));
}

OperationResult Supervisor::Engine::result_of(const Entry& entry) {
    return {.pm_id = entry.stored.pm_id,
            .name = entry.stored.app->spec.name,
            .instance = entry.stored.instance};
}

/// Exits and other requests come in between the starts of a batch.
void Supervisor::Engine::start_in_its_turn(std::uint32_t pm_id) {
    post([this, pm_id] {
        const auto found = entries_.find(pm_id);
        if (found == entries_.end() || shutting_down_) return;
        const Phase phase = found->second->life.phase;
        if (phase == Phase::kStopped || phase == Phase::kErrored)
            feed(*found->second, {.kind = EventKind::kStart});
    });
}

void Supervisor::Engine::start_batch(StartBatch batch, Callback<StartReply> done,
                                     Progress progress) {
    std::ranges::sort(batch.started);
    auto gather = std::make_shared<Gather<Outcome>>(batch.shown.size(), std::move(progress));
    gather->done = [this, shown = batch.shown,
                    done = std::move(done)](std::vector<Outcome> outcomes) mutable {
        StartReply reply{.processes = {}, .outcomes = std::move(outcomes)};
        for (const std::uint32_t id : shown) {
            if (const auto e = entries_.find(id); e != entries_.end())
                reply.processes.push_back(view(*e->second));
        }
        done(std::move(reply));
    };
    for (const std::uint32_t id : batch.shown) {
        Entry& entry = *entries_.at(id);
        if (!std::ranges::binary_search(batch.started, id)) {
            gather->tell(result_of(entry));
            gather->one_less();
            continue;
        }
        entry.waiters.push_back(
            {.what = Waiter::For::kReady,
             .incarnation = slot_of(entry).incarnation() + 1,
             .done = [gather, id, name = entry.stored.app->spec.name,
                      instance = entry.stored.instance](
                         core::Result<std::optional<Outcome>> outcome) mutable {
                 OperationResult result{.pm_id = id, .name = std::move(name), .instance = instance};
                 if (!outcome) result.error = outcome.error();
                 if (outcome) result.outcome = *std::move(outcome);
                 gather->tell(result);
                 if (result.outcome) gather->items.push_back(*std::move(result.outcome));
                 gather->one_less();
             }});
        start_in_its_turn(id);
    }
    committed([this, gather](core::Result<void> result) {
        // The processes run; what could not be secured is said where an operator looks.
        if (!result) log_.report("a start is not on the disk yet", result.error());
        gather->committed();
    });
    gather->one_less();
}

void Supervisor::Engine::operate(OperationRequest request,
                                 Callback<std::vector<OperationResult>> done, Progress progress) {
    if (shutting_down_) return done(ending());
    if (request.action == OperationRequest::Action::kScale)
        return scale(std::move(request), std::move(done), std::move(progress));
    auto chosen = select(request.select);
    if (!chosen) return done(chosen.take_error());
    auto gather = std::make_shared<Gather<OperationResult>>(chosen->size(), std::move(progress));
    gather->done = std::move(done);
    for (Entry* entry : *chosen) {
        act(*entry, {.request = request,
                     .result = result_of(*entry),
                     .done = [gather](OperationResult finished) {
                         gather->tell(finished);
                         gather->items.push_back(std::move(finished));
                         gather->one_less();
                     }});
    }
    committed([this, gather](core::Result<void> result) {
        if (!result) log_.report("an operation is not on the disk yet", result.error());
        gather->committed();
    });
    gather->one_less();
}

void Supervisor::Engine::scale(OperationRequest request,
                               Callback<std::vector<OperationResult>> done, Progress progress) {
    auto chosen = select(request.select);
    if (!chosen) return done(chosen.take_error());
    if (chosen->empty())
        return done(core::Error(core::Code::kNotFound, "there is no process to scale"));
    const std::shared_ptr<const StoredApp> app = chosen->front()->stored.app;
    std::vector<Entry*> instances;
    for (Entry* e : *chosen) {
        if (e->stored.app->spec.name != app->spec.name ||
            e->stored.app->spec.namespace_ != app->spec.namespace_) {
            return done(
                core::Error(core::Code::kInvalidArgument, "scale takes the name of one app"));
        }
    }
    for (Entry* e : in_order()) {
        if (e->stored.app->spec.name == app->spec.name &&
            e->stored.app->spec.namespace_ == app->spec.namespace_) {
            instances.push_back(e);
        }
    }
    auto wanted = wanted_instances(request.instances, instances.size());
    if (!wanted) return done(wanted.take_error());
    std::ranges::sort(instances, {}, [](const Entry* e) { return e->stored.instance; });
    if (*wanted < instances.size()) {
        // The highest instances go.
        request.action = OperationRequest::Action::kDelete;
        request.select.clear();
        for (std::size_t i = *wanted; i < instances.size(); ++i) {
            request.select.push_back(std::to_string(instances[i]->stored.pm_id));
        }
        return operate(std::move(request), std::move(done), std::move(progress));
    }
    StartRequest more{.environment = app->caller_environment, .existing = Existing::kStartStopped};
    more.apps.push_back(app->spec);
    more.apps.back().instances = static_cast<int>(*wanted);
    const std::size_t before = instances.size();
    auto answer = [before, done = std::move(done)](core::Result<StartReply> reply) mutable {
        if (!reply) return done(reply.take_error());
        std::vector<OperationResult> results;
        for (ProcessView& process : reply->processes) {
            if (process.stored.instance < before) continue;
            OperationResult result{.pm_id = process.stored.pm_id,
                                   .name = process.stored.app->spec.name,
                                   .instance = process.stored.instance};
            for (Outcome& outcome : reply->outcomes) {
                if (outcome.pm_id == result.pm_id) result.outcome = std::move(outcome);
            }
            result.process = std::move(process);
            results.push_back(std::move(result));
        }
        done(std::move(results));
    };
    start(more, std::move(answer), of_new_instances(std::move(progress), before));
}

core::Result<Supervisor::Saved> Supervisor::Engine::save(Force force) {
    auto report = deps_.state.save(force == Force::kYes ? EmptySave::kAllow : EmptySave::kRefuse);
    if (!report && report.error().code() == core::Code::kConflict) {
        return std::move(
            report.take_error().detail({.where = "list",
                                        .problem = "is empty",
                                        .hint = "`zona save --force` saves an empty list"}));
    }
    if (!report) return report.take_error();
    return Saved{.file = report->file, .processes = report->processes};
}

void Supervisor::Engine::resurrect(Callback<std::pair<StartReply, std::string>> done,
                                   Progress progress) {
    if (shutting_down_) return done(ending());
    auto saved = deps_.state.load_saved();
    if (!saved) return done(saved.take_error());
    StartBatch batch;
    std::vector<Entry*> created;
    const auto fail = [&](core::Error error) {
        for (Entry* e : created)
            remove(*e);
        done(std::move(error));
    };
    for (StoredProcess& stored : saved->processes) {
        const bool exists = std::ranges::any_of(entries_, [&](const auto& item) {
            const StoredProcess& other = item.second->stored;
            return other.app->spec.name == stored.app->spec.name &&
                   other.app->spec.namespace_ == stored.app->spec.namespace_ &&
                   other.instance == stored.instance;
        });
        if (exists) continue;
        if (auto room = check_room(stored.app->spec, 1); !room) return fail(room.take_error());
        auto entry = create(stored.app, stored.instance);
        if (!entry) return fail(entry.take_error());
        created.push_back(*entry);
        (*entry)->stored.desired = stored.desired;
        if (auto wanted = deps_.state.set_desired((*entry)->stored.id, stored.desired); !wanted) {
            return fail(wanted.take_error());
        }
        batch.shown.push_back((*entry)->stored.pm_id);
        if (stored.desired == Desired::kRunning) batch.started.push_back(batch.shown.back());
    }
    if (auto failed = hold(created); !failed.empty()) return fail(std::move(failed[0].second));
    if (auto cleared = deps_.state.clear_killed(); !cleared) return fail(cleared.take_error());
    versions_.list_changed();  // of what a list tells beside the processes
    auto answer = [file = saved->file,
                   done = std::move(done)](core::Result<StartReply> reply) mutable {
        if (!reply) return done(reply.take_error());
        done(std::pair(std::move(*reply), std::move(file)));
    };
    start_batch(std::move(batch), std::move(answer), std::move(progress));
}

}  // namespace zona::process
