/// @file
/// CaptureStream: one FIFO and what happens to its bytes, step by step.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "os/epoll.h"
#include "os/fd.h"
#include "process/detail/capture_context.h"
#include "process/detail/capture_peek.h"
#include "process/detail/capture_sink.h"

namespace zona::process::detail {

/// What a turn of a stream came to, and when it wants the next one.
struct CaptureTurn {
    enum class Next : std::uint8_t {
        kEmpty,    ///< the FIFO is empty
        kMore,     ///< it may not be
        kPartial,  ///< only an unfinished line is left: at new bytes, or at `due`
        kWaits,    ///< another stream is in the middle of a line: at `due`
        kBlocked,  ///< the file cannot be written: at `due`
        kDrops,    ///< nor for long: at new bytes to drop them, at `due` to try writing
    };
    Next next = Next::kEmpty;
    std::size_t bytes = 0;  ///< added to the file
    core::SteadyTime due{};
    std::vector<StreamKey> released;  ///< streams that waited for the end of a line
};

/// Of the failing file, in this order:
///
/// | state | meaning | bytes |
/// |---|---|---|
/// | flowing | the last write worked | to the file |
/// | blocked | it failed less than disk_full_wait ago | stay in the FIFO |
/// | dropping | it has failed for longer | dropped, counted; the note is tried every `retry` |
/// | recovering | the note is written, hardly more since | to the file; a failure drops at once |
///
/// All members need the slot's mutex, but for the counters.
class CaptureStream {
  public:
    CaptureStream(CaptureContext& context, StreamKey key, os::UniqueFd fifo,
                  std::shared_ptr<CaptureSink> sink);

    ~CaptureStream();

    /// One move, of kTurnBytes at most.
    CaptureTurn turn(Final final, CapturePeek& peek);

    int fifo() const { return fifo_.get(); }
    StreamKey key() const { return key_; }
    CaptureSink& sink() const { return *sink_; }
    const std::shared_ptr<CaptureSink>& shared_sink() const { return sink_; }
    std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
    std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

    /// How epoll watches the FIFO at present; kept here for the capture thread.
    os::Trigger trigger = os::Trigger::kLevel;

  private:
    enum class State : std::uint8_t { kFlowing, kBlocked, kDropping, kRecovering };

    /// What a move came to.
    struct Step {
        std::size_t bytes = 0;
        int error_number = 0;
        /// Why the next one waits; none: it need not.
        std::optional<CaptureTurn::Next> end;
        core::SteadyTime due{};
    };

    Step move(Final final, CapturePeek& peek, CaptureTurn& turn);
    Step move_raw(CapturePeek& peek, CaptureTurn& turn);
    Step move_lines(Final final, CapturePeek& peek, CaptureTurn& turn);
    Step move_part_of_line(std::size_t bytes, Final final, CapturePeek& peek);
    Step write_exactly(std::size_t bytes, CapturePeek& peek);
    void fail(int error_number, CaptureTurn& turn);
    void drop(CaptureTurn& turn);
    bool write_note();
    void works_again();
    void grow();

    CaptureContext& context_;
    const StreamKey key_;
    os::UniqueFd fifo_;
    // Second owners: the other streams that write to the file.
    std::shared_ptr<CaptureSink> sink_;
    std::size_t capacity_ = 0;  ///< of the FIFO; 0: not asked yet
    std::int64_t grown_ = 0;    ///< our part of CaptureContext::grown
    State state_ = State::kFlowing;
    core::SteadyTime failing_since_{};
    core::SteadyTime next_try_{};
    std::optional<core::SteadyTime> partial_since_;
    std::size_t proven_ = 0;          ///< bytes written since the last failure
    std::uint64_t lost_ = 0;          ///< since the last note
    std::uint64_t lost_episode_ = 0;  ///< since writing last worked
    int reason_ = 0;                  ///< errno of the episode
    std::string note_rest_;           ///< of a note that went in partly
    std::atomic<std::uint64_t> bytes_ = 0;
    std::atomic<std::uint64_t> dropped_ = 0;
};

}  // namespace zona::process::detail
