/// @file
/// The daemon's listening sockets in the network: made once, held by the keeper, handed from each
/// daemon to the next, so that clients wait while there is none (references: sd_listen_fds(3) has
/// the same idea).
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "os/fd.h"
#include "os/tcp_socket.h"
#include "process/keeper_link.h"

namespace zona {

/// One thread.
class Listeners {
  public:
    /// Takes over the `inherited` sockets that follow process::kFdFirstListener, and waits for
    /// open() and settle() to say what becomes of them.
    explicit Listeners(int inherited);

    /// Listens on `wanted`, too: by the inherited socket that is bound there, else by a new one.
    /// Returns where it is bound. Errors: those of os::listen_tcp (the address is taken).
    core::Result<std::string> open(const os::TcpAddress& wanted);

    /// After the last open(): closes the inherited sockets that nobody has asked for, and lets the
    /// keeper hold what is listened on now. Errors: those of the keeper.
    core::Result<void> settle(process::KeeperLink& keeper);

    /// The sockets, for what the daemon hands on when it becomes the keeper.
    std::vector<int> descriptors() const;
    /// Another descriptor of each, for the server. Errors from errno.
    core::Result<std::vector<os::UniqueFd>> copies() const;

  private:
    std::vector<os::UniqueFd> inherited_;  ///< those that were not asked for yet; empty: taken
    std::vector<os::UniqueFd> sockets_;    ///< in the order of open()
    bool as_inherited_ = true;             ///< sockets_ are the first inherited ones, in order
};

}  // namespace zona
