/// @file
/// The tree of a process without a control group: found by what its descendants inherit.
///
/// A process belongs to the tree when it carries the mark; when it descends from one that does, or
/// from the process itself; when it is an orphan (a child of the keeper or of PID 1) of the
/// process's session or group, or with its variable in the environment. An orphan that carries
/// another tree's mark is never taken.
#pragma once

#include <unordered_set>

#include "process/detail/containment_host.h"

namespace zona::process::detail {

class SweepTree final : public Tree {
  public:
    SweepTree(const ContainmentHost& host, TreeId id);

    Tier tier() const override { return Tier::kSweep; }
    core::Result<Placement> placement() override;
    core::Result<bool> is_empty() override;
    core::Result<std::vector<os::ProcessRef>> members() override;
    core::Result<KillProgress> kill_step() override;
    core::Result<std::vector<Survivor>> survivors() override;
    std::optional<OomKills> oom_kills() const override { return host_.shared_oom_kills(); }
    core::Result<void> release() override { return {}; }

    void set_main(const os::ProcessRef& process) { main_ = process; }

  protected:
    core::Result<std::size_t> signal_tree(int number) override;
    const os::ProcFs& proc() const override { return host_.proc; }

  private:
    /// Both take a process of another user for unmarked unless its limits can be read.
    Mark::Match mark_of(pid_t pid) const;
    Mark::Match quick_mark_of(pid_t pid) const;
    bool may_touch(pid_t pid) const;
    bool is_orphan(const os::ProcStat& entry) const;
    bool belongs_as_orphan(const os::ProcStat& entry) const;
    core::Result<std::vector<pid_t>> find();
    core::Result<std::size_t> stop_marked();
    bool stop_if_marked(pid_t pid);
    core::Result<std::size_t> stop_others();
    core::Result<void> kill_stopped();
    bool is_stopped(pid_t pid) const;

    const ContainmentHost& host_;
    TreeId id_;
    Mark mark_;
    os::ProcessSnapshot snapshot_;
    std::unordered_set<pid_t> seen_;       ///< marked, in this kill, running or dead
    std::vector<os::ProcessRef> stopped_;  ///< got SIGSTOP, not SIGKILL yet
    std::size_t visited_ = 0;              ///< pids in the last pass
    int clean_passes_ = 0;                 ///< in a row without a new marked process
    int unsettled_steps_ = 0;
    std::size_t rounds_ = 0;
};

}  // namespace zona::process::detail
