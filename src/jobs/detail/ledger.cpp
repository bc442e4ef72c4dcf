#include "jobs/detail/ledger.h"

#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "jobs/collections.h"
#include "jobs/detail/documents.h"
#include "jobs/detail/fields.h"
#include "store/blocking.h"
#include "store/counters.h"

namespace zona::jobs::detail {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using core::SystemTime;
using store::Filter;
using store::Query;
using store::Reader;
using store::Record;
using store::Writer;

namespace {

/// A run that began so long after its moment was missed, not late.
constexpr std::chrono::seconds kMissedAfter(60);
/// Of one transaction.
constexpr std::size_t kPrunedAtOnce = 100;

json::string text(Outcome outcome) {
    return json::string(to_string(outcome));
}

Result<void> put(Writer& writer, const std::string& key, const JobState& state) {
    ZONA_TRY(const Record stored, writer.upsert(in_core(jobs_spec()), key, document_of(state)));
    return {};
}

Result<JobState> get(Reader& reader, const std::string& key) {
    ZONA_TRY(const std::optional<Record> found, reader.find(in_core(jobs_spec()), key));
    if (!found) return Error(Code::kNotFound, fmt::format("the job {} was never registered", key));
    return state_of(*found->document);
}

}  // namespace

bool is_due(std::optional<SystemTime> planned, const Schedule& schedule, SystemTime now) {
    if (!planned) return true;  // somebody else says when
    if (*planned <= now) return true;
    const auto latest = schedule.latest(now);
    return latest && *planned > *latest;
}

Result<std::vector<JobState>> Ledger::begin(const std::vector<Registration>& jobs) {
    return store::write_and_wait(*core_,
                                 [this, &jobs](Writer& writer) { return begin(writer, jobs); });
}

Result<std::vector<JobState>> Ledger::begin(Writer& writer, const std::vector<Registration>& jobs) {
    ZONA_TRY_VOID(interrupt_own(writer, jobs));
    const SystemTime now = clock_.system();
    std::vector<JobState> out;
    for (const auto& [key, definition] : jobs) {
        ZONA_TRY(const std::optional<Record> found, writer.find(in_core(jobs_spec()), key));
        JobState state = found ? state_of(*found->document) : JobState();
        const std::string schedule = definition->schedule.text();
        const bool is_new = state.schedule != schedule;
        const bool passed = state.due && *state.due < now;
        if (is_new) {
            state.name = definition->name;
            state.schedule = schedule;
        }
        if (is_new || (passed && definition->missed == Missed::kSkip))
            state.due = definition->schedule.next(now, random_);
        if (is_new || passed) ZONA_TRY_VOID(put(writer, key, state));
        out.push_back(std::move(state));
    }
    return out;
}

/// What this instance began in an earlier life has ended with it.
Result<void> Ledger::interrupt_own(Writer& writer, const std::vector<Registration>& jobs) {
    const Query running{.filter = Filter::eq("outcome", text(Outcome::kRunning))};
    ZONA_TRY(const store::Page page,
             writer.find_page(in_core(job_runs_spec()), running, {.limit = store::kMaxPageSize}));
    for (const Record& record : page.records) {
        const json::object& run = *record.document;
        if (text_in(run, "instance") != options_.holder.instance) continue;
        if (text_in(run, "life") == options_.holder.life) continue;
        ZONA_TRY_VOID(end_as_interrupted(writer, std::get<std::int64_t>(record.id)));
        const std::string key = text_in(run, "job");
        ZONA_TRY(const LeaseState lease, find_lease(writer, key));
        if (lease.fence != whole_in(run, "fence")) continue;
        ZONA_TRY_VOID(free_lease(writer, key, Fence(key, lease.line, lease.fence)));
        const auto job = std::ranges::find(jobs, key, &Registration::key);
        if (job == jobs.end()) continue;
        ZONA_TRY(JobState state, get(writer, key));
        plan_retry(state, *job->definition);
        ZONA_TRY_VOID(put(writer, key, state));
    }
    return {};
}

Result<void> Ledger::end_as_interrupted(Writer& writer, std::int64_t number) {
    store::Update update;
    update.set("outcome", text(Outcome::kInterrupted))
        .set("ended_at", to_field(clock_.system()))
        .set("error", "its daemon ended before it did");
    ZONA_TRY(const Record stored, writer.modify(in_core(job_runs_spec()), number, update));
    return {};
}

/// The run of the former holder of a lease.
Result<void> Ledger::interrupt(Writer& writer, const std::string& key, std::int64_t fence) {
    const Query running{
        .filter = Filter::all({Filter::eq("outcome", text(Outcome::kRunning)),
                               Filter::eq("job", json::string(key)), Filter::eq("fence", fence)})};
    ZONA_TRY(const auto found, writer.find_one(in_core(job_runs_spec()), running));
    if (!found) return {};
    return end_as_interrupted(writer, std::get<std::int64_t>(found->id));
}

void Ledger::plan_retry(JobState& state, const Definition& definition) const {
    if (state.attempt >= definition.retries.attempts) {
        state.attempt = 0;
        return;
    }
    ++state.attempt;
    const SystemTime then = clock_.system() + definition.retries.pause(state.attempt, random_);
    state.due = state.due ? std::min(*state.due, then) : then;
}

Result<Begun> Ledger::begin_run(const Wanted& wanted) {
    return store::write_and_wait(
        *core_, [this, &wanted](Writer& writer) { return begin_run(writer, wanted); });
}

Result<Begun> Ledger::begin_run(Writer& writer, const Wanted& wanted) {
    Begun begun;
    ZONA_TRY(begun.state, get(writer, wanted.key));
    ZONA_TRY(const LeaseState lease, find_lease(writer, wanted.key));
    const bool is_free = lease.is_free();
    const bool is_ours = lease.holder.instance == options_.holder.instance;
    if (!is_free && !is_ours && wanted.stale != lease) {
        begun.held = lease;
        return begun;
    }
    const Schedule& schedule = wanted.definition->schedule;
    // What another has left unfinished is done whenever it was due.
    const bool is_asked = wanted.is_manual || !is_free;
    const bool due = is_due(begun.state.due, schedule, clock_.system());
    if (!is_asked && (begun.state.paused || !due)) return begun;
    return take(writer, wanted, std::move(begun), lease);
}

Result<Begun> Ledger::take(Writer& writer, const Wanted& wanted, Begun begun,
                           const LeaseState& before) {
    const SystemTime now = clock_.system();
    JobState& state = begun.state;
    begun.trigger = Trigger::kSchedule;
    if (state.due && now - *state.due > kMissedAfter) begun.trigger = Trigger::kMissed;
    if (state.attempt > 0) begun.trigger = Trigger::kRetry;
    if (!before.is_free()) {
        begun.trigger = Trigger::kInterrupted;
        ZONA_TRY_VOID(interrupt(writer, wanted.key, before.fence));
    }
    if (wanted.is_manual) begun.trigger = Trigger::kManual;
    const std::string line = core::Uuid::v4(random_).to_string();
    ZONA_TRY(begun.fence, take_lease(writer, wanted.key, options_.holder, line));
    ZONA_TRY(begun.number, store::next_number(writer, in_core(store::counters_spec()),
                                              job_runs_spec().name, now));
    const RunDocument run{.key = wanted.key,
                          .trigger = begun.trigger,
                          .attempt = state.attempt,
                          .holder = options_.holder,
                          .fence = begun.fence->number(),
                          .started_at = now};
    ZONA_TRY(const Record stored,
             writer.insert(in_core(job_runs_spec()), begun.number, document_of(run)));
    // From now, not from when it was due: what was missed is made up for once, however often.
    state.due = wanted.definition->schedule.next(now, random_);
    state.last_run = begun.number;
    ZONA_TRY_VOID(put(writer, wanted.key, state));
    return begun;
}

Result<LeaseState> Ledger::beat(const std::string& key, const Fence& fence) {
    return store::write_and_wait(
        *core_, [&key, &fence](Writer& writer) { return beat_lease(writer, key, fence); });
}

Result<JobState> Ledger::end_run(const Ended& ended) {
    return store::write_and_wait(*core_,
                                 [this, &ended](Writer& writer) { return end_run(writer, ended); });
}

Result<JobState> Ledger::end_run(Writer& writer, const Ended& ended) {
    ZONA_TRY_VOID(ended.fence.check(writer));
    const SystemTime now = clock_.system();
    store::Update update;
    update.set("outcome", text(ended.outcome))
        .set("ended_at", to_field(now))
        .set("duration_us", ended.duration.count())
        .set("counters", json::value_from(ended.counters));
    if (!ended.error.empty()) update.set("error", json::string(ended.error));
    ZONA_TRY(const Record stored, writer.modify(in_core(job_runs_spec()), ended.number, update));
    ZONA_TRY(JobState state, get(writer, ended.key));
    switch (ended.outcome) {
        case Outcome::kFailed:
        case Outcome::kTimedOut:
            plan_retry(state, *ended.definition);
            break;
        case Outcome::kInterrupted:
            state.due = now;  // the next daemon goes on with it
            break;
        case Outcome::kSucceeded:
            state.last_success = now;
            state.checkpoint = nullptr;
            state.attempt = 0;
            break;
        default:
            state.attempt = 0;
    }
    ZONA_TRY_VOID(put(writer, ended.key, state));
    ZONA_TRY_VOID(free_lease(writer, ended.key, ended.fence));
    ZONA_TRY_VOID(prune(writer, ended.key));
    return state;
}

Result<void> Ledger::prune(Writer& writer, const std::string& key) {
    const Query all{.filter = Filter::eq("job", json::string(key))};
    ZONA_TRY(const std::uint64_t count, writer.count(in_core(job_runs_spec()), all));
    if (count <= options_.keep_runs) return {};
    const std::size_t over = std::min<std::size_t>(count - options_.keep_runs, kPrunedAtOnce);
    ZONA_TRY(const store::Page oldest,
             writer.find_page(in_core(job_runs_spec()), all, {.limit = over}));
    for (const Record& record : oldest.records)
        ZONA_TRY_VOID(writer.remove(in_core(job_runs_spec()), record.id));
    return {};
}

Result<JobState> Ledger::set_paused(const std::string& key, bool paused) {
    return store::write_and_wait(*core_, [&key, paused](Writer& writer) -> Result<JobState> {
        ZONA_TRY(JobState state, get(writer, key));
        state.paused = paused;
        ZONA_TRY_VOID(put(writer, key, state));
        return state;
    });
}

Result<bool> Ledger::cancel(const std::string& key) {
    return store::write_and_wait(*core_,
                                 [&key](Writer& writer) { return cancel_lease(writer, key); });
}

void Ledger::view(std::vector<Registration> jobs,
                  store::Callback<std::vector<JobView>> done) const {
    auto body = [jobs = std::move(jobs)](Reader& reader) -> Result<std::vector<JobView>> {
        std::vector<JobView> out;
        for (const auto& [key, definition] : jobs) {
            ZONA_TRY(const JobState state, get(reader, key));
            JobView view = shown(*definition, state);
            ZONA_TRY(const auto last, reader.find(in_core(job_runs_spec()), state.last_run));
            if (last) view.last = run_of(*last);
            view.running = view.last && view.last->outcome == Outcome::kRunning;
            out.push_back(std::move(view));
        }
        return out;
    };
    store::read(*core_, std::move(body), std::move(done));
}

void Ledger::runs(const std::string& key, store::PageRequest page,
                  store::Callback<RunPage> done) const {
    auto body = [key, page = std::move(page)](Reader& reader) -> Result<RunPage> {
        const Query newest{.filter = Filter::eq("job", json::string(key)),
                           .direction = store::Direction::kDescending};
        ZONA_TRY(const store::Page found, reader.find_page(in_core(job_runs_spec()), newest, page));
        RunPage out{.runs = {}, .next = found.next};
        for (const Record& record : found.records)
            out.runs.push_back(run_of(record));
        return out;
    };
    store::read(*core_, std::move(body), std::move(done));
}

void Ledger::run(const std::string& key, std::int64_t number, store::Callback<RunView> done) const {
    auto body = [key, number](Reader& reader) -> Result<RunView> {
        ZONA_TRY(const auto found, reader.find(in_core(job_runs_spec()), number));
        if (found && text_in(*found->document, "job") == key) return run_of(*found);
        return Error(Code::kNotFound, fmt::format("the job {} has no run {}", key, number))
            .detail({"number", "it may be so old that it was forgotten", "list its runs"});
    };
    store::read(*core_, std::move(body), std::move(done));
}

}  // namespace zona::jobs::detail
