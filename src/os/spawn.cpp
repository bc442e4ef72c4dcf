#include "os/spawn.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <mutex>

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/detail/clone_into.h"
#include "os/detail/default_signals.h"
#include "os/fd.h"

namespace zona::os {
namespace {

constexpr std::size_t kChildStack = 64UL * 1024;

/// What the child works on. It shares the parent's memory until execve, so failures are written
/// here.
struct Prepared {
    const SpawnPlan* plan;
    char* const* argv;
    char* const* envp;
    std::array<int, 3> stdio = {-1, -1, -1};
    bool born_in_cgroup2 = false;
    bool shares_descriptors = false;  ///< with the parent, until the child has its own
    SpawnStep failed_step = SpawnStep::kNone;
    int error_number = 0;
    pid_t parent = 0;
};

// Raw system calls only from here to exec_child: libc wrappers of the set*id family signal every
// thread of the process, and the sanitizers' interceptors would record the child's calls as the
// parent's.
#define ZONA_IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined"), noinline))

ZONA_IN_CHILD bool fail(Prepared& p, SpawnStep step) {
    p.failed_step = step;
    p.error_number = errno;
    return false;
}

ZONA_IN_CHILD void default_signals() {
    detail::default_dispositions();
    unsigned long empty = 0;
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &empty, nullptr, 8UL);
}

ZONA_IN_CHILD bool set_rights(Prepared& p) {
    const SpawnPlan& plan = *p.plan;
    if (!plan.credentials) return true;
    const Credentials& who = *plan.credentials;
    if (::syscall(SYS_setgroups, who.groups.size(), who.groups.data()) < 0) {
        return fail(p, SpawnStep::kGroups);
    }
    if (::syscall(SYS_setresgid, who.gid, who.gid, who.gid) < 0) return fail(p, SpawnStep::kGroup);
    if (::syscall(SYS_setresuid, who.uid, who.uid, who.uid) < 0) return fail(p, SpawnStep::kUser);
    return true;
}

ZONA_IN_CHILD bool set_limits(Prepared& p) {
    const SpawnPlan& plan = *p.plan;
    for (const ResourceLimit& limit : plan.limits) {
        const rlimit value = {.rlim_cur = limit.soft, .rlim_max = limit.hard};
        if (::syscall(SYS_prlimit64, 0, limit.resource, &value, nullptr) < 0) {
            return fail(p, SpawnStep::kLimits);
        }
    }
    if (plan.nice && ::syscall(SYS_setpriority, PRIO_PROCESS, 0, *plan.nice) < 0) {
        return fail(p, SpawnStep::kNice);
    }
    if (plan.umask) ::syscall(SYS_umask, *plan.umask);
    return true;
}

/// Ends the sharing of the descriptor table. Of a parent with ten thousand descriptors only those
/// up to the last standard stream are copied: the rest is closed before it would be.
ZONA_IN_CHILD bool own_descriptors(Prepared& p) {
    if (!p.shares_descriptors) return true;
    int last = 2;
    for (const int fd : p.stdio) {
        if (fd > last) last = fd;
    }
    if (::syscall(SYS_close_range, last + 1, ~0U, CLOSE_RANGE_UNSHARE) == 0) return true;
    if (::syscall(SYS_unshare, CLONE_FILES) == 0) return true;  // before Linux 5.9
    return fail(p, SpawnStep::kStdio);
}

ZONA_IN_CHILD bool set_stdio(Prepared& p) {
    for (int target = 0; target < 3; ++target) {
        const int fd = p.stdio[static_cast<std::size_t>(target)];
        if (fd < 0) continue;
        if (::syscall(SYS_dup3, fd, target, 0) < 0) return fail(p, SpawnStep::kStdio);
    }
    ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
    return true;
}

ZONA_IN_CHILD bool enter_cgroups(Prepared& p) {
    const SpawnPlan& plan = *p.plan;
    if (plan.cgroup2_fd >= 0 && !p.born_in_cgroup2) {
        const long fd =
            ::syscall(SYS_openat, plan.cgroup2_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC, 0);
        if (fd < 0 || ::syscall(SYS_write, fd, "0", 1UL) < 0) return fail(p, SpawnStep::kCgroup);
        ::syscall(SYS_close, fd);
    }
    for (const int fd : plan.cgroup_procs_fds) {
        if (::syscall(SYS_write, fd, "0", 1UL) < 0) return fail(p, SpawnStep::kCgroup);
    }
    return true;
}

ZONA_IN_CHILD int run_child(void* argument) {
    Prepared& p = *static_cast<Prepared*>(argument);
    const SpawnPlan& plan = *p.plan;
    if (!enter_cgroups(p) || !own_descriptors(p)) ::syscall(SYS_exit_group, 127);
    if (::syscall(SYS_setsid) < 0) {
        fail(p, SpawnStep::kSession);
        ::syscall(SYS_exit_group, 127);
    }
    if (!set_limits(p) || !set_rights(p)) ::syscall(SYS_exit_group, 127);
    if (!plan.directory.empty() && ::syscall(SYS_chdir, plan.directory.c_str()) < 0) {
        fail(p, SpawnStep::kDirectory);
        ::syscall(SYS_exit_group, 127);
    }
    if (!set_stdio(p)) ::syscall(SYS_exit_group, 127);
    default_signals();
    if (plan.ends_with_thread) {
        ::syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (::syscall(SYS_getppid) != p.parent) ::syscall(SYS_exit_group, 127);
    }
    ::syscall(SYS_execve, plan.executable.c_str(), p.argv, p.envp);
    fail(p, SpawnStep::kExec);
    ::syscall(SYS_exit_group, 127);
    return 127;
}

/// The child's stack, one per spawning thread, kept.
class ChildStack {
  public:
    ChildStack() {
        void* memory = ::mmap(nullptr, kChildStack, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        base_ = memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
    }
    ~ChildStack() {
        if (base_ != nullptr) ::munmap(base_, kChildStack);
    }
    ChildStack(const ChildStack&) = delete;
    ChildStack& operator=(const ChildStack&) = delete;
    char* base() const { return base_; }
    char* top() const { return base_ == nullptr ? nullptr : base_ + kChildStack; }

  private:
    char* base_;
};

/// The pid or -errno. born_in_cgroup2 says whether the group was part of the clone.
long clone_child(Prepared& prepared, const ChildStack& stack, std::int32_t* pid_slot) {
    prepared.born_in_cgroup2 = prepared.plan->cgroup2_fd >= 0;
    prepared.shares_descriptors = true;
    const long pid = detail::clone_and_call({.cgroup_fd = prepared.plan->cgroup2_fd,
                                             .pid_slot = pid_slot,
                                             .stack = stack.base(),
                                             .stack_size = kChildStack,
                                             .function = run_child,
                                             .argument = &prepared});
    const bool unknown = pid == -ENOSYS || pid == -EINVAL || pid == -E2BIG || pid == -EPERM;
    if (!unknown) return pid;
    prepared.born_in_cgroup2 = false;
    prepared.shares_descriptors = false;
    const int old =
        ::clone(run_child, stack.top(), CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | SIGCHLD,
                &prepared, pid_slot);
    return old < 0 ? -static_cast<long>(errno) : old;
}

/// Low numbers for the standard streams of the child that is being spawned; one spawn at a time.
struct ReservedDescriptors {
    std::mutex mutex;
    std::array<UniqueFd, 3> low;
    UniqueFd null;
};

ReservedDescriptors& reserved_descriptors() {
    static ReservedDescriptors reserved;
    return reserved;
}

/// The plan's streams under the reserved numbers, for as long as it lives; where they are if
/// nothing is reserved.
class PlacedStreams {
  public:
    explicit PlacedStreams(const SpawnPlan& plan)
        : lock_(reserved_.mutex), fds_{plan.stdin_fd, plan.stdout_fd, plan.stderr_fd} {
        for (std::size_t i = 0; i < fds_.size(); ++i) {
            const int low = reserved_.low[i].get();
            if (low >= 0 && fds_[i] > low && ::dup3(fds_[i], low, O_CLOEXEC) == low) fds_[i] = low;
        }
    }
    PlacedStreams(const PlacedStreams&) = delete;
    PlacedStreams& operator=(const PlacedStreams&) = delete;
    /// Lets go of the streams' files, so that a FIFO sees its last writer leave.
    ~PlacedStreams() {
        if (!reserved_.null.valid()) return;
        for (const UniqueFd& fd : reserved_.low)
            ::dup3(reserved_.null.get(), fd.get(), O_CLOEXEC);
    }
    const std::array<int, 3>& fds() const { return fds_; }

