#include "jobs/queue.h"

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <system_error>

#include <fmt/format.h>

#include "core/deadline.h"
#include "core/fault.h"
#include "jobs/detail/attempt.h"
#include "jobs/detail/troubles.h"
#include "os/thread.h"

namespace zona::jobs {

using core::Code;
using core::Error;
using core::Result;
using core::SteadyTime;
using detail::Attempt;
using detail::Ending;
using detail::TaskEnd;
using store::Document;

namespace {

bool is_name(const std::string& name) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-';
    };
    return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, fits);
}

bool may_pass(Code code) {
    return code == Code::kUnavailable || code == Code::kTimeout || code == Code::kTooManyRequests ||
           code == Code::kResourceExhausted;
}

/// On the thread of the work.
Result<Document> do_work(const TaskKind& kind, const std::shared_ptr<detail::TaskRun>& run) try {
    return kind.work(TaskContext(run));
} catch (const std::exception& thrown) {
    return Error(Code::kInternal, fmt::format("the task threw: {}", thrown.what()));
}

}  // namespace

const core::Uuid& TaskContext::id() const {
    return run_->task().id;
}

const std::string& TaskContext::tenant() const {
    return run_->task().tenant;
}

const Document& TaskContext::input() const {
    return run_->input();
}

int TaskContext::attempt() const {
    return run_->task().attempt;
}

core::ProgressSink TaskContext::progress() const {
    return {[run = run_](const core::Progress& progress) { run->tell(progress); }, run_->token()};
}

std::stop_token TaskContext::stop_token() const {
    return run_->token();
}

Queue::Queue(QueueOptions options, QueueDeps deps)
    : options_(std::move(options)),
      deps_(std::move(deps)),
      bell_(std::make_shared<detail::QueueBell>()),
      running_(deps_.metrics.gauge("zona_tasks_running", "Tasks that are done here.")),
      waiting_(deps_.metrics.gauge("zona_tasks_waiting",
                                   "Tasks that waited for their turn when one was looked for "
                                   "here last.")) {}

Queue::~Queue() {
    stop();
}

void Queue::handle(TaskKind kind) {
    if (!is_name(kind.name) || !kind.work || kinds_.contains(kind.name))
        throw std::invalid_argument("the kind of tasks '" + kind.name + "' is not well defined");
    const std::string name = kind.name;
    kinds_.emplace(name, std::move(kind));
}

void Queue::watch(std::function<void(const core::Uuid&)> changed) {
    bell_->watch(std::move(changed));
}

void Queue::start(std::shared_ptr<store::Database> core) {
    open(std::move(core));
    thread_ = std::thread([this] {
        os::name_this_thread("zona-tasks");
        while (!bell_->is_ending())
            bell_->wait_until(turn());
        end_all();
    });
}

void Queue::release() {
    bell_->release();
}

void Queue::stop() {
    bell_->ask_for_end();
    if (thread_.joinable()) {
        thread_.join();
    } else {
        end_all();
    }
}

void Queue::open(std::shared_ptr<store::Database> core) {
    detail::TaskLedger::Options options{
        .holder = {.instance = options_.instance, .life = core::Uuid::v4(deps_.random).to_string()},
        .most_waiting = options_.most_waiting,
        .is_alone = options_.look_around.count() == 0};
    bell_->set_ledger(std::make_shared<detail::TaskLedger>(
        std::move(core), std::move(options),
        detail::TaskLedger::Deps{
            .clock = deps_.clock, .random = deps_.random, .fields = deps_.fields},
        kinds_));
    next_look_ = deps_.clock.steady();
}

SteadyTime Queue::turn() {
    for (auto at = attempts_.begin(); at != attempts_.end();) {
        look_after(*at->second);
        at = at->second->run ? std::next(at) : attempts_.erase(at);
    }
    const SteadyTime now = deps_.clock.steady();
    SteadyTime next = SteadyTime::max();
    if (now >= not_before_ && bell_->is_released()) {
        if (auto begun = begin_all(); !begun) {
            trouble("tasks cannot be begun", begun.error());
        } else {
            troubles_ = 0;
            next = *begun;
        }
    }
    if (not_before_ > now) next = std::min(next, not_before_);
    for (const auto& [id, attempt] : attempts_) {
        const bool has_ended = attempt->run->result().has_value();
        next = std::min(next, has_ended ? std::max(now, not_before_) : attempt->next_beat);
    }
    return next;
}

