#include "process/doctor.h"

#include <algorithm>

#include <fmt/format.h>
#include <sys/resource.h>

#include "os/cgroup.h"
#include "os/fd.h"
#include "os/host.h"

namespace zona::process {
namespace {

using os::Support;

constexpr std::uint64_t kGiB = 1ULL << 30U;

/// A check that is ok when `present`, `otherwise` with the cure if not.
struct Expected {
    std::string name;
    CheckStatus otherwise;
    std::string detail;   ///< when present
    std::string without;  ///< what does not work when it is not
    std::string cure;
};

HostCheck of_support(Support support, Expected expected) {
    if (support == Support::kPresent)
        return ok(std::move(expected.name), std::move(expected.detail));
    const std::string_view why =
        support == Support::kRefused ? "refused to this process" : "not in this kernel";
    return {.name = std::move(expected.name),
            .status = expected.otherwise,
            .detail = fmt::format("{}: {}", why, expected.without),
            .cure = std::move(expected.cure)};
}

HostCheck check_kernel() {
    const os::KernelVersion version = os::kernel_version();
    const os::KernelVersion needed{.major = 5, .minor = 10};
    if (version < needed) {
        return {
            .name = "kernel",
            .status = CheckStatus::kDegraded,
            .detail = fmt::format("Linux {}; zona is tested with 5.10 and later", version.release),
            .cure = "install a newer kernel; Debian 12 has 6.1"};
    }
    return ok("kernel", fmt::format("Linux {}", version.release));
}

void check_calls(std::vector<HostCheck>& out) {
    out.push_back(
        of_support(os::pidfd_support(),
                   {"pidfd", CheckStatus::kMissing, "processes are held by descriptor",
                    "a process cannot be supervised without it", "run Linux 5.3 or later"}));
    out.push_back(
        of_support(os::clone3_support(),
                   {"clone3", CheckStatus::kDegraded, "children are born in their cgroup",
                    "a start in a cgroup v2 waits up to 25 ms now and then",
                    "run Linux 5.7 or later; in a container allow clone3 in the seccomp profile"}));
    out.push_back(
        of_support(os::pidfd_info_support(),
                   {"exit codes of foreign processes", CheckStatus::kDegraded,
                    "known even if keeper and daemon die together",
                    "the exit of a process whose keeper and daemon died together is 'unknown'",
                    "run Linux 6.15 or later"}));
    out.push_back(of_support(os::subreaper_support(),
                             {"subreaper", CheckStatus::kMissing, "orphans come to the keeper",
                              "orphans fall to PID 1", "run Linux 3.4 or later"}));
}

void check_containment(std::vector<HostCheck>& out, const Containment& containment) {
    for (const TierReport& tier : containment.tiers()) {
        if (tier.tier == Tier::kSweep) continue;
        out.push_back({.name = tier.tier == Tier::kCgroup2 ? "cgroup v2" : "cgroup v1 freezer",
                       .status = tier.available ? CheckStatus::kOk : CheckStatus::kMissing,
                       .detail = tier.detail,
                       .cure = tier.cure});
    }
    const std::string tier = fmt::format("tier {}", to_string(containment.tier()));
    if (containment.guaranteed()) {
        out.push_back(ok("containment", tier + ": a stop is guaranteed to leave no descendant"));
        return;
    }
    out.push_back(
        {.name = "containment",
         .status = CheckStatus::kDegraded,
         .detail = tier + ": a stop finds what does not hide on purpose, survivors are listed",
         .cure = containment.why_not_more()});
}

void check_isolation(std::vector<HostCheck>& out, const os::ProcFs& proc) {
    const auto allowed = proc.number("sys/kernel/unprivileged_userns_clone");
    const auto most = proc.number("sys/user/max_user_namespaces");
    std::string cure = "run Linux with CONFIG_USER_NS";
    if (allowed && *allowed == 0) cure = "sysctl kernel.unprivileged_userns_clone=1";
    if (most && *most == 0) cure = "sysctl user.max_user_namespaces=15000";
    out.push_back(of_support(os::user_namespace_support(),
                             {"user namespaces", CheckStatus::kDegraded,
                              "with a pid namespace inside", "no sandbox without root", cure}));
    out.push_back(of_support(os::pid_namespace_support(),
                             {"pid namespaces", CheckStatus::kDegraded, "without a user namespace",
                              "only inside of a user namespace", "run as root (CAP_SYS_ADMIN)"}));
    out.push_back(
        of_support(os::seccomp_support(), {"seccomp", CheckStatus::kMissing, "filters",
                                           "no sandbox", "run Linux with CONFIG_SECCOMP_FILTER"}));
}

std::string limit_text(const std::optional<std::uint64_t>& limit) {
    return limit ? fmt::format("{}", *limit) : "unlimited";
}

HostCheck check_descriptors(const std::optional<DescriptorBudget>& budget) {
    const os::SoftAndHard limit = os::own_limit(RLIMIT_NOFILE);
    // The daemon raises its soft limit to the hard one.
    const std::uint64_t hard = limit.hard.value_or(1ULL << 40U);
    const std::uint64_t room =
        budget.value_or(DescriptorBudget::of(hard)).processes / DescriptorBudget::kEach;
    HostCheck check =
        ok("file descriptors", fmt::format("soft {}, hard {}: enough for about {} processes",
                                           limit_text(limit.soft), limit_text(limit.hard), room));
    if (room >= 1000) return check;
    check.status = CheckStatus::kDegraded;
    check.cure = "raise it: LimitNOFILE= in a systemd unit, or /etc/security/limits.conf";
    return check;
}

/// The smallest pids.max from our group up to the mount point.
std::optional<std::uint64_t> group_pid_limit(const os::CgroupHierarchy& hierarchy) {
    std::optional<std::uint64_t> least;
    std::string directory = hierarchy.own_directory;
    while (directory.size() >= hierarchy.mount_point.size() &&
           directory.starts_with(hierarchy.mount_point)) {
        if (const auto text = os::read_file(directory + "/pids.max")) {
            const auto value = os::find_counter("max " + *text, "max");
            if (value && (!least || *value < *least)) least = value;
        }
        const std::size_t slash = directory.rfind('/');
        if (slash == 0 || slash == std::string::npos) break;
        directory.resize(slash);
    }
    return least;
}

HostCheck check_process_limit(const os::ProcFs& proc, const std::string& cgroup_root) {
    std::uint64_t least = proc.number("sys/kernel/pid_max").value_or(32768);
    std::string detail = fmt::format("kernel.pid_max {}", least);
    std::string cure = "sysctl kernel.pid_max=4194304";
    const auto consider = [&](const std::optional<std::uint64_t>& limit, std::string_view name,
                              std::string how) {
        if (!limit) return;
        detail += fmt::format(", {} {}", name, *limit);
        if (*limit >= least) return;
        least = *limit;
        cure = std::move(how);
    };
    if (!os::running_as_root()) {
        consider(os::own_limit(RLIMIT_NPROC).soft, "per user",
                 "raise LimitNPROC= or nproc in limits.conf");
    }
    const os::CgroupHost host = os::discover_cgroups(proc, cgroup_root);
    for (const auto* hierarchy : {&host.pids, &host.unified}) {
        if (*hierarchy)
            consider(group_pid_limit(**hierarchy), "pids.max", "raise TasksMax= or pids.max");
    }
    HostCheck check = ok("processes", std::move(detail));
    if (least >= 4096) return check;
    check.status = CheckStatus::kDegraded;
    check.cure = std::move(cure);
    return check;
}

HostCheck check_pipes(const os::ProcFs& proc) {
    const auto soft = proc.number("sys/fs/pipe-user-pages-soft");
    if (!soft)
        return {"pipe buffers", CheckStatus::kDegraded, soft.error().message(), "mount /proc/sys"};
    if (*soft == 0 || os::running_as_root()) return ok("pipe buffers", "not limited for this user");
    // Two FIFOs for each process, 16 pages each until the limit, 1 page beyond.
    HostCheck check = ok("pipe buffers",
                         fmt::format("fs.pipe-user-pages-soft {}: full size for about {} processes",
                                     *soft, *soft / 32));
    if (*soft >= 16384) return check;
    check.status = CheckStatus::kDegraded;
    check.cure = "sysctl fs.pipe-user-pages-soft=65536";
    return check;
}

HostCheck check_inotify(const os::ProcFs& proc) {
    const auto instances = proc.number("sys/fs/inotify/max_user_instances");
    const auto watches = proc.number("sys/fs/inotify/max_user_watches");
    if (!instances || !watches) {
        return {"inotify", CheckStatus::kMissing,
                "not in this kernel: no notification of changed files",
                "run Linux with CONFIG_INOTIFY_USER"};
    }
    HostCheck check =
        ok("inotify", fmt::format("{} instances, {} watches for each user", *instances, *watches));
    if (*instances >= 64 && *watches >= 8192) return check;
    check.status = CheckStatus::kDegraded;
    check.cure = "sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288";
    return check;
}

HostCheck check_home(const std::string& home) {
    const auto facts = os::file_system_facts(home);
    if (!facts) {
        return {"home", CheckStatus::kMissing, facts.error().message(),
                "start a process, which makes it; or name another with --home"};
    }
    HostCheck check = ok(
        "home", fmt::format("{} on {}, {:.1f} of {:.1f} GiB free", home, facts->type,
                            static_cast<double>(facts->free_bytes) / static_cast<double>(kGiB),
                            static_cast<double>(facts->total_bytes) / static_cast<double>(kGiB)));
    const auto fall = [&](CheckStatus status, std::string_view why, std::string cure) {
        check.status = status;
        check.detail += fmt::format("; {}", why);
        check.cure = std::move(cure);
    };
    if (facts->read_only) {
        fall(CheckStatus::kMissing, "mounted read-only",
             "mount it for writing, or name another with --home");
    } else if (facts->remote) {
        fall(CheckStatus::kDegraded,
             "another host may hold it too: locks and FIFOs are not safe there",
             "put the home on a local disk");
    } else if (facts->free_bytes < kGiB || (facts->total_inodes > 0 && facts->free_inodes < 1000)) {
        fall(CheckStatus::kDegraded, "nearly full: logs are dropped and counted when it is",
             "free some space, or rotate logs sooner");
    }
    return check;
}

void check_programs(std::vector<HostCheck>& out, const DoctorOptions& options) {
    struct Interpreter {
        std::string program;
        std::string extension;
    };
    for (const Interpreter& each :
         {Interpreter{"python3", ".py"}, {"node", ".js"}, {"bash", ".sh"}}) {
        if (const auto path = os::find_in_path(each.program, options.search_path)) {
            out.push_back(ok(each.program, *path));
            continue;
        }
        out.push_back(
            {.name = each.program,
             .status = CheckStatus::kMissing,
             .detail =
                 fmt::format("not in PATH ({}): scripts ending in {} do not start by themselves",
                             options.search_path, each.extension),
             .cure = fmt::format("install {}, or name an interpreter in the app", each.program)});
    }
    HostCheck docker{"docker", CheckStatus::kMissing, "no socket: no containers",
                     "install docker.io"};
    for (const std::string& path : options.docker_sockets) {
        const Support support = os::socket_support(path);
        if (support == Support::kMissing) continue;
        docker = ok("docker", path);
        if (support == Support::kPresent) break;
        docker.status = CheckStatus::kDegraded;
        docker.detail = fmt::format("{} is there, but this user may not use it", path);
        docker.cure = "add the daemon's user to the group 'docker'";
        break;
    }
    out.push_back(std::move(docker));
}

}  // namespace

HostCheck ok(std::string name, std::string detail) {
    return {.name = std::move(name), .detail = std::move(detail), .cure = {}};
}

HostCheck degraded(std::string name, std::string detail, std::string cure) {
    return {.name = std::move(name),
            .status = CheckStatus::kDegraded,
            .detail = std::move(detail),
            .cure = std::move(cure)};
}

std::string_view to_string(CheckStatus status) {
    switch (status) {
        case CheckStatus::kOk:
            return "ok";
        case CheckStatus::kDegraded:
            return "degraded";
        case CheckStatus::kMissing:
            return "missing";
    }
    return "missing";
}

std::vector<HostCheck> examine_host(const Containment& containment, const DoctorOptions& options) {
    const os::ProcFs& proc = containment.proc();
    std::vector<HostCheck> out;
    out.push_back(check_kernel());
    check_calls(out);
    check_containment(out, containment);
    check_isolation(out, proc);
    out.push_back(check_descriptors(options.descriptors));
    out.push_back(check_process_limit(proc, options.cgroup_root));
    out.push_back(check_pipes(proc));
    out.push_back(check_inotify(proc));
    out.push_back(check_home(options.home));
    check_programs(out, options);
    return out;
}

}  // namespace zona::process