  private:
    ReservedDescriptors& reserved_ = reserved_descriptors();
    std::scoped_lock<std::mutex> lock_;
    std::array<int, 3> fds_;
};

std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> out;
    out.reserve(strings.size() + 1);
    for (const std::string& s : strings)
        out.push_back(const_cast<char*>(s.c_str()));
    out.push_back(nullptr);
    return out;
}

std::optional<unsigned> as_number(const std::string& text) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

std::string_view to_string(SpawnStep step) {
    switch (step) {
        case SpawnStep::kNone:
            return "none";
        case SpawnStep::kClone:
            return "clone";
        case SpawnStep::kSession:
            return "new session";
        case SpawnStep::kCgroup:
            return "enter cgroup";
        case SpawnStep::kNice:
            return "set priority";
        case SpawnStep::kLimits:
            return "set resource limits";
        case SpawnStep::kGroups:
            return "set supplementary groups";
        case SpawnStep::kGroup:
            return "change group";
        case SpawnStep::kUser:
            return "change user";
        case SpawnStep::kDirectory:
            return "enter working directory";
        case SpawnStep::kStdio:
            return "connect standard streams";
        case SpawnStep::kExec:
            return "execute";
    }
    return "unknown";
}

core::Result<void> reserve_spawn_descriptors() {
    ReservedDescriptors& reserved = reserved_descriptors();
    const std::scoped_lock lock(reserved.mutex);
    for (UniqueFd& fd : reserved.low) {
        ZONA_TRY(fd, open_file("/dev/null", O_RDWR));
    }
    ZONA_TRY(reserved.null, open_file("/dev/null", O_RDWR));
    return {};
}

SpawnOutcome spawn(const SpawnPlan& plan, std::int32_t* pid_slot) {
    thread_local ChildStack stack;
    const std::vector<char*> argv = pointers(plan.arguments);
    const std::vector<char*> envp = pointers(plan.environment);
    Prepared prepared{
        .plan = &plan, .argv = argv.data(), .envp = envp.data(), .parent = ::getpid()};
    if (stack.top() == nullptr) return {0, SpawnStep::kClone, ENOMEM};

    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    const PlacedStreams streams(plan);
    prepared.stdio = streams.fds();
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const long pid = clone_child(prepared, stack, pid_slot);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) {
        // EAGAIN and ENOMEM are about processes, everything else that clone3 says about the group.
        const bool group = prepared.born_in_cgroup2 && pid != -EAGAIN && pid != -ENOMEM;
        return {0, group ? SpawnStep::kCgroup : SpawnStep::kClone, static_cast<int>(-pid)};
    }
    return {static_cast<pid_t>(pid), prepared.failed_step, prepared.error_number};
}

