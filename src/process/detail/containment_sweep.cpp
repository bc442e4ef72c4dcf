#include "process/detail/containment_sweep.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>

#include "os/child.h"
#include "os/signal_target.h"

namespace zona::process::detail {
namespace {

// Passes over all pids in a row that must find nothing new while the host makes processes all the
// time: one that is made after the list was read is missed by that pass. A pass during which
// nothing was made proves it alone.
constexpr int kCleanPasses = 6;
// Pids looked at in one step, about 1.1 µs each: the bound of a step's time.
constexpr std::size_t kBudget = 4'000;
// Steps in which new processes keep turning up; then those that were caught are killed, and the
// rest follows.
constexpr int kMaxUnsettled = 20;

}  // namespace

SweepTree::SweepTree(const ContainmentHost& host, TreeId id)
    : host_(host), id_(std::move(id)), mark_(host.mark_of(id_.uuid)) {}

core::Result<Placement> SweepTree::placement() {
    Placement out{.variable = fmt::format("{}={}", kVariable, id_.uuid)};
    if (host_.marks) {
        out.mark = os::ResourceLimit{
            .resource = RLIMIT_LOCKS, .soft = mark_.value(), .hard = mark_.value()};
    }
    return out;
}

Mark::Match SweepTree::quick_mark_of(pid_t pid) const {
    const auto limit = os::resource_limit(pid, RLIMIT_LOCKS).value_or(std::nullopt);
    if (!limit) return Mark::Match::kNone;
    const Mark::Match hard = mark_.match(limit->rlim_max);
    return hard != Mark::Match::kNone ? hard : mark_.match(limit->rlim_cur);
}

Mark::Match SweepTree::mark_of(pid_t pid) const {
    if (os::resource_limit(pid, RLIMIT_LOCKS)) return quick_mark_of(pid);
    const auto row = host_.proc.limit(pid, "Max file locks").value_or(std::nullopt);
    return row ? mark_.match(row->hard.value_or(RLIM_INFINITY)) : Mark::Match::kNone;
}

bool SweepTree::may_touch(pid_t pid) const {
    return std::ranges::count(host_.untouchable(), pid) == 0;
}

bool SweepTree::is_orphan(const os::ProcStat& entry) const {
    return entry.parent == 1 || (host_.keeper != 0 && entry.parent == host_.keeper);
}

bool SweepTree::belongs_as_orphan(const os::ProcStat& entry) const {
    if (!is_orphan(entry) || main_.pid == 0 || entry.start_ticks < main_.start_ticks) return false;
    if (mark_of(entry.pid) == Mark::Match::kOther) return false;
    const auto cookie = host_.proc.variable(entry.pid, kVariable).value_or(std::nullopt);
    if (cookie) return *cookie == id_.uuid;
    return entry.session == main_.pid || entry.group == main_.pid;
}

/// Every process of the tree that runs, from a complete look at /proc; also left in snapshot_.
core::Result<std::vector<pid_t>> SweepTree::find() {
    ZONA_TRY_VOID(host_.proc.scan(snapshot_));
    std::vector<pid_t> out;
    for (const os::ProcStat& entry : snapshot_.all()) {
        // No descendant is older than the process, so most of the host needs no further look.
        if (!may_touch(entry.pid) || entry.start_ticks < main_.start_ticks) continue;
        if (entry.ref() == main_ || mark_of(entry.pid) == Mark::Match::kOurs ||
            belongs_as_orphan(entry)) {
            out.push_back(entry.pid);
        }
    }
    snapshot_.add_descendants(out, host_.untouchable());
    std::erase_if(out, [&](pid_t pid) {
        const os::ProcStat* entry = snapshot_.find(pid);
        return entry == nullptr || entry->is_dead();
    });
    return out;
}

core::Result<bool> SweepTree::is_empty() {
    if (!host_.marks) {
        ZONA_TRY(const auto left, find());
        return left.empty();
    }
    bool empty = true;
    ZONA_TRY_VOID(host_.proc.visit([&](pid_t pid) {
        if (!empty || quick_mark_of(pid) != Mark::Match::kOurs || !may_touch(pid)) return;
        const auto entry = host_.proc.stat(pid);
        empty = entry && (!*entry || (*entry)->is_dead());
    }));
    return empty;
}

core::Result<std::vector<os::ProcessRef>> SweepTree::members() {
    ZONA_TRY(const std::vector<pid_t> pids, find());
    std::vector<os::ProcessRef> out;
    out.reserve(pids.size());
    for (const pid_t pid : pids)
        out.push_back(snapshot_.find(pid)->ref());
    return out;
}

core::Result<std::size_t> SweepTree::signal_tree(int number) {
    ZONA_TRY(const auto targets, members());
    std::size_t sent = 0;
    std::optional<core::Error> refused;
    for (const os::ProcessRef& process : targets) {
        const auto outcome = os::signal_process(host_.proc, process, number);
        if (!outcome) refused = outcome.error();
        if (outcome && *outcome == os::SignalOutcome::kSent) ++sent;
    }
    if (refused) return std::move(*refused);
    return sent;
}

bool SweepTree::is_stopped(pid_t pid) const {
    return std::ranges::any_of(stopped_, [&](const os::ProcessRef& p) { return p.pid == pid; });
}

/// Whether it is a marked process that was not seen before; it is stopped then. One that has
/// already ended counts too: where it came from there may be more.
bool SweepTree::stop_if_marked(pid_t pid) {
    if (seen_.contains(pid) || quick_mark_of(pid) != Mark::Match::kOurs || !may_touch(pid))
        return false;
    seen_.insert(pid);
    const auto process = os::open_pidfd(pid);
    // The descriptor holds whoever had the pid; only now is it known to be ours.
    if (!process || quick_mark_of(pid) != Mark::Match::kOurs) return true;
    (void)os::send_signal(*process, SIGSTOP);  // what cannot be signalled shows as a survivor
    const auto entry = host_.proc.stat(pid).value_or(std::nullopt);
    if (entry && !entry->is_dead()) stopped_.push_back(entry->ref());
    return true;
}

/// One pass over all pids: stops marked processes that were not seen yet; how many.
core::Result<std::size_t> SweepTree::stop_marked() {
    std::size_t found = 0;
    visited_ = 0;
    ZONA_TRY_VOID(host_.proc.visit([&](pid_t pid) {
        ++visited_;
        found += stop_if_marked(pid) ? 1U : 0U;
    }));
    return found;
}

/// The thorough look: stops what belongs to the tree by anything but its mark; how many.
core::Result<std::size_t> SweepTree::stop_others() {
    ZONA_TRY(const auto all, members());
    std::size_t found = 0;
    for (const os::ProcessRef& process : all) {
        if (is_stopped(process.pid)) continue;
        (void)os::signal_process(host_.proc, process, SIGSTOP);
        stopped_.push_back(process);
        ++found;
    }
    return found;
}

core::Result<void> SweepTree::kill_stopped() {
    for (const os::ProcessRef& process : std::exchange(stopped_, {})) {
        const auto outcome = os::signal_process(host_.proc, process, SIGKILL);
        if (!outcome && outcome.error().code() != core::Code::kForbidden) return outcome.error();
    }
    return {};
}

core::Result<KillProgress> SweepTree::kill_step() {
    const os::UrgentThread urgent;
    for (std::size_t looked = 0; host_.marks && clean_passes_ < kCleanPasses && looked < kBudget;) {
        ZONA_TRY(const std::uint64_t forks_before, host_.proc.forks());
        ZONA_TRY(const std::size_t found, stop_marked());
        ZONA_TRY(const std::uint64_t forks_after, host_.proc.forks());
        if (found > 0) {
            clean_passes_ = 0;
        } else {
            clean_passes_ = forks_before == forks_after ? kCleanPasses : clean_passes_ + 1;
        }
        looked += visited_;
    }
    bool settled = !host_.marks || clean_passes_ >= kCleanPasses;
    if (settled) {
        ZONA_TRY(const std::size_t found, stop_others());
        settled = found == 0;
    }
    if (settled && stopped_.empty()) {
        clean_passes_ = 0;
        rounds_ = 0;
        seen_.clear();
        return KillProgress{.empty = true};
    }
    if (!settled && ++unsettled_steps_ < kMaxUnsettled) {
        clean_passes_ = std::min(clean_passes_, kCleanPasses - 1);
        return KillProgress{.empty = false, .retry_after = std::chrono::milliseconds(0)};
    }
    ZONA_TRY_VOID(kill_stopped());
    seen_.clear();
    clean_passes_ = 0;
    unsettled_steps_ = 0;
    constexpr std::array<int, 7> kDelays = {1, 1, 2, 5, 10, 50, 100};
    return KillProgress{
        .empty = false,
        .retry_after = std::chrono::milliseconds(kDelays[std::min(rounds_++, kDelays.size() - 1)])};
}

core::Result<std::vector<Survivor>> SweepTree::survivors() {
    ZONA_TRY(const std::vector<pid_t> ours, find());
    std::vector<Survivor> out;
    for (const os::ProcStat& entry : snapshot_.all()) {
        if (std::ranges::binary_search(ours, entry.pid)) {
            out.push_back({.process = entry.ref(), .name = entry.name});
            continue;
        }
        const bool orphan =
            host_.keeper != 0 && entry.parent == host_.keeper && may_touch(entry.pid);
        if (!orphan || entry.is_dead() || entry.start_ticks < main_.start_ticks || main_.pid == 0)
            continue;
        if (mark_of(entry.pid) != Mark::Match::kNone) continue;
        if (host_.proc.variable(entry.pid, kVariable).value_or(std::nullopt))
            continue;  // another's
        out.push_back({.process = entry.ref(),
                       .name = entry.name,
                       .certainty = Survivor::Certainty::kSuspected});
    }
    return out;
}

}  // namespace zona::process::detail
