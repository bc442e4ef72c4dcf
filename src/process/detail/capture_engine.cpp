#include "process/detail/capture_engine.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "core/fault.h"
#include "os/splice.h"
#include "process/table_layout.h"

namespace zona::process::detail {
namespace {

using core::Code;
using core::Error;
using core::Result;

/// A survivor of a process tree that never stops writing must not hold drain() for ever.
constexpr std::size_t kMostDrained = 64UL << 20U;

}  // namespace

CaptureEngine::~CaptureEngine() {
    stop_ = true;
    if (wake_fd_) os::notify_eventfd(wake_fd_.get());
    if (thread_.joinable()) thread_.join();
}

Result<void> CaptureEngine::start() {
    ZONA_TRY(const auto directory, os::stat_path(context_.options.fifo_directory));
    if (!directory) {
        return Error(Code::kNotFound, fmt::format("there is no directory {} for the FIFOs",
                                                  context_.options.fifo_directory));
    }
    ZONA_TRY(fifo_directory_, os::open_file(context_.options.fifo_directory, O_PATH | O_DIRECTORY));
    ZONA_TRY_VOID(os::make_directories(context_.options.index_directory, 0700));
    ZONA_TRY(context_.null_device, os::open_file("/dev/null", O_WRONLY));
    ZONA_TRY(wake_fd_, os::make_eventfd());
    ZONA_TRY(os::Epoll epoll, os::Epoll::open());
    epoll_ = std::make_unique<os::Epoll>(std::move(epoll));
    ZONA_TRY_VOID(epoll_->add(wake_fd_.get(), kWakeKey, os::Trigger::kLevel));
    try {
        thread_ = std::thread([this] { run(); });
    } catch (const std::system_error& error) {
        return Error::from_errno(error.code().value(), "start the capture thread");
    }
    return {};
}

Error CaptureEngine::not_attached(std::uint32_t slot) {
    return Error(Code::kNotFound, fmt::format("the output of slot {} is not captured", slot));
}

CaptureEngine::SlotPointer CaptureEngine::find(std::uint32_t slot) const {
    const std::scoped_lock lock(registry_mutex_);
    return slot < slots_.size() ? slots_[slot] : nullptr;
}

Result<os::UniqueFd> CaptureEngine::open_fifo_end(std::uint32_t slot, std::string_view stream,
                                                  int flags) const {
    auto opened =
        os::open_at(fifo_directory_, fmt::format("{}.{}", slot, stream), flags | O_NOFOLLOW);
    if (!opened) return std::move(opened.take_error().context(context_.options.fifo_directory));
    return opened;
}

Result<os::UniqueFd> CaptureEngine::open_fifo(std::uint32_t slot, std::string_view stream,
                                              const Owner& owner) const {
    constexpr int kFlags = O_RDWR | O_NONBLOCK;
    auto opened = open_fifo_end(slot, stream, kFlags);  // a predecessor's, nearly always
    if (!opened) {
        ZONA_TRY_VOID(os::make_fifo(fifo_path(slot, stream)));
        opened = open_fifo_end(slot, stream, kFlags);
        if (!opened) return opened.take_error();
    }
    os::UniqueFd fifo = std::move(*opened);
    ZONA_TRY(const os::FileStat stat, os::stat_fd(fifo.get()));
    if (!S_ISFIFO(stat.mode)) {
        return Error(Code::kConflict, fmt::format("{} is not a FIFO", fifo_path(slot, stream)));
    }
    if (stat.uid != owner.uid) {
        if (auto changed = os::change_owner(fifo.get(), owner.uid, owner.gid); !changed) {
            return std::move(changed.take_error().context(fifo_path(slot, stream)));
        }
    }
    return fifo;
}

Result<std::shared_ptr<CaptureSink>> CaptureEngine::open_sink(std::string path) {
    auto sink = std::make_shared<CaptureSink>(context_, std::move(path));
    CaptureSink::Identity identity;
    {
        const std::scoped_lock lock(sink->mutex());
        ZONA_TRY(identity, sink->create());
    }
    if (sink->discards()) return sink;
    const std::scoped_lock lock(registry_mutex_);
    std::weak_ptr<CaptureSink>& named = sinks_by_path_[sink->path()];
    if (auto known = named.lock()) return known;
    // Another name of the same file: a link.
    std::weak_ptr<CaptureSink>& same_file = sinks_by_identity_[identity];
    if (auto known = same_file.lock()) {
        const std::scoped_lock sink_lock(known->mutex());
        if (known->may_be(identity)) sink = std::move(known);
    }
    named = sink;
    same_file = sink;
    return sink;
}

/// Forgets the names of sinks that nobody uses any more.
void CaptureEngine::tidy_sinks() {
    const std::scoped_lock lock(registry_mutex_);
    if (sinks_by_path_.size() + sinks_by_identity_.size() < tidy_at_) return;
    std::erase_if(sinks_by_path_, [](const auto& entry) { return entry.second.expired(); });
    std::erase_if(sinks_by_identity_, [](const auto& entry) { return entry.second.expired(); });
    tidy_at_ = 2 * (sinks_by_path_.size() + sinks_by_identity_.size()) + kTidySinks;
}

Result<void> CaptureEngine::attach(std::uint32_t slot, LogTargets targets) {
    if (slot >= kTableSlots) {
        return Error(Code::kInvalidArgument,
                     fmt::format("slot {} is out of range; there are {}", slot, kTableSlots));
    }
    if (find(slot)) {
        return Error(Code::kConflict, fmt::format("slot {} is captured already", slot));
    }
    tidy_sinks();
    ZONA_TRY(auto out_sink, open_sink(std::move(targets.out_file)));
    ZONA_TRY(auto err_sink, open_sink(std::move(targets.error_file)));
    std::array<os::UniqueFd, 3> fifos;
    ZONA_TRY(fifos[0], open_fifo(slot, "out", targets.owner));
    ZONA_TRY(fifos[1], open_fifo(slot, "err", targets.owner));
    if (targets.stdin_mode == StdinMode::kPipe) {
        ZONA_TRY(fifos[2], open_fifo(slot, "in", targets.owner));
    }
    return publish(std::make_shared<CaptureSlot>(context_, slot, std::move(fifos),
                                                 std::move(out_sink), std::move(err_sink)),
                   targets.lines);
}

Result<void> CaptureEngine::publish(const SlotPointer& slot, LineMode lines) {
    const std::scoped_lock slot_lock(slot->mutex);
    {
        const std::scoped_lock lock(registry_mutex_);
        if (slots_.size() <= slot->number) slots_.resize(slot->number + 1);
        if (slots_[slot->number]) {
            return Error(Code::kConflict, fmt::format("slot {} is captured already", slot->number));
        }
        slots_[slot->number] = slot;
    }
    // Both before the first byte, so that a shared file is known as such.
    for (CaptureStream* stream : {&slot->out, &slot->err}) {
        const std::scoped_lock sink_lock(stream->sink().mutex());
        stream->sink().join(lines);
    }
    Result<void> watched = epoll_->add(slot->out.fifo(), slot->out.key(), os::Trigger::kLevel);
    if (watched) watched = epoll_->add(slot->err.fifo(), slot->err.key(), os::Trigger::kLevel);
    if (watched) return {};
    epoll_->remove(slot->out.fifo());
    for (CaptureStream* stream : {&slot->out, &slot->err}) {
        const std::scoped_lock sink_lock(stream->sink().mutex());
        stream->sink().leave();
    }
    slot->attached = false;
    const std::scoped_lock lock(registry_mutex_);
    slots_[slot->number] = nullptr;
    return watched;
}

Result<ChildStreams> CaptureEngine::open_for_child(std::uint32_t slot) {
    const SlotPointer found = find(slot);
    if (!found) return not_attached(slot);
    ChildStreams streams;
    // O_RDWR: neither opening nor writing depends on a reader. stdin has a writer: us and the
    // keeper.
    ZONA_TRY(streams.out, open_fifo_end(slot, "out", O_RDWR));
    ZONA_TRY(streams.err, open_fifo_end(slot, "err", O_RDWR));
    const std::scoped_lock lock(found->mutex);
    if (found->in) {
        ZONA_TRY(streams.in, open_fifo_end(slot, "in", O_RDONLY));
    } else {
        ZONA_TRY(streams.in, os::open_file("/dev/null", O_RDONLY));
    }
    return streams;
}

LogPositions CaptureEngine::sizes(const CaptureSlot& slot) {
    const auto size = [](const CaptureStream& stream) {
        const std::scoped_lock lock(stream.sink().mutex());
        return stream.sink().size();
    };
    return {size(slot.out), size(slot.err)};
}

/// Whether bytes were added that somebody waits for. With the slot's mutex held.
bool CaptureEngine::drain_stream(CaptureSlot& slot, CaptureStream& stream, Final final) {
    if (os::bytes_in_pipe(stream.fifo()) == 0) return false;
    std::size_t total = 0;
    for (;;) {
        CaptureTurn turn;
        {
            const std::scoped_lock lock(drain_peek_mutex_);
            turn = stream.turn(final, drain_peek_);
        }
        ZONA_FAULT("capture.drain");
        total += turn.bytes;
        if (!turn.released.empty()) post(turn.released);
        // The capture thread writes the note about what was dropped, with or without new bytes.
        if (turn.next == CaptureTurn::Next::kDrops) post(std::array{stream.key()});
        if (turn.next != CaptureTurn::Next::kMore || total >= kMostDrained) break;
    }
    return total > 0 && followers_->followed(slot.number);
}

LogPositions CaptureEngine::drain(std::uint32_t slot, Final final) {
    const SlotPointer found = find(slot);
    if (!found) return {};
    bool followed = false;
    LogPositions end;
    {
        const std::scoped_lock lock(found->mutex);
        if (!found->attached) return {};
        followed = drain_stream(*found, found->out, final);
        followed = drain_stream(*found, found->err, final) || followed;
        end = sizes(*found);
    }
    if (followed) followers_->wake(slot);
    return end;
}

LogPositions CaptureEngine::positions(std::uint32_t slot) const {
    const SlotPointer found = find(slot);
    return found ? sizes(*found) : LogPositions{};
}

/// The last chance of what is in a FIFO: also in the middle of another's line.
void CaptureEngine::force_out(CaptureSlot& slot, CaptureStream& stream) {
    drain_stream(slot, stream, Final::kYes);
    if (os::bytes_in_pipe(stream.fifo()) == 0) return;
    std::vector<StreamKey> released;
    {
        const std::scoped_lock lock(stream.sink().mutex());
        released = stream.sink().close_line();
    }
    drain_stream(slot, stream, Final::kYes);
    post(released);
}

Result<void> CaptureEngine::detach(std::uint32_t slot, RemoveFifos remove) {
    SlotPointer found;
    {
        const std::scoped_lock lock(registry_mutex_);
        if (slot < slots_.size()) found = std::exchange(slots_[slot], nullptr);
    }
    if (!found) return {};
    bool followed = false;
    {
        const std::scoped_lock lock(found->mutex);
        found->attached = false;
        const std::uint64_t before = found->out.bytes() + found->err.bytes();
        for (CaptureStream* stream : {&found->out, &found->err}) {
            force_out(*found, *stream);
            epoll_->remove(stream->fifo());
            const std::size_t left = os::bytes_in_pipe(stream->fifo());
            if (remove == RemoveFifos::kYes && left > 0) {
                context_.dropped.fetch_add(left, std::memory_order_relaxed);
                context_.log.warn("output is lost with its FIFO: its log file cannot be written",
                                  {{"file", stream->sink().path()}, {"bytes", left}});
            }
            const std::scoped_lock sink_lock(stream->sink().mutex());
            stream->sink().leave();
        }
        followed = found->out.bytes() + found->err.bytes() > before;
    }
    if (followed) followers_->wake(slot);
    if (remove == RemoveFifos::kNo) return {};
    Result<void> removed;
    for (const std::string_view stream : {"out", "err", "in"}) {
        auto gone = os::remove_file(fifo_path(slot, stream));
        if (!gone && removed) removed = std::move(gone);
    }
    return removed;
}

Result<void> CaptureEngine::write_stdin(std::uint32_t slot, std::string_view text) {
    const SlotPointer found = find(slot);
    if (!found) return not_attached(slot);
    const std::scoped_lock lock(found->mutex);
    if (!found->in) {
        return Error(Code::kConflict,
                     "its standard input is /dev/null: set stdin to pipe and restart it");
    }
    const int fifo = found->in.get();
    const std::size_t wanted = os::bytes_in_pipe(fifo) + text.size() + PIPE_BUF;
    const std::size_t capacity = os::pipe_capacity(fifo);
    if (text.size() > PIPE_BUF && wanted > capacity && capacity < kMostPipe) {
        os::grow_pipe(fifo, std::min(wanted, kMostPipe));
    }
    std::size_t taken = 0;
    while (taken < text.size()) {
        const os::Transfer written =
            os::write_once(fifo, std::as_bytes(std::span(text)).subspan(taken));
        if (written.error_number == EAGAIN) {
            return Error(Code::kTooManyRequests,
                         fmt::format("its standard input is full, {} of {} bytes went in: the "
                                     "process does not read it",
                                     taken, text.size()));
        }
        if (written.error_number != 0) {
            return Error::from_errno(written.error_number, fifo_path(slot, "in"));
        }
        taken += written.bytes;
    }
    return {};
}

Result<void> CaptureEngine::reopen(std::uint32_t slot) {
    const SlotPointer found = find(slot);
    if (!found) return not_attached(slot);
    for (CaptureStream* stream : {&found->out, &found->err}) {
        const std::scoped_lock lock(stream->sink().mutex());
        ZONA_TRY_VOID(stream->sink().reopen());
    }
    return {};
}

CaptureCounters CaptureEngine::counters(std::uint32_t slot) const {
    const SlotPointer found = find(slot);
    if (!found) return {};
    return {found->out.bytes(), found->err.bytes(), found->out.dropped() + found->err.dropped()};
}

void CaptureEngine::wait_for_running_turns(std::span<const std::uint32_t> slots) {
    for (const std::uint32_t slot : slots) {
        if (const SlotPointer found = find(slot)) const std::scoped_lock lock(found->mutex);
    }
}

void CaptureEngine::post(std::span<const StreamKey> keys) {
    if (keys.empty()) return;
    {
        const std::scoped_lock lock(posted_mutex_);
        posted_.insert(posted_.end(), keys.begin(), keys.end());
    }
    os::notify_eventfd(wake_fd_.get());
}

}  // namespace zona::process::detail
