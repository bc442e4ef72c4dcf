#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace zona::keeper {

using process::KeeperMessage;
using process::KeeperVerb;
using process::ListenerOrigin;
using process::Slot;
using process::SlotState;

namespace {

constexpr const char* kStreamNames[3] = {"out", "err", "in"};

int64_t realtime_ns() {
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

bool awaits_exit(const Slot& slot) {
    const SlotState state = slot.state();
    return state == SlotState::kIntent || state == SlotState::kRunning;
}

void record_exit(Keeper& keeper, const siginfo_t& info, const long* usage) {
    const uint32_t used = keeper.table->used.load();
    for (uint32_t i = 0; i < used; ++i) {
        Slot& slot = keeper.slots[i];
        if (!awaits_exit(slot) || slot.pid.load() != info.si_pid) continue;
        slot.exited_ns = realtime_ns();
        slot.exit_how = info.si_code;
        slot.exit_status = info.si_status;
        slot.user_us = int64_t{usage[0]} * 1000000 + usage[1];
        slot.system_us = int64_t{usage[2]} * 1000000 + usage[3];
        slot.max_rss_kb = usage[4];
        slot.word.store(Slot::make_word(slot.incarnation(), SlotState::kExited));
        const uint64_t one = 1;
        if (write(keeper.events_fd, &one, sizeof one) < 0 && errno != EAGAIN) {
            log_line("eventfd: %s", strerror(errno));
        }
        return;
    }
}

/// Returns only if it fails.
void exec_daemon(const Keeper& keeper) {
    const Options& options = keeper.options;
    unsigned long long requested = 0;
    for (unsigned i = 0; i < keeper.listeners_count; ++i) {
        if (keeper.listeners[i].origin == ListenerOrigin::kRequest) requested |= 1ULL << i;
    }
    char listeners_text[12];
    snprintf(listeners_text, sizeof listeners_text, "%u", keeper.listeners_count);
    char requested_text[24];
    snprintf(requested_text, sizeof requested_text, "%llu", requested);
    const char* argv[2 * process::kMostSettings + 8] = {"zonad",        "--home",
                                                        options.home,   "--listeners",
                                                        listeners_text, "--requested-listeners",
                                                        requested_text};
    unsigned count = 7;
    for (unsigned i = 0; i < options.settings_count; ++i) {
        argv[count++] = "--set";
        argv[count++] = options.settings[i];
    }
    argv[count] = nullptr;
    execv(options.daemon, const_cast<char* const*>(argv));
}

void start_daemon(Keeper& keeper) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        log_line("socketpair: %s", strerror(errno));
        keeper.daemon_gone = true;
        return;
    }
    const pid_t pid = fork();
    if (pid == 0) {
        int wanted[4 + process::kMostListeners] = {ends[1], keeper.listen_fd, keeper.events_fd,
                                                   keeper.lock_fd};
        int count = 4;
        for (unsigned i = 0; i < keeper.listeners_count; ++i)
            wanted[count++] = keeper.listeners[i].fd;
        int copies[4 + process::kMostListeners];
        // Copies above the target range first, so that no dup2 overwrites a source.
        for (int i = 0; i < count; ++i)
            copies[i] = fcntl(wanted[i], F_DUPFD, 100);
        for (int i = 0; i < count; ++i)
            dup2(copies[i], process::kFdKeeper + i);
        syscall(SYS_close_range, static_cast<unsigned>(process::kFdKeeper + count), ~0U, 0U);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, nullptr);
        signal(SIGPIPE, SIG_DFL);
        exec_daemon(keeper);
        KeeperMessage failed = {KeeperVerb::kFailed, 0, static_cast<uint64_t>(errno)};
        send(process::kFdKeeper, &failed, sizeof failed, MSG_NOSIGNAL);
        _exit(127);
    }
    close(ends[1]);
    if (pid < 0) {
        log_line("fork: %s", strerror(errno));
        close(ends[0]);
        keeper.daemon_gone = true;
        return;
    }
    keeper.daemon = pid;
    keeper.daemon_fd = ends[0];
    keeper.daemon_gone = false;
    keeper.daemon_ready = false;
    keeper.table->daemon_pid.store(pid);
    keeper.table->daemons.store(keeper.table->daemons.load() + 1);
}

