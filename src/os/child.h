/// @file
/// Ends of children, pidfds, and signals as descriptors.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include <sys/types.h>

#include "core/result.h"
#include "os/fd.h"

namespace zona::os {

/// How a child ended, as waitid(2) and its rusage tell it.
struct ChildExit {
    pid_t pid = 0;
    int how = 0;     ///< CLD_EXITED, CLD_KILLED or CLD_DUMPED
    int status = 0;  ///< exit code or signal number
    std::int64_t user_us = 0;
    std::int64_t system_us = 0;
    std::int64_t max_rss_kb = 0;
};

/// A zombie among our children, left unreaped (WNOWAIT): record it first, then reap_child(). The
/// same one comes again until it is reaped. nullopt when there is none.
std::optional<ChildExit> peek_exited_child();
/// The same for one child; nullopt while it lives or when it is not ours.
std::optional<ChildExit> peek_exited_child(pid_t pid);
/// Consumes a zombie that was peeked. Its pid may be reused from here on.
void reap_child(pid_t pid);

/// pidfd_open(2). kNotFound: no such process (or already reaped).
core::Result<UniqueFd> open_pidfd(pid_t pid);
/// pidfd_send_signal(2). kNotFound: it has ended.
core::Result<void> send_signal(const UniqueFd& pidfd, int signal);
/// kill(2); negative pids mean process groups. Only for children that are not reaped yet.
core::Result<void> send_signal(pid_t pid, int signal);
/// What a wait status (wait(2)) says.
ChildExit exit_from_status(pid_t pid, int status);
/// The exit of a process that is not our child, from its pidfd, after somebody has reaped it
/// (kernel 6.15 and later). nullopt: still there, or this kernel does not tell.
std::optional<ChildExit> exit_of_foreign(const UniqueFd& pidfd);

/// Blocks the signals in this thread (and those it starts later) and returns a non-blocking
/// signalfd.
core::Result<UniqueFd> signals_as_fd(std::span<const int> signals);
/// The next pending signal number of a signalfd, 0 when none is pending.
int next_signal(int signal_fd);
/// For the whole process (SIG_IGN), and for what it executes unless that sets it anew.
void ignore_signal(int signal);
/// Blocks every signal in the calling thread: what a worker thread does first.
void block_all_signals();
/// Makes this process the reaper of its orphaned descendants (PR_SET_CHILD_SUBREAPER).
core::Result<void> become_subreaper();
/// Names like "SIGTERM", "TERM", "15" to the number; nullopt when unknown.
std::optional<int> signal_number(std::string_view name);
/// "SIGTERM"; "SIG34" for a real-time one.
std::string signal_name(int number);

}  // namespace zona::os
