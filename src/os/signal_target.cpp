#include "os/signal_target.h"

#include <cerrno>

#include <fmt/format.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/child.h"

namespace zona::os {
namespace {

constexpr unsigned kPidfdSignalProcessGroup = 1U << 2U;  // linux/pidfd.h of 6.9

core::Result<SignalOutcome> outcome_of(core::Result<void> sent) {
    if (sent) return SignalOutcome::kSent;
    if (sent.error().code() == core::Code::kNotFound) return SignalOutcome::kGone;
    return sent.take_error();
}

}  // namespace

core::Result<std::optional<UniqueFd>> open_process(const ProcFs& proc, const ProcessRef& process) {
    auto fd = open_pidfd(process.pid);
    if (!fd && fd.error().code() == core::Code::kNotFound) return std::optional<UniqueFd>();
    if (!fd) return fd.take_error();
    ZONA_TRY(const auto there, proc.stat(process));
    if (!there) return std::optional<UniqueFd>();
    return std::optional<UniqueFd>(std::move(*fd));
}

core::Result<SignalOutcome> signal_process(const ProcFs& proc, const ProcessRef& process,
                                           int signal) {
    ZONA_TRY(const auto fd, open_process(proc, process));
    if (!fd) return SignalOutcome::kGone;
    return outcome_of(send_signal(*fd, signal));
}

core::Result<SignalOutcome> signal_process_group(const ProcFs& proc, const ProcessRef& leader,
                                                 int signal) {
    ZONA_TRY(const auto fd, open_process(proc, leader));
    if (!fd) return SignalOutcome::kGone;
    if (::syscall(SYS_pidfd_send_signal, fd->get(), signal, nullptr, kPidfdSignalProcessGroup) ==
        0) {
        return SignalOutcome::kSent;
    }
    if (errno == ESRCH) return SignalOutcome::kGone;
    if (errno != EINVAL) {
        return core::Error::from_errno(
            errno, fmt::format("send {} to process group {}", signal_name(signal), leader.pid));
    }
    return outcome_of(send_signal(-leader.pid, signal));
}

UrgentThread::UrgentThread() {
    // Only from the ordinary policy, so that there is nothing else to give back.
    if (::sched_getscheduler(0) != SCHED_OTHER) return;
    const sched_param lowest{.sched_priority = 1};
    raised_ = ::sched_setscheduler(0, SCHED_FIFO, &lowest) == 0;
}

UrgentThread::~UrgentThread() {
    const sched_param none{.sched_priority = 0};
    if (raised_) ::sched_setscheduler(0, SCHED_OTHER, &none);
}

}  // namespace zona::os
