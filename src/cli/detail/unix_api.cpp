#include "cli/detail/unix_api.h"

#include <cerrno>

namespace zona::cli {

core::Result<std::unique_ptr<net::ClientTransport>> UnixApi::make_way() {
    return net::unix_transport(path_);
}

/// Nobody listens is told apart from a connection that broke: only connect(2) gives these numbers.
core::Error UnixApi::told(core::Error error) const {
    const int number = error.system_error();
    const bool nobody = number == ENOENT || number == ENOTDIR || number == ECONNREFUSED;
    return nobody ? std::move(error).recode(core::Code::kNotFound) : std::move(error);
}

/// A unix socket is reset only if its other end closed, or was never accepted, with bytes of ours
/// unread; and the daemon does nothing before it has read the whole request.
bool UnixApi::may_have_acted(const core::Error& error) const {
    const int number = error.system_error();
    return number != ECONNRESET && number != EPIPE;
}

}  // namespace zona::cli
