#include "net/broadcast.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <mutex>
#include <unordered_set>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

namespace zona::net {
namespace {

/// A message as the hub keeps it; immutable once published.
struct Published {
    SharedText text;
    std::shared_ptr<const void> about;
    std::uint64_t sequence;
    std::string key;
    std::size_t key_hash;  ///< compared first
};
using PublishedPtr = std::shared_ptr<const Published>;

bool same_key(const Published& a, const Published& b) {
    return a.key_hash == b.key_hash && a.key == b.key;
}

struct Metrics {
    core::Counter& published;
    core::Counter& coalesced;
    core::Counter& dropped;
    core::Gauge& subscribers;
};

enum class Ending : std::uint8_t { kOpen, kDropped, kClosed };

}  // namespace

struct Subscription::State : std::enable_shared_from_this<State> {
    State(const asio::any_io_executor& executor, const BroadcastOptions& limits,
          const Metrics& counters)
        : options(limits),
          metrics(counters),
          serial(executor),
          wake(std::make_unique<asio::steady_timer>(executor)) {}

    /// What waits, and how many were coalesced before it.
    struct Waiting {
        PublishedPtr message;
        std::uint64_t coalesced = 0;
    };

    /// Whether the subscriber goes on.
    bool push(const PublishedPtr& message);
    void end(Ending how);
    std::optional<core::Result<BroadcastMessage>> take();

    const BroadcastOptions options;
    const Metrics metrics;
    std::optional<std::uint64_t> lost = 0;  ///< set before anybody else knows of it
    const asio::any_io_executor serial;
    /// Used on the executor alone; gone with the subscription.
    std::unique_ptr<asio::steady_timer> wake;

    std::mutex mutex;                  ///< guards all below; taken after the hub's
    std::deque<PublishedPtr> backlog;  ///< from the ring
    std::deque<Waiting> queue;
    std::size_t queued_bytes = 0;
    Ending ending = Ending::kOpen;
    bool asleep = false;  ///< next() waits for a call of notify()

  private:
    bool is_over() const;
    void coalesce_with(const Published& message);
    void coalesce_all();
    void forget(std::size_t index);
    void notify();
};

bool Subscription::State::is_over() const {
    return queue.size() > options.queue_messages ||
           (queued_bytes > options.queue_bytes.as_size() && queue.size() > 1);
}

bool Subscription::State::push(const PublishedPtr& message) {
    const std::lock_guard lock(mutex);
    if (ending != Ending::kOpen) return false;
    queue.push_back({message, 0});
    queued_bytes += message->text->size();
    if (is_over()) coalesce_with(*message);
    if (is_over()) coalesce_all();
    if (is_over()) {
        ending = Ending::kDropped;
        backlog.clear();
        queue.clear();
        metrics.dropped.add();
    }
    notify();
    return ending == Ending::kOpen;
}

/// Takes the older message of the same key out: what a full queue of states needs as a rule.
void Subscription::State::coalesce_with(const Published& message) {
    if (message.key.empty()) return;
    for (std::size_t i = 0; i + 1 < queue.size(); ++i) {
        if (same_key(*queue[i].message, message)) return forget(i);
    }
}

/// Keeps only the newest of each key.
void Subscription::State::coalesce_all() {
    std::unordered_set<std::string_view> seen;
    std::deque<Waiting> kept;
    std::uint64_t gone = 0;
    for (std::size_t i = queue.size(); i-- > 0;) {
        Waiting& one = queue[i];
        const bool newest = one.message->key.empty() || seen.insert(one.message->key).second;
        if (newest) {
            kept.push_front(std::move(one));
            continue;
        }
        queued_bytes -= one.message->text->size();
        const std::uint64_t with_it = one.coalesced + 1;
        // The one behind it is kept already: what it replaces is told with that.
        kept.front().coalesced += with_it;
        ++gone;
    }
    queue = std::move(kept);
    metrics.coalesced.add(gone);
}

/// Takes one message out, and tells it with the one behind it.
void Subscription::State::forget(std::size_t index) {
    const auto at = queue.begin() + static_cast<std::ptrdiff_t>(index);
    queued_bytes -= at->message->text->size();
    (at + 1)->coalesced += at->coalesced + 1;
    queue.erase(at);
    metrics.coalesced.add();
}

void Subscription::State::end(Ending how) {
    const std::lock_guard lock(mutex);
    if (ending == Ending::kOpen) ending = how;
    notify();
}

void Subscription::State::notify() {
    if (!std::exchange(asleep, false)) return;
    asio::post(serial, [self = shared_from_this()] {
        if (self->wake != nullptr) self->wake->cancel();
    });
}

/// What next() returns; nothing: it has to wait.
std::optional<core::Result<BroadcastMessage>> Subscription::State::take() {
    const std::lock_guard lock(mutex);
    if (ending == Ending::kDropped) {
        return core::Error(core::Code::kTooManyRequests,
                           fmt::format("too slow: more than {} messages or {} bytes were waiting",
                                       options.queue_messages, options.queue_bytes.bytes()));
    }
    if (!backlog.empty()) {
        const PublishedPtr first = std::move(backlog.front());
        backlog.pop_front();
        return BroadcastMessage{first->text, first->about, first->sequence, 0};
    }
    if (!queue.empty()) {
        const Waiting first = std::move(queue.front());
        queue.pop_front();
        queued_bytes -= first.message->text->size();
        const Published& message = *first.message;
        return BroadcastMessage{message.text, message.about, message.sequence, first.coalesced};
    }
    if (ending == Ending::kClosed) {
        return core::Error(core::Code::kUnavailable, "no more updates come from here");
    }
    asleep = true;
    return std::nullopt;
}

class Broadcast::Impl {
  public:
    Impl(const BroadcastOptions& options, std::string_view name, core::MetricRegistry& registry)
        : options_(options), metrics_(metrics_of(name, registry)) {}

