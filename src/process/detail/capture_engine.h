/// @file
/// CaptureEngine: the registry of slots and log files, and the thread that serves them. What each
/// public member promises stands at Capture.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/result.h"
#include "os/epoll.h"
#include "os/fd.h"
#include "process/capture.h"
#include "process/detail/capture_context.h"
#include "process/detail/capture_followers.h"
#include "process/detail/capture_peek.h"
#include "process/detail/capture_sink.h"
#include "process/detail/capture_stream.h"
#include "process/log_stream.h"
#include "process/table_layout.h"

namespace zona::process::detail {

constexpr StreamKey key_of(std::uint32_t slot, LogStream stream) {
    return slot << 1U | static_cast<StreamKey>(stream);
}

/// The key of the descriptor that wakes the thread.
inline constexpr std::uint64_t kWakeKey = UINT64_MAX;
/// How many names of sinks may be out of date before they are tidied.
inline constexpr std::size_t kTidySinks = 256;

/// A slot under capture.
struct CaptureSlot {
    CaptureSlot(CaptureContext& context, std::uint32_t number_, std::array<os::UniqueFd, 3> fifos,
                std::shared_ptr<CaptureSink> out_sink, std::shared_ptr<CaptureSink> err_sink)
        : number(number_),
          out(context, key_of(number_, LogStream::kOut), std::move(fifos[0]), std::move(out_sink)),
          err(context, key_of(number_, LogStream::kErr), std::move(fifos[1]), std::move(err_sink)),
          in(std::move(fifos[2])) {}

    CaptureStream& stream(StreamKey key) { return (key & 1U) == 0 ? out : err; }

    const std::uint32_t number;
    std::mutex mutex;  // guards everything below
    CaptureStream out;
    CaptureStream err;
    os::UniqueFd in;  ///< none: stdin is /dev/null
    bool attached = true;
};

/// All members from any thread, but for those of the capture thread.
/// Lock order: slot, registry, sink. Followers are woken with no other lock held.
class CaptureEngine {
  public:
    CaptureEngine(CaptureOptions options, const core::Clock& clock, core::Logger log)
        : context_{.options = std::move(options), .clock = clock, .log = std::move(log)},
          followers_(std::make_shared<CaptureFollowers>(kTableSlots)) {}
    ~CaptureEngine();
    CaptureEngine(const CaptureEngine&) = delete;
    CaptureEngine& operator=(const CaptureEngine&) = delete;

    core::Result<void> start();
    core::Result<void> attach(std::uint32_t slot, LogTargets targets);
    core::Result<ChildStreams> open_for_child(std::uint32_t slot);
    LogPositions drain(std::uint32_t slot, Final final);
    LogPositions positions(std::uint32_t slot) const;
    core::Result<void> detach(std::uint32_t slot, RemoveFifos remove);
    core::Result<void> write_stdin(std::uint32_t slot, std::string_view text);
    core::Result<void> reopen(std::uint32_t slot);
    CaptureCounters counters(std::uint32_t slot) const;
    std::uint64_t dropped() const { return context_.dropped.load(std::memory_order_relaxed); }
    std::string index_path(std::string_view log_file) const {
        return log_index_path(context_.options.index_directory, log_file);
    }
    std::shared_ptr<CaptureFollowers> followers() const { return followers_; }
    void wait_for_running_turns(std::span<const std::uint32_t> slots);

  private:
    using SlotPointer = std::shared_ptr<CaptureSlot>;

    std::string fifo_path(std::uint32_t slot, std::string_view stream) const {
        return fmt::format("{}/{}.{}", context_.options.fifo_directory, slot, stream);
    }
    core::Result<os::UniqueFd> open_fifo_end(std::uint32_t slot, std::string_view stream,
                                             int flags) const;
    core::Result<os::UniqueFd> open_fifo(std::uint32_t slot, std::string_view stream,
                                         const Owner& owner) const;
    core::Result<std::shared_ptr<CaptureSink>> open_sink(std::string path);
    void tidy_sinks();
    core::Result<void> publish(const SlotPointer& slot, LineMode lines);
    SlotPointer find(std::uint32_t slot) const;
    static core::Error not_attached(std::uint32_t slot);
    static LogPositions sizes(const CaptureSlot& slot);

    bool drain_stream(CaptureSlot& slot, CaptureStream& stream, Final final);
    void force_out(CaptureSlot& slot, CaptureStream& stream);
    void post(std::span<const StreamKey> keys);

    // On the capture thread only.
    void run();
    std::size_t serve(StreamKey key);
    std::size_t serve_posted();
    std::size_t serve_due();
    void settle(CaptureStream& stream, const CaptureTurn& turn);
    std::optional<std::chrono::nanoseconds> until_next_due() const;
    void pace(std::size_t moved);

    CaptureContext context_;
    // Second owners: the Subscriptions.
    std::shared_ptr<CaptureFollowers> followers_;
    std::unique_ptr<os::Epoll> epoll_;
    os::UniqueFd wake_fd_;
    os::UniqueFd fifo_directory_;  ///< open: thousands of paths below it are walked
    std::atomic<bool> stop_ = false;

    mutable std::mutex registry_mutex_;  // guards the four below
    // By number, as long as need be. Second owners: threads in the middle of a call.
    std::vector<SlotPointer> slots_;
    std::unordered_map<std::string, std::weak_ptr<CaptureSink>> sinks_by_path_;
    std::map<CaptureSink::Identity, std::weak_ptr<CaptureSink>> sinks_by_identity_;
    std::size_t tidy_at_ = kTidySinks;

    std::mutex drain_peek_mutex_;  // guards drain_peek_; taken inside a slot's mutex
    CapturePeek drain_peek_;
    std::mutex posted_mutex_;  // guards posted_
    std::vector<StreamKey> posted_;

    std::map<StreamKey, core::SteadyTime> due_;
    CapturePeek peek_;
    core::SteadyTime round_end_{};
    int busy_rounds_ = 0;

    std::thread thread_;
};

}  // namespace zona::process::detail
