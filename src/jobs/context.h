/// @file
/// Context: what the work of a job knows of its run, and how the two talk.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/result.h"
#include "jobs/definition.h"
#include "jobs/lease.h"
#include "store/database.h"

namespace zona::jobs {

/// @cond
namespace detail {
class RunState;
}
/// @endcond

/// One run, as its work sees it. Any thread, as long as the work goes on; cheap to copy.
class Context {
  public:
    /// Made by the scheduler.
    Context(std::shared_ptr<detail::RunState> state, std::string tenant)
        : state_(std::move(state)), tenant_(std::move(tenant)) {}

    /// To be asked between two steps. Errors, with which the work should return: kCancelled when
    /// the run was cancelled, its lease lost or the daemon is stopping; kTimeout after its limit.
    core::Result<void> go_on() const;
    /// The same as a token, for what waits by itself.
    std::stop_token stop_token() const;
    /// Waits, unless the run has to end; errors as of go_on(). So that a long work leaves room for
    /// others.
    core::Result<void> rest(std::chrono::milliseconds pause) const;

    /// Why it was begun.
    Trigger trigger() const;
    /// The tenant's code; empty unless the job is for each tenant.
    const std::string& tenant() const { return tenant_; }
    /// Adds to a counter of the run, which its history shows: what was done, in how many cases.
    void count(std::string_view what, std::int64_t amount = 1) const;
    /// To be checked in each transaction that changes something (lease.h).
    const Fence& fence() const;

    /// What save() kept last, in this run or in one that did not end well; null: there is nothing.
    std::shared_ptr<const store::Document> checkpoint() const;
    /// Keeps how far the work is: the run after one that failed or was interrupted finds it. It is
    /// forgotten when a run succeeds. Blocks until it is durable. Errors: kConflict when the lease
    /// is lost; those of the core database.
    core::Result<void> save(const store::Document& checkpoint) const;

    /// By which times are taken.
    const core::Clock& clock() const;

  private:
    std::shared_ptr<detail::RunState> state_;  // shared with the scheduler and with copies
    std::string tenant_;
};

/// Does `work` for each of `parts`, in the order given, which is to be the same in each run: what
/// fails for one is counted and does not stop it. Every now and then it keeps how far it is, so
/// that a run after an interruption goes on there; then `work` must not use the checkpoint itself.
/// Counts `done` and `failed`.
/// Errors: of the first part that failed, naming it and how many did; those of Context::go_on().
core::Result<void> for_each_part(
    const Context& context, std::span<const std::string> parts,
    const std::function<core::Result<void>(const std::string& part)>& work);

}  // namespace zona::jobs
