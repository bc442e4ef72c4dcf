#include "process/detail/capture_stream.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <mutex>
#include <system_error>

#include <fmt/format.h>

#include "os/splice.h"

namespace zona::process::detail {

using Next = CaptureTurn::Next;

/// What must go in before a file that failed counts as writable: a disk that is nearly full takes a
/// little now and then, and each time another wait would stop the process again.
constexpr std::size_t kProof = 1U << 20U;

CaptureStream::CaptureStream(CaptureContext& context, StreamKey key, os::UniqueFd fifo,
                             std::shared_ptr<CaptureSink> sink)
    : context_(context), key_(key), fifo_(std::move(fifo)), sink_(std::move(sink)) {}

CaptureStream::~CaptureStream() {
    context_.grown.fetch_sub(grown_);
}

CaptureTurn CaptureStream::turn(Final final, CapturePeek& peek) {
    CaptureTurn turn;
    if (state_ == State::kDropping) {
        if (context_.clock.steady() < next_try_ || !write_note()) {
            drop(turn);
            return turn;
        }
        state_ = State::kRecovering;
    }
    const Step step = move(final, peek, turn);
    turn.bytes = step.bytes;
    if (step.bytes > 0) bytes_.fetch_add(step.bytes, std::memory_order_relaxed);
    if (step.error_number != 0) {
        fail(step.error_number, turn);
        return turn;
    }
    proven_ += step.bytes;
    turn.next = step.end.value_or(Next::kMore);
    turn.due = step.due;
    if (state_ != State::kFlowing && (turn.next == Next::kEmpty || proven_ >= kProof)) {
        works_again();
    }
    return turn;
}

CaptureStream::Step CaptureStream::move(Final final, CapturePeek& peek, CaptureTurn& turn) {
    if (os::bytes_in_pipe(fifo_.get()) == 0) {
        partial_since_.reset();
        return {.end = Next::kEmpty};
    }
    const std::scoped_lock lock(sink_->mutex());
    const core::SteadyTime now = context_.clock.steady();
    if (const auto until = sink_->wait_for_turn(key_, now)) {
        return {.end = Next::kWaits, .due = *until};
    }
    if (capacity_ == 0) capacity_ = os::pipe_capacity(fifo_.get());
    return sink_->whole_lines() ? move_lines(final, peek, turn) : move_raw(peek, turn);
}

CaptureStream::Step CaptureStream::move_raw(CapturePeek& peek, CaptureTurn& turn) {
    const os::Transfer moved = sink_->take(fifo_.get(), kTurnBytes, key_, peek);
    if (moved.error_number == EAGAIN) return {.end = Next::kEmpty};
    if (moved.error_number != 0) return {.error_number = moved.error_number};
    turn.released = sink_->close_line();
    if (moved.bytes >= capacity_ / 2) grow();
    return {.bytes = moved.bytes};
}

CaptureStream::Step CaptureStream::move_lines(Final final, CapturePeek& peek, CaptureTurn& turn) {
    const CapturePeek::View view = peek.look(fifo_.get(), kMostPipe);
    if (view.error_number != 0) return {.error_number = view.error_number};
    if (view.bytes == 0) return {.end = Next::kEmpty};
    if (view.lines == 0) return move_part_of_line(view.bytes, final, peek);
    partial_since_.reset();
    if (view.bytes >= capacity_ / 2) grow();
    const Step step = write_exactly(view.lines, peek);
    if (step.error_number == 0) {
        std::vector<StreamKey> released = sink_->close_line();
        turn.released.insert(turn.released.end(), released.begin(), released.end());
    }
    return step;
}

/// `bytes` without a newline are all that can be seen.
CaptureStream::Step CaptureStream::move_part_of_line(std::size_t bytes, Final final,
                                                     CapturePeek& peek) {
    const core::SteadyTime now = context_.clock.steady();
    const auto wait = context_.options.partial_line_wait;
    if (!partial_since_) partial_since_ = now;
    // Longer than the FIFO, or than what can be looked at.
    if (os::pipe_is_full(fifo_.get()) || os::bytes_in_pipe(fifo_.get()) > bytes) {
        const std::size_t before = capacity_;
        grow();
        if (capacity_ > before) return {.end = Next::kPartial, .due = *partial_since_ + wait};
        const Step step = write_exactly(bytes, peek);
        sink_->leave_line_open(key_, now + wait);
        return step;
    }
    if (final == Final::kNo && now < *partial_since_ + wait) {
        return {.end = Next::kPartial, .due = *partial_since_ + wait};
    }
    partial_since_.reset();
    const Step step = write_exactly(bytes, peek);
    // It had its time: nobody waits for the rest.
    sink_->leave_line_open(key_, now);
    return step;
}

CaptureStream::Step CaptureStream::write_exactly(std::size_t bytes, CapturePeek& peek) {
    Step step;
    while (step.bytes < bytes) {
        const os::Transfer moved = sink_->take(fifo_.get(), bytes - step.bytes, key_, peek);
        step.bytes += moved.bytes;
        if (moved.error_number != 0) {
            step.error_number = moved.error_number;
            if (step.bytes > 0) {
                sink_->leave_line_open(
                    key_, context_.clock.steady() + context_.options.partial_line_wait);
            }
            break;
        }
    }
    return step;
}

void CaptureStream::grow() {
    if (capacity_ >= kMostPipe) return;
    const std::size_t wanted = std::min(capacity_ * 4, kMostPipe);
    const auto more = static_cast<std::int64_t>(wanted - capacity_);
    if (context_.grown.fetch_add(more) + more > kMostGrown) {
        context_.grown.fetch_sub(more);
        return;
    }
    const std::size_t granted = os::grow_pipe(fifo_.get(), wanted);
    if (granted < wanted) {
        context_.grown.fetch_sub(more);
    } else {
        grown_ += more;
    }
    capacity_ = granted;
}

void CaptureStream::fail(int error_number, CaptureTurn& turn) {
    const core::SteadyTime now = context_.clock.steady();
    reason_ = error_number;
    proven_ = 0;
    if (state_ == State::kFlowing) {
        state_ = State::kBlocked;
        failing_since_ = now;
        context_.log.error("a log file cannot be written; its output waits, then is dropped",
                           {{"file", sink_->path()},
                            {"slot", key_ >> 1U},
                            {"reason", std::generic_category().message(error_number)},
                            {"wait_ms", std::chrono::duration_cast<std::chrono::milliseconds>(
                                            context_.options.disk_full_wait)}});
    }
    if (state_ == State::kBlocked && now - failing_since_ < context_.options.disk_full_wait) {
        turn.next = Next::kBlocked;
        turn.due = now + context_.options.retry;
        return;
    }
    state_ = State::kDropping;
    drop(turn);
}

void CaptureStream::drop(CaptureTurn& turn) {
    std::size_t gone = 0;
    while (gone < kTurnBytes) {
        const os::Transfer moved =
            os::splice_to_device(fifo_.get(), context_.null_device.get(), kTurnBytes - gone);
        if (moved.error_number != 0) break;
        gone += moved.bytes;
    }
    lost_ += gone;
    lost_episode_ += gone;
    dropped_.fetch_add(gone, std::memory_order_relaxed);
    context_.dropped.fetch_add(gone, std::memory_order_relaxed);
    partial_since_.reset();
    const core::SteadyTime now = context_.clock.steady();
    if (next_try_ <= now) next_try_ = now + context_.options.retry;
    turn.next = Next::kDrops;
    turn.due = next_try_;
}

/// Whether the note about what was lost is in the file, whole.
bool CaptureStream::write_note() {
    const std::scoped_lock lock(sink_->mutex());
    while (lost_ > 0 || !note_rest_.empty()) {
        std::string text = note_rest_;
        if (text.empty()) {
            std::string reason = std::generic_category().message(reason_);
            reason[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(reason[0])));
            text = fmt::format("{}[zona] {} bytes of output were lost here: {}\n",
                               sink_->at_line_start() ? "" : "\n", lost_, reason);
        }
        const os::Transfer written = sink_->append(text);
        if (written.bytes == 0) return false;
        if (note_rest_.empty()) lost_ = 0;
        note_rest_ = text.substr(written.bytes);
    }
    return true;
}

void CaptureStream::works_again() {
    state_ = State::kFlowing;
    context_.log.info(
        "a log file can be written again",
        {{"file", sink_->path()}, {"slot", key_ >> 1U}, {"lost_bytes", lost_episode_}});
    lost_episode_ = 0;
}

}  // namespace zona::process::detail
