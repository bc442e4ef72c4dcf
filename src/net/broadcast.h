/// @file
/// Broadcast: one publisher, many subscribers, and no slow one that anybody waits for.
///
/// A message is serialised once; every subscriber gets the same buffer (PM-69). Each has a bounded
/// queue of its own. One that is too slow for it keeps only the newest message of each key, and is
/// dropped when that does not help; it then tells its client so (WebSocket close 1013, the end of
/// an event stream). The newest messages stand in a ring, so that a client that comes back goes on
/// where it was, or hears how many it has lost.
///
///     auto updates = hub.subscribe(executor, last_seen);
///     while (true) {
///         auto message = co_await updates.next(core::Deadline::never());
///         if (!message) co_return socket.close(CloseCode::kTryAgainLater, ...);
///         ZONA_CO_TRY_VOID(co_await socket.write(message->text));
///     }
///
/// It knows nothing of sockets. Source: PM-55, PM-69.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "core/byte_count.h"
#include "core/deadline.h"
#include "core/metrics.h"
#include "core/result.h"
#include "net/shared_text.h"

namespace zona::net {

namespace asio = boost::asio;

/// Every limit of a hub.
struct BroadcastOptions {
    /// What may wait for one subscriber; over either it is coalesced, then dropped. A message that
    /// alone is over queue_bytes is taken by a subscriber for whom nothing waits.
    std::size_t queue_messages = 256;
    core::ByteCount queue_bytes = core::ByteCount::mib(1);
    /// What is kept for those that come back; the oldest goes first.
    std::size_t ring_messages = 1024;
    core::ByteCount ring_bytes = core::ByteCount::mib(4);
};

/// A message as a subscriber gets it.
struct BroadcastMessage {
    SharedText text;
    /// What publish() was given beside the text; may be null.
    std::shared_ptr<const void> about;
    std::uint64_t sequence = 0;  ///< rises by one with each published message, from 1
    /// Messages before this one that newer ones of their keys have replaced: why `sequence` rose by
    /// more than one.
    std::uint64_t coalesced = 0;
};

/// One subscriber. Belongs to one executor, which runs one handler at a time; the hub may die
/// before it. Move-only; unsubscribes when it dies.
class Subscription {
  public:
    Subscription(Subscription&&) noexcept;
    Subscription& operator=(Subscription&&) noexcept;
    ~Subscription();

    /// Waits for the next message, in the order of publishing. One call at a time; one that is
    /// cancelled takes no message.
    /// Errors: kTooManyRequests: dropped, with the limit in the message, which is fit for the
    /// client; what waited is lost, and later calls fail the same way. kUnavailable: the hub is
    /// closed and nothing waits any more. kTimeout: `deadline` has passed (for heartbeats).
    /// kCancelled.
    asio::awaitable<core::Result<BroadcastMessage>> next(core::Deadline deadline);

    /// How many of the messages that the subscriber wanted to resume after had left the ring; they
    /// are lost to it. Nothing: it named a sequence number that this hub has not given, so what it
    /// has missed is not known and it gets the whole ring.
    std::optional<std::uint64_t> lost() const;

  private:
    friend class Broadcast;
    struct State;
    explicit Subscription(std::shared_ptr<State> state);
    // Shared with the hub, which forgets it when the subscription has died.
    std::shared_ptr<State> state_;
};

/// A hub. All members from any thread.
class Broadcast {
  public:
    /// `name` is the label of its metrics: zona_broadcast_published_total,
    /// zona_broadcast_coalesced_total (messages that a subscriber did not get, each time),
    /// zona_broadcast_dropped_total (subscribers), zona_broadcast_subscribers. The registry must
    /// outlive the hub and its subscriptions. Its subscribers are bounded by whoever makes them:
    /// ServerOptions::connections.
    Broadcast(const BroadcastOptions& options, std::string_view name,
              core::MetricRegistry& metrics);
    /// close().
    ~Broadcast();
    Broadcast(const Broadcast&) = delete;
    Broadcast& operator=(const Broadcast&) = delete;

    /// Gives `text` to all subscribers, and returns its sequence number. Waits for none of them:
    /// its time grows with their number, and with the queue of one that is full. `key` names what
    /// the message is about ("process:7"), so that it may replace an older one of the same key in a
    /// full queue; empty: nothing replaces it. `about` goes with it to the subscribers, who decide
    /// by it whether their clients want the text; its type is a matter between them and the
    /// publisher. After close() nothing is done, and it returns 0.
    std::uint64_t publish(SharedText text, std::string_view key = {},
                          std::shared_ptr<const void> about = {});

    /// A subscriber from now on; with `resume_after`, the sequence number of the last message that
    /// it has seen, from the one behind that. What the ring gives does not count against its queue.
    /// `executor` runs one handler at a time.
    Subscription subscribe(const asio::any_io_executor& executor,
                           std::optional<std::uint64_t> resume_after = std::nullopt);

    /// Ends all subscriptions, when they have taken what waits for them.
    void close();

    /// The newest sequence number; 0: none.
    std::uint64_t last_sequence() const;
    /// Those that live and are not dropped.
    std::size_t subscribers() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace zona::net
