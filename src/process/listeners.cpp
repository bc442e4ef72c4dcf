#include "process/listeners.h"

#include <algorithm>

#include <fmt/format.h>

#include "os/listening_socket.h"

namespace zona::process {
namespace {

constexpr int kBacklog = 4096;

std::uint64_t bit(std::size_t position) {
    return std::uint64_t{1} << position;
}

bool fits(const InheritedListener& inherited, const os::TcpAddress& wanted) {
    if (!inherited.socket) return false;
    const auto at = os::local_address(inherited.socket.get());
    if (!at || at->host != wanted.host) return false;
    return wanted.port == 0 ? inherited.origin == ListenerOrigin::kSetting
                            : at->port == wanted.port;
}

}  // namespace

std::vector<InheritedListener> inherited_listeners(int count, std::uint64_t requested) {
    std::vector<InheritedListener> out;
    const int most = std::clamp(count, 0, static_cast<int>(kMostListeners));
    for (int i = 0; i < most; ++i) {
        const bool asked_for = (requested & bit(static_cast<std::size_t>(i))) != 0;
        out.push_back({os::UniqueFd::adopt(kFdFirstListener + i),
                       asked_for ? ListenerOrigin::kRequest : ListenerOrigin::kSetting});
    }
    return out;
}

Listeners::Listeners(std::vector<InheritedListener> inherited)
    : inherited_(std::move(inherited)), unwanted_(bit(inherited_.size()) - 1) {}

core::Result<std::string> Listeners::take(os::UniqueFd fd, ListenerOrigin origin, bool kept) {
    ZONA_TRY(const os::TcpAddress at, os::local_address(fd.get()));
    const std::scoped_lock lock(guard_);
    sockets_.push_back({std::move(fd), at.to_string(), origin, kept});
    return sockets_.back().address;
}

core::Result<std::string> Listeners::open(const os::TcpAddress& wanted) {
    const auto found = std::ranges::find_if(
        inherited_, [&](const InheritedListener& one) { return fits(one, wanted); });
    if (found == inherited_.end()) {
        ZONA_TRY(os::UniqueFd socket, os::listen_tcp(wanted, kBacklog));
        return take(std::move(socket), ListenerOrigin::kSetting, false);
    }
    // What was asked for and is a setting's by now has to end with the setting: the keeper closes
    // its own of those, and gets another one to hold.
    const bool kept = found->origin == ListenerOrigin::kSetting;
    if (kept) unwanted_ &= ~bit(static_cast<std::size_t>(found - inherited_.begin()));
    return take(std::move(found->socket), ListenerOrigin::kSetting, kept);
}

void Listeners::resume(const Judge& may) {
    for (std::size_t i = 0; i < inherited_.size(); ++i) {
        InheritedListener& inherited = inherited_[i];
        if (!inherited.socket || inherited.origin != ListenerOrigin::kRequest) continue;
        const auto at = os::local_address(inherited.socket.get());
        if (!at || !may(*at)) continue;
        if (take(std::move(inherited.socket), ListenerOrigin::kRequest, true)) unwanted_ &= ~bit(i);
    }
}

core::Result<void> Listeners::settle(KeeperLink& keeper) {
    inherited_.clear();
    if (unwanted_ != 0) ZONA_TRY_VOID(keeper.drop_listeners(unwanted_));
    unwanted_ = 0;
    const std::scoped_lock lock(guard_);
    for (Socket& socket : sockets_) {
        if (!socket.kept) ZONA_TRY_VOID(keeper.keep_listener(socket.fd.get(), socket.origin));
        socket.kept = true;
    }
    return {};
}

core::Result<Listeners::Added> Listeners::add(const os::TcpAddress& wanted, KeeperLink& keeper) {
    const std::scoped_lock lock(guard_);
    const std::string name = wanted.to_string();
    if (std::ranges::find(sockets_, name, &Socket::address) != sockets_.end())
        return Added{name, std::nullopt};
    const auto requested = std::ranges::count(sockets_, ListenerOrigin::kRequest, &Socket::origin);
    if (static_cast<std::size_t>(requested) >= kMostRequestedListeners) {
        return core::Error(core::Code::kConflict,
                           fmt::format("zona listens on {} addresses that were asked for while it "
                                       "runs, and on no more; they end with zona (zona kill)",
                                       requested));
    }
    ZONA_TRY(os::UniqueFd socket, os::listen_tcp(wanted, kBacklog));
    ZONA_TRY(const os::TcpAddress bound, os::local_address(socket.get()));
    ZONA_TRY(os::UniqueFd copy, os::duplicate(socket.get()));
    ZONA_TRY_VOID(keeper.keep_listener(socket.get(), ListenerOrigin::kRequest));
    sockets_.push_back({std::move(socket), bound.to_string(), ListenerOrigin::kRequest, true});
    return Added{sockets_.back().address, std::move(copy)};
}

std::vector<Listeners::Held> Listeners::held() const {
    const std::scoped_lock lock(guard_);
    std::vector<Held> out;
    out.reserve(sockets_.size());
    for (const Socket& socket : sockets_)
        out.push_back({socket.fd.get(), socket.origin});
    return out;
}

std::vector<std::string> Listeners::requested() const {
    const std::scoped_lock lock(guard_);
    std::vector<std::string> out;
    for (const Socket& socket : sockets_) {
        if (socket.origin == ListenerOrigin::kRequest) out.push_back(socket.address);
    }
    return out;
}

core::Result<void> Listeners::stop_listening() const {
    const std::scoped_lock lock(guard_);
    for (const Socket& socket : sockets_)
        ZONA_TRY_VOID(os::stop_listening(socket.fd.get()));
    return {};
}

core::Result<std::vector<os::UniqueFd>> Listeners::copies() const {
    const std::scoped_lock lock(guard_);
    std::vector<os::UniqueFd> out;
    for (const Socket& socket : sockets_) {
        ZONA_TRY(os::UniqueFd copy, os::duplicate(socket.fd.get()));
        out.push_back(std::move(copy));
    }
    return out;
}

}  // namespace zona::process
