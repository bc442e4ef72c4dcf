// The messages of PMDaemon's WebSocket that many clients get: each is serialised once, by the first
// session that needs it, and shared by all.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "core/clock.h"
#include "net/shared_text.h"

namespace zona::api::pmdaemon {

/// What a frame is for.
enum class FrameKind : std::uint8_t { kUpdate, kStatus, kEvent, kList, kSystem };

/// Any thread.
class Frames {
  public:
    /// How many of a kind are kept: more than can wait for one client.
    static constexpr std::size_t kMost = 512;

    /// The frame of `kind` for the item of that sequence number, or the tick of that number, which
    /// `make` makes if nobody has yet.
    net::SharedText get(FrameKind kind, std::uint64_t number,
                        const std::function<std::string()>& make) {
        const std::scoped_lock lock(mutex_);
        auto& frames = frames_.at(static_cast<std::size_t>(kind));
        net::SharedText& frame = frames[number];
        if (frame == nullptr) frame = net::share(make());
        net::SharedText out = frame;
        if (frames.size() > kMost) frames.erase(frames.begin());
        return out;
    }

  private:
    std::mutex mutex_;                                                // guards frames_
    std::array<std::map<std::uint64_t, net::SharedText>, 5> frames_;  ///< by FrameKind
};

}  // namespace zona::api::pmdaemon
