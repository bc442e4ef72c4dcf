/// @file
/// Reading /proc: who runs, whose child it is, since when, and what the kernel says of the host.
///
/// Everything goes through one kept directory descriptor, so the root may be a fixture tree.
/// Processes vanish while they are being read: that is an empty answer here, never an error. The
/// parsers are pure, take any bytes (names hold spaces, parentheses and newlines) and are the fuzz
/// targets. Threading: a ProcFs is immutable after open() and may be used by any thread. Source:
/// proc(5), kernel Documentation/filesystems/proc.rst.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/resource.h>
#include <sys/types.h>

#include "core/result.h"
#include "os/child.h"
#include "os/fd.h"

namespace zona::os {

/// A process for good: pids are reused, a pid together with its start time is not (within one
/// boot).
struct ProcessRef {
    pid_t pid = 0;
    std::uint64_t start_ticks = 0;  ///< clock ticks after boot, field 22 of /proc/PID/stat
    friend bool operator==(const ProcessRef&, const ProcessRef&) = default;
};

/// The fields of /proc/PID/stat that supervision uses.
struct ProcStat {
    pid_t pid = 0;
    pid_t parent = 0;
    pid_t group = 0;
    pid_t session = 0;
    char state = '?';  ///< R S D T t Z X I ...
    std::int64_t threads = 0;
    std::uint64_t start_ticks = 0;   ///< after boot; ticks_per_second() of them are a second
    std::uint64_t user_ticks = 0;    ///< time in user mode, same unit
    std::uint64_t system_ticks = 0;  ///< time in the kernel, same unit
    std::int64_t resident_pages = 0;
    std::optional<int> wait_status;  ///< of a zombie; 0 also where the kernel does not tell us
    std::string name;                ///< at most 15 bytes for a program, any bytes

    ProcessRef ref() const { return {pid, start_ticks}; }
    /// Nothing of it can run any more. A zombie with more than one thread is a program whose first
    /// thread has left; the others run on.
    bool is_dead() const { return (state == 'Z' || state == 'X') && threads <= 1; }
};

/// One line of /proc/PID/cgroup.
struct CgroupMembership {
    std::string controllers;  ///< v1: "freezer", "cpu,cpuacct", "name=systemd"; empty: cgroup v2
    std::string path;         ///< from the root of the hierarchy, "/" at least
};

/// One line of /proc/PID/limits; nullopt is "unlimited".
struct SoftAndHard {
    std::optional<std::uint64_t> soft;
    std::optional<std::uint64_t> hard;
};

/// nullopt when the text is not a stat line (cut off, garbage). The name ends at the *last* ')'.
std::optional<ProcStat> parse_stat(std::string_view text);
/// Lines that make no sense are left out.
std::vector<CgroupMembership> parse_memberships(std::string_view text);
/// The value of NAME in a block of NUL-terminated "NAME=value"; the first one counts, as for
/// getenv(3).
std::optional<std::string_view> find_variable(std::string_view environment, std::string_view name);
/// The real uid of the "Uid:" line of /proc/PID/status.
std::optional<uid_t> parse_real_uid(std::string_view status);
/// The row `name`, e.g. "Max open files", of /proc/PID/limits.
std::optional<SoftAndHard> parse_limit(std::string_view limits, std::string_view name);
/// The number after "name " or "name:" at the start of a line (/proc/vmstat, /proc/meminfo,
/// memory.events).
std::optional<std::uint64_t> find_counter(std::string_view text, std::string_view name);

/// All processes at about one moment, in ascending order of pid. Its memory is kept from scan to
/// scan.
class ProcessSnapshot {
  public:
    std::span<const ProcStat> all() const { return {entries_.data(), count_}; }
    /// nullptr when no such process was there.
    const ProcStat* find(pid_t pid) const;
    /// Adds to `pids` (sorted ascending, no doubles, on return too) everything that descends from
    /// one of them, except `barred` and what is reached through them alone.
    void add_descendants(std::vector<pid_t>& pids, std::span<const pid_t> barred = {}) const;

