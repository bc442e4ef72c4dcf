#include "process/containment.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include "os/host.h"
#include "os/signal_target.h"
#include "process/detail/containment_group.h"
#include "process/detail/containment_host.h"
#include "process/detail/containment_sweep.h"

namespace zona::process {
namespace {

using detail::ContainmentHost;
using detail::GroupTree;
using detail::SweepTree;

constexpr std::string_view kDelegate =
    "run the daemon as root, in a systemd unit with Delegate=yes, or start it with "
    "`systemd-run --user --scope -p Delegate=yes zona ...`";
constexpr std::string_view kMount =
    "mount it (`mount -t cgroup2 none /sys/fs/cgroup`), or give the container a writable "
    "/sys/fs/cgroup";

std::string cure_for(const core::Error& error) {
    switch (error.code()) {
        case core::Code::kForbidden:
            return error.system_error() == EROFS
                       ? "/sys/fs/cgroup is mounted read-only here: give the "
                         "container a writable one"
                       : std::string(kDelegate);
        case core::Code::kResourceExhausted:
            return "raise cgroup.max.descendants and cgroup.max.depth of the groups above, or the "
                   "fd limit";
        case core::Code::kNotFound:
        case core::Code::kUnsupported:
            return std::string(kMount);
        default:
            return std::string(kDelegate);
    }
}

/// A hierarchy in which groups can be made and ended, or the reason why not.
struct Candidate {
    core::Result<os::CgroupHierarchy> hierarchy;
    TierReport report;
};

/// A daemon that was started by one of its own processes sits in that process's group. Its groups
/// must not be made there, and stopping that process must not end it: it moves to where the groups
/// of this home belong.
core::Result<void> leave_managed_group(os::CgroupHierarchy& hierarchy,
                                       const ContainmentHost& host) {
    const std::string inner = fmt::format("/{}/", host.base_name());
    const std::size_t at = hierarchy.own_path.find(inner);
    const std::size_t directory_at = hierarchy.own_directory.find(inner);
    if (at == std::string::npos || directory_at == std::string::npos) return {};
    hierarchy.own_path.resize(std::max<std::size_t>(at, 1));
    hierarchy.own_directory.resize(directory_at);
    ZONA_TRY_VOID(os::move_to_cgroup(hierarchy.own_directory, 0));
    if (host.keeper != 0) ZONA_TRY_VOID(os::move_to_cgroup(hierarchy.own_directory, host.keeper));
    return {};
}

Candidate examine(Tier tier, core::Result<os::CgroupHierarchy> hierarchy, ContainmentHost& host) {
    const std::string what = tier == Tier::kCgroup2 ? "cgroup v2" : "the cgroup v1 freezer";
    TierReport report{.tier = tier};
    const auto refuse = [&](const core::Error& error) {
        report.detail = error.message();
        report.cure = cure_for(error);
    };
    if (!hierarchy) {
        refuse(hierarchy.error());
        return {std::move(hierarchy), std::move(report)};
    }
    if (auto left = leave_managed_group(*hierarchy, host); !left) {
        refuse(left.error());
        return {std::move(hierarchy), std::move(report)};
    }
    const auto features = os::probe_cgroup(*hierarchy);
    if (!features) {
        report.detail =
            fmt::format("{} is mounted at {}, but this user cannot use groups there: {}", what,
                        hierarchy->mount_point, features.error().message());
        report.cure = cure_for(features.error());
    } else if (!features->kill && !features->freeze) {
        report.detail = fmt::format("{} at {} can neither kill nor freeze a group", what,
                                    hierarchy->mount_point);
        report.cure = "run Linux 5.2 or later (5.14 for cgroup.kill)";
    } else {
        report.available = true;
        if (tier == Tier::kCgroup2) host.birth = features->birth;
        report.detail = fmt::format("{} below {}, {}", what, hierarchy->own_directory,
                                    features->kill ? "cgroup.kill" : "freeze and kill");
    }
    return {std::move(hierarchy), std::move(report)};
}

class HostContainment final : public Containment {
  public:
    HostContainment(ContainmentOptions options, os::ProcFs proc)
        : choice_(options.tier),
          host_{.proc = std::move(proc),
                .home = std::move(options.home),
                .self = ::getpid(),
                .keeper = options.keeper} {}

    ~HostContainment() override {
        for (const os::CgroupHierarchy* hierarchy : hierarchies())
            remove_empty(*hierarchy);
    }

    core::Result<void> choose(const std::string& cgroup_root);

