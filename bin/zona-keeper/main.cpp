// The keeper's composition root: options, home, then the loop of keeper.cpp.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "keeper.h"

using zona::process::ListenerOrigin;

namespace {

zona::keeper::Keeper g_keeper;  // static: the keeper has no heap
char g_daemon[4096];

/// zonad beside this executable.
bool find_daemon() {
    const ssize_t n = readlink("/proc/self/exe", g_daemon, sizeof g_daemon - 16);
    if (n <= 0) return false;
    g_daemon[n] = 0;
    char* slash = strrchr(g_daemon, '/');
    if (slash == nullptr) return false;
    const size_t room = sizeof g_daemon - static_cast<size_t>(slash + 1 - g_daemon);
    return snprintf(slash + 1, room, "zonad") < static_cast<int>(room);
}

bool has_room(const zona::keeper::Options& options) {
    return options.listeners_count < zona::process::kMostListeners;
}

bool read_options(int argc, char** argv, zona::keeper::Options& options) {
    for (int i = 1; i < argc; ++i) {
        const bool more = i + 1 < argc;
        if (strcmp(argv[i], "--home") == 0 && more) {
            options.home = argv[++i];
        } else if (strcmp(argv[i], "--ready-fd") == 0 && more) {
            options.ready_fd = atoi(argv[++i]);
        } else if (strcmp(argv[i], "--set") == 0 && more &&
                   options.settings_count < zona::process::kMostSettings) {
            options.settings[options.settings_count++] = argv[++i];
        } else if (strcmp(argv[i], "--listener") == 0 && more && has_room(options)) {
            options.listeners[options.listeners_count++] = {atoi(argv[++i]),
                                                            ListenerOrigin::kSetting};
        } else if (strcmp(argv[i], "--requested-listener") == 0 && more && has_room(options)) {
            options.listeners[options.listeners_count++] = {atoi(argv[++i]),
                                                            ListenerOrigin::kRequest};
        } else if (strcmp(argv[i], "--swapped") == 0 && more) {
            options.swapped = true;
            options.old_fds_end = atoi(argv[++i]);
        } else {
            return false;
        }
    }
    return options.home != nullptr && options.home[0] == '/';
}

}  // namespace

int main(int argc, char** argv) {
    zona::keeper::Keeper& keeper = g_keeper;
    keeper.options.ready_fd = -1;
    keeper.daemon_fd = -1;
    if (!read_options(argc, argv, keeper.options) || !find_daemon()) {
        fprintf(stderr,
                "usage: zona-keeper --home /ABSOLUTE/PATH [--set KEY=VALUE]... [--ready-fd N]\n"
                "Started by the command `zona`; it starts and restarts zonad.\n");
        return 2;
    }
    keeper.options.daemon = g_daemon;
    if (keeper.options.ready_fd >= 0) fcntl(keeper.options.ready_fd, F_SETFD, FD_CLOEXEC);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    // The home's log takes the place of standard error; who started us by hand wants to read why it
    // failed.
    const int standard_error = fcntl(2, F_DUPFD_CLOEXEC, 10);
    const char* code = "INTERNAL";
    if (const char* failed = zona::keeper::open_home(keeper, &code)) {
        const int fd = keeper.options.ready_fd >= 0 ? keeper.options.ready_fd : standard_error;
        dprintf(fd, "{\"code\":\"%s\",\"message\":\"%s\",\"hint\":\"home: %s\"}\n", code, failed,
                keeper.options.home);
        return 1;
    }
    close(standard_error);
    if (keeper.options.swapped) {
        // Our own descriptors lie above the daemon's, whose FIFOs are held again by now.
        syscall(SYS_close_range, static_cast<unsigned>(zona::process::kFdFirstListener),
                static_cast<unsigned>(keeper.options.old_fds_end), 0U);
    }
    return zona::keeper::run(keeper);
}
