#include "os/helpers.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/fd.h"
#include "os/host.h"
#include "os/spawn.h"

namespace zona::os {

using core::Code;
using core::Error;
using core::Result;
using Steady = std::chrono::steady_clock;

namespace {

/// Between SIGTERM and SIGKILL.
constexpr std::chrono::seconds kGrace(5);

Result<std::string> find_program(const HelperPlan& plan) {
    if (plan.words.empty()) return Error(Code::kInvalidArgument, "there is no program to run");
    const std::string& name = plan.words.front();
    if (name.contains('/')) return name;
    constexpr std::string_view kPath = "PATH=";
    for (const std::string& entry : plan.environment) {
        if (!entry.starts_with(kPath)) continue;
        if (auto found = find_in_path(name, entry.substr(kPath.size()))) return *std::move(found);
    }
    return Error(Code::kNotFound, fmt::format("{} is in no directory of PATH", name));
}

/// As much as a pipe holds. Source: pipe(7), "Pipe capacity".
constexpr int kPieces = 16;
constexpr std::size_t kPieceBytes = 4096;

/// What is in the pipe by now, and of what comes meanwhile no more than a pipe holds: who writes
/// without end is not read without end. The last bytes stay.
void take_output(int fd, std::string& output, std::size_t most) {
    std::array<char, kPieceBytes> piece{};
    for (int pieces = 0; pieces < kPieces; ++pieces) {
        const ssize_t got = ::read(fd, piece.data(), piece.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return;
        output.append(piece.data(), static_cast<std::size_t>(got));
        if (output.size() > most) output.erase(0, output.size() - most);
    }
}

int until(Steady::time_point moment) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(moment - Steady::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

/// Until a child of ours has ended; at once if somebody has reaped it.
void wait_for_end(pid_t pid) {
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) < 0 &&
           errno == EINTR) {
    }
}

}  // namespace

bool HelperEnd::is_success() const {
    return !timed_out && exit.how == CLD_EXITED && exit.status == 0;
}

std::string to_string(const HelperEnd& end) {
    if (end.timed_out) return "did not end in time";
    if (end.exit.how == CLD_EXITED) return fmt::format("exited {}", end.exit.status);
    return fmt::format("was ended by {}", signal_name(end.exit.status));
}

Result<HelperEnd> Helpers::run(const HelperPlan& plan, const std::stop_token& stop) {
    ZONA_TRY(const std::string program, find_program(plan));
    ZONA_TRY(const UniqueFd nothing, open_file("/dev/null", O_RDONLY));
    ZONA_TRY(Pipe output, make_pipe());
    ZONA_TRY_VOID(set_nonblocking(output.read.get()));
    ZONA_TRY(const UniqueFd asked, make_eventfd());
    const SpawnPlan wanted{.executable = program,
                           .arguments = plan.words,
                           .environment = plan.environment,
                           .directory = plan.directory,
                           .stdin_fd = nothing.get(),
                           .stdout_fd = output.write.get(),
                           .stderr_fd = output.write.get(),
                           .ends_with_thread = true};
    std::list<Running>::iterator running;
    {
        const std::lock_guard lock(mutex_);
        running = running_.emplace(running_.end());
    }
    const SpawnOutcome spawned = spawn(wanted, &running->pid);
    output.write.reset();
    const std::stop_callback tell(stop, [&] { notify_eventfd(asked.get()); });
    Result<HelperEnd> end =
        spawned.pid > 0 ? follow(*running, plan, output.read.get(), asked.get()) : HelperEnd();
    {
        const std::lock_guard lock(mutex_);
        running_.erase(running);
    }
    if (!spawned.started()) {
        return Error::from_errno(spawned.error_number, fmt::format("{}: {}", plan.words.front(),
                                                                   to_string(spawned.failed_step)));
    }
    if (end && stop.stop_requested() && !end->is_success())
        return Error(Code::kCancelled, fmt::format("{} was told to end", plan.words.front()));
    return end;
}

Result<HelperEnd> Helpers::follow(Running& running, const HelperPlan& plan, int output, int asked) {
    HelperEnd out;
    auto pidfd = watch(running);
    if (!pidfd) {
        signal(running, SIGKILL);
        wait_for_end(running.pid);
    }
    Steady::time_point next = Steady::now() + plan.time_limit;
    for (bool is_told = false; pidfd && pidfd->valid();) {
        std::array<pollfd, 3> fds = {
            {{pidfd->get(), POLLIN, 0}, {output, POLLIN, 0}, {is_told ? -1 : asked, POLLIN, 0}}};
        if (::poll(fds.data(), fds.size(), until(next)) < 0) continue;  // EINTR
        if (fds[1].revents != 0) take_output(output, out.output, plan.output_bytes);
        if ((fds[1].revents & (POLLIN | POLLHUP)) == POLLHUP) output = -1;  // no writer is left
        if (fds[0].revents != 0) break;
        const bool late = Steady::now() >= next;
        if (!late && fds[2].revents == 0) continue;
        out.timed_out = out.timed_out || (late && !is_told);
        signal(running, is_told ? SIGKILL : SIGTERM);
        next = Steady::now() + kGrace;
        is_told = true;
    }
    const auto exit = collect(running);
    if (!pidfd) return pidfd.take_error();
    if (!exit) return Error(Code::kInternal, "the end of a helper is nowhere to be seen");
    if (output >= 0) take_output(output, out.output, plan.output_bytes);
    out.exit = *exit;
    return out;
}

/// Empty: it has ended. Nobody reaps it meanwhile: the pid is still its own.
Result<UniqueFd> Helpers::watch(const Running& running) {
    const std::lock_guard lock(mutex_);
    if (running.exit) return UniqueFd();
    return open_pidfd(running.pid);
}

void Helpers::signal(const Running& running, int number) {
    const std::lock_guard lock(mutex_);
    // Its group is its session's first one.
    if (!running.exit) (void)send_signal(-running.pid, number);
}

std::optional<ChildExit> Helpers::collect(Running& running) {
    const std::lock_guard lock(mutex_);
    if (!running.exit) keep(running);
    return running.exit;
}

void Helpers::reap(pid_t pid) {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find_if(running_, [&](Running& running) {
        return std::atomic_ref(running.pid).load() == pid && !running.exit;
    });
    if (found == running_.end()) return reap_child(pid);
    keep(*found);
}

/// Under the mutex. As long as it is not reaped, its pid names its group and nobody else's.
void Helpers::keep(Running& running) {
    running.exit = peek_exited_child(running.pid);
    if (!running.exit) return;
    (void)send_signal(-running.pid, SIGKILL);
    reap_child(running.pid);
}

}  // namespace zona::os
