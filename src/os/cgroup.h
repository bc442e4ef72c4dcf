/// @file
/// Control groups, both versions: what this host offers, a group of one's own, its members, their
/// end.
///
/// A group holds everything that descends from the process placed into it, whatever it does to its
/// session, its parent or its environment; so an empty group proves that nothing is left. Only
/// root, or who was delegated a part of the tree, can make groups. Nothing here waits: a kill is a
/// series of steps that the caller's event loop drives. Threading: a CgroupDir is used by one
/// thread at a time; free functions by any. Source: cgroups(7), kernel
/// Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/freezer-subsystem.rst; PM-03.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "core/result.h"
#include "os/fd.h"
#include "os/proc.h"

namespace zona::os {

/// Of a hierarchy; a host can have both.
enum class CgroupVersion : std::uint8_t { kV1, kV2 };

/// A mounted hierarchy and our place in it.
struct CgroupHierarchy {
    CgroupVersion version = CgroupVersion::kV2;
    std::string controller;   ///< "freezer", "memory", "pids"; empty for v2
    std::string mount_point;  ///< where it is mounted, below the injected root
    std::string
        mount_root;        ///< the group that is seen at the mount point, "/" unless in a container
    std::string own_path;  ///< our group as /proc/self/cgroup names it
    std::string own_directory;  ///< the same as a directory of the file system
};

/// What this host has. An Error in a field says why not: kNotFound (not mounted), kUnsupported
/// (mounted, but our own group lies outside of what the mount shows).
struct CgroupHost {
    core::Result<CgroupHierarchy> unified;
    core::Result<CgroupHierarchy> freezer;
    core::Result<CgroupHierarchy> memory;
    core::Result<CgroupHierarchy> pids;
};

/// What a group of ours can do; files of this kernel, seen in a group that was made for the
/// purpose.
struct CgroupFeatures {
    bool kill = false;  ///< cgroup.kill: one write ends all, forks in flight included (Linux 5.14)
    /// SpawnPlan::cgroup2_fd works. It does not where a filter forbids clone3, or where our own
    /// group was once ended by cgroup.kill and we entered it later: see CgroupDir::pristine().
    bool birth = false;
    bool freeze = false;  ///< cgroup.freeze (v2, Linux 5.2) or freezer.state (v1)
    friend bool operator==(const CgroupFeatures&, const CgroupFeatures&) = default;
};

/// A mount of a hierarchy, from /proc/PID/mountinfo.
struct CgroupMount {
    CgroupVersion version = CgroupVersion::kV2;
    std::vector<std::string> controllers;  ///< v1 only
    std::string mount_root;
    std::string mount_point;
    friend bool operator==(const CgroupMount&, const CgroupMount&) = default;
};

/// Lines of other file systems, or that make no sense, are left out.
std::vector<CgroupMount> parse_cgroup_mounts(std::string_view mountinfo);

/// Looks at mountinfo and our memberships. Makes nothing and never fails as a whole.
/// @param root  stands for /sys/fs/cgroup: a mount point below that is looked for below `root`.
CgroupHost discover_cgroups(const ProcFs& proc, const std::string& root = "/sys/fs/cgroup");

/// Tries it out: makes a group below our own, lets a child enter it, looks at its files, removes
/// it.
///
/// About 1 ms. The child is our child for that time and reaped here; do not call it where somebody
/// else reaps everything. Errors: kForbidden (no permission, mounted read-only), kResourceExhausted
/// (a limit on groups), kUnsupported (the group cannot take processes); the message names the
/// directory and the step.
core::Result<CgroupFeatures> probe_cgroup(const CgroupHierarchy& hierarchy);

/// Groups named `name` anywhere in the hierarchy, as membership paths; at most 20,000 directories
/// are visited. Groups whose names begin with `closed` are not entered.
std::vector<std::string> find_cgroups(const CgroupHierarchy& hierarchy, const std::string& name,
                                      const std::string& closed);

/// Moves a process (0: the caller) with all its threads into the group at `directory`.
/// Waits for the kernel, up to some 20 ms. Errors: from errno, the message names both.
core::Result<void> move_to_cgroup(const std::string& directory, pid_t pid);

/// How many processes of a group the out-of-memory killer has killed. Kept open, since it is read
/// with every start and every end of a process.
class OomCounter {
  public:
    /// Of the group at `directory`. nullopt: no memory controller there, or one that does not count
    /// (v1 before Linux 4.13).
    static std::optional<OomCounter> open(const std::string& directory, CgroupVersion version);

    /// Since the group was made: v2 memory.events (with sub-groups), v1 memory.oom_control
    /// (without). One pread(2). nullopt: the group is gone.
    std::optional<std::uint64_t> kills() const;

  private:
    explicit OomCounter(UniqueFd file) : file_(std::move(file)) {}

