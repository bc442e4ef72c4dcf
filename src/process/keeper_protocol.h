/// @file
/// What daemon and keeper say to each other, and the descriptors that a daemon inherits.
///
/// A SOCK_SEQPACKET pair carries one KeeperMessage a packet, in the byte order of the host. The
/// queue outlives its sender: what a dead daemon had sent is still carried out before its successor
/// starts. Only kFailed is followed by text, only kKeepListener carries a descriptor (SCM_RIGHTS).
/// The keeper never speaks unasked.
#pragma once

#include <stdint.h>

namespace zona::process {

/// Descriptors of a daemon that a keeper has started; the same numbers in a keeper that a daemon
/// becomes.
enum InheritedFd : int {
    kFdKeeper = 3,  ///< the socket pair's end
    kFdListen =
        4,  ///< api.sock, listening; the keeper holds it too, so clients wait instead of failing
    kFdEvents = 5,  ///< eventfd: the keeper has recorded the exit of an adopted child
    kFdLock = 6,    ///< the home's lock, one open file description for both
    /// The network's listening sockets, one behind the other: zonad's `--listeners N` tells how
    /// many, and bit I of `--requested-listeners BITS` that the Ith is ListenerOrigin::kRequest. In
    /// a keeper that a daemon becomes they have any numbers, told by `--listener FD` and
    /// `--requested-listener FD`.
    kFdFirstListener = 7,
};

/// Listening sockets of the network that a keeper holds.
inline constexpr unsigned kMostListeners = 32;
/// Those of them that were asked for at run time; the rest is for settings (api.listen,
/// api.pmdaemon_listen).
inline constexpr unsigned kMostRequestedListeners = kMostListeners - 2;

/// Why zona listens on a socket, which says when that ends. The keeper remembers it: by its address
/// alone one that was asked for is no different from one of a setting that has been taken away.
enum class ListenerOrigin : uint32_t {
    kSetting = 0,  ///< a setting of the daemon names the address: closed once none does
    kRequest = 1,  ///< somebody asked for it at run time: closed when zona ends
};

/// What a message says; the comments begin with who says it.
enum class KeeperVerb : uint32_t {
    kHold = 1,  ///< daemon: open and hold the FIFOs `argument` (SlotStreams) of `slot`; answered by
                ///< kHeld
    kDrop = 2,  ///< daemon: close what is held for `slot`
    kReady = 3,   ///< daemon: recovery is done, requests are answered
    kFailed = 4,  ///< daemon: cannot start; the rest of the packet is a JSON error for the user
    kHeld = 5,    ///< keeper: `slot` done; `argument` is 0 or an errno
    kKeepListener = 6,   ///< daemon: hold this listening socket, of the ListenerOrigin `argument`,
                         ///< for my successors, behind those that are held already
    kDropListeners = 7,  ///< daemon: close those whose bit in `argument` is set: bit I for the Ith
                         ///< that is held; the others move up
};

/// One packet; what a verb does not use is 0.
struct KeeperMessage {
    KeeperVerb verb;
    uint32_t slot;
    uint64_t argument;
};
static_assert(sizeof(KeeperMessage) == 16, "one fixed packet");

/// `--set KEY=VALUE` that a keeper takes and hands on to its daemons.
inline constexpr unsigned kMostSettings = 64;

inline constexpr unsigned kMostFailureText = 4096;  ///< bytes of text after kFailed

}  // namespace zona::process
