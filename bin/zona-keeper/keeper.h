/// @file
/// The keeper: parent and reaper of last resort. It starts the daemon again whenever it dies, reaps
/// for good the children that a dead daemon left behind, and holds their FIFOs and the API's
/// listening socket open.
///
/// It has no heap, no C++ library and no business: whatever can fail in an interesting way belongs
/// in the daemon.
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "process/keeper_protocol.h"
#include "process/table_layout.h"

namespace zona::keeper {

/// A listening socket of the network.
struct HeldListener {
    int fd;
    process::ListenerOrigin origin;
};

/// How the keeper was asked to start.
struct Options {
    const char* home = nullptr;    ///< absolute
    const char* daemon = nullptr;  ///< path of zonad
    /// KEY=VALUE each: flags of every daemon that it starts.
    const char* settings[process::kMostSettings] = {};
    unsigned settings_count = 0;
    int ready_fd =
        0;  ///< gets "ok\n" or one line of JSON with the error, then is closed; -1: nobody waits
    bool swapped =
        false;  ///< this process was the daemon: its descriptors and children are already ours
    int old_fds_end = 0;  ///< swapped: the highest descriptor of the daemon; ours go above it
    /// Swapped: the listening sockets of the network, by the daemon's numbers.
    HeldListener listeners[process::kMostListeners] = {};
    unsigned listeners_count = 0;
};

/// Everything the keeper knows. One per process, in static memory: all its initial values are zero,
/// so that the array of FIFOs costs no page that is not used.
struct Keeper {
    Options options;
    process::TableHeader* table = nullptr;
    process::Slot* slots = nullptr;
    int lock_fd = 0;
    int listen_fd = 0;
    HeldListener listeners[process::kMostListeners] = {};  ///< for the next daemon
    unsigned listeners_count = 0;
    int events_fd = 0;
    int signal_fd = 0;
    int daemon_fd = 0;  ///< our end of the socket pair
    pid_t daemon = 0;
    int daemon_status_how = 0;
    int daemon_status = 0;
    bool daemon_gone = false;
    bool daemon_ready = false;  ///< this daemon has said kReady
    bool ever_ready = false;    ///< some daemon has
    bool stopping = false;
    unsigned failures = 0;  ///< daemons in a row that died before they were ready
    /// Held FIFOs, as fd + 1 so that untouched pages stay unmapped: [slot][out, err, in].
    int held[process::kTableSlots][3] = {};
};

/// Takes the home, the lock, the table and the socket. Null or the message of the failure; `code`
/// is its name.
const char* open_home(Keeper& keeper, const char** code);
/// Runs until the daemon has ended in order. The exit status of the program.
int run(Keeper& keeper);

/// What came with a message of the daemon.
struct Attachment {
    const char* text = nullptr;
    unsigned text_size = 0;
    int fd = -1;  ///< -1: none. Whoever is given the attachment owns it.
};

/// One message of the daemon. Exposed for the fuzz target.
void handle_message(Keeper& keeper, const process::KeeperMessage& message,
                    const Attachment& attached);
/// Records and consumes every zombie.
void reap(Keeper& keeper);
/// Opens the FIFOs of a slot. 0 or an errno; on failure nothing more is held than before.
int hold(Keeper& keeper, uint32_t slot, uint32_t streams);
void drop(Keeper& keeper, uint32_t slot);

/// Moves a new descriptor above those that a swapped daemon left. Returns its new number or -1.
int place_fd(const Keeper& keeper, int fd);

void log_line(const char* format, ...) __attribute__((format(printf, 1, 2)));

}  // namespace zona::keeper
