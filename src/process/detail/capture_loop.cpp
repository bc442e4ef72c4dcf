#include <algorithm>
#include <chrono>
#include <thread>

#include "os/child.h"
#include "os/thread.h"
#include "process/detail/capture_engine.h"

namespace zona::process::detail {
namespace {

/// A program that does not buffer would wake us for each line, which costs it as much as us. After
/// kBusyRounds rounds that moved little and followed each other at once, bytes are let gather for
/// kPause after each, until a round moves much (a FIFO must not fill up meanwhile) or is not at
/// once. Measured with 100-byte writes: 2.5 times their rate. Floods in large writes only lose by
/// pauses.
constexpr int kBusyRounds = 8;
constexpr std::chrono::microseconds kAtOnce{250};
constexpr std::size_t kMuch = 65536;
constexpr std::chrono::microseconds kPause{500};

}  // namespace

void CaptureEngine::run() {
    os::block_all_signals();
    os::name_this_thread("zona-capture");
    while (!stop_) {
        std::size_t moved = 0;
        for (const std::uint64_t key : epoll_->wait(until_next_due())) {
            if (key == kWakeKey) {
                os::drain_eventfd(wake_fd_.get());
            } else {
                moved += serve(static_cast<StreamKey>(key));
            }
        }
        moved += serve_due();
        moved += serve_posted();
        pace(moved);
    }
}

std::size_t CaptureEngine::serve(StreamKey key) {
    const SlotPointer slot = find(key >> 1U);
    if (!slot) return 0;
    CaptureTurn turn;
    bool followed = false;
    {
        const std::scoped_lock lock(slot->mutex);
        if (!slot->attached) return 0;
        CaptureStream& stream = slot->stream(key);
        turn = stream.turn(Final::kNo, peek_);
        settle(stream, turn);
        followed = turn.bytes > 0 && followers_->followed(slot->number);
    }
    if (followed) followers_->wake(slot->number);
    if (!turn.released.empty()) {
        const std::scoped_lock lock(posted_mutex_);
        posted_.insert(posted_.end(), turn.released.begin(), turn.released.end());
    }
    return turn.bytes;
}

std::size_t CaptureEngine::serve_posted() {
    std::size_t moved = 0;
    // Serving may post again, and no wake-up comes for that.
    for (;;) {
        std::vector<StreamKey> keys;
        {
            const std::scoped_lock lock(posted_mutex_);
            keys.swap(posted_);
        }
        if (keys.empty()) return moved;
        for (const StreamKey key : keys)
            moved += serve(key);
    }
}

std::size_t CaptureEngine::serve_due() {
    if (due_.empty()) return 0;
    const core::SteadyTime now = context_.clock.steady();
    std::vector<StreamKey> keys;
    std::erase_if(due_, [&](const auto& entry) {
        if (entry.second > now) return false;
        keys.push_back(entry.first);
        return true;
    });
    std::size_t moved = 0;
    for (const StreamKey key : keys)
        moved += serve(key);
    return moved;
}

/// Watches the FIFO as the turn asks. With the slot's mutex held, so that the descriptor is ours.
void CaptureEngine::settle(CaptureStream& stream, const CaptureTurn& turn) {
    os::Trigger trigger = os::Trigger::kLevel;
    bool timed = true;
    switch (turn.next) {
        case CaptureTurn::Next::kEmpty:
        case CaptureTurn::Next::kMore:
            timed = false;
            break;
        case CaptureTurn::Next::kPartial:
            trigger = os::Trigger::kEdge;
            break;
        case CaptureTurn::Next::kWaits:
        case CaptureTurn::Next::kBlocked:
            trigger = os::Trigger::kOff;
            break;
        case CaptureTurn::Next::kDrops:
            break;
    }
    if (timed) {
        due_[stream.key()] = turn.due;
    } else {
        due_.erase(stream.key());
    }
    if (trigger == stream.trigger) return;
    stream.trigger = trigger;
    if (auto changed = epoll_->change(stream.fifo(), stream.key(), trigger); !changed) {
        context_.log.report("the watch of a FIFO cannot be changed", changed.error(),
                            {{"slot", stream.key() >> 1U}});
    }
}

std::optional<std::chrono::nanoseconds> CaptureEngine::until_next_due() const {
    if (due_.empty()) return std::nullopt;
    const auto first =
        std::ranges::min_element(due_, {}, [](const auto& entry) { return entry.second; });
    return std::max(std::chrono::nanoseconds(0),
                    std::chrono::nanoseconds(first->second - context_.clock.steady()));
}

void CaptureEngine::pace(std::size_t moved) {
    const core::SteadyTime now = context_.clock.steady();
    const bool little = moved > 0 && moved < kMuch;
    busy_rounds_ = little && now - round_end_ < kAtOnce ? busy_rounds_ + 1 : 0;
    round_end_ = now;
    if (busy_rounds_ < kBusyRounds) return;
    std::this_thread::sleep_for(kPause);
    round_end_ = context_.clock.steady();
}

}  // namespace zona::process::detail
