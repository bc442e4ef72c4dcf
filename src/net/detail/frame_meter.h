/// @file
/// FrameMeter: counts the frames in a client's bytes as they pass, for limits that the WebSocket
/// library does not have: frames of one message, and control frames in a time.
///
/// It only counts. What is malformed is refused by the library that reads the same bytes; what the
/// meter makes of bytes after that does not matter.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/clock.h"

namespace zona::net::detail {

class FrameMeter {
  public:
    enum class Excess : std::uint8_t { kNone, kFragments, kControlFrames };

    struct Limits {
        std::size_t fragments = 0;
        std::size_t control_frames = 0;  ///< within control_time
        std::chrono::milliseconds control_time{0};
    };

    explicit FrameMeter(const Limits& limits) : limits_(limits) {}

    /// Counts what begins in `bytes`, the next ones of the client. Once a limit is exceeded, that
    /// is all it says.
    Excess take(std::string_view bytes, core::SteadyTime now);

  private:
    void take_header(core::SteadyTime now);
    std::size_t header_size() const;

    Limits limits_;
    Excess excess_ = Excess::kNone;
    std::array<unsigned char, 14> header_{};
    std::size_t have_ = 0;  ///< of the header
    std::uint64_t payload_ = 0;
    std::size_t fragments_ = 0;
    std::size_t controls_ = 0;
    core::SteadyTime controls_since_{};
};

}  // namespace zona::net::detail
