#include <fmt/format.h>

#include "core/fault.h"
#include "process/detail/engine.h"

namespace zona::process {

void Supervisor::Engine::act(Entry& entry, Operation operation) {
    using Action = OperationRequest::Action;
    changed(entry);
    switch (operation.request.action) {
        case Action::kStart:
        case Action::kRestart:
            return act_start(entry, std::move(operation));
        case Action::kStop:
            if (auto wanted = want_stopped(entry); !wanted)
                return fail(entry, std::move(operation), wanted.take_error());
            ZONA_FAULT("stop.recorded");
            resolve(entry, Waiter::For::kReady,
                    core::Error(core::Code::kConflict, "it was stopped meanwhile"));
            await(entry, std::move(operation), Waiter::For::kRest);
            return feed(entry, {.kind = EventKind::kStop});
        case Action::kDelete:
            if (auto wanted = want_stopped(entry); !wanted)
                return fail(entry, std::move(operation), wanted.take_error());
            await(entry, std::move(operation), Waiter::For::kRemoval);
            return feed(entry, {.kind = EventKind::kDelete});
        case Action::kReset:
            feed(entry, {.kind = EventKind::kReset});
            return finish(entry.stored.pm_id, std::move(operation));
        case Action::kSignal:
            return act_signal(entry, std::move(operation));
        case Action::kSend:
            return act_send(entry, std::move(operation));
        case Action::kScale:
            return;  // of a whole app: scale()
    }
}

core::Result<void> Supervisor::Engine::want_stopped(Entry& entry) {
    entry.stored.desired = Desired::kStopped;
    return deps_.state.set_desired(entry.stored.id, Desired::kStopped);
}

/// Answers with what the process is now.
void Supervisor::Engine::finish(std::uint32_t pm_id, Operation operation) {
    if (const auto e = entries_.find(pm_id); e != entries_.end())
        operation.result.process = view(*e->second);
    operation.done(std::move(operation.result));
}

void Supervisor::Engine::fail(Entry& entry, Operation operation, core::Error error) {
    operation.result.error = std::move(error);
    finish(entry.stored.pm_id, std::move(operation));
}

void Supervisor::Engine::fail_not_running(Entry& entry, Operation operation) {
    auto error =
        core::Error(core::Code::kConflict, fmt::format("'{}' does not run", operation.result.name));
    fail(entry, std::move(operation), std::move(error));
}

/// Answers when the process has come to `what`, in its next incarnation.
void Supervisor::Engine::await(Entry& entry, Operation operation, Waiter::For what) {
    entry.waiters.push_back(
        {.what = what,
         .incarnation = slot_of(entry).incarnation() + 1,
         .done = [this, pm_id = entry.stored.pm_id, operation = std::move(operation)](
                     core::Result<std::optional<Outcome>> end) mutable {
             if (!end) operation.result.error = end.error();
             if (end && *end) operation.result.outcome = **end;
             finish(pm_id, std::move(operation));
         }});
}

void Supervisor::Engine::act_start(Entry& entry, Operation operation) {
    const bool start = operation.request.action == OperationRequest::Action::kStart;
    const LifecycleState& life = entry.life;
    const bool runs = life.child_alive || life.phase == Phase::kLaunching;
    if (start && runs && life.phase != Phase::kStopping) {
        auto error = core::Error(core::Code::kConflict,
                                 fmt::format("'{}' runs already", operation.result.name));
        return fail(entry, std::move(operation), std::move(error));
    }
    if (operation.request.new_environment) {
        auto app = std::make_shared<StoredApp>(*entry.stored.app);
        app->caller_environment = *operation.request.new_environment;
        entry.stored.app = std::move(app);
    }
    entry.stored.desired = Desired::kRunning;
    if (auto put = deps_.state.put(entry.stored); !put)
        return fail(entry, std::move(operation), put.take_error());
    ZONA_FAULT("restart.recorded");
    resolve(entry, Waiter::For::kRest,
            core::Error(core::Code::kConflict, "it was started again meanwhile"));
    const Event event{.kind = start ? EventKind::kStart : EventKind::kRestart};
    await(entry, std::move(operation), Waiter::For::kReady);
    feed(entry, event);
}

void Supervisor::Engine::act_signal(Entry& entry, Operation operation) {
    if (!entry.life.child_alive || !entry.tree)
        return fail_not_running(entry, std::move(operation));
    auto sent = entry.tree->signal(operation.request.signal, operation.request.target);
    if (!sent) return fail(entry, std::move(operation), sent.take_error());
    finish(entry.stored.pm_id, std::move(operation));
}

void Supervisor::Engine::act_send(Entry& entry, Operation operation) {
    if (entry.stored.app->spec.stdin_mode != StdinMode::kPipe) {
        auto error = core::Error(
            core::Code::kConflict,
            fmt::format("'{}' has no input: start it with `stdin: pipe`", operation.result.name));
        return fail(entry, std::move(operation), std::move(error));
    }
    if (!entry.life.child_alive) return fail_not_running(entry, std::move(operation));
    auto sent = deps_.capture.write_stdin(entry.slot, operation.request.line + "\n");
    if (!sent) return fail(entry, std::move(operation), sent.take_error());
    finish(entry.stored.pm_id, std::move(operation));
}

}  // namespace zona::process
