// ProcessHub: what happens to processes, told to many clients.
//
// The supervisor is observed only while somebody is subscribed, and for kLinger afterwards, so that
// a client that comes back at once goes on where it was. The supervisor's thread hands each news
// over and is done: rendering and publishing happen on a thread of the hub, so no number of clients
// delays a restart (PM-55, PM-69). Each item is serialised once and shared by all who get it.
//
// Sequence numbers rise by one with each item while the supervisor is observed, and never come
// again: each observation begins at the time in microseconds. So a number of an earlier daemon, or
// of before a pause, is known to be one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "api/detail/process_cache.h"
#include "core/clock.h"
#include "core/deadline.h"
#include "core/metrics.h"
#include "core/result.h"
#include "net/broadcast.h"
#include "process/supervisor.h"

namespace zona::api {

namespace asio = boost::asio;

/// One piece of news; immutable once published. Shared by all who get it.
struct ProcessItem {
    enum class Kind : std::uint8_t { kState, kDeleted, kEvent };
    Kind kind = Kind::kState;
    std::uint64_t sequence = 0;
    std::uint32_t pm_id = 0;
    core::Uuid id;
    std::string name;
    std::string namespace_;
    std::optional<process::ProcessView> view;    ///< kState
    std::optional<RenderedProcess> rendered;     ///< kState
    std::optional<process::ProcessEvent> event;  ///< kEvent
    /// {"type":"process","sequence":7,"data":{...}}, "deleted" and "event" likewise. Empty in the
    /// states that the hub found when it began to observe: those are nobody's news.
    std::string frame;
    std::size_t data_begin = 0;  ///< where the value of "data" begins in `frame`

    std::string_view data() const {
        return std::string_view(frame).substr(data_begin, frame.size() - data_begin - 1);
    }
    /// The frame of a state with the uptime of now.
    std::string frame_at(core::SystemTime now) const;
};
using ProcessItemPtr = std::shared_ptr<const ProcessItem>;

/// "process", "deleted", "event": the type of an item's frame.
std::string_view to_string(ProcessItem::Kind kind);

/// How a feed goes on from the sequence number that its client named.
enum class Continuity : std::uint8_t {
    kFresh,  ///< it named none
    kWhole,  ///< nothing is missing: what the client does not know comes by next()
    kLost,   ///< something is: present() is what it needs; events are lost
};

/// One subscriber of a ProcessHub. Belongs to the executor that it was subscribed on. Move-only.
class ProcessFeed {
  public:
    /// The states when it was subscribed, by pm_id: those of items up to sequence().
    const std::vector<ProcessItemPtr>& present() const { return present_; }
    std::uint64_t sequence() const { return sequence_; }
    Continuity continuity() const { return continuity_; }
    /// For kLost: how many items; nothing: not known.
    std::optional<std::uint64_t> lost() const { return lost_; }

    /// The next item, those that present() already has left out, unless the client resumes without
    /// loss. Errors: those of net::Subscription::next.
    asio::awaitable<core::Result<ProcessItemPtr>> next(core::Deadline deadline);

    /// Lets go of the states, which may be many.
    void forget_present() { present_ = {}; }

  private:
    friend class ProcessHub;
    ProcessFeed(net::Subscription subscription, std::shared_ptr<void> interest)
        : interest_(std::move(interest)), subscription_(std::move(subscription)) {}

    std::shared_ptr<void> interest_;  ///< tells the hub when it dies
    net::Subscription subscription_;
    std::vector<ProcessItemPtr> present_;
    std::uint64_t sequence_ = 0;
    Continuity continuity_ = Continuity::kFresh;
    std::optional<std::uint64_t> lost_;
};

/// Where news come from: process::Supervisor, or what stands for it in a test. Both members as the
/// supervisor's of these names: called from any thread, answering on another.
struct ProcessNewsSource {
    std::function<void(process::Observer)> observe;
    std::function<void(process::Callback<std::vector<process::ProcessView>>)> list;
};
ProcessNewsSource news_of(process::Supervisor& supervisor);

/// The hub. Any thread.
class ProcessHub {
  public:
    static constexpr std::chrono::seconds kLinger{60};

    /// `clock` and `metrics` must outlive it, and its feeds; what `source` calls must outlive it.
    ProcessHub(ProcessNewsSource source, const core::Clock& clock, core::MetricRegistry& metrics,
               net::BroadcastOptions options = {}, std::chrono::milliseconds linger = kLinger);
    ~ProcessHub();
    ProcessHub(const ProcessHub&) = delete;
    ProcessHub& operator=(const ProcessHub&) = delete;

    /// A feed for the calling coroutine's executor, which runs one handler at a time; with
    /// `resume_after`, the sequence number of the last item that its client has seen, from there.
    /// Errors: kResourceExhausted: no thread; those of Supervisor::list().
    asio::awaitable<core::Result<ProcessFeed>> subscribe(std::optional<std::uint64_t> resume_after);

  private:
    class Impl;
    // Shared with what the supervisor still calls after the hub's death.
    std::shared_ptr<Impl> impl_;
};

}  // namespace zona::api
