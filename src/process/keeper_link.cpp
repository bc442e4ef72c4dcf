#include "process/keeper_link.h"

#include <array>
#include <cstring>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "os/packet.h"

namespace zona::process {
namespace {
constexpr std::chrono::milliseconds kAnswerWait(2000);
}

core::Result<void> KeeperLink::send(KeeperVerb verb, std::uint32_t slot, std::uint64_t argument,
                                    std::string_view text) {
    const KeeperMessage message = {verb, slot, argument};
    std::vector<std::byte> packet(sizeof message + text.size());
    std::memcpy(packet.data(), &message, sizeof message);
    if (!text.empty()) std::memcpy(packet.data() + sizeof message, text.data(), text.size());
    return os::send_packet(fd_, packet);
}

core::Result<void> KeeperLink::hold(std::uint32_t slot, std::uint32_t streams) {
    ZONA_TRY_VOID(send(KeeperVerb::kHold, slot, streams));
    for (;;) {
        KeeperMessage answer;
        ZONA_TRY(
            const auto size,
            os::receive_packet(fd_, std::as_writable_bytes(std::span<KeeperMessage, 1>(&answer, 1)),
                               kAnswerWait));
        if (!size) return core::Error(core::Code::kTimeout, "the keeper does not answer");
        if (*size == 0) return core::Error(core::Code::kUnavailable, "the keeper is gone");
        if (*size != sizeof answer || answer.verb != KeeperVerb::kHeld) continue;
        if (answer.slot != slot) continue;  // a late answer to a request that timed out
        if (answer.argument == 0) return {};
        return core::Error::from_errno(
            static_cast<int>(answer.argument),
            fmt::format("the keeper cannot hold the streams of slot {}", slot));
    }
}

void KeeperLink::drop(std::uint32_t slot) {
    if (auto sent = send(KeeperVerb::kDrop, slot, 0); !sent) return;
}

core::Result<void> KeeperLink::ready() {
    return send(KeeperVerb::kReady, 0, 0);
}

void KeeperLink::failed(std::string_view json) {
    if (auto sent = send(KeeperVerb::kFailed, 0, 0, json.substr(0, kMostFailureText)); !sent)
        return;
}

}  // namespace zona::process