  private:
    friend class ProcFs;
    std::vector<ProcStat> entries_;
    std::size_t count_ = 0;
};

/// A mounted /proc, or a tree that looks like one.
class ProcFs {
  public:
    /// Errors: from errno, the message names the path (not mounted, no fds left).
    static core::Result<ProcFs> open(const std::string& root = "/proc");

    /// nullopt: no such process. Errors: kInternal for an unreadable line, others from errno.
    core::Result<std::optional<ProcStat>> stat(pid_t pid) const;
    /// Whether this very process still has an entry: running, or a zombie that nobody has reaped.
    core::Result<std::optional<ProcStat>> stat(const ProcessRef& process) const;

    /// How a process ended that nobody has reaped yet. nullopt: it runs, is gone, or this user may
    /// not know (ptrace(2), PTRACE_MODE_READ_FSCREDS).
    core::Result<std::optional<ChildExit>> exit_of_zombie(const ProcessRef& process) const;

    /// The pids of all processes, ascending. `into` is replaced, its memory reused. A process that
    /// exists from before the call until after it is always in the list. About half a microsecond
    /// for each.
    core::Result<void> list(std::vector<pid_t>& into) const;
    /// Calls `visitor` for every pid, ascending, within microseconds of the kernel's naming it: for
    /// finding processes that do not live long. Errors: as list(); the visitor must not throw.
    core::Result<void> visit(const std::function<void(pid_t)>& visitor) const;
    /// Reads the stat line of every process; those that vanish meanwhile are left out. About 10 µs
    /// for each.
    core::Result<void> scan(ProcessSnapshot& into) const;
    /// The children of a process's first thread as the kernel lists them; needs
    /// CONFIG_PROC_CHILDREN (kUnsupported else). May miss some while children come and go.
    core::Result<std::vector<pid_t>> children(pid_t pid) const;

    /// One variable of the environment that the process was started with. nullopt: not set, or no
    /// such process. Errors: kForbidden for somebody else's process.
    core::Result<std::optional<std::string>> variable(pid_t pid, std::string_view name) const;
    /// Who started it, not whose rights it has. nullopt: no such process.
    core::Result<std::optional<uid_t>> real_uid(pid_t pid) const;
    /// A row of its limits by the kernel's name for it. Readable for every process, unlike
    /// resource_limit().
    core::Result<std::optional<SoftAndHard>> limit(pid_t pid, std::string_view name) const;
    /// 0 is the calling process. Empty: no such process, or no cgroups in this kernel.
    core::Result<std::vector<CgroupMembership>> memberships(pid_t pid) const;

    /// Identifies this boot of the host: what is remembered of pids is void when it differs.
    core::Result<std::string> boot_id() const;
    /// Since boot, time of sleep included.
    core::Result<std::chrono::milliseconds> uptime() const;
    /// How many processes the out-of-memory killer has killed on this host. nullopt: kernel older
    /// than 4.13.
    core::Result<std::optional<std::uint64_t>> oom_kills() const;
    /// How many processes and threads were made since boot. While it does not change, a list() is
    /// complete: no process can have been missed because it was made after the list was read.
    core::Result<std::uint64_t> forks() const;
    /// A file below the root, e.g. "sys/kernel/pid_max". Errors: kNotFound, others from errno.
    core::Result<std::string> text(const std::string& path) const;
    /// The number such a file holds. Errors: kInternal when it holds something else.
    core::Result<std::uint64_t> number(const std::string& path) const;

  private:
    explicit ProcFs(UniqueFd root) : root_(std::move(root)) {}
    UniqueFd root_;
};

/// sysconf(_SC_CLK_TCK), 100 on every Linux.
std::uint64_t ticks_per_second();

/// prlimit(2) of another process, half a microsecond. nullopt: no such process.
/// Errors: kForbidden unless real, effective and saved ids are all ours or we have
/// CAP_SYS_RESOURCE.
core::Result<std::optional<rlimit>> resource_limit(pid_t pid, int resource);

}  // namespace zona::os