core::Result<Credentials> find_credentials(const std::string& user, const std::string& group) {
    Credentials out{.uid = ::geteuid(), .gid = ::getegid(), .groups = {}};
    std::string name;
    if (!user.empty()) {
        const auto number = as_number(user);
        const passwd* entry = number ? ::getpwuid(*number) : ::getpwnam(user.c_str());
        if (entry == nullptr && !number) {
            return core::Error(core::Code::kNotFound,
                               fmt::format("user '{}' does not exist on this host", user));
        }
        out.uid = entry != nullptr ? entry->pw_uid : *number;
        out.gid = entry != nullptr ? entry->pw_gid : *number;
        if (entry != nullptr) name = entry->pw_name;
    }
    if (!group.empty()) {
        const auto number = as_number(group);
        const struct group* entry = number ? ::getgrgid(*number) : ::getgrnam(group.c_str());
        if (entry == nullptr && !number) {
            return core::Error(core::Code::kNotFound,
                               fmt::format("group '{}' does not exist on this host", group));
        }
        out.gid = entry != nullptr ? entry->gr_gid : *number;
    }
    int count = name.empty() ? 0 : 256;
    out.groups.resize(static_cast<std::size_t>(count));
    if (count == 0 || ::getgrouplist(name.c_str(), out.gid, out.groups.data(), &count) < 0) {
        out.groups.assign(1, out.gid);
        return out;
    }
    out.groups.resize(static_cast<std::size_t>(count));
    return out;
}

std::vector<std::pair<std::string, std::string>> environment() {
    std::vector<std::pair<std::string, std::string>> out;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        const std::size_t equals = text.find('=');
        if (equals == std::string_view::npos || equals == 0) continue;
        out.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
    return out;
}

gid_t effective_gid() {
    return ::getegid();
}

uid_t effective_uid() {
    return ::geteuid();
}

UserEntry find_user(uid_t uid) {
    const passwd* entry = ::getpwuid(uid);
    if (entry == nullptr) return {};
    return {entry->pw_name, entry->pw_dir, entry->pw_shell};
}

}  // namespace zona::os