    Tier tier() const override { return tier_; }
    const std::string& why_not_more() const override { return why_not_more_; }
    const std::vector<TierReport>& tiers() const override { return tiers_; }
    core::Result<std::unique_ptr<Tree>> prepare(const TreeId& id) override;
    core::Result<std::unique_ptr<Tree>> adopt(const TreeId& id,
                                              const os::ProcessRef& main) override;
    core::Result<std::vector<std::unique_ptr<Tree>>> take_strays(
        const std::vector<TreeId>& known) override;
    void set_keeper(pid_t keeper) override { host_.keeper = keeper; }
    const os::ProcFs& proc() const override { return host_.proc; }

  private:
    std::vector<const os::CgroupHierarchy*> hierarchies() const;
    std::string base_path(const os::CgroupHierarchy& h) const {
        return fmt::format("{}/{}", h.own_path == "/" ? "" : h.own_path, host_.base_name());
    }
    void remove_empty(const os::CgroupHierarchy& hierarchy) const;
    std::unique_ptr<GroupTree> tree_of(const TreeId& id, os::CgroupDir group);
    const std::vector<std::string>& bases(const os::CgroupHierarchy& hierarchy);
    core::Result<std::optional<os::CgroupDir>> find_by_process(const os::CgroupHierarchy& hierarchy,
                                                               const TreeId& id,
                                                               const os::ProcessRef& main);
    core::Result<std::optional<os::CgroupDir>> find_group(const os::CgroupHierarchy& hierarchy,
                                                          const TreeId& id,
                                                          const os::ProcessRef& main);

