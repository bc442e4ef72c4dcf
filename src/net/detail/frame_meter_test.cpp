#include "net/detail/frame_meter.h"

#include <string>

#include <gtest/gtest.h>

namespace zona::net::detail {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using Excess = FrameMeter::Excess;

constexpr char kFinal = '\x80';
constexpr char kMasked = '\x80';

/// A frame as a client sends it.
std::string frame(int opcode, std::size_t size, bool final_frame = true) {
    std::string out(1, static_cast<char>(opcode | (final_frame ? kFinal : 0)));
    if (size < 126) {
        out += static_cast<char>(static_cast<char>(size) | kMasked);
    } else if (size < 65536) {
        out += static_cast<char>('\x7e' | kMasked);
        out += static_cast<char>(size >> 8U);
        out += static_cast<char>(size & 0xffU);
    } else {
        out += static_cast<char>('\x7f' | kMasked);
        for (unsigned shift = 64; shift > 0; shift -= 8)
            out += static_cast<char>(size >> (shift - 8U));
    }
    // Bytes that look like frames of the kinds that are counted.
    return out + "mask" + std::string(size, '\x89');
}

Excess take(FrameMeter& meter, const std::string& bytes, std::size_t piece,
            core::SteadyTime now = core::SteadyTime(1s)) {
    Excess out = Excess::kNone;
    for (std::size_t at = 0; at < bytes.size(); at += piece)
        out = meter.take(std::string_view(bytes).substr(at, piece), now);
    return out;
}

TEST(FrameMeter, CountsFragmentsOfOneMessageInAnyPieces) {
    for (const std::size_t piece : {1U, 2U, 7U, 100'000U}) {
        FrameMeter meter({.fragments = 3, .control_frames = 1, .control_time = 1s});
        const std::string message =
            frame(1, 70'000, false) + frame(0, 200, false) + frame(0, 3, true);

        EXPECT_EQ(take(meter, message + message, piece), Excess::kNone) << piece;
        EXPECT_EQ(take(meter, frame(2, 0, false) + frame(0, 0, false) + frame(0, 0, false), piece),
                  Excess::kNone);
        EXPECT_EQ(take(meter, frame(0, 0, false), piece), Excess::kFragments);
        EXPECT_EQ(take(meter, frame(1, 1), piece), Excess::kFragments) << "it stays so";
    }
}

TEST(FrameMeter, CountsControlFramesInATime) {
    FrameMeter meter({.fragments = 2, .control_frames = 2, .control_time = 10s});
    const std::string ping = frame(9, 5);
    EXPECT_EQ(take(meter, ping + ping, 3, core::SteadyTime(1s)), Excess::kNone);
    EXPECT_EQ(take(meter, ping + ping, 3, core::SteadyTime(12s)), Excess::kNone);
    EXPECT_EQ(take(meter, ping, 3, core::SteadyTime(22s)), Excess::kControlFrames);
}

TEST(FrameMeter, ControlFramesBetweenFragmentsAreNoFragments) {
    FrameMeter meter({.fragments = 2, .control_frames = 9, .control_time = 1s});
    const std::string message = frame(1, 1, false) + frame(9, 0) + frame(10, 4) + frame(0, 1);
    EXPECT_EQ(take(meter, message + message, 1), Excess::kNone);
}

TEST(FrameMeter, TakesTheLargestLengths) {
    FrameMeter meter({.fragments = 1, .control_frames = 1, .control_time = 1s});
    const std::string head = "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xffmask"s;
    EXPECT_EQ(take(meter, head + std::string(1000, '\x89'), 10), Excess::kNone);
}

}  // namespace
}  // namespace zona::net::detail
