/// @file
/// The daemon's side of the line to its keeper.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "process/keeper_protocol.h"

namespace zona::process {

/// The FIFOs of one slot.
struct HeldStreams {
    std::uint32_t slot = 0;
    std::uint32_t streams = 0;  ///< SlotStreams
};

/// Sends KeeperMessages over the inherited socket. Supervision thread only, but for
/// keep_listener(). The descriptor is borrowed.
class KeeperLink {
  public:
    /// `fd` stays the caller's and open as long as this.
    explicit KeeperLink(int fd) : fd_(fd) {}

    int fd() const { return fd_; }
    /// Has the keeper hold the FIFOs of these slots, and waits until it does (at most 2 s for
    /// each): a child whose output nobody else holds must not be started. One result for each, in
    /// their order. Errors: kUnavailable (the keeper is gone), kTimeout, or the errno that the
    /// keeper met.
    std::vector<core::Result<void>> hold(std::span<const HeldStreams> wanted);
    /// Has the keeper close them. A dead keeper holds nothing, so there is no failure to report.
    void drop(std::uint32_t slot);
    /// Has the keeper hold a copy of this listening socket for the daemons after this one; it
    /// inherits to them in the order of these calls. Any thread. Errors: kUnavailable (the keeper
    /// is gone).
    core::Result<void> keep_listener(int fd, ListenerOrigin origin);
    /// Has the keeper close some of these: bit I of `which` for the Ith, at most 64. Errors: as
    /// above.
    core::Result<void> drop_listeners(std::uint64_t which);
    /// Tells that requests are answered now; the starter of zona goes on.
    core::Result<void> ready();
    /// Tells why this daemon cannot start: one line of JSON for the user.
    void failed(std::string_view json);

  private:
    core::Result<KeeperMessage> receive_held();
    core::Result<void> send(KeeperVerb verb, std::uint32_t slot, std::uint64_t argument,
                            std::string_view text = {});
    int fd_;
};

}  // namespace zona::process
