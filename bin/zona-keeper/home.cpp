#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "keeper.h"

namespace zona::keeper {

using process::Slot;
using process::SlotState;
using process::TableVerdict;

namespace {

char g_message[1024];  // the one failure that a start can have

const char* failure(const char** code, const char* name, const char* what) {
    *code = name;
    snprintf(g_message, sizeof g_message, "%s: %s", what, strerror(errno));
    return g_message;
}

const char* name_of_errno(int number) {
    switch (number) {
        case EACCES:
        case EPERM:
        case EROFS:
            return "FORBIDDEN";
        case ENOSPC:
        case EDQUOT:
        case EMFILE:
        case ENFILE:
            return "RESOURCE_EXHAUSTED";
        case ENOTDIR:
        case ENAMETOOLONG:
        case ELOOP:
            return "INVALID_ARGUMENT";
        default:
            return "INTERNAL";
    }
}

const char* failure_of_errno(const char** code, const char* what) {
    return failure(code, name_of_errno(errno), what);
}

bool make_directory(const char* path, mode_t mode) {
    return mkdir(path, mode) == 0 || errno == EEXIST;
}

/// Parents of the home with 0755, as mkdir -p.
bool make_parents(const char* home) {
    char path[4096];
    if (snprintf(path, sizeof path, "%s", home) >= static_cast<int>(sizeof path)) {
        errno = ENAMETOOLONG;
        return false;
    }
    for (char* slash = strchr(path + 1, '/'); slash != nullptr; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (!make_directory(path, 0755)) return false;
        *slash = '/';
    }
    return true;
}

const char* enter_home(Keeper& keeper, const char** code) {
    const char* home = keeper.options.home;
    if (!make_parents(home) || !make_directory(home, 0700)) {
        return failure_of_errno(code, "cannot make the home directory");
    }
    struct stat s;
    if (stat(home, &s) < 0 || chdir(home) < 0) {
        return failure_of_errno(code, "cannot enter the home directory");
    }
    if (s.st_uid != geteuid()) {
        *code = "FORBIDDEN";
        snprintf(
            g_message, sizeof g_message,
            "the home directory belongs to user %u and this is user %u: run zona as its owner, "
            "or choose another home with --home",
            s.st_uid, geteuid());
        return g_message;
    }
    chmod(".", 0700);
    const char* const names[] = {"run", "run/fifo", "state", "logs", "events"};
    for (const char* name : names) {
        if (!make_directory(name, 0700)) return failure_of_errno(code, name);
    }
    const int log = open("logs/keeper.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) return failure_of_errno(code, "logs/keeper.log");
    dup2(log, 2);
    close(log);
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, 0);
    dup2(null, 1);
    close(null);
    return nullptr;
}

const char* take_lock(Keeper& keeper, const char** code) {
    if (keeper.options.swapped) {
        keeper.lock_fd = process::kFdLock;
        return nullptr;
    }
    keeper.lock_fd = open("lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (keeper.lock_fd < 0) return failure_of_errno(code, "lock");
    if (flock(keeper.lock_fd, LOCK_EX | LOCK_NB) < 0) {
        *code = "CONFLICT";
        snprintf(g_message, sizeof g_message, "zona already runs on this home");
        return g_message;
    }
    return nullptr;
}

bool read_boot_id(char (&boot_id)[40]) {
    memset(boot_id, 0, sizeof boot_id);
    const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    const ssize_t n = read(fd, boot_id, 36);
    close(fd);
    return n == 36;
}

const char* map_table(Keeper& keeper, const char** code) {
    const int fd = open("run/table", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return failure_of_errno(code, "run/table");
    struct stat s;
    char boot_id[40];
    if (fstat(fd, &s) < 0 || !read_boot_id(boot_id)) return failure_of_errno(code, "run/table");
    // Allocated, not sparse: a store into a hole of a full disk would be a SIGBUS later.
    const int rc = posix_fallocate(fd, 0, static_cast<off_t>(process::kTableBytes));
    if (rc != 0) {
        errno = rc;
        return failure_of_errno(code, "run/table");
    }
    void* memory = mmap(nullptr, process::kTableBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (memory == MAP_FAILED) return failure_of_errno(code, "map run/table");
    keeper.table = static_cast<process::TableHeader*>(memory);
    keeper.slots = reinterpret_cast<Slot*>(static_cast<char*>(memory) + sizeof *keeper.table);
    const uint64_t size = static_cast<uint64_t>(s.st_size);
    switch (process::judge_table(memory, size, boot_id)) {
        case TableVerdict::kGood:
            return nullptr;
        case TableVerdict::kNewerVersion:
            *code = "CONFLICT";
            snprintf(g_message, sizeof g_message,
                     "run/table was made by a newer zona and its processes may run: use that "
                     "version, or stop them with its `zona kill`");
            return g_message;
        case TableVerdict::kForeign:
            // Nothing in it can be trusted. Kept aside, so that a person can look.
            rename("run/table", "run/table.damaged");
            munmap(memory, process::kTableBytes);
            log_line(
                "run/table is damaged; kept as run/table.damaged, its processes are unknown now");
            return map_table(keeper, code);
        case TableVerdict::kEmpty:
            break;
    }
    const uint32_t used =
        size >= sizeof *keeper.table && keeper.table->used.load() <= process::kTableSlots
            ? keeper.table->used.load()
            : process::kTableSlots;
    if (size >= process::kTableBytes) memset(keeper.slots, 0, used * sizeof(Slot));
    memset(keeper.table, 0, sizeof *keeper.table);
    keeper.table->version = process::kTableVersion;
    keeper.table->slot_size = sizeof(Slot);
    keeper.table->slot_count = process::kTableSlots;
    memcpy(keeper.table->boot_id, boot_id, sizeof boot_id);
    memcpy(keeper.table->magic, process::kTableMagic, sizeof keeper.table->magic);
    return nullptr;
}

const char* listen_api(Keeper& keeper, const char** code) {
    if (keeper.options.swapped) {
        keeper.listen_fd = process::kFdListen;
        for (unsigned i = 0; i < keeper.options.listeners_count; ++i) {
            HeldListener listener = keeper.options.listeners[i];
            listener.fd = place_fd(keeper, listener.fd);
            if (listener.fd >= 0) keeper.listeners[keeper.listeners_count++] = listener;
        }
        return nullptr;
    }
    // Relative to the home, which we are in: no path is too long for sockaddr_un.
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    strcpy(address.sun_path, "api.sock");
    unlink("api.sock");
    keeper.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const mode_t before = umask(0177);
    const bool ok =
        keeper.listen_fd >= 0 &&
        bind(keeper.listen_fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
        listen(keeper.listen_fd, 4096) == 0;
    umask(before);
    return ok ? nullptr : failure_of_errno(code, "api.sock");
}

/// FIFOs of processes that live from an earlier keeper's time.
void hold_known_slots(Keeper& keeper) {
    const uint32_t used = keeper.table->used.load();
    for (uint32_t i = 0; i < used; ++i) {
        keeper.slots[i].held_by.store(0);  // of a keeper that had our pid
        if (keeper.slots[i].state() == SlotState::kFree) continue;
        const int error = hold(keeper, i, keeper.slots[i].streams);
        if (error != 0) log_line("FIFOs of slot %u: %s", i, strerror(error));
    }
}

void raise_fd_limit() {
    rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
    const rlim_t wanted = process::kTableSlots * 3 + 64;
    if (limit.rlim_max < wanted) {
        const rlimit higher = {wanted, wanted};
        if (setrlimit(RLIMIT_NOFILE, &higher) == 0) return;
    }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

const char* open_home(Keeper& keeper, const char** code) {
    if (const char* failed = enter_home(keeper, code)) return failed;
    if (const char* failed = take_lock(keeper, code)) return failed;
    raise_fd_limit();
    if (const char* failed = map_table(keeper, code)) return failed;
    if (const char* failed = listen_api(keeper, code)) return failed;
    keeper.events_fd = place_fd(keeper, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (keeper.events_fd < 0) return failure_of_errno(code, "eventfd");
    hold_known_slots(keeper);
    return nullptr;
}

}  // namespace zona::keeper
