#include "os/child.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace zona::os {
namespace {

/// struct pidfd_info of Linux 6.13+, whose header Debian 12 does not have.
struct PidfdInfo {
    std::uint64_t mask;
    std::uint64_t cgroup_id;
    std::uint32_t pid, tgid, ppid;
    std::uint32_t ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    std::int32_t exit_code;
};
constexpr std::uint64_t kPidfdInfoExit = 1UL << 3U;
constexpr unsigned long kPidfdGetInfo = _IOC(_IOC_READ | _IOC_WRITE, 0xFF, 11, sizeof(PidfdInfo));

std::optional<ChildExit> peek(idtype_t type, pid_t pid) {
    siginfo_t info;
    std::memset(&info, 0, sizeof info);
    struct rusage usage;
    std::memset(&usage, 0, sizeof usage);
    // The libc wrapper drops the fifth argument, the rusage.
    const long rc = ::syscall(SYS_waitid, type, pid, &info, WEXITED | WNOHANG | WNOWAIT, &usage);
    if (rc < 0 || info.si_pid == 0) return std::nullopt;
    const auto us = [](const timeval& t) {
        return static_cast<std::int64_t>(t.tv_sec) * 1'000'000 + t.tv_usec;
    };
    return ChildExit{.pid = info.si_pid,
                     .how = info.si_code,
                     .status = info.si_status,
                     .user_us = us(usage.ru_utime),
                     .system_us = us(usage.ru_stime),
                     .max_rss_kb = usage.ru_maxrss};
}

constexpr std::pair<std::string_view, int> kSignalNames[] = {
    {"SIGHUP", SIGHUP},   {"SIGINT", SIGINT},       {"SIGQUIT", SIGQUIT}, {"SIGILL", SIGILL},
    {"SIGTRAP", SIGTRAP}, {"SIGABRT", SIGABRT},     {"SIGBUS", SIGBUS},   {"SIGFPE", SIGFPE},
    {"SIGKILL", SIGKILL}, {"SIGUSR1", SIGUSR1},     {"SIGSEGV", SIGSEGV}, {"SIGUSR2", SIGUSR2},
    {"SIGPIPE", SIGPIPE}, {"SIGALRM", SIGALRM},     {"SIGTERM", SIGTERM}, {"SIGSTKFLT", SIGSTKFLT},
    {"SIGCHLD", SIGCHLD}, {"SIGCONT", SIGCONT},     {"SIGSTOP", SIGSTOP}, {"SIGTSTP", SIGTSTP},
    {"SIGTTIN", SIGTTIN}, {"SIGTTOU", SIGTTOU},     {"SIGURG", SIGURG},   {"SIGXCPU", SIGXCPU},
    {"SIGXFSZ", SIGXFSZ}, {"SIGVTALRM", SIGVTALRM}, {"SIGPROF", SIGPROF}, {"SIGWINCH", SIGWINCH},
    {"SIGIO", SIGIO},     {"SIGPWR", SIGPWR},       {"SIGSYS", SIGSYS},
};

}  // namespace

std::optional<ChildExit> peek_exited_child() {
    return peek(P_ALL, 0);
}

std::optional<ChildExit> peek_exited_child(pid_t pid) {
    return peek(P_PID, pid);
}

void reap_child(pid_t pid) {
    siginfo_t info;
    while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG) < 0 &&
           errno == EINTR) {
    }
}

core::Result<UniqueFd> open_pidfd(pid_t pid) {
    const long fd = ::syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0) return core::Error::from_errno(errno, fmt::format("pidfd_open {}", pid));
    return UniqueFd::adopt(static_cast<int>(fd));
}

core::Result<void> send_signal(const UniqueFd& pidfd, int signal) {
    if (::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) < 0) {
        return core::Error::from_errno(errno, fmt::format("send {}", signal_name(signal)));
    }
    return {};
}

core::Result<void> send_signal(pid_t pid, int signal) {
    if (::kill(pid, signal) < 0) {
        return core::Error::from_errno(errno,
                                       fmt::format("send {} to {}", signal_name(signal), pid));
    }
    return {};
}

ChildExit exit_from_status(pid_t pid, int status) {
    ChildExit out{.pid = pid};
    if (WIFEXITED(status)) {
        out.how = CLD_EXITED;
        out.status = WEXITSTATUS(status);
    } else {
        out.how = WCOREDUMP(status) ? CLD_DUMPED : CLD_KILLED;
        out.status = WTERMSIG(status);
    }
    return out;
}

std::optional<ChildExit> exit_of_foreign(const UniqueFd& pidfd) {
    PidfdInfo info;
    std::memset(&info, 0, sizeof info);
    info.mask = kPidfdInfoExit;
    if (::ioctl(pidfd.get(), kPidfdGetInfo, &info) < 0) return std::nullopt;
    if ((info.mask & kPidfdInfoExit) == 0) return std::nullopt;
    return exit_from_status(static_cast<pid_t>(info.pid), info.exit_code);
}

core::Result<UniqueFd> signals_as_fd(std::span<const int> signals) {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : signals)
        sigaddset(&set, number);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    const int fd = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) return core::Error::from_errno(errno, "signalfd");
    return UniqueFd::adopt(fd);
}

int next_signal(int signal_fd) {
    signalfd_siginfo info;
    for (;;) {
        const ssize_t n = ::read(signal_fd, &info, sizeof info);
        if (n == sizeof info) return static_cast<int>(info.ssi_signo);
        if (n < 0 && errno == EINTR) continue;
        return 0;
    }
}

void ignore_signal(int signal) {
    ::signal(signal, SIG_IGN);
}

void block_all_signals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

core::Result<void> become_subreaper() {
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0) {
        return core::Error::from_errno(errno, "prctl(PR_SET_CHILD_SUBREAPER)");
    }
    return {};
}

std::optional<int> signal_number(std::string_view name) {
    int number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc() && end == name.data() + name.size()) {
        return number >= 1 && number <= SIGRTMAX ? std::optional<int>(number) : std::nullopt;
    }
    std::string upper(name);
    std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
    if (!upper.starts_with("SIG")) upper.insert(0, "SIG");
    for (const auto& [text, value] : kSignalNames) {
        if (text == upper) return value;
    }
    return std::nullopt;
}

std::string signal_name(int number) {
    for (const auto& [text, value] : kSignalNames) {
        if (value == number) return std::string(text);
    }
    return fmt::format("SIG{}", number);
}

}  // namespace zona::os
