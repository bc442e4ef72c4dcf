/// @file
/// Signals that hit the process that is meant, or nobody.
///
/// A pid is a number that the kernel gives away again. So the descriptor is opened first, then the
/// process that it holds is compared with the one that is meant, then the signal goes to the
/// descriptor. Threading: any thread. Source: pidfd_open(2), pidfd_send_signal(2), kill(2); PM-03,
/// PM-17.
#pragma once

#include <cstdint>
#include <optional>

#include "core/result.h"
#include "os/fd.h"
#include "os/proc.h"

namespace zona::os {

/// What became of a signal.
enum class SignalOutcome : std::uint8_t {
    kSent,  ///< it was running, or a zombie that takes no notice
    kGone,  ///< that process no longer exists; nobody was signalled
};

/// A descriptor of exactly this process; nullopt: it has gone (a zombie is still there).
/// Errors: kResourceExhausted (no fds left), kInternal.
core::Result<std::optional<UniqueFd>> open_process(const ProcFs& proc, const ProcessRef& process);

/// Errors: kForbidden when the process is not ours to signal, kInvalidArgument for a number that is
/// no signal.
core::Result<SignalOutcome> signal_process(const ProcFs& proc, const ProcessRef& process,
                                           int signal);

/// Signals every process of the group that `leader` leads. kGone when the leader itself has gone,
/// whoever is left.
///
/// Atomic: a process that is being forked into the group is not missed. Before Linux 6.9 it is
/// kill(2) after the comparison, which is as safe as long as only the caller's thread can reap the
/// leader.
core::Result<SignalOutcome> signal_process_group(const ProcFs& proc, const ProcessRef& leader,
                                                 int signal);

/// While it lives, the calling thread runs before every ordinary one, if it may (CAP_SYS_NICE or
/// RLIMIT_RTPRIO): what races with processes that fork all the time must not wait for them. Without
/// the right it changes nothing.
///
/// Hold it for milliseconds, and start no child meanwhile: it would inherit it. Source: sched(7),
/// SCHED_FIFO.
class UrgentThread {
  public:
    UrgentThread();
    ~UrgentThread();
    UrgentThread(const UrgentThread&) = delete;
    UrgentThread& operator=(const UrgentThread&) = delete;

    bool raised() const { return raised_; }

  private:
    bool raised_ = false;
};

}  // namespace zona::os
