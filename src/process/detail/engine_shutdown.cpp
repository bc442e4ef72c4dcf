#include <algorithm>

#include "core/fault.h"
#include "os/exec.h"
#include "process/detail/engine.h"
#include "process/listeners.h"

namespace zona::process {

void Supervisor::Engine::shutdown(Shutdown how, std::move_only_function<void(std::size_t)> begun,
                                  std::move_only_function<void()> done) {
    if (done) after_shutdown_.push_back(std::move(done));
    if (how == Shutdown::kKill) {
        if (auto marked = deps_.state.mark_killed(); !marked) {
            log_.report("cannot record that zona was killed on purpose", marked.error());
        }
    }
    std::vector<std::uint32_t> alive;
    for (const auto& [pm_id, entry] : entries_) {
        if (entry->life.child_alive || entry->life.phase == Phase::kCleaning)
            alive.push_back(pm_id);
    }
    if (begun) begun(alive.size());
    if (shutting_down_) return;
    shutting_down_ = true;
    deps_.table.header().stopping.store(kStopBegun);
    ZONA_FAULT("shutdown.begun");
    log_.info("stopping everything", {{"processes", alive.size()}});
    auto left = std::make_shared<std::size_t>(1);
    const auto one_less = [this, left] {
        if (--*left != 0) return;
        deps_.table.header().stopping.store(kStopDone);
        // Nothing more comes of what somebody still waits for; the API ends with its answers.
        release_waiters(Waiter::For::kRest);
        release_waiters(Waiter::For::kRemoval);
        for (auto& then : after_shutdown_)
            then();
        after_shutdown_.clear();
    };
    release_waiters(Waiter::For::kReady);
    // Last started, first stopped.
    std::vector<Entry*> order = in_order();
    std::ranges::reverse(order);
    for (Entry* entry : order) {
        const bool moving = entry->life.child_alive || entry->life.phase == Phase::kCleaning;
        if (moving) {
            ++*left;
            entry->waiters.push_back(
                {.what = Waiter::For::kRest, .done = [one_less](const auto&) { one_less(); }});
        }
        feed(*entry, {.kind = EventKind::kStop});
    }
    post([one_less] { one_less(); });
}

void Supervisor::Engine::release_waiters(Waiter::For what) {
    for (Entry* entry : in_order())
        resolve(*entry, what, core::Error(core::Code::kUnavailable, "zona is stopping"));
}

void Supervisor::Engine::become_keeper() {
    log_.warn("the keeper is dead; this process takes its role and starts a new daemon");
    ZONA_FAULT("swap.begin");
    // Between a clone and RUNNING nothing else happens on this thread, so the table is whole here.
    // The other threads end wherever they are, as if killed; what they write bears that.
    std::vector<std::string> arguments = {"zona-keeper", "--home", options_.home};
    arguments.insert(arguments.end(), options_.keeper_arguments.begin(),
                     options_.keeper_arguments.end());
    std::vector<int> kept = {kFdListen, kFdLock};
    for (const Listeners::Held& listener : deps_.listeners.held()) {
        const bool requested = listener.origin == ListenerOrigin::kRequest;
        arguments.emplace_back(requested ? "--requested-listener" : "--listener");
        arguments.push_back(std::to_string(listener.fd));
        kept.push_back(listener.fd);
    }
    arguments.emplace_back("--swapped");
    const auto failed = os::become_program(options_.keeper_program, std::move(arguments), kept);
    log_.report("cannot become the keeper; supervision goes on without one", failed);
}

}  // namespace zona::process
