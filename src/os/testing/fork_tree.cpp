#include "os/testing/fork_tree.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/child.h"

namespace zona::os::testing {
namespace {

constexpr const char* kVariable = "ZONA_FORK_TREE";
constexpr unsigned kLifetime = 10;  // seconds
constexpr int kChains = 40;

/// fork(2) past the sanitizers' interceptors, which take their time for each of a storm's children.
pid_t plain_fork() {
    return static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
}

/// A process says that it is there: its own pid.
void report() {
    const std::int32_t pid = ::getpid();
    if (::write(STDOUT_FILENO, &pid, sizeof pid) != sizeof pid) ::_exit(3);
}

[[noreturn]] void sleep_and_end() {
    ::alarm(kLifetime);
    for (;;)
        ::pause();
}

void ignore_sigterm() {
    ::signal(SIGTERM, SIG_IGN);
}

/// The way of a daemon: away from parent, session and group.
template <class Body>
void double_fork(Body body) {
    const pid_t first = plain_fork();
    if (first < 0) ::_exit(3);
    if (first > 0) {
        ::waitpid(first, nullptr, 0);
        return;
    }
    ::setsid();
    ignore_sigterm();
    if (plain_fork() != 0) ::_exit(0);
    body();
    ::_exit(0);
}

[[noreturn]] void scrubbed_sleep() {
    report();
    std::array<char*, 3> argv = {const_cast<char*>("sleep"), const_cast<char*>("10"), nullptr};
    std::array<char*, 1> environment = {nullptr};
    ::execve("/bin/sleep", argv.data(), environment.data());
    ::_exit(3);
}

/// A process that is never the same for longer than `pause`.
[[noreturn]] void chain(std::chrono::microseconds pause) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(kLifetime);
    report();
    while (std::chrono::steady_clock::now() < end) {
        const pid_t next = plain_fork();
        if (next != 0) ::_exit(0);
        ::setsid();
        if (pause.count() > 0) ::usleep(static_cast<useconds_t>(pause.count()));
    }
    ::_exit(0);
}

[[noreturn]] void play(Shape shape) {
    ::alarm(kLifetime);
    switch (shape) {
        case Shape::kSleeper:
            break;
        case Shape::kGroup:
            for (int i = 0; i < 2; ++i) {
                if (plain_fork() == 0) {
                    report();
                    sleep_and_end();
                }
            }
            break;
        case Shape::kDaemon:
            double_fork([] {
                report();
                sleep_and_end();
            });
            break;
        case Shape::kScrubbed:
            double_fork(scrubbed_sleep);
            break;
        case Shape::kErased:
            double_fork([] {
                const rlimit zero{.rlim_cur = 0, .rlim_max = 0};
                ::syscall(SYS_prlimit64, 0, RLIMIT_LOCKS, &zero, nullptr);
                scrubbed_sleep();
            });
            break;
        case Shape::kChain:
            double_fork([] { chain(std::chrono::milliseconds(1)); });
            break;
        case Shape::kTight:
            double_fork([] { chain(std::chrono::microseconds(0)); });
            break;
        case Shape::kStorm:
            for (int i = 0; i < kChains; ++i)
                double_fork([] { chain(std::chrono::milliseconds(1)); });
            break;
    }
    report();
    sleep_and_end();
}

/// Takes over before the test's main() when this process is to be a tree.
const bool kPlayed = [] {
    if (const char* shape = std::getenv(kVariable)) play(static_cast<Shape>(std::atoi(shape)));
    return true;
}();

int reports_of(Shape shape) {
    switch (shape) {
        case Shape::kSleeper:
            return 1;
        case Shape::kGroup:
            return 3;
        case Shape::kStorm:
            return kChains + 1;
        default:
            return 2;
    }
}

}  // namespace

ForkTree::ForkTree(Shape shape, const std::function<void(SpawnPlan&)>& place)
    : awaited_(reports_of(shape)) {
    (void)kPlayed;
    (void)become_subreaper();
    auto pipe = make_pipe();
    if (!pipe) return;
    reports_ = std::move(pipe->read);
    SpawnPlan plan{
        .executable = "/proc/self/exe",
        .arguments = {"fork-tree"},
        .environment = {std::string(kVariable) + "=" + std::to_string(static_cast<int>(shape))},
        .stdout_fd = pipe->write.get()};
    if (place) place(plan);
    std::int32_t slot = 0;
    outcome_ = spawn(plan, &slot);
}

ForkTree::~ForkTree() {
    for (const pid_t pid : {main(), second_}) {
        // As long as it is an unreaped child of this process its pid is its own.
        siginfo_t info;
        if (pid <= 0 ||
            ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0)
            continue;
        ::kill(pid, SIGKILL);
        ::kill(-pid, SIGKILL);
    }
    wait_all_dead(std::chrono::seconds(kLifetime + 2));
    if (main() > 0) ::waitpid(main(), nullptr, 0);
    reap();
}

bool ForkTree::read_reports(std::chrono::milliseconds limit) {
    pollfd wait{.fd = reports_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, static_cast<int>(limit.count())) <= 0) return false;
    std::int32_t pid = 0;
    const ssize_t n = ::read(reports_.get(), &pid, sizeof pid);
    if (n == 0) all_dead_ = true;
    if (n != sizeof pid) return n == 0;
    --awaited_;
    if (pid != main()) second_ = pid;
    return true;
}

bool ForkTree::wait_ready() {
    while (awaited_ > 0 && !all_dead_) {
        if (!read_reports(std::chrono::seconds(kLifetime))) return false;
    }
    return awaited_ == 0;
}

bool ForkTree::any_alive() {
    while (!all_dead_ && read_reports(std::chrono::milliseconds(0))) {
    }
    return !all_dead_;
}

bool ForkTree::wait_all_dead(std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!all_dead_) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            end - std::chrono::steady_clock::now());
        if (left.count() < 0) return false;
        (void)read_reports(left);
    }
    return true;
}

void ForkTree::wait_main_zombie() {
    siginfo_t info;
    ::waitid(P_PID, static_cast<id_t>(main()), &info, WEXITED | WNOWAIT);
}

void ForkTree::reap() {
    while (const auto ended = peek_exited_child())
        reap_child(ended->pid);
}

}  // namespace zona::os::testing
