/// @file
/// How much of the host this process may use.
#pragma once

#include <cstdint>
#include <string>

namespace zona::os {

/// A limit in force, and how far its owner may raise it.
struct FdLimits {
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;
};

/// RLIMIT_NOFILE of this process.
FdLimits fd_limits();
/// Raises RLIMIT_NOFILE to its hard limit, and the hard limit to `wanted` when privileged. Returns
/// the soft limit in force.
std::uint64_t raise_fd_limit(std::uint64_t wanted);

/// Sees to it that this process leaves no core dump, which would hold what it has in memory, by a
/// soft RLIMIT_CORE of 1: so a handler that the kernel pipes dumps to is not run either. Gives the
/// limits of before, for those who it starts; a soft one of 1 counts as 0.
FdLimits leave_no_core_dumps();

/// CPUs that this process may use: by affinity, and by the CPU quota of its cgroup rounded up; at
/// least 1. Source: sched_getaffinity(2), cgroup v2 cpu.max, cgroup v1 cpu.cfs_quota_us.
int usable_cpus(const std::string& cgroup_root = "/sys/fs/cgroup");

}  // namespace zona::os
