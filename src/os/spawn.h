/// @file
/// Starting a program: everything is prepared before the clone, only async-signal-safe system calls
/// follow.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/resource.h>
#include <sys/types.h>

#include "core/result.h"

namespace zona::os {

/// One setrlimit(2) call of the child.
struct ResourceLimit {
    int resource = 0;  ///< RLIMIT_*
    rlim_t soft = RLIM_INFINITY;
    rlim_t hard = RLIM_INFINITY;
};

/// Whose rights the child gets. The groups are complete: nothing of the caller's remains.
struct Credentials {
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;
};

/// A child, described completely. Descriptors are borrowed; they stay the caller's.
struct SpawnPlan {
    std::string executable;                ///< path for execve(2); no PATH search
    std::vector<std::string> arguments;    ///< argv, the name first
    std::vector<std::string> environment;  ///< "NAME=value", complete
    std::string directory;  ///< entered after the change of user, so its rights count
    int stdin_fd = -1;
    int stdout_fd = -1;
    int stderr_fd = -1;
    std::optional<Credentials> credentials;  ///< none: the caller's
    std::optional<mode_t> umask;
    std::optional<int> nice;  ///< absolute, -20..19
    std::vector<ResourceLimit> limits;
    /// The directory of a cgroup v2: the child is born in it (clone3, Linux 5.7), without the 15 ms
    /// that entering by a write may take. Where clone3 is not to be had, the child writes.
    int cgroup2_fd = -1;
    /// cgroup.procs files, open for writing: the child writes itself into each before anything
    /// else, so that nothing it starts can be outside.
    std::vector<int> cgroup_procs_fds;
    /// SIGKILL for the child when the thread that spawned it ends (PR_SET_PDEATHSIG).
    bool ends_with_thread = false;
};

/// The part of a plan that failed in the child.
enum class SpawnStep : std::uint8_t {
    kNone,
    kClone,
    kSession,
    kCgroup,
    kNice,
    kLimits,
    kGroups,
    kGroup,
    kUser,
    kDirectory,
    kStdio,
    kExec,
};

/// For messages: "enter cgroup", "execute".
std::string_view to_string(SpawnStep step);

/// What spawn() has come to.
struct SpawnOutcome {
    /// The child, > 0 whenever it was cloned: also when a later step failed. It must be reaped in
    /// both cases.
    pid_t pid = 0;
    SpawnStep failed_step = SpawnStep::kNone;
    int error_number = 0;
    bool started() const { return pid > 0 && failed_step == SpawnStep::kNone; }
};

/// Sets three descriptors aside, through which spawn() gives a child its standard streams from then
/// on. To be called before the process opens much: a child copies the descriptors up to the highest
/// of its streams only, so that with low numbers its start costs the same with ten descriptors and
/// with ten thousand. Errors: kResourceExhausted and others of open(2); nothing is lost but the
/// speed.
core::Result<void> reserve_spawn_descriptors();

/// Clones with CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | CLONE_FILES and executes the plan's
/// program. The child leaves the shared descriptor table before it changes a descriptor.
///
/// The child is the leader of a new session, has default signal dispositions, an empty signal mask,
/// and no descriptor above 2. The kernel stores the pid into `*pid_slot` before the child runs; so
/// the record of a child in shared memory survives the death of the caller at any point
/// (references: clone(2)).
/// @param pid_slot  may lie in a shared mapping; must be 0 when called. Never null.
/// Returns when the child has executed the program or given up: an exec failure is known here.
/// Threading: any thread; the calling thread waits, others run on. Not reentrant in one thread.
SpawnOutcome spawn(const SpawnPlan& plan, std::int32_t* pid_slot);

/// A user by name or number with its complete group list. kNotFound names the user.
/// `group` replaces the primary group when not empty.
core::Result<Credentials> find_credentials(const std::string& user, const std::string& group);
/// What the system knows of a user.
struct UserEntry {
    std::string name;
    std::string home;
    std::string shell;
};
/// The user of that number; empty strings when there is none. Not at the same time from two
/// threads.
UserEntry find_user(uid_t uid);
/// @{
/// By which the kernel judges what this process may do.
uid_t effective_uid();
gid_t effective_gid();
/// @}
/// This process's environment as name and value; entries without '=' are left out.
std::vector<std::pair<std::string, std::string>> environment();

}  // namespace zona::os