/// The descriptor that a packet carried, or -1. There is room for one; the kernel closes others.
int attached_fd(msghdr& header) {
    const cmsghdr* control = CMSG_FIRSTHDR(&header);
    if (control == nullptr || control->cmsg_level != SOL_SOCKET ||
        control->cmsg_type != SCM_RIGHTS || control->cmsg_len != CMSG_LEN(sizeof(int)))
        return -1;
    int fd;
    memcpy(&fd, CMSG_DATA(control), sizeof fd);
    return fd;
}

/// Carries out what the daemon has sent; false at the end of the stream.
bool read_messages(Keeper& keeper) {
    char packet[sizeof(KeeperMessage) + process::kMostFailureText];
    for (;;) {
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
        iovec bytes = {packet, sizeof packet};
        msghdr header = {};
        header.msg_iov = &bytes;
        header.msg_iovlen = 1;
        header.msg_control = control;
        header.msg_controllen = sizeof control;
        const ssize_t n = recvmsg(keeper.daemon_fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno == EAGAIN;
        if (n == 0) return false;
        Attachment attached = {packet + sizeof(KeeperMessage), 0, attached_fd(header)};
        if (n < static_cast<ssize_t>(sizeof(KeeperMessage))) {
            if (attached.fd >= 0) close(attached.fd);
            continue;
        }
        attached.text_size = static_cast<unsigned>(n) - sizeof(KeeperMessage);
        KeeperMessage message;
        memcpy(&message, packet, sizeof message);
        handle_message(keeper, message, attached);
    }
}

/// Takes `fd` over; whatever is no listening socket, or is too many, is closed.
void keep_listener(Keeper& keeper, int fd, ListenerOrigin origin) {
    int listens = 0;
    socklen_t size = sizeof listens;
    const bool good =
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0;
    if (good && keeper.listeners_count < process::kMostListeners) {
        keeper.listeners[keeper.listeners_count++] = {fd, origin};
        return;
    }
    log_line("a listening socket is not kept: %s", good ? "there are too many" : "it is none");
    if (fd >= 0) close(fd);
}

void drop_listeners(Keeper& keeper, uint64_t which) {
    unsigned left = 0;
    for (unsigned i = 0; i < keeper.listeners_count; ++i) {
        const HeldListener listener = keeper.listeners[i];
        if ((which >> i & 1U) != 0)
            close(listener.fd);
        else
            keeper.listeners[left++] = listener;
    }
    keeper.listeners_count = left;
}

void tell_starter(Keeper& keeper, const char* line, size_t size) {
    if (keeper.options.ready_fd < 0) return;
    if (write(keeper.options.ready_fd, line, size) < 0) {
        log_line("the command that started zona has gone: %s", strerror(errno));
    }
    close(keeper.options.ready_fd);
    keeper.options.ready_fd = -1;
}

/// Milliseconds to wait before the next daemon: none after a working one, then 100, 200, ... 5000.
int restart_delay_ms(unsigned failures) {
    if (failures == 0) return 0;
    const unsigned doubled = failures > 6 ? 5000 : 50U << failures;
    return static_cast<int>(doubled > 5000 ? 5000 : doubled);
}

/// Whether a child may have ended.
bool take_signals(Keeper& keeper) {
    bool child_ended = false;
    signalfd_siginfo info;
    while (read(keeper.signal_fd, &info, sizeof info) == sizeof info) {
        const int number = static_cast<int>(info.ssi_signo);
        if (number == SIGCHLD) child_ended = true;
        if (number == SIGTERM || number == SIGINT) {
            keeper.stopping = true;
            if (keeper.daemon > 0 && !keeper.daemon_gone) kill(keeper.daemon, SIGTERM);
        }
    }
    return child_ended;
}

/// The dead daemon's last words and its end; true when the keeper's work is over.
bool daemon_ended(Keeper& keeper) {
    read_messages(keeper);
    close(keeper.daemon_fd);
    keeper.daemon_fd = -1;
    keeper.table->daemon_pid.store(0);
    const bool in_order = keeper.daemon_status_how == CLD_EXITED && keeper.daemon_status == 0;
    log_line("daemon %d %s %d%s", keeper.daemon,
             keeper.daemon_status_how == CLD_EXITED ? "exited" : "was killed by signal",
             keeper.daemon_status, in_order ? "" : "; starting its successor");
    // Everything is stopped; a daemon that dies on its last steps is not needed again.
    const bool all_stopped = keeper.table->stopping.load() == process::kStopDone;
    if (in_order || keeper.stopping || all_stopped) return true;
    keeper.failures = keeper.daemon_ready ? 0 : keeper.failures + 1;
    if (!keeper.ever_ready && keeper.failures >= (keeper.options.swapped ? ~0U : 1U)) return true;
    return false;
}

void wait_for_events(Keeper& keeper, int timeout_ms) {
    pollfd fds[2] = {{keeper.signal_fd, POLLIN, 0}, {keeper.daemon_fd, POLLIN, 0}};
    const nfds_t count = keeper.daemon_fd >= 0 ? 2 : 1;
    if (poll(fds, count, timeout_ms) < 0 && errno != EINTR) log_line("poll: %s", strerror(errno));
    // Only after a signal: it walks all children, and a takeover brings a message for each of them.
    if ((fds[0].revents & POLLIN) != 0 && take_signals(keeper)) reap(keeper);
    const bool hung_up = count == 2 && fds[1].revents != 0 && !read_messages(keeper);
    if (hung_up && !keeper.daemon_gone) {
        // The stream ended before the zombie was there; SIGCHLD follows. Do not spin on the
        // hang-up.
        pollfd chld = {keeper.signal_fd, POLLIN, 0};
        poll(&chld, 1, 100);
        reap(keeper);
    }
}

}  // namespace

