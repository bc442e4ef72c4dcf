/// @file
/// The tree of a process that has a control group of its own, v1 or v2.
#pragma once

#include "os/cgroup.h"
#include "process/detail/containment_host.h"

namespace zona::process::detail {

class GroupTree final : public Tree {
  public:
    GroupTree(const ContainmentHost& host, TreeId id, os::CgroupDir group);

    Tier tier() const override;
    core::Result<Placement> placement() override;
    core::Result<bool> is_empty() override;
    core::Result<std::vector<os::ProcessRef>> members() override;
    core::Result<KillProgress> kill_step() override;
    core::Result<std::vector<Survivor>> survivors() override;
    std::optional<OomKills> oom_kills() const override;
    core::Result<void> release() override;

    void set_main(const os::ProcessRef& process) { main_ = process; }

  protected:
    core::Result<std::size_t> signal_tree(int number) override;
    void entered() override;
    const os::ProcFs& proc() const override { return host_.proc; }

  private:
    const ContainmentHost& host_;
    TreeId id_;
    os::CgroupDir group_;
    os::UniqueFd join_;
};

}  // namespace zona::process::detail
