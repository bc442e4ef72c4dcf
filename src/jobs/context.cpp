#include "jobs/context.h"

#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "jobs/collections.h"
#include "jobs/detail/fields.h"
#include "jobs/detail/run_state.h"
#include "store/blocking.h"
#include "store/update.h"

namespace zona::jobs {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using store::Collection;
using store::Document;
using store::Scope;
using store::Writer;

namespace {

/// Between two times that for_each_part() keeps how far it is.
constexpr std::chrono::seconds kKeepEvery(5);

}  // namespace

namespace detail {

void RunState::stop(Outcome why) {
    {
        const std::lock_guard lock(mutex_);
        if (why_ != Outcome::kRunning) return;
        why_ = why;
    }
    source_.request_stop();
    stopping_.notify_all();
}

Outcome RunState::stopped() const {
    const std::lock_guard lock(mutex_);
    return why_;
}

Result<void> RunState::go_on() const {
    switch (stopped()) {
        case Outcome::kRunning:
            return {};
        case Outcome::kTimedOut:
            return Error(Code::kTimeout, "the run took longer than its limit");
        case Outcome::kLost:
            return Error(Code::kCancelled, "another instance has taken over");
        case Outcome::kInterrupted:
            return Error(Code::kCancelled, "zona is stopping");
        default:
            return Error(Code::kCancelled, "the run was cancelled");
    }
}

Result<void> RunState::rest(std::chrono::milliseconds pause) const {
    {
        std::unique_lock lock(mutex_);
        stopping_.wait_for(lock, pause, [this] { return why_ != Outcome::kRunning; });
    }
    return go_on();
}

void RunState::count(std::string_view what, std::int64_t amount) {
    const std::lock_guard lock(mutex_);
    counters_[std::string(what)] += amount;
}

std::map<std::string, std::int64_t> RunState::counters() const {
    const std::lock_guard lock(mutex_);
    return counters_;
}

std::shared_ptr<const Document> RunState::checkpoint() const {
    const std::lock_guard lock(mutex_);
    return checkpoint_;
}

Result<void> RunState::save(const Document& checkpoint) {
    auto kept = std::make_shared<const Document>(checkpoint);
    auto body = [this, kept](Writer& writer) -> Result<bool> {
        ZONA_TRY_VOID(facts_.fence.check(writer));
        store::Update update;
        update.set("checkpoint", json::value(*kept));
        ZONA_TRY(const auto stored,
                 writer.modify(Collection(jobs_spec(), Scope::core()), facts_.key, update));
        return true;
    };
    auto saved = store::write_and_wait(*facts_.core, std::move(body));
    if (!saved) return saved.take_error();
    const std::lock_guard lock(mutex_);
    checkpoint_ = std::move(kept);
    return {};
}

void RunState::end(Result<void> result) {
    const std::lock_guard lock(mutex_);
    result_ = std::move(result);
}

std::optional<Result<void>> RunState::ended() const {
    const std::lock_guard lock(mutex_);
    return result_;
}

}  // namespace detail

Result<void> Context::go_on() const {
    return state_->go_on();
}

std::stop_token Context::stop_token() const {
    return state_->token();
}

Result<void> Context::rest(std::chrono::milliseconds pause) const {
    return state_->rest(pause);
}

Trigger Context::trigger() const {
    return state_->facts().trigger;
}

void Context::count(std::string_view what, std::int64_t amount) const {
    state_->count(what, amount);
}

const Fence& Context::fence() const {
    return state_->facts().fence;
}

std::shared_ptr<const Document> Context::checkpoint() const {
    return state_->checkpoint();
}

Result<void> Context::save(const Document& checkpoint) const {
    return state_->save(checkpoint);
}

const core::Clock& Context::clock() const {
    return state_->facts().clock;
}

Result<void> for_each_part(const Context& context, std::span<const std::string> parts,
                           const std::function<Result<void>(const std::string& part)>& work) {
    const auto before = context.checkpoint();
    const std::string done = before ? detail::text_in(*before, "done") : "";
    // One that is gone by now: from the beginning, which does no harm.
    const auto last = std::ranges::find(parts, done);
    std::optional<Error> first;
    std::size_t failed = 0;
    core::SteadyTime kept = context.clock().steady();
    for (auto part = last == parts.end() ? parts.begin() : last + 1; part != parts.end(); ++part) {
        ZONA_TRY_VOID(context.go_on());
        if (auto result = work(*part); !result) {
            // It was told to end.
            ZONA_TRY_VOID(context.go_on());
            context.count("failed");
            ++failed;
            if (!first) first = result.take_error().context(*part);
        } else {
            context.count("done");
        }
        // Not beyond what has failed, which is to be tried again.
        if (first || context.clock().steady() - kept < kKeepEvery) continue;
        ZONA_TRY_VOID(context.save({{"done", *part}}));
        kept = context.clock().steady();
    }
    if (!first) return {};
    return std::move(*first).context(fmt::format("{} of {} failed", failed, parts.size()));
}

}  // namespace zona::jobs
