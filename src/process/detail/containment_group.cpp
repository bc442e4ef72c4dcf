#include "process/detail/containment_group.h"

#include <fmt/format.h>

namespace zona::process::detail {

GroupTree::GroupTree(const ContainmentHost& host, TreeId id, os::CgroupDir group)
    : host_(host), id_(std::move(id)), group_(std::move(group)) {}

Tier GroupTree::tier() const {
    return group_.version() == os::CgroupVersion::kV2 ? Tier::kCgroup2 : Tier::kCgroup1;
}

core::Result<Placement> GroupTree::placement() {
    Placement out{.variable = fmt::format("{}={}", kVariable, id_.uuid)};
    if (tier() == Tier::kCgroup2 && host_.birth) {
        auto renewed = group_.pristine() ? core::Result<void>() : group_.renew();
        if (!renewed && renewed.error().code() != core::Code::kConflict)
            return renewed.take_error();
        if (renewed) {
            ZONA_TRY(out.cgroup2_fd, group_.directory_fd());
            return out;
        }
        // Something is still in it, so it cannot be made anew; entering by a write works even so.
    }
    ZONA_TRY(join_, group_.join_fd());
    out.join_fd = join_.get();
    return out;
}

core::Result<bool> GroupTree::is_empty() {
    ZONA_TRY(const bool populated, group_.populated());
    if (!populated) return true;
    // Some kernels count a process that has just ended for a moment longer; its state tells.
    ZONA_TRY(const auto left, members());
    return left.empty();
}

core::Result<std::vector<os::ProcessRef>> GroupTree::members() {
    ZONA_TRY(const std::vector<pid_t> pids, group_.members());
    return running(host_.proc, pids);
}

core::Result<std::size_t> GroupTree::signal_tree(int number) {
    return group_.signal(host_.proc, number);
}

core::Result<KillProgress> GroupTree::kill_step() {
    ZONA_TRY(const os::CgroupDir::Step step, group_.kill_step(host_.proc));
    return KillProgress{.empty = step.empty, .retry_after = step.retry_after};
}

void GroupTree::entered() {
    group_.close_directory();
    join_.reset();
}

core::Result<std::vector<Survivor>> GroupTree::survivors() {
    ZONA_TRY(const std::vector<pid_t> pids, group_.members());
    std::vector<Survivor> out;
    for (const pid_t pid : pids) {
        ZONA_TRY(auto entry, host_.proc.stat(pid));
        if (entry && !entry->is_dead())
            out.push_back({.process = entry->ref(), .name = std::move(entry->name)});
    }
    return out;
}

std::optional<OomKills> GroupTree::oom_kills() const {
    if (tier() == Tier::kCgroup2 && host_.groups_count_oom.value_or(false)) {
        const auto counter = group_.oom_counter();
        if (const auto count = counter ? counter->kills() : std::nullopt)
            return OomKills{.count = *count, .scope = OomKills::Scope::kTree};
    }
    return host_.shared_oom_kills();
}

core::Result<void> GroupTree::release() {
    join_.reset();
    return group_.remove();
}

}  // namespace zona::process::detail
