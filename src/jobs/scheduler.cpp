#include "jobs/scheduler.h"

#include <algorithm>
#include <exception>
#include <set>
#include <stdexcept>
#include <system_error>

#include <fmt/format.h>

#include "core/deadline.h"
#include "core/fault.h"
#include "jobs/context.h"
#include "jobs/detail/documents.h"
#include "jobs/detail/job.h"
#include "jobs/detail/ledger.h"
#include "jobs/detail/troubles.h"
#include "os/thread.h"

namespace zona::jobs {

using core::Code;
using core::Error;
using core::Result;
using core::SteadyTime;
using core::SystemTime;
using detail::Job;
using detail::Run;

namespace {

/// After it a paused job is looked at again.
constexpr std::chrono::hours kPausedFor(1);

bool is_name(const std::string& name) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    };
    return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, fits);
}

void check(const std::vector<Definition>& definitions) {
    std::set<std::string> names;
    for (const Definition& definition : definitions) {
        if (!is_name(definition.name) || !definition.work || !names.insert(definition.name).second)
            throw std::invalid_argument("the job '" + definition.name + "' is not well defined");
    }
}

/// On the thread of the work.
Result<void> do_work(const Definition& definition, const std::shared_ptr<detail::RunState>& state,
                     const std::function<Result<std::vector<std::string>>()>& tenants) try {
    const Context whole(state, "");
    if (definition.coverage == Coverage::kInstallation) {
        Context context(state, "");
        return definition.work(context);
    }
    ZONA_TRY(const std::vector<std::string> codes, tenants());
    return for_each_part(whole, codes, [&](const std::string& code) {
        Context context(state, code);
        return definition.work(context);
    });
} catch (const std::exception& thrown) {
    return Error(Code::kInternal, fmt::format("the job threw: {}", thrown.what()));
}

Outcome outcome_of(const Result<void>& result, Outcome stopped) {
    if (result) return Outcome::kSucceeded;
    return stopped == Outcome::kRunning ? Outcome::kFailed : stopped;
}

}  // namespace

Scheduler::Scheduler(SchedulerOptions options, SchedulerDeps deps,
                     std::vector<Definition> definitions)
    : options_(std::move(options)), deps_(std::move(deps)) {
    check(definitions);
    for (Definition& definition : definitions) {
        std::string key = detail::key_of(definition, options_.instance);
        auto metrics = detail::metrics_of(deps_.metrics, definition.name);
        jobs_.push_back(std::make_unique<Job>(
            Job{.definition = std::move(definition), .key = std::move(key), .metrics = metrics}));
    }
}

Scheduler::~Scheduler() {
    stop();
}

void Scheduler::start(std::shared_ptr<store::Database> core) {
    thread_ = std::thread([this, core = std::move(core)]() mutable {
        os::name_this_thread("zona-jobs");
        loop(std::move(core));
    });
}

void Scheduler::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    news_.notify_all();
    if (thread_.joinable()) {
        thread_.join();
    } else {
        end_all();
    }
}

void Scheduler::loop(std::shared_ptr<store::Database> core) {
    int tries = 0;
    for (auto opened = open(core); !opened; opened = open(core)) {
        deps_.log.report("the jobs cannot begin", opened.error());
        wait_until(deps_.clock.steady() + detail::kTroubles.pause(++tries, deps_.random));
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
    }
    core.reset();
    while (true) {
        wait_until(turn());
        const std::lock_guard lock(mutex_);
        if (stopping_) break;
    }
    end_all();
}

void Scheduler::wait_until(SteadyTime moment) {
    std::unique_lock lock(mutex_);
    const auto awake = [this] { return has_news_ || stopping_; };
    if (moment == SteadyTime::max()) {
        news_.wait(lock, awake);
    } else {
        news_.wait_until(lock, moment, awake);
    }
    has_news_ = false;
}

Result<void> Scheduler::open(std::shared_ptr<store::Database> core) {
    detail::Ledger::Options options{
        .holder = {.instance = options_.instance, .life = core::Uuid::v4(deps_.random).to_string()},
        .keep_runs = options_.keep_runs};
    auto ledger = std::make_shared<detail::Ledger>(std::move(core), std::move(options), deps_.clock,
                                                   deps_.random);
    std::vector<detail::Registration> registrations;
    for (const auto& job : jobs_)
        registrations.push_back({job->key, &job->definition});
    ZONA_TRY(std::vector<detail::JobState> states, ledger->begin(registrations));
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
        jobs_[i]->state = std::move(states[i]);
        if (const auto success = jobs_[i]->state.last_success)
            jobs_[i]->metrics.last_success.set(
                std::chrono::duration<double>(success->time_since_epoch()).count());
    }
    const std::lock_guard lock(mutex_);
    ledger_ = std::move(ledger);
    return {};
}