    std::uint64_t publish(SharedText text, std::string_view key, std::shared_ptr<const void> about);
    std::shared_ptr<Subscription::State> subscribe(const asio::any_io_executor& executor,
                                                   std::optional<std::uint64_t> resume_after);
    void close();
    std::uint64_t last_sequence() const {
        const std::lock_guard lock(mutex_);
        return last_;
    }
    std::size_t subscribers() const {
        const std::lock_guard lock(mutex_);
        return static_cast<std::size_t>(
            std::ranges::count_if(all_, [](const auto& one) { return !one.expired(); }));
    }

  private:
    static Metrics metrics_of(std::string_view name, core::MetricRegistry& registry);
    void remember(PublishedPtr message);
    void resume(Subscription::State& state, std::uint64_t after) const;

    const BroadcastOptions options_;
    const Metrics metrics_;
    mutable std::mutex mutex_;  ///< guards all below; held while pointers are copied, no longer
    std::vector<std::weak_ptr<Subscription::State>> all_;
    std::deque<PublishedPtr> ring_;
    std::size_t ring_bytes_ = 0;
    std::uint64_t last_ = 0;
    bool closed_ = false;
};

Metrics Broadcast::Impl::metrics_of(std::string_view name, core::MetricRegistry& registry) {
    const core::Labels labels = {{"hub", std::string(name)}};
    return {registry.counter("zona_broadcast_published_total", "Messages published.", labels),
            registry.counter("zona_broadcast_coalesced_total",
                             "Messages that a newer one replaced in a subscriber's queue.", labels),
            registry.counter("zona_broadcast_dropped_total",
                             "Subscribers that were dropped because they were too slow.", labels),
            registry.gauge("zona_broadcast_subscribers", "Subscribers.", labels)};
}

std::uint64_t Broadcast::Impl::publish(SharedText text, std::string_view key,
                                       std::shared_ptr<const void> about) {
    const std::size_t hash = std::hash<std::string_view>()(key);
    const std::lock_guard lock(mutex_);
    if (closed_) return 0;
    const auto message = std::make_shared<const Published>(std::move(text), std::move(about),
                                                           ++last_, std::string(key), hash);
    metrics_.published.add();
    std::erase_if(all_, [&](const std::weak_ptr<Subscription::State>& one) {
        const auto state = one.lock();
        return state == nullptr || !state->push(message);
    });
    remember(message);
    return last_;
}

void Broadcast::Impl::remember(PublishedPtr message) {
    ring_bytes_ += message->text->size();
    ring_.push_back(std::move(message));
    while (!ring_.empty() &&
           (ring_.size() > options_.ring_messages || ring_bytes_ > options_.ring_bytes.as_size())) {
        ring_bytes_ -= ring_.front()->text->size();
        ring_.pop_front();
    }
}

/// Gives `state` what the ring has behind `after`.
void Broadcast::Impl::resume(Subscription::State& state, std::uint64_t after) const {
    const std::uint64_t oldest = last_ - ring_.size() + 1;
    if (after > last_) {
        state.lost = std::nullopt;
        after = 0;
    } else {
        state.lost = after + 1 < oldest ? oldest - after - 1 : 0;
    }
    const std::uint64_t first = std::max(after + 1, oldest);
    const std::lock_guard lock(state.mutex);
    for (std::uint64_t sequence = first; sequence <= last_; ++sequence)
        state.backlog.push_back(ring_[sequence - oldest]);
}

std::shared_ptr<Subscription::State> Broadcast::Impl::subscribe(
    const asio::any_io_executor& executor, std::optional<std::uint64_t> resume_after) {
    auto state = std::make_shared<Subscription::State>(executor, options_, metrics_);
    const std::lock_guard lock(mutex_);
    if (resume_after) resume(*state, *resume_after);
    if (closed_) {
        state->end(Ending::kClosed);
    } else {
        std::erase_if(all_, [](const auto& one) { return one.expired(); });
        all_.push_back(state);
    }
    metrics_.subscribers.add(1);
    return state;
}

void Broadcast::Impl::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    for (const auto& one : all_) {
        if (const auto state = one.lock()) state->end(Ending::kClosed);
    }
    all_.clear();
}

