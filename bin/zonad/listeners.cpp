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
        inherited_.push_back(os::UniqueFd::adopt(process::kFdFirstListener + i));
}

core::Result<std::string> Listeners::open(const os::TcpAddress& wanted) {
    const auto fits = [&](const os::UniqueFd& socket) {
        return socket.get() >= 0 && is_bound_to(socket, wanted);
    };
    const auto found = std::ranges::find_if(inherited_, fits);
    const auto index = static_cast<std::size_t>(found - inherited_.begin());
    as_inherited_ = as_inherited_ && found != inherited_.end() && index == sockets_.size();
    if (found != inherited_.end()) {
        sockets_.push_back(std::move(*found));
    } else {
        ZONA_TRY(os::UniqueFd socket, os::listen_tcp(wanted, kBacklog));
        sockets_.push_back(std::move(socket));
    }
    ZONA_TRY(const os::TcpAddress at, os::local_address(sockets_.back().get()));
    return at.to_string();
}

core::Result<void> Listeners::settle(process::KeeperLink& keeper) {
    const bool keeper_has_them = as_inherited_ && inherited_.size() == sockets_.size();
    const bool keeper_has_some = !inherited_.empty();
    inherited_.clear();
    if (keeper_has_them) return {};
    if (keeper_has_some) ZONA_TRY_VOID(keeper.drop_listeners());
    for (const os::UniqueFd& socket : sockets_)
        ZONA_TRY_VOID(keeper.keep_listener(socket.get()));
    return {};
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
