#include "net/detail/frame_meter.h"

#include <algorithm>

namespace zona::net::detail {
namespace {

constexpr std::size_t kShortHeader = 2;
constexpr std::size_t kMask = 4;

/// Bytes behind the short header that tell the length, by its 7 bits there.
std::size_t length_bytes(unsigned length) {
    if (length == 127) return 8;
    return length == 126 ? 2 : 0;
}

}  // namespace

/// Known from its second byte on. Source: RFC 6455 section 5.2.
std::size_t FrameMeter::header_size() const {
    if (have_ < kShortHeader) return kShortHeader;
    const unsigned length = header_[1] & 0x7fU;
    return kShortHeader + length_bytes(length) + ((header_[1] & 0x80U) != 0 ? kMask : 0);
}

FrameMeter::Excess FrameMeter::take(std::string_view bytes, core::SteadyTime now) {
    while (!bytes.empty() && excess_ == Excess::kNone) {
        if (payload_ > 0) {
            const std::uint64_t part = std::min<std::uint64_t>(payload_, bytes.size());
            payload_ -= part;
            bytes.remove_prefix(part);
            continue;
        }
        header_.at(have_++) = static_cast<unsigned char>(bytes.front());
        bytes.remove_prefix(1);
        if (have_ >= kShortHeader && have_ == header_size()) take_header(now);
    }
    return excess_;
}

void FrameMeter::take_header(core::SteadyTime now) {
    const unsigned length = header_[1] & 0x7fU;
    const std::size_t more = length_bytes(length);
    payload_ = more == 0 ? length : 0;
    for (std::size_t i = 0; i < more; ++i)
        payload_ = payload_ << 8U | header_.at(kShortHeader + i);
    have_ = 0;

    const bool final_frame = (header_[0] & 0x80U) != 0;
    const unsigned opcode = header_[0] & 0x0fU;
    if (opcode >= 8) {
        if (controls_ == 0 || now - controls_since_ > limits_.control_time) {
            controls_since_ = now;
            controls_ = 0;
        }
        if (++controls_ > limits_.control_frames) excess_ = Excess::kControlFrames;
        return;
    }
    if (++fragments_ > limits_.fragments) excess_ = Excess::kFragments;
    if (final_frame) fragments_ = 0;
}

}  // namespace zona::net::detail
