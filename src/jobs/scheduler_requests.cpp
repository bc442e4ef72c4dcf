// What is asked of a scheduler: reads go to the database, changes to the thread that plans.
#include <fmt/format.h>

#include "jobs/detail/job.h"
#include "jobs/detail/ledger.h"
#include "jobs/scheduler.h"

namespace zona::jobs {

using core::Code;
using core::Error;
using core::Result;
using detail::Job;

Result<Scheduler::LedgerPtr> Scheduler::ledger() const {
    const std::lock_guard lock(mutex_);
    if (!ledger_) return Error(Code::kUnavailable, "the jobs wait for the core database");
    return ledger_;
}

/// Definition and key never change.
Result<Job*> Scheduler::job(const std::string& name) {
    for (const auto& job : jobs_) {
        if (job->definition.name == name) return job.get();
    }
    return Error(Code::kNotFound, fmt::format("there is no job '{}'", name))
        .detail({"name", "", "zona job list shows all"});
}

void Scheduler::ask(Request request) {
    {
        const std::lock_guard lock(mutex_);
        requests_.push_back(std::move(request));
        has_news_ = true;
    }
    news_.notify_all();
}

void Scheduler::answer_requests() {
    std::vector<Request> requests;
    {
        const std::lock_guard lock(mutex_);
        requests = std::move(requests_);
        requests_.clear();
    }
    for (Request& request : requests)
        request(*this);
}

void Scheduler::list(store::Callback<std::vector<JobView>> done) {
    auto ledger = this->ledger();
    if (!ledger) return done(ledger.take_error());
    std::vector<detail::Registration> all;
    for (const auto& job : jobs_)
        all.push_back({job->key, &job->definition});
    (*ledger)->view(std::move(all), std::move(done));
}

void Scheduler::find(const std::string& name, store::Callback<JobView> done) {
    auto found = job(name);
    if (!found) return done(found.take_error());
    auto ledger = this->ledger();
    if (!ledger) return done(ledger.take_error());
    auto one = [done = std::move(done)](Result<std::vector<JobView>> views) mutable {
        if (!views) return done(views.take_error());
        done(std::move(views->front()));
    };
    (*ledger)->view({{(*found)->key, &(*found)->definition}}, std::move(one));
}

void Scheduler::runs(const std::string& name, store::PageRequest page,
                     store::Callback<RunPage> done) {
    auto found = job(name);
    if (!found) return done(found.take_error());
    auto ledger = this->ledger();
    if (!ledger) return done(ledger.take_error());
    (*ledger)->runs((*found)->key, std::move(page), std::move(done));
}

void Scheduler::run(const std::string& name, std::int64_t number, store::Callback<RunView> done) {
    auto found = job(name);
    if (!found) return done(found.take_error());
    auto ledger = this->ledger();
    if (!ledger) return done(ledger.take_error());
    (*ledger)->run((*found)->key, number, std::move(done));
}

void Scheduler::run_now(const std::string& name, store::Callback<RunView> done) {
    auto found = job(name);
    if (!found) return done(found.take_error());
    if (auto open = ledger(); !open) return done(open.take_error());
    ask([job = *found, done = std::move(done)](Scheduler& self) mutable {
        auto open = self.ledger();
        if (!open) return done(open.take_error());
        const std::string& name = job->definition.name;
        if (job->run) return done(Error(Code::kConflict, fmt::format("{} runs already", name)));
        if (self.running() >= self.options_.most_running) {
            return done(Error(Code::kTooManyRequests,
                              fmt::format("{} jobs run already, which is the limit: try again "
                                          "when one has ended",
                                          self.running())));
        }
        if (auto begun = self.begin(*job, true); !begun) return done(begun.take_error());
        if (!job->run) {
            return done(
                Error(Code::kConflict, fmt::format("{} runs already, on another instance", name)));
        }
        (*open)->run(job->key, job->run->state->facts().number, std::move(done));
    });
}

void Scheduler::pause(const std::string& name, store::Callback<JobView> done) {
    set_paused(name, true, std::move(done));
}

void Scheduler::resume(const std::string& name, store::Callback<JobView> done) {
    set_paused(name, false, std::move(done));
}

void Scheduler::set_paused(const std::string& name, bool paused, store::Callback<JobView> done) {
    auto found = job(name);
    if (!found) return done(found.take_error());
    if (auto open = ledger(); !open) return done(open.take_error());
    ask([job = *found, paused, done = std::move(done)](Scheduler& self) mutable {
        auto open = self.ledger();
        if (!open) return done(open.take_error());
        auto changed = (*open)->set_paused(job->key, paused);
        if (!changed) return done(changed.take_error());
        job->state = *std::move(changed);
        job->not_before = {};
        self.find(job->definition.name, std::move(done));
    });
}

void Scheduler::cancel(const std::string& name, store::Callback<JobView> done) {
    auto found = job(name);
    if (!found) return done(found.take_error());
    if (auto open = ledger(); !open) return done(open.take_error());
    ask([job = *found, done = std::move(done)](Scheduler& self) mutable {
        auto open = self.ledger();
        if (!open) return done(open.take_error());
        if (job->run) {
            job->run->state->stop(Outcome::kCancelled);
        } else {
            auto told = (*open)->cancel(job->key);
            if (!told) return done(told.take_error());
            if (!*told) {
                return done(
                    Error(Code::kConflict, fmt::format("{} does not run", job->definition.name)));
            }
        }
        self.find(job->definition.name, std::move(done));
    });
}

}  // namespace zona::jobs