Subscription::Subscription(std::shared_ptr<State> state) : state_(std::move(state)) {}
Subscription::Subscription(Subscription&&) noexcept = default;
Subscription& Subscription::operator=(Subscription&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
}
Subscription::~Subscription() {
    if (state_ == nullptr) return;
    state_->end(Ending::kClosed);
    state_->wake.reset();  // here, on its executor, and not wherever the hub lets go
    state_->metrics.subscribers.add(-1);
}

asio::awaitable<core::Result<BroadcastMessage>> Subscription::next(core::Deadline deadline) {
    const std::shared_ptr<State> state = state_;
    bool late = false;
    while (true) {
        if (auto taken = state->take()) co_return std::move(*taken);
        if (late) co_return core::Error(core::Code::kTimeout, "no message came in time");
        // A wake is posted to this executor, so none can come between the two lines above.
        state->wake->expires_at(deadline.moment());
        const auto [error] = co_await state->wake->async_wait(asio::as_tuple(asio::use_awaitable));
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (cancellation.cancelled() != asio::cancellation_type::none) {
            co_return core::Error(core::Code::kCancelled, "the wait was cancelled");
        }
        late = !error;
    }
}

std::optional<std::uint64_t> Subscription::lost() const {
    return state_->lost;
}

Broadcast::Broadcast(const BroadcastOptions& options, std::string_view name,
                     core::MetricRegistry& metrics)
    : impl_(std::make_unique<Impl>(options, name, metrics)) {}
Broadcast::~Broadcast() {
    close();
}

std::uint64_t Broadcast::publish(SharedText text, std::string_view key,
                                 std::shared_ptr<const void> about) {
    return impl_->publish(std::move(text), key, std::move(about));
}
Subscription Broadcast::subscribe(const asio::any_io_executor& executor,
                                  std::optional<std::uint64_t> resume_after) {
    return Subscription(impl_->subscribe(executor, resume_after));
}
void Broadcast::close() {
    impl_->close();
}
std::uint64_t Broadcast::last_sequence() const {
    return impl_->last_sequence();
}
std::size_t Broadcast::subscribers() const {
    return impl_->subscribers();
}

}  // namespace zona::net