/// What there is to take back and to begin; when there may be more.
Result<SteadyTime> Queue::begin_all() {
    const SteadyTime now = deps_.clock.steady();
    SteadyTime next = SteadyTime::max();
    if (now >= next_look_) {
        ZONA_TRY_VOID(look_around());
        const bool is_alone = options_.look_around.count() == 0;
        next_look_ = is_alone ? SteadyTime::max() : now + options_.look_around;
    }
    next = std::min(next, next_look_);
    while (attempts_.size() < options_.most_running && !bell_->is_ending()) {
        ZONA_TRY(detail::Claim claim, bell_->ledger()->claim());
        waiting_.set(static_cast<double>(claim.waiting));
        if (claim.task) {
            begin(*std::move(claim.task));
            continue;
        }
        if (claim.then) {
            const auto wait = *claim.then - deps_.clock.system();
            next = std::min(next, core::Deadline::after(deps_.clock, wait).moment());
        }
        break;
    }
    return next;
}

/// Takes back what nobody does any more.
Result<void> Queue::look_around() {
    const auto ledger = bell_->ledger();
    const SteadyTime now = deps_.clock.steady();
    ZONA_TRY_VOID(ledger->fail_foreign());
    ZONA_TRY(const auto held, ledger->held_by_others());
    std::map<std::string, Observed> seen;
    for (const detail::HeldTask& one : held) {
        const auto before = observed_.find(one.id);
        const bool moved = before == observed_.end() || before->second.lease != one.lease;
        const SteadyTime since = moved ? now : before->second.since;
        if (!ledger->is_left_behind(one) && now - since < kLeaseTime) {
            seen.emplace(one.id, Observed{.lease = one.lease, .since = since});
            continue;
        }
        ZONA_TRY(const bool is_free, ledger->take_back(one));
        if (!is_free) continue;
        deps_.log.warn("a task was left behind",
                       {{"task", one.id}, {"instance", one.lease.holder.instance}});
        if (const auto id = core::Uuid::parse(one.id)) bell_->tell(*id);
    }
    observed_ = std::move(seen);
    return {};
}

void Queue::begin(detail::ClaimedTask claimed) {
    const SteadyTime now = deps_.clock.steady();
    const std::string id = claimed.task.id.to_string();
    const std::optional<Error> lost =
        claimed.input ? std::nullopt : std::optional(claimed.input.error());
    auto run = std::make_shared<detail::TaskRun>(
        std::move(claimed.task), claimed.input ? *std::move(claimed.input) : Document(),
        std::move(claimed.fence),
        [bell = bell_](const core::Uuid& changed) { bell->tell(changed); });
    auto attempt = std::make_unique<Attempt>(Attempt{.kind = kinds_.at(run->task().kind),
                                                     .failures = claimed.failures,
                                                     .run = run,
                                                     .began = now,
                                                     .next_beat = now + kBeatTime,
                                                     .last_beat = now});
    bell_->add(id, run);
    bell_->tell(run->task().id);
    running_.add(1);
    deps_.log.debug("a task begins", {{"task", id}, {"kind", run->task().kind}});
    Attempt& begun = *attempts_.emplace(id, std::move(attempt)).first->second;
    if (!lost) return launch(begun);
    run->end(*lost);
    bell_->ring();
}

void Queue::launch(Attempt& attempt) {
    auto work = [bell = bell_, run = attempt.run, &kind = attempt.kind] {
        ZONA_FAULT("tasks.begun");
        run->end(do_work(kind, run));
        bell->ring();
    };
    if (deps_.run) return deps_.run(std::move(work));
    try {
        attempt.thread = std::thread([work = std::move(work)] {
            os::name_this_thread("zona-task");
            work();
        });
    } catch (const std::system_error& refused) {
        attempt.run->end(
            Error(Code::kResourceExhausted, fmt::format("no thread for it: {}", refused.what())));
        bell_->ring();
    }
}

/// One that goes on, or has ended.
void Queue::look_after(Attempt& attempt) {
    const SteadyTime now = deps_.clock.steady();
    if (attempt.run->result()) {
        if (now >= not_before_) finish(attempt);
    } else if (now >= attempt.next_beat) {
        beat(attempt);
    }
}

void Queue::beat(Attempt& attempt) {
    detail::TaskRun& run = *attempt.run;
    const SteadyTime now = deps_.clock.steady();
    const auto beaten =
        bell_->ledger()->beat(run.task().id.to_string(), run.fence(), run.progress());
    attempt.next_beat = now + kBeatTime;
    if (beaten) {
        attempt.last_beat = now;
        if (beaten->cancel) run.stop(Ending::kCancelled);
        return;
    }
    // Without a beat for that long another may have it, and we could not know.
    const bool is_lost = beaten.error().code() == Code::kConflict;
    if (is_lost || now - attempt.last_beat >= kLeaseTime) {
        deps_.log.report("a task is another's by now", beaten.error(),
                         {{"task", run.task().id.to_string()}});
        run.stop(Ending::kLost);
    }
}