    UniqueFd file_;
};

/// One group of ours. Nothing of it stays open: there are thousands. Removing it is explicit; the
/// destructor leaves it.
class CgroupDir {
  public:
    /// What a step of kill_step() found.
    struct Step {
        bool empty = false;
        /// When the next step should be made; 0 ms is "after the other events". Grows from 1 to 100
        /// ms.
        std::chrono::milliseconds retry_after{0};
    };

    /// Makes `relative`, one or more names, below our own group; what exists already is taken as it
    /// is, and thawed if a killer before us can have frozen it (no cgroup.kill here). Errors: as
    /// probe_cgroup().
    static core::Result<CgroupDir> create(const CgroupHierarchy& hierarchy,
                                          const std::string& relative);
    /// The group with this membership path, thawed as above. nullopt: there is none. Errors: from
    /// errno.
    static core::Result<std::optional<CgroupDir>> find(const CgroupHierarchy& hierarchy,
                                                       const std::string& path);

    CgroupVersion version() const { return version_; }
    const std::string& directory() const { return directory_; }
    /// As /proc/PID/cgroup names it.
    const std::string& path() const { return path_; }
    /// For SpawnPlan::cgroup2_fd, while pristine(); open until close_directory(), borrowed. Errors:
    /// kNotFound: somebody removed the group; others from errno.
    core::Result<int> directory_fd();
    void close_directory() { fd_.reset(); }

    /// Whether a child can be born in it: v2, made by this object, and not killed since.
    ///
    /// Kernels with the fix of the race between fork and cgroup.kill (of 2025, in all stable
    /// series; 6.18 tried) compare how often the *parent's* group and the new one were killed: a
    /// child that is born in a group that was ended before is killed at once, though entering it by
    /// a write works.
    bool pristine() const { return pristine_; }
    /// Removes and makes it again, which makes it pristine; about 65 µs. kConflict while processes
    /// are in it; it is unchanged then. After another error it may be gone.
    core::Result<void> renew();

    /// The file into which a child writes "0" to enter, open for writing.
    ///
    /// v1: `tasks`, not `cgroup.procs`. Moving the calling thread alone takes no global lock; a
    /// write to cgroup.procs waits for an RCU grace period, 15 ms in one of ten on an idle host.
    /// The child must have one thread. v2 has no such file for whole processes: let the child be
    /// born there (SpawnPlan::cgroup2_fd).
    core::Result<UniqueFd> join_fd() const;

    /// Whether any process is in it or below it. A zombie does not count.
    core::Result<bool> populated() const;
    /// The processes in it and below it, ascending, without doubles. Zombies are not listed.
    core::Result<std::vector<pid_t>> members() const;
    /// The names of the groups directly below it.
    std::vector<std::string> children() const;
    /// Whether the process is in the group or below it now.
    core::Result<bool> contains(const ProcFs& proc, pid_t pid) const;

    /// Sends a signal to every member, newly started ones included as long as they appear. A reused
    /// pid is never hit: membership is checked again after pidfd_open(2). Returns how many were
    /// signalled. Errors: kForbidden when a member may not be signalled by us (the others were).
    core::Result<std::size_t> signal(const ProcFs& proc, int signal);

    /// One round of SIGKILL to all members. Never waits longer than a millisecond or two.
    ///
    /// v2 with cgroup.kill: one write. Otherwise the group is frozen, so that nobody can fork or
    /// leave, every member is killed, and it is thawed; a step may end while it is still freezing.
    /// The group is never left frozen by a step that reports `empty`, nor when this object dies.
    core::Result<Step> kill_step(const ProcFs& proc);

    /// Of this group alone. nullopt: it has no memory controller.
    std::optional<OomCounter> oom_counter() const { return OomCounter::open(directory_, version_); }

    /// Removes it with its sub-groups; missing is success. kConflict while processes are in it.
    core::Result<void> remove();

    CgroupDir(CgroupDir&& other) noexcept;
    CgroupDir& operator=(CgroupDir&& other) noexcept;
    CgroupDir(const CgroupDir&) = delete;
    CgroupDir& operator=(const CgroupDir&) = delete;
    ~CgroupDir();

  private:
    enum class Freeze : std::uint8_t { kThawed, kFrozen };
    CgroupDir(CgroupVersion version, std::string directory, std::string path);
    std::string file(std::string_view name) const;
    core::Result<bool> set_freeze(Freeze wanted);
    void thaw_if_frozen();
    void thaw_left_over();
    core::Result<std::size_t> signal_new(const ProcFs& proc, int signal,
                                         std::vector<pid_t>& done) const;
    core::Result<Step> freeze_and_kill(const ProcFs& proc);
    Step next_step();

    CgroupVersion version_;
    Freeze freeze_ = Freeze::kThawed;
    bool pristine_ = false;
    std::uint16_t steps_ = 0;
    std::string directory_;
    std::string path_;
    UniqueFd fd_;  ///< of the directory, between directory_fd() and close_directory()
};

}  // namespace zona::os
