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
    /// open() or close() to say what becomes of them.
    explicit Listeners(int inherited);

    /// Listens on `wanted`: by the inherited sockets if they are bound there, else by new ones,
    /// which the keeper gets, too. Errors: those of os::listen_tcp (the address is taken), and of
    /// the keeper; then nothing listens.
    core::Result<void> open(const os::TcpAddress& wanted, process::KeeperLink& keeper);

    /// Listens nowhere; the keeper neither.
    core::Result<void> close(process::KeeperLink& keeper);

    /// The sockets, for what the daemon hands on when it becomes the keeper.
    std::vector<int> descriptors() const;
    /// Another descriptor of each, for the server. Errors from errno.
    core::Result<std::vector<os::UniqueFd>> copies() const;
    /// Where they are bound, as "127.0.0.1:8063"; empty if nowhere.
    const std::string& address() const { return address_; }

  private:
    std::vector<os::UniqueFd> sockets_;
    std::string address_;
};

}  // namespace zona