/// What the end of its work makes of the task.
TaskEnd Queue::end_of(const Attempt& attempt) {
    const detail::TaskRun& run = *attempt.run;
    Result<Document> result = *run.result();
    TaskEnd end{.id = run.task().id.to_string(),
                .fence = run.fence(),
                .failures = attempt.failures,
                .progress = run.progress()};
    if (result) {
        end.outcome = std::make_shared<const Document>(*std::move(result));
        return end;
    }
    end.error = result.error();
    end.state = TaskState::kFailed;
    if (run.stopped() == Ending::kCancelled) {
        end.state = TaskState::kCancelled;
    } else if (result.error().code() == Code::kCancelled) {
        // The daemon ends: the work knows it by itself, or from us.
        if (attempt.kind.interrupted == Interrupted::kAgain) end.state = TaskState::kWaiting;
    } else if (may_pass(result.error().code()) && end.failures < attempt.kind.retries.attempts) {
        ++end.failures;
        end.state = TaskState::kDelayed;
        end.not_before =
            deps_.clock.system() + attempt.kind.retries.pause(end.failures, deps_.random);
    }
    return end;
}

void Queue::finish(Attempt& attempt) {
    const std::string id = attempt.run->task().id.to_string();
    if (!attempt.ended) {
        attempt.ended = end_of(attempt);
        if (attempt.ended->error)
            deps_.log.report("a task did not succeed", *attempt.ended->error,
                             {{"task", id}, {"kind", attempt.kind.name}});
    }
    ZONA_FAULT("tasks.before_end");
    auto kept = bell_->ledger()->end(*attempt.ended);
    const bool is_refused = !kept && (kept.error().code() == Code::kTooLarge ||
                                      kept.error().code() == Code::kInvalidArgument);
    if (is_refused) {
        // What it has made is there; what it says of it no document can hold.
        attempt.ended->outcome.reset();
        attempt.ended->progress.reset();
        attempt.ended->error = kept.error();
        attempt.ended->state = TaskState::kFailed;
        kept = bell_->ledger()->end(*attempt.ended);
    }
    if (!kept && kept.error().code() != Code::kConflict)
        return trouble("the end of a task cannot be kept", kept.error());
    ZONA_FAULT("tasks.ended");
    if (!kept) deps_.log.report("a task was another's", kept.error(), {{"task", id}});
    const std::string outcome =
        kept ? std::string(to_string(attempt.ended->state)) : std::string("lost");
    count_end(attempt, outcome);
    forget(attempt);
}

/// It has nothing to do with this instance any more.
void Queue::forget(Attempt& attempt) {
    const core::Uuid id = attempt.run->task().id;
    if (attempt.thread.joinable()) attempt.thread.join();
    bell_->remove(id.to_string());
    attempt.run.reset();
    running_.add(-1);
    bell_->tell(id);
}

void Queue::count_end(const Attempt& attempt, const std::string& outcome) {
    const core::Labels labels{{"kind", attempt.kind.name}, {"outcome", outcome}};
    deps_.metrics
        .counter("zona_tasks_total",
                 "Attempts of tasks that have ended here, by what came of them.", labels)
        .add();
    const auto took = deps_.clock.steady() - attempt.began;
    deps_.metrics
        .histogram("zona_task_duration_seconds", "Time that an attempt took.",
                   {0.01, 0.1, 1, 10, 60, 600, 3600}, {{"kind", attempt.kind.name}})
        .observe(std::chrono::duration<double>(took).count());
}

void Queue::trouble(std::string_view what, const Error& error) {
    deps_.log.report(what, error);
    not_before_ = deps_.clock.steady() + detail::kTroubles.pause(++troubles_, deps_.random);
}

/// What runs is told to end; what cannot be entered any more is found by the next start.
void Queue::end_all() {
    for (const auto& [id, attempt] : attempts_)
        attempt->run->stop(Ending::kStopping);
    for (const auto& [id, attempt] : attempts_) {
        bell_->wait_for(*attempt->run);
        finish(*attempt);
        if (attempt->run) forget(*attempt);
    }
    attempts_.clear();
    bell_->set_ledger(nullptr);
}

}  // namespace zona::jobs