void Scheduler::poke() {
    {
        const std::lock_guard lock(mutex_);
        has_news_ = true;
    }
    news_.notify_all();
}

SteadyTime Scheduler::turn() {
    answer_requests();
    for (const auto& job : jobs_)
        look_after(*job);
    for (const auto& job : jobs_)
        begin_if_due(*job);
    const SteadyTime now = deps_.clock.steady();
    const bool is_full = running() >= options_.most_running;
    SteadyTime next = SteadyTime::max();
    for (const auto& job : jobs_) {
        // One that waits for another's end is not asked for before.
        if (job->run || !is_full) next = std::min(next, next_turn_of(*job, now));
    }
    return next;
}

/// A run that goes on, or has ended.
void Scheduler::look_after(Job& job) {
    if (!job.run) return;
    if (job.run->state->ended()) return finish(job);
    const SteadyTime now = deps_.clock.steady();
    if (now >= job.run->limit) job.run->state->stop(Outcome::kTimedOut);
    if (now >= job.run->next_beat) beat(job);
}

void Scheduler::beat(Job& job) {
    Run& run = *job.run;
    const SteadyTime now = deps_.clock.steady();
    const auto beaten = (*ledger())->beat(job.key, run.state->facts().fence);
    run.next_beat = now + kBeatTime;
    if (beaten) {
        run.last_beat = now;
        if (beaten->cancel) run.state->stop(Outcome::kCancelled);
        return;
    }
    // Without a beat for that long another may have it, and we could not know.
    const bool is_lost = beaten.error().code() == Code::kConflict;
    if (is_lost || now - run.last_beat >= kLeaseTime) {
        deps_.log.report("a job is another's by now", beaten.error(), {{"job", job.key}});
        run.state->stop(Outcome::kLost);
    }
}

void Scheduler::finish(Job& job) {
    Run& run = *job.run;
    const SteadyTime now = deps_.clock.steady();
    if (now < job.not_before) return;
    if (!run.ended) {
        const Result<void> result = *run.state->ended();
        const auto& facts = run.state->facts();
        run.ended.emplace(detail::Ended{
            .key = job.key,
            .definition = &job.definition,
            .number = facts.number,
            .fence = facts.fence,
            .outcome = outcome_of(result, run.state->stopped()),
            .error = result ? "" : result.error().message(),
            .duration = std::chrono::duration_cast<std::chrono::microseconds>(now - run.began),
            .counters = run.state->counters()});
        if (!result) deps_.log.report("a job did not succeed", result.error(), {{"job", job.key}});
    }
    ZONA_FAULT("jobs.before_end");
    auto kept = (*ledger())->end_run(*run.ended);
    if (!kept && kept.error().code() != Code::kConflict) {
        deps_.log.report("the end of a job cannot be kept", kept.error(), {{"job", job.key}});
        job.not_before = now + detail::kTroubles.pause(++job.troubles, deps_.random);
        return;
    }
    job.troubles = 0;
    if (kept) job.state = *std::move(kept);
    if (!kept) run.ended->outcome = Outcome::kLost;
    const bool succeeded = run.ended->outcome == Outcome::kSucceeded;
    job.metrics.runs.add();
    if (!succeeded) job.metrics.failures.add();
    job.metrics.duration.observe(std::chrono::duration<double>(run.ended->duration).count());
    job.metrics.running.set(0);
    if (succeeded)
        job.metrics.last_success.set(
            std::chrono::duration<double>(deps_.clock.system().time_since_epoch()).count());
    if (run.thread.joinable()) run.thread.join();
    job.run.reset();
}

void Scheduler::begin_if_due(Job& job) {
    const SteadyTime now = deps_.clock.steady();
    if (job.run || running() >= options_.most_running || next_turn_of(job, now) > now) return;
    if (auto begun = begin(job, false); !begun)
        deps_.log.report("a job cannot begin", begun.error(), {{"job", job.key}});
}

