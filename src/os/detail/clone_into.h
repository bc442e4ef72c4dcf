/// @file
/// clone3(2) with a function to run, which glibc 2.36 does not offer; hence the assembly.
///
/// For children that are born inside a cgroup v2: writing a pid to cgroup.procs takes a lock over
/// every thread group of the host and waits for an RCU grace period, 15 to 25 ms in one of ten
/// starts on an idle host; a child that is cloned into its group costs nothing more than a child.
/// And for ThreadSanitizer, whose interceptor of clone() does not survive CLONE_VM | CLONE_VFORK.
#pragma once

#include <cstddef>
#include <cstdint>

namespace zona::os::detail {

struct CloneRequest {
    int cgroup_fd = -1;                ///< directory of the group; -1: the caller's own
    std::int32_t* pid_slot = nullptr;  ///< written by the kernel before the child runs
    char* stack = nullptr;             ///< lowest byte of the child's stack
    std::size_t stack_size = 0;        ///< a multiple of 16
    int (*function)(void*) = nullptr;
    void* argument = nullptr;
};

/// clone3(2) with CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_PARENT_SETTID, and CLONE_INTO_CGROUP
/// when a group is given: the child calls the function and exits with its result. Gives the pid, or
/// -errno; -ENOSYS, -EINVAL, -E2BIG, -EPERM: this kernel or a filter does not have it, nothing was
/// cloned. Source: clone3(2), Linux 5.3, with a group 5.7.
long clone_and_call(const CloneRequest& request);

}  // namespace zona::os::detail