    TierChoice choice_;
    ContainmentHost host_;
    Tier tier_ = Tier::kSweep;
    std::string why_not_more_;
    std::vector<TierReport> tiers_;
    std::optional<os::CgroupHierarchy> unified_;
    std::optional<os::CgroupHierarchy> freezer_;
    /// Where groups of this home are, other than below our own; searched for once.
    std::optional<std::vector<std::string>> unified_bases_;
    std::optional<std::vector<std::string>> freezer_bases_;
};

core::Result<void> HostContainment::choose(const std::string& cgroup_root) {
    const auto limit = os::own_limit(RLIMIT_LOCKS);
    host_.marks = !limit.hard || *limit.hard > detail::Mark(~0ULL).value();

    os::CgroupHost offered = os::discover_cgroups(host_.proc, cgroup_root);
    Candidate v2 = examine(Tier::kCgroup2, std::move(offered.unified), host_);
    Candidate v1 = examine(Tier::kCgroup1, std::move(offered.freezer), host_);
    // Also one in which we may make nothing: an earlier daemon with more rights may have.
    if (v2.hierarchy) unified_ = std::move(*v2.hierarchy);
    if (v1.hierarchy) freezer_ = std::move(*v1.hierarchy);
    // By now this process is in the group in which it stays.
    if (offered.memory) {
        host_.oom_counter =
            os::OomCounter::open(offered.memory->own_directory, os::CgroupVersion::kV1);
    } else if (unified_) {
        host_.oom_counter = os::OomCounter::open(unified_->own_directory, os::CgroupVersion::kV2);
    }
    tiers_ = {
        std::move(v2.report), std::move(v1.report),
        TierReport{.tier = Tier::kSweep,
                   .available = true,
                   .detail = host_.marks
                                 ? "descent, session, group, environment and an inherited mark"
                                 : "descent, session, group and environment; no mark, since the "
                                   "limit on file locks is already lowered here"}};

    const auto wanted = [&](const TierReport& report) {
        if (!report.available) return false;
        switch (choice_) {
            case TierChoice::kAuto:
                return true;
            case TierChoice::kCgroup2:
                return report.tier == Tier::kCgroup2;
            case TierChoice::kCgroup1:
                return report.tier == Tier::kCgroup1;
            case TierChoice::kSweep:
                return report.tier == Tier::kSweep;
        }
        return false;
    };
    const auto chosen = std::ranges::find_if(tiers_, wanted);
    if (chosen == tiers_.end()) {
        const TierReport& refused = choice_ == TierChoice::kCgroup2 ? tiers_[0] : tiers_[1];
        return core::Error(
            core::Code::kUnsupported,
            fmt::format("containment tier '{}' was asked for, but cannot be had: {}; {}",
                        to_string(refused.tier), refused.detail, refused.cure));
    }
    tier_ = chosen->tier;
    for (auto better = tiers_.begin(); better != chosen; ++better) {
        if (!why_not_more_.empty()) why_not_more_ += ". ";
        why_not_more_ +=
            better->available
                ? fmt::format("{}: available, but the configuration asks for '{}'",
                              to_string(better->tier), to_string(tier_))
                : fmt::format("{}: {}; {}", to_string(better->tier), better->detail, better->cure);
    }
    return {};
}

std::vector<const os::CgroupHierarchy*> HostContainment::hierarchies() const {
    std::vector<const os::CgroupHierarchy*> out;
    if (unified_) out.push_back(&*unified_);
    if (freezer_) out.push_back(&*freezer_);
    return out;
}

/// What is empty goes; a group with processes in it refuses, and so does what holds it.
void HostContainment::remove_empty(const os::CgroupHierarchy& hierarchy) const {
    const std::string path = base_path(hierarchy);
    auto base = os::CgroupDir::find(hierarchy, path).value_or(std::nullopt);
    if (!base) return;
    for (const std::string& name : base->children()) {
        auto group =
            os::CgroupDir::find(hierarchy, fmt::format("{}/{}", path, name)).value_or(std::nullopt);
        if (group) (void)group->remove();
    }
    if (base->children().empty()) (void)base->remove();
}

const std::vector<std::string>& HostContainment::bases(const os::CgroupHierarchy& hierarchy) {
    auto& found = hierarchy.version == os::CgroupVersion::kV2 ? unified_bases_ : freezer_bases_;
    // Not inside of other homes' groups: they may be many, and ours are never there.
    if (!found) found = os::find_cgroups(hierarchy, host_.base_name(), std::string(detail::kBase));
    return *found;
}

std::unique_ptr<GroupTree> HostContainment::tree_of(const TreeId& id, os::CgroupDir group) {
    if (!host_.groups_count_oom && group.version() == os::CgroupVersion::kV2)
        host_.groups_count_oom = group.oom_counter().has_value();
    return std::make_unique<GroupTree>(host_, id, std::move(group));
}

core::Result<std::unique_ptr<Tree>> HostContainment::prepare(const TreeId& id) {
    ZONA_TRY_VOID(detail::check_id(id));
    if (tier_ != Tier::kSweep) {
        const os::CgroupHierarchy& hierarchy = tier_ == Tier::kCgroup2 ? *unified_ : *freezer_;
        auto group = os::CgroupDir::create(
            hierarchy, fmt::format("{}/{}", host_.base_name(), detail::group_name(id)));
        if (group) return tree_of(id, std::move(*group));
        if (choice_ != TierChoice::kAuto) return group.take_error();
    }
    return std::unique_ptr<Tree>(std::make_unique<SweepTree>(host_, id));
}

/// The group in which the process is, if it is the one of `id`; the process may sit in a group
/// below it.
core::Result<std::optional<os::CgroupDir>> HostContainment::find_by_process(
    const os::CgroupHierarchy& hierarchy, const TreeId& id, const os::ProcessRef& main) {
    if (main.pid == 0) return std::optional<os::CgroupDir>();
    ZONA_TRY(const auto there, host_.proc.stat(main));
    if (!there) return std::optional<os::CgroupDir>();
    ZONA_TRY(const auto memberships, host_.proc.memberships(main.pid));
    const std::string tail = fmt::format("/{}/{}", host_.base_name(), detail::group_name(id));
    for (const os::CgroupMembership& m : memberships) {
        if (m.controllers.empty() != (hierarchy.version == os::CgroupVersion::kV2)) continue;
        const std::size_t at = m.path.find(tail);
        if (at == std::string::npos) continue;
        const std::string rest = m.path.substr(at + tail.size());
        if (!rest.empty() && rest.front() != '/') continue;
        ZONA_TRY(auto group, os::CgroupDir::find(hierarchy, m.path.substr(0, at + tail.size())));
        if (group) return group;
    }
    return std::optional<os::CgroupDir>();
}

core::Result<std::optional<os::CgroupDir>> HostContainment::find_group(
    const os::CgroupHierarchy& hierarchy, const TreeId& id, const os::ProcessRef& main) {
    const std::string name = detail::group_name(id);
    // Nearly always below our own group, and then no look at /proc is needed.
    ZONA_TRY(auto near,
             os::CgroupDir::find(hierarchy, fmt::format("{}/{}", base_path(hierarchy), name)));
    if (near && near->populated().value_or(false)) return near;
    ZONA_TRY(auto its_own, find_by_process(hierarchy, id, main));
    if (its_own) return its_own;
    if (near) return near;
    for (const std::string& base : bases(hierarchy)) {
        ZONA_TRY(auto far, os::CgroupDir::find(hierarchy, fmt::format("{}/{}", base, name)));
        if (far) return far;
    }
    return std::optional<os::CgroupDir>();
}

core::Result<std::unique_ptr<Tree>> HostContainment::adopt(const TreeId& id,
                                                           const os::ProcessRef& main) {
    ZONA_TRY_VOID(detail::check_id(id));
    for (const os::CgroupHierarchy* hierarchy : hierarchies()) {
        ZONA_TRY(auto group, find_group(*hierarchy, id, main));
        if (!group) continue;
        auto tree = tree_of(id, std::move(*group));
        tree->set_main(main);
        return std::unique_ptr<Tree>(std::move(tree));
    }
    auto tree = std::make_unique<SweepTree>(host_, id);
    tree->set_main(main);
    return std::unique_ptr<Tree>(std::move(tree));
}

core::Result<std::vector<std::unique_ptr<Tree>>> HostContainment::take_strays(
    const std::vector<TreeId>& known) {
    std::set<std::string> kept;
    for (const TreeId& id : known)
        kept.insert(detail::group_name(id));
    std::vector<std::unique_ptr<Tree>> out;
    for (const os::CgroupHierarchy* hierarchy : hierarchies()) {
        std::vector<std::string> places = bases(*hierarchy);
        if (std::ranges::count(places, base_path(*hierarchy)) == 0)
            places.push_back(base_path(*hierarchy));
        for (const std::string& place : places) {
            ZONA_TRY(const auto base, os::CgroupDir::find(*hierarchy, place));
            if (!base) continue;
            for (const std::string& name : base->children()) {
                auto id = detail::parse_group_name(name);
                if (!id || kept.contains(name)) continue;
                ZONA_TRY(auto group,
                         os::CgroupDir::find(*hierarchy, fmt::format("{}/{}", place, name)));
                if (!group || group->remove()) continue;
                out.push_back(
                    std::make_unique<GroupTree>(host_, std::move(*id), std::move(*group)));
            }
        }
    }
    return out;
}

}  // namespace

std::string_view to_string(Tier tier) {
    switch (tier) {
        case Tier::kCgroup2:
            return "cgroup2";
        case Tier::kCgroup1:
            return "cgroup1";
        case Tier::kSweep:
            return "sweep";
    }
    return "unknown";
}

core::Result<TierChoice> parse_tier_choice(std::string_view text) {
    if (text == "auto") return TierChoice::kAuto;
    if (text == "cgroup2") return TierChoice::kCgroup2;
    if (text == "cgroup1") return TierChoice::kCgroup1;
    if (text == "sweep") return TierChoice::kSweep;
    return core::Error(
        core::Code::kInvalidArgument,
        fmt::format("'{}' is no containment tier; use auto, cgroup2, cgroup1 or sweep", text));
}

void Placement::add_to(os::SpawnPlan& plan) const {
    if (join_fd >= 0) plan.cgroup_procs_fds.push_back(join_fd);
    if (cgroup2_fd >= 0) plan.cgroup2_fd = cgroup2_fd;
    plan.environment.push_back(variable);
    if (mark) plan.limits.push_back(*mark);
}

core::Result<os::ProcessRef> Tree::started(pid_t pid) {
    entered();
    ZONA_TRY(const auto entry, proc().stat(pid));
    if (!entry) {
        return core::Error(core::Code::kNotFound,
                           fmt::format("process {} is not there any more", pid));
    }
    main_ = entry->ref();
    return main_;
}

core::Result<std::size_t> Tree::signal(int number, Target target) {
    if (target == Target::kTree) return signal_tree(number);
    if (main_.pid == 0) return std::size_t{0};
    if (target == Target::kGroup) {
        ZONA_TRY(const auto outcome, os::signal_process_group(proc(), main_, number));
        if (outcome == os::SignalOutcome::kSent) return std::size_t{1};
        ZONA_TRY(const auto there, proc().stat(main_));
        if (!there) {
            // The group outlives its leader, and its number is not reused while it does: member by
            // member.
            ZONA_TRY(const auto left, members());
            std::size_t sent = 0;
            for (const os::ProcessRef& process : left) {
                ZONA_TRY(const auto entry, proc().stat(process));
                if (!entry || entry->group != main_.pid) continue;
                ZONA_TRY(const auto one, os::signal_process(proc(), process, number));
                sent += one == os::SignalOutcome::kSent ? 1 : 0;
            }
            return sent;
        }
    }
    ZONA_TRY(const auto outcome, os::signal_process(proc(), main_, number));
    return std::size_t{outcome == os::SignalOutcome::kSent ? 1U : 0U};
}

core::Result<std::unique_ptr<Containment>> Containment::open(ContainmentOptions options) {
    const std::string cgroup_root = options.cgroup_root;
    ZONA_TRY(os::ProcFs proc, os::ProcFs::open(options.proc_root));
    auto out = std::make_unique<HostContainment>(std::move(options), std::move(proc));
    ZONA_TRY_VOID(out->choose(cgroup_root));
    return std::unique_ptr<Containment>(std::move(out));
}

}  // namespace zona::process
