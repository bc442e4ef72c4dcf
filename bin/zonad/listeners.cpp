#include "listeners.h"

#include <algorithm>

#include "process/keeper_protocol.h"

namespace zona {
namespace {

constexpr int kBacklog = 4096;

bool is_bound_to(const os::UniqueFd& socket, const os::TcpAddress& wanted) {
    const auto at = os::local_address(socket.get());
    return at && at->host == wanted.host && (wanted.port == 0 || at->port == wanted.port);
}

}  // namespace

Listeners::Listeners(int inherited) {
    for (int i = 0; i < inherited; ++i)
        sockets_.push_back(os::UniqueFd::adopt(process::kFdFirstListener + i));
}

core::Result<void> Listeners::open(const os::TcpAddress& wanted, process::KeeperLink& keeper) {
    const auto fits = [&](const os::UniqueFd& socket) { return is_bound_to(socket, wanted); };
    if (sockets_.empty() || !std::ranges::all_of(sockets_, fits)) {
        ZONA_TRY_VOID(close(keeper));
        ZONA_TRY(os::UniqueFd socket, os::listen_tcp(wanted, kBacklog));
        ZONA_TRY_VOID(keeper.keep_listener(socket.get()));
        sockets_.push_back(std::move(socket));
    }
    ZONA_TRY(const os::TcpAddress at, os::local_address(sockets_.front().get()));
    address_ = at.to_string();
    return {};
}

core::Result<void> Listeners::close(process::KeeperLink& keeper) {
    address_.clear();
    if (sockets_.empty()) return {};
    sockets_.clear();
    return keeper.drop_listeners();
}

std::vector<int> Listeners::descriptors() const {
    std::vector<int> out;
    for (const os::UniqueFd& socket : sockets_)
        out.push_back(socket.get());
    return out;
}

core::Result<std::vector<os::UniqueFd>> Listeners::copies() const {
    std::vector<os::UniqueFd> out;
    for (const os::UniqueFd& socket : sockets_) {
        ZONA_TRY(os::UniqueFd copy, os::duplicate(socket.get()));
        out.push_back(std::move(copy));
    }
    return out;
}

}  // namespace zona
