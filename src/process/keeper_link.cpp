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
/// Few enough that neither socket buffer fills while the other side writes.
constexpr std::size_t kMostUnanswered = 64;
}  // namespace

core::Result<void> KeeperLink::send(KeeperVerb verb, std::uint32_t slot, std::uint64_t argument,
                                    std::string_view text) {
    const KeeperMessage message = {verb, slot, argument};
    std::vector<std::byte> packet(sizeof message + text.size());
    std::memcpy(packet.data(), &message, sizeof message);
    if (!text.empty()) std::memcpy(packet.data() + sizeof message, text.data(), text.size());
    return os::send_packet(fd_, packet);
}

std::vector<core::Result<void>> KeeperLink::hold(std::span<const HeldStreams> wanted) {
    std::vector<core::Result<void>> results;
    results.reserve(wanted.size());
    std::size_t sent = 0;
    core::Result<void> broken;  // nothing comes after the first failure to send or receive
    while (results.size() < wanted.size()) {
        for (; broken && sent < wanted.size() && sent - results.size() < kMostUnanswered; ++sent)
            broken = send(KeeperVerb::kHold, wanted[sent].slot, wanted[sent].streams);
        const std::uint32_t slot = wanted[results.size()].slot;
        core::Result<KeeperMessage> answer = broken ? receive_held() : broken.error();
        // A late answer to a request that timed out.
        while (answer && answer->slot != slot)
            answer = receive_held();
        if (!answer) {
            broken = answer.error();
            results.emplace_back(answer.take_error());
        } else if (answer->argument == 0) {
            results.emplace_back();
        } else {
            results.emplace_back(core::Error::from_errno(
                static_cast<int>(answer->argument),
                fmt::format("the keeper cannot hold the streams of slot {}", slot)));
        }
    }
    return results;
}

core::Result<KeeperMessage> KeeperLink::receive_held() {
    for (;;) {
        KeeperMessage answer;
        ZONA_TRY(
            const auto size,
            os::receive_packet(fd_, std::as_writable_bytes(std::span<KeeperMessage, 1>(&answer, 1)),
                               kAnswerWait));
        if (!size) return core::Error(core::Code::kTimeout, "the keeper does not answer");
        if (*size == 0) return core::Error(core::Code::kUnavailable, "the keeper is gone");
        if (*size == sizeof answer && answer.verb == KeeperVerb::kHeld) return answer;
    }
}

void KeeperLink::drop(std::uint32_t slot) {
    if (auto sent = send(KeeperVerb::kDrop, slot, 0); !sent) return;
}

core::Result<void> KeeperLink::keep_listener(int fd, ListenerOrigin origin) {
    const KeeperMessage message = {KeeperVerb::kKeepListener, 0,
                                   static_cast<std::uint64_t>(origin)};
    return os::send_packet(fd_, std::as_bytes(std::span(&message, 1)), fd);
}

core::Result<void> KeeperLink::drop_listeners(std::uint64_t which) {
    return send(KeeperVerb::kDropListeners, 0, which);
}

core::Result<void> KeeperLink::ready() {
    return send(KeeperVerb::kReady, 0, 0);
}

void KeeperLink::failed(std::string_view json) {
    if (auto sent = send(KeeperVerb::kFailed, 0, 0, json.substr(0, kMostFailureText)); !sent)
        return;
}

}  // namespace zona::process
