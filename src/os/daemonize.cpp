#include "os/daemonize.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <span>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/detail/default_signals.h"

namespace zona::os {
namespace {

using core::Error;
using core::Result;

enum class Step : int { kFork, kSession, kDirectory, kDescriptors, kExec };

/// What the child tells through the report pipe; no report means that the program was executed.
struct Report {
    Step step;
    int number;
};

constexpr int kReportFd = kReadyFd + 1;
constexpr int kFreeFrom = kReportFd + 1;

/// Everything that the child needs, made before the fork.
struct Prepared {
    const char* executable;
    std::vector<char*> argv;
    std::vector<char*> envp;
    int ready_fd;
    int report_fd;
};

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    pointers.reserve(texts.size() + 1);
    for (const std::string& text : texts)
        pointers.push_back(const_cast<char*>(text.c_str()));
    pointers.push_back(nullptr);
    return pointers;
}

[[noreturn]] void give_up(int report_fd, Step step) {
    const Report report{step, errno};
    // A write that fails leaves a starter that sees neither report nor ready line: it says so.
    static_cast<void>(!write(report_fd, &report, sizeof report));
    _exit(1);
}

void reset_signals() {
    detail::default_dispositions();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
}

bool place_descriptors(const Prepared& prepared) {
    const int ready = fcntl(prepared.ready_fd, F_DUPFD_CLOEXEC, kFreeFrom);
    const int report = fcntl(prepared.report_fd, F_DUPFD_CLOEXEC, kFreeFrom);
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int high_null = fcntl(null, F_DUPFD_CLOEXEC, kFreeFrom);
    if (ready < 0 || report < 0 || high_null < 0) return false;
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (dup2(high_null, fd) < 0) return false;
    }
    return dup2(ready, kReadyFd) >= 0 && dup3(report, kReportFd, O_CLOEXEC) >= 0 &&
           close_range(kFreeFrom, ~0U, 0) == 0;
}

[[noreturn]] void become_daemon(const Prepared& prepared) {
    if (setsid() < 0) give_up(prepared.report_fd, Step::kSession);
    const pid_t daemon = fork();
    if (daemon < 0) give_up(prepared.report_fd, Step::kFork);
    if (daemon > 0) _exit(0);
    if (chdir("/") != 0) give_up(prepared.report_fd, Step::kDirectory);
    umask(022);
    reset_signals();
    if (!place_descriptors(prepared)) give_up(prepared.report_fd, Step::kDescriptors);
    execve(prepared.executable, prepared.argv.data(), prepared.envp.data());
    give_up(kReportFd, Step::kExec);
}

Error failure(const DaemonPlan& plan, Report report) {
    constexpr std::array<std::string_view, 5> kSteps = {
        "cannot fork", "cannot start a session", "cannot enter /", "cannot arrange descriptors",
        "cannot execute it"};
    const auto step = static_cast<std::size_t>(report.step);
    return Error::from_errno(report.number,
                             fmt::format("starting {}: {}", plan.executable, kSteps.at(step)));
}

}  // namespace

Result<UniqueFd> start_daemon(const DaemonPlan& plan) {
    ZONA_TRY(Pipe ready, make_pipe());
    ZONA_TRY(Pipe report, make_pipe());
    const Prepared prepared{plan.executable.c_str(), pointers_to(plan.arguments),
                            pointers_to(plan.environment), ready.write.get(), report.write.get()};
    const pid_t starter = fork();
    if (starter < 0) return failure(plan, {Step::kFork, errno});
    if (starter == 0) become_daemon(prepared);

    ready.write.reset();
    report.write.reset();
    while (waitpid(starter, nullptr, 0) < 0 && errno == EINTR) {
    }
    Report found{};
    ZONA_TRY(const auto size,
             read_some(report.read.get(), std::as_writable_bytes(std::span(&found, 1))));
    if (size.value_or(0) == sizeof found) return failure(plan, found);
    return std::move(ready.read);
}

}  // namespace zona::os
