#include "jobs/loops.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "os/thread.h"

namespace zona::jobs {

using core::Result;

namespace {

Result<void> guarded(const Loop& loop) {
    try {
        return loop.work();
    } catch (const std::exception& thrown) {
        return core::Error(core::Code::kInternal, thrown.what());
    }
}

}  // namespace

Loops::Loops(std::vector<Loop> loops, const core::Clock& clock, core::Logger log,
             core::MetricRegistry& metrics)
    : clock_(clock), log_(std::move(log)) {
    for (Loop& loop : loops) {
        const core::Labels labels{{"loop", loop.name}};
        members_.push_back(
            {.loop = std::move(loop),
             .turns = metrics.counter("zona_loop_turns_total",
                                      "Turns of what is done every few seconds.", labels),
             .failures = metrics.counter("zona_loop_failures_total", "Turns of a loop that failed.",
                                         labels)});
    }
}

Loops::~Loops() {
    stop();
}

void Loops::start() {
    for (Member& member : members_) {
        turn(member);
        log_.info("a loop has begun",
                  {{"loop", member.loop.name}, {"interval_ms", member.loop.interval.count()}});
    }
    thread_ = std::thread([this] { run(); });
}

void Loops::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        told_.notify_all();
    }
    if (!thread_.joinable()) return;
    thread_.join();
    for (const Member& member : members_)
        log_.info("a loop has ended", {{"loop", member.loop.name}});
}

void Loops::run() {
    os::name_this_thread("loops");
    while (true) {
        poked_ = false;
        const core::SteadyTime next = turn();
        std::unique_lock lock(mutex_);
        if (next == core::SteadyTime::max()) {
            told_.wait(lock, [this] { return stopping_ || poked_; });
        } else {
            told_.wait_for(lock, next - clock_.steady(), [this] { return stopping_; });
        }
        if (stopping_) return;
    }
}

void Loops::poke() {
    if (poked_.exchange(true)) return;
    const std::lock_guard lock(mutex_);
    told_.notify_all();
}

core::SteadyTime Loops::turn() {
    auto next = core::SteadyTime::max();
    for (Member& member : members_) {
        if (member.loop.needed && !member.loop.needed()) continue;
        if (member.due <= clock_.steady()) turn(member);
        next = std::min(next, member.due);
    }
    return next;
}

void Loops::turn(Member& member) const {
    const Result<void> done = guarded(member.loop);
    member.turns.add();
    if (!done) {
        member.failures.add();
        log_.report("a loop has failed; it goes on: " + member.loop.name, done.error());
    }
    member.due = clock_.steady() + member.loop.interval;
}

}  // namespace zona::jobs
