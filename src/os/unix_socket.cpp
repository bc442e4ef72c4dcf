#include "os/unix_socket.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace zona::os {
namespace {

/// A socket address for a path of any length; `directory` must live as long as the address is used.
struct Address {
    sockaddr_un value{};
    socklen_t length = 0;
    UniqueFd directory;
};

core::Result<Address> address_of(const std::string& path) {
    Address out;
    out.value.sun_family = AF_UNIX;
    std::string name = path;
    if (name.size() >= sizeof out.value.sun_path) {
        const auto slash = path.rfind('/');
        if (slash == std::string::npos) {
            return core::Error(core::Code::kInvalidArgument, "socket name too long: " + path);
        }
        ZONA_TRY(out.directory, open_file(path.substr(0, slash + 1), O_PATH | O_DIRECTORY));
        name = fmt::format("/proc/self/fd/{}/{}", out.directory.get(), path.substr(slash + 1));
    }
    if (name.size() >= sizeof out.value.sun_path) {
        return core::Error(core::Code::kInvalidArgument, "socket name too long: " + path);
    }
    std::memcpy(out.value.sun_path, name.c_str(), name.size() + 1);
    out.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + 1);
    return out;
}

core::Result<UniqueFd> stream_socket() {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return core::Error::from_errno(errno, "socket");
    return UniqueFd::adopt(fd);
}

}  // namespace

core::Result<UniqueFd> listen_unix(const std::string& path, int backlog) {
    ZONA_TRY(Address address, address_of(path));
    ZONA_TRY(UniqueFd fd, stream_socket());
    ZONA_TRY_VOID(remove_file(path));
    ::fchmod(fd.get(), 0600);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address.value), address.length) < 0) {
        return core::Error::from_errno(errno, "bind " + path);
    }
    if (::listen(fd.get(), backlog) < 0) return core::Error::from_errno(errno, "listen on " + path);
    return fd;
}

core::Result<UniqueFd> connect_unix(const std::string& path) {
    ZONA_TRY(Address address, address_of(path));
    ZONA_TRY(UniqueFd fd, stream_socket());
    while (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.value), address.length) <
           0) {
        if (errno == EINTR) continue;
        return core::Error::from_errno(errno, "connect to " + path);
    }
    return fd;
}

core::Result<std::pair<UniqueFd, UniqueFd>> seqpacket_pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return core::Error::from_errno(errno, "socketpair");
    }
    return std::pair(UniqueFd::adopt(ends[0]), UniqueFd::adopt(ends[1]));
}

core::Result<PeerCredentials> peer_credentials(int fd) {
    ucred who{};
    socklen_t size = sizeof who;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0) {
        return core::Error::from_errno(errno, "SO_PEERCRED");
    }
    return PeerCredentials{who.pid, who.uid, who.gid};
}

}  // namespace zona::os