void log_line(const char* format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char stamp[32];
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    tm utc;
    gmtime_r(&now.tv_sec, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    dprintf(
        2,
        "{\"time\":\"%s.%03ldZ\",\"level\":\"info\",\"category\":\"keeper\",\"message\":\"%s\"}\n",
        stamp, now.tv_nsec / 1000000, text);
}

void reap(Keeper& keeper) {
    for (;;) {
        siginfo_t info;
        memset(&info, 0, sizeof info);
        long usage[32] = {};
        const long rc = syscall(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT, usage);
        if (rc < 0 && errno == EINTR) continue;
        if (rc < 0 || info.si_pid == 0) return;
        if (info.si_pid == keeper.daemon) {
            keeper.daemon_gone = true;
            keeper.daemon_status_how = info.si_code;
            keeper.daemon_status = info.si_status;
        } else {
            record_exit(keeper, info, usage);
        }
        waitid(P_PID, static_cast<id_t>(info.si_pid), &info, WEXITED | WNOHANG);
    }
}

int place_fd(const Keeper& keeper, int fd) {
    if (fd < 0 || !keeper.options.swapped) return fd;
    const int placed = fcntl(fd, F_DUPFD_CLOEXEC, keeper.options.old_fds_end + 1);
    const int error = errno;
    close(fd);
    errno = error;
    return placed;
}

int hold(Keeper& keeper, uint32_t slot, uint32_t streams) {
    for (int i = 0; i < 3; ++i) {
        if ((streams & 1U << i) == 0 || keeper.held[slot][i] != 0) continue;
        char path[64];
        snprintf(path, sizeof path, "run/fifo/%u.%s", slot, kStreamNames[i]);
        const int fd = place_fd(keeper, open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW));
        if (fd < 0) return errno;
        struct stat s;
        if (fstat(fd, &s) < 0 || !S_ISFIFO(s.st_mode)) {
            close(fd);
            return ENXIO;
        }
        keeper.held[slot][i] = fd + 1;
    }
    return 0;
}

