/// @file
/// Unix domain sockets: listening, connecting, pairs, peer credentials.
///
/// Paths longer than the 107 bytes of sockaddr_un work: the directory is opened and the socket
/// addressed through /proc/self/fd (unix(7)).
#pragma once

#include <string>

#include <sys/types.h>

#include "core/result.h"
#include "os/fd.h"

namespace zona::os {

/// As the kernel saw them when the peer connected; the pid may be another process by now.
struct PeerCredentials {
    pid_t pid = 0;
    uid_t uid = 0;
    gid_t gid = 0;
};

/// Binds and listens; a socket file that is there is replaced. Mode 0600. Errors from errno, naming
/// the path.
core::Result<UniqueFd> listen_unix(const std::string& path, int backlog);
/// Connects, blocking. kNotFound: no such socket; kUnavailable: nobody listens.
core::Result<UniqueFd> connect_unix(const std::string& path);
/// A connected pair of SOCK_SEQPACKET sockets, both O_CLOEXEC.
core::Result<std::pair<UniqueFd, UniqueFd>> seqpacket_pair();
/// Who connected (SO_PEERCRED): its credentials at connect time.
core::Result<PeerCredentials> peer_credentials(int fd);

}  // namespace zona::os
