/// @file
/// The daemon's listening sockets in the network: made once, held by the keeper, handed from each
/// daemon to the next, so that clients wait while there is none (references: sd_listen_fds(3) has
/// the same idea).
///
/// Those of settings are matched with the settings of each daemon: what no setting names any more
/// is closed. Those that were asked for at run time (ListenerOrigin) go on without being named,
/// until zona ends or the rules of a later daemon forbid them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "os/fd.h"
#include "os/tcp_socket.h"
#include "process/keeper_link.h"
#include "process/keeper_protocol.h"

namespace zona::process {

/// A listening socket that a keeper has handed over.
struct InheritedListener {
    os::UniqueFd socket;
    ListenerOrigin origin = ListenerOrigin::kSetting;
};

/// What a daemon inherits from its keeper: from kFdFirstListener on, `count` descriptors, at most
/// kMostListeners; bit N of `requested`: the Nth is ListenerOrigin::kRequest.
std::vector<InheritedListener> inherited_listeners(int count, std::uint64_t requested);

/// At the start, on one thread and in this order: open() for each setting, resume(), settle(). From
/// then on add() and everything that only reads, from any thread.
class Listeners {
  public:
    /// A socket to hand on; the descriptor stays this object's.
    struct Held {
        int fd = -1;
        ListenerOrigin origin = ListenerOrigin::kSetting;
    };
    /// Another address that is listened on.
    struct Added {
        std::string address;
        std::optional<os::UniqueFd> socket;  ///< to be served; none: that address is served already
    };
    /// Whether an address may be listened on; the error says why not.
    using Judge = std::function<core::Result<void>(const os::TcpAddress&)>;

    /// Takes over what was inherited, in the keeper's order; open(), resume() and settle() say what
    /// becomes of it.
    explicit Listeners(std::vector<InheritedListener> inherited);
    Listeners(const Listeners&) = delete;
    Listeners& operator=(const Listeners&) = delete;

    /// Listens where a setting says, too: by the inherited socket that is bound there, else by a
    /// new one; port 0 takes an inherited one of a setting, never one that was asked for. Returns
    /// where it is bound. Errors: those of os::listen_tcp (the address is taken).
    core::Result<std::string> open(const os::TcpAddress& wanted);

    /// Goes on listening on what was asked for from earlier daemons and is no setting's by now, as
    /// far as `may` allows it: the rules are those of this daemon.
    void resume(const Judge& may);

    /// Closes the inherited sockets that nobody has taken, here and in the keeper, and lets it hold
    /// what is new. Whatever goes on is held all the time: a kill in between loses none of it.
    /// Errors: kUnavailable, the keeper is gone.
    core::Result<void> settle(KeeperLink& keeper);

    /// Listens on one more address until zona ends; port 0 takes a free one. The keeper holds the
    /// socket before this returns; without it nothing has changed. Errors: those of os::listen_tcp;
    /// kConflict when kMostRequestedListeners are there; kUnavailable, the keeper is gone.
    core::Result<Added> add(const os::TcpAddress& wanted, KeeperLink& keeper);

    /// The sockets, for what the daemon hands on when it becomes the keeper.
    std::vector<Held> held() const;
    /// Where somebody asked to listen at run time, the oldest first.
    std::vector<std::string> requested() const;
    /// None listens any more, whoever holds it: for the end of zona. Errors from errno.
    core::Result<void> stop_listening() const;
    /// Another descriptor of each, for the server. Errors from errno.
    core::Result<std::vector<os::UniqueFd>> copies() const;

  private:
    struct Socket {
        os::UniqueFd fd;
        std::string address;
        ListenerOrigin origin;
        bool kept;  ///< the keeper holds it as what it is
    };
    core::Result<std::string> take(os::UniqueFd fd, ListenerOrigin origin, bool kept);

    std::vector<InheritedListener> inherited_;  ///< those that are not taken; an empty one was
    std::uint64_t unwanted_;                    ///< bit N: the keeper is to close the Nth
    mutable std::mutex guard_;
    std::vector<Socket> sockets_;  ///< guarded by guard_
};

}  // namespace zona::process