void drop(Keeper& keeper, uint32_t slot) {
    for (int& held : keeper.held[slot]) {
        if (held == 0) continue;
        close(held - 1);
        held = 0;
    }
}

void handle_message(Keeper& keeper, const KeeperMessage& message, const Attachment& attached) {
    if (message.verb == KeeperVerb::kKeepListener) {
        return keep_listener(keeper, attached.fd, static_cast<ListenerOrigin>(message.argument));
    }
    if (attached.fd >= 0) close(attached.fd);
    switch (message.verb) {
        case KeeperVerb::kHold: {
            KeeperMessage answer = {KeeperVerb::kHeld, message.slot, 0};
            answer.argument =
                message.slot >= process::kTableSlots
                    ? EINVAL
                    : static_cast<uint64_t>(
                          hold(keeper, message.slot, static_cast<uint32_t>(message.argument & 7U)));
            // A dead daemon reads no answer, and its successor asks again.
            send(keeper.daemon_fd, &answer, sizeof answer, MSG_NOSIGNAL | MSG_DONTWAIT);
            return;
        }
        case KeeperVerb::kDrop:
            if (message.slot < process::kTableSlots) drop(keeper, message.slot);
            return;
        case KeeperVerb::kReady:
            keeper.daemon_ready = true;
            keeper.ever_ready = true;
            keeper.failures = 0;
            tell_starter(keeper, "ok\n", 3);
            return;
        case KeeperVerb::kFailed: {
            if (attached.text_size == 0) {
                char line[256];
                const int n = snprintf(line, sizeof line,
                                       "{\"code\":\"INTERNAL\",\"message\":\"cannot execute zonad: "
                                       "%s\"}\n",
                                       strerror(static_cast<int>(message.argument)));
                log_line("cannot execute zonad: %s", strerror(static_cast<int>(message.argument)));
                tell_starter(keeper, line, static_cast<size_t>(n));
                return;
            }
            tell_starter(keeper, attached.text, attached.text_size);
            return;
        }
        case KeeperVerb::kDropListeners:
            return drop_listeners(keeper, message.argument);
        case KeeperVerb::kHeld:
        case KeeperVerb::kKeepListener:
            break;
    }
    log_line("unknown message %u of the daemon", static_cast<unsigned>(message.verb));
}

int run(Keeper& keeper) {
    sigset_t set;
    sigemptyset(&set);
    const int numbers[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
    for (const int number : numbers)
        sigaddset(&set, number);
    sigprocmask(SIG_SETMASK, &set, nullptr);
    signal(SIGPIPE, SIG_IGN);
    keeper.signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (keeper.signal_fd < 0) {
        log_line("signalfd: %s", strerror(errno));
        return 70;
    }
    keeper.table->keeper_pid.store(getpid());
    if (!keeper.options.swapped) {
        keeper.table->daemons.store(0);
        if (keeper.table->stopping.load() == process::kStopBegun) keeper.table->stopping.store(0);
    }
    const uint32_t used = keeper.table->used.load();
    for (uint32_t i = 0; i < used; ++i)
        keeper.slots[i].of_keeper.store(0);
    reap(keeper);
    start_daemon(keeper);
    for (;;) {
        if (!keeper.daemon_gone) {
            wait_for_events(keeper, -1);
            continue;
        }
        if (daemon_ended(keeper)) break;
        // Adopted children go on dying while we wait: record them at once.
        const int64_t until = realtime_ns() + int64_t{restart_delay_ms(keeper.failures)} * 1000000;
        for (int64_t left = until - realtime_ns(); left > 0 && !keeper.stopping;
             left = until - realtime_ns()) {
            wait_for_events(keeper, static_cast<int>(left / 1000000) + 1);
        }
        if (keeper.stopping) break;
        start_daemon(keeper);
    }
    keeper.table->keeper_pid.store(0);
    unlink("api.sock");
    if (keeper.daemon_status_how == CLD_EXITED) return keeper.daemon_status;
    return keeper.stopping || keeper.table->stopping.load() == process::kStopDone ? 0 : 70;
}

}  // namespace zona::keeper