Result<void> Scheduler::begin(Job& job, bool is_manual) {
    const SteadyTime now = deps_.clock.steady();
    detail::Wanted wanted{.key = job.key, .definition = &job.definition, .is_manual = is_manual};
    if (job.observed && now - job.observed->since >= kLeaseTime) wanted.stale = job.observed->lease;
    auto begun = (*ledger())->begin_run(wanted);
    if (!begun) {
        job.not_before = now + detail::kTroubles.pause(++job.troubles, deps_.random);
        return begun.take_error();
    }
    job.troubles = 0;
    job.state = std::move(begun->state);
    if (!begun->held.is_free()) {
        if (!job.observed || job.observed->lease != begun->held || wanted.stale)
            job.observed = detail::Observed{.lease = begun->held, .since = now};
        return {};
    }
    job.observed.reset();
    if (!begun->fence) {
        // It may be another instance that is asked to go on.
        if (job.state.paused) job.not_before = now + kPausedFor;
        return {};
    }
    job.not_before = {};
    auto state =
        std::make_shared<detail::RunState>(detail::RunState::Facts{.core = (*ledger())->core(),
                                                                   .clock = deps_.clock,
                                                                   .key = job.key,
                                                                   .number = begun->number,
                                                                   .fence = *begun->fence,
                                                                   .trigger = begun->trigger},
                                           job.state.checkpoint);
    const SteadyTime limit = core::Deadline::after(deps_.clock, job.definition.time_limit).moment();
    job.run.emplace(Run{.state = std::move(state),
                        .began = now,
                        .limit = limit,
                        .next_beat = now + kBeatTime,
                        .last_beat = now,
                        .ended = std::nullopt,
                        .thread = {}});
    job.metrics.running.set(1);
    deps_.log.debug("a job begins", {{"job", job.key}, {"trigger", to_string(begun->trigger)}});
    launch(job);
    return {};
}

void Scheduler::launch(Job& job) {
    auto work = [this, state = job.run->state, &definition = job.definition] {
        ZONA_FAULT("jobs.begun");
        state->end(do_work(definition, state, deps_.tenants));
        poke();
    };
    if (deps_.run) return deps_.run(std::move(work));
    const auto state = job.run->state;
    try {
        job.run->thread = std::thread([work = std::move(work)] {
            os::name_this_thread("zona-job");
            work();
        });
    } catch (const std::system_error& refused) {
        state->end(
            Error(Code::kResourceExhausted, fmt::format("no thread for it: {}", refused.what())));
        poke();
    }
}

/// Not before `now`.
SteadyTime Scheduler::next_turn_of(const Job& job, SteadyTime now) const {
    if (job.run) {
        if (job.run->state->ended()) return std::max(now, job.not_before);
        const bool is_stopped = job.run->state->stopped() != Outcome::kRunning;
        return is_stopped ? job.run->next_beat : std::min(job.run->next_beat, job.run->limit);
    }
    if (job.observed) return std::max(job.observed->since + kLeaseTime, job.not_before);
    const core::SystemTime today = deps_.clock.system();
    auto planned = job.state.due;
    // A plan that no schedule makes today is of a clock that was set back.
    if (planned && detail::is_due(planned, job.definition.schedule, today))
        planned = std::min(*planned, today);
    const auto due = job.definition.due ? job.definition.due(planned) : planned;
    if (!due) return SteadyTime::max();
    return std::max(*due <= today ? now : steady(*due), job.not_before);
}

/// The moment of steady time, by what both clocks say now.
SteadyTime Scheduler::steady(SystemTime moment) const {
    const auto wait = moment - deps_.clock.system();
    return core::Deadline::after(deps_.clock, wait).moment();
}

std::size_t Scheduler::running() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(jobs_, [](const auto& job) { return job->run.has_value(); }));
}

/// What runs is told to end; what cannot be entered any more is found by the next start.
void Scheduler::end_all() {
    for (const auto& job : jobs_) {
        if (job->run) job->run->state->stop(Outcome::kInterrupted);
    }
    for (const auto& job : jobs_) {
        if (!job->run) continue;
        {
            std::unique_lock lock(mutex_);
            news_.wait(lock, [&] { return job->run->state->ended().has_value(); });
        }
        job->not_before = {};
        finish(*job);
        if (job->run && job->run->thread.joinable()) job->run->thread.join();
        job->run.reset();
    }
    LedgerPtr ledger;
    {
        const std::lock_guard lock(mutex_);
        ledger = std::move(ledger_);
    }
    answer_requests();
}

}  // namespace zona::jobs
