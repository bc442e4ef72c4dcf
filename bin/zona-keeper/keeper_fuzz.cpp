// Any bytes as the messages of a daemon: each request to hold is answered once, nothing else is,
// and no descriptor is left behind. Built against the C library of the host: the keeper's own has
// no sanitizers.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper.h"

namespace {

using namespace zona;

void require(bool holds) {
    if (!holds) abort();
}

void make(int result) {
    require(result == 0 || errno == EEXIST);
}

/// A home below the present directory, with one FIFO for each kind of stream and a file where a
/// FIFO should be; one of an earlier run is as good.
void enter_home() {
    make(mkdir("keeper-fuzz-home", 0700));
    require(chdir("keeper-fuzz-home") == 0);
    make(mkdir("run", 0700));
    make(mkdir("run/fifo", 0700));
    make(mkfifo("run/fifo/0.out", 0600));
    make(mkfifo("run/fifo/0.err", 0600));
    make(mkfifo("run/fifo/0.in", 0600));
    require(close(open("run/fifo/1.out", O_WRONLY | O_CREAT, 0600)) == 0);
}

int next_descriptor() {
    const int fd = open("/dev/null", O_RDONLY);
    close(fd);
    return fd;
}

/// A descriptor for some messages: a listening socket, something else, or none.
int attached_to(const process::KeeperMessage& message) {
    switch (message.argument & 3U) {
        case 0: {
            const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
            const sockaddr any = {.sa_family = AF_UNIX, .sa_data = {}};
            require(bind(fd, &any, sizeof any.sa_family) == 0 && listen(fd, 1) == 0);
            return fd;
        }
        case 1:
            return open("/dev/null", O_RDONLY);
        default:
            return -1;
    }
}

/// How many listening sockets are held after `message`, if it drops some.
unsigned left_of(const keeper::Keeper& keeper, const process::KeeperMessage& message) {
    unsigned left = 0;
    for (unsigned i = 0; i < keeper.listeners_count; ++i)
        left += (message.argument >> i & 1U) == 0 ? 1 : 0;
    return left;
}

/// What became of the messages, for keeper::Keeper::daemon_fd's other end.
unsigned answers(int fd, uint32_t slot) {
    process::KeeperMessage answer;
    unsigned count = 0;
    while (recv(fd, &answer, sizeof answer, MSG_DONTWAIT) == sizeof answer) {
        require(answer.verb == process::KeeperVerb::kHeld && answer.slot == slot);
        ++count;
    }
    return count;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    enter_home();
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static keeper::Keeper keeper;
    static process::TableHeader table;
    keeper.table = &table;
    const int before = next_descriptor();
    int ends[2];
    require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    keeper.daemon_fd = ends[0];
    while (size >= sizeof(process::KeeperMessage)) {
        process::KeeperMessage message;
        memcpy(&message, data, sizeof message);
        data += sizeof message;
        size -= sizeof message;
        // Small numbers, so that more than the unknown is met.
        message.verb = static_cast<process::KeeperVerb>(static_cast<uint32_t>(message.verb) & 7U);
        if ((message.slot & 1U) != 0) message.slot = message.slot >> 1U & 3U;
        const unsigned text = size < process::kMostFailureText ? static_cast<unsigned>(size)
                                                               : process::kMostFailureText;
        keeper.options.ready_fd = message.slot == 2 ? open("/dev/null", O_WRONLY) : -1;
        const unsigned listeners = left_of(keeper, message);
        handle_message(keeper, message,
                       {reinterpret_cast<const char*>(data), text, attached_to(message)});
        if (message.verb == process::KeeperVerb::kDropListeners)
            require(keeper.listeners_count == listeners);
        if (keeper.options.ready_fd >= 0) close(keeper.options.ready_fd);
        const bool hold = message.verb == process::KeeperVerb::kHold;
        require(answers(ends[1], message.slot) == (hold ? 1U : 0U));
    }
    const process::KeeperMessage none = {process::KeeperVerb::kDrop, 0, 0};
    for (uint32_t slot = 0; slot < 4; ++slot) {
        process::KeeperMessage drop = none;
        drop.slot = slot;
        handle_message(keeper, drop, {});
    }
    require(keeper.listeners_count <= process::kMostListeners);
    handle_message(keeper, {process::KeeperVerb::kDropListeners, 0, ~uint64_t{0}}, {});
    require(keeper.listeners_count == 0);
    close(ends[0]);
    close(ends[1]);
    require(next_descriptor() == before);
    return 0;
}
