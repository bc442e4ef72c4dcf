#include "api/detail/process_hub.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "api/detail/await.h"
#include "api/detail/render.h"
#include "core/json.h"
#include "os/thread.h"

namespace zona::api {

using core::Result;
using process::ProcessEvent;
using process::ProcessNews;
using process::ProcessView;
using Kind = ProcessItem::Kind;

namespace {

std::uint64_t microseconds(core::SystemTime time) {
    using std::chrono::microseconds;
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<microseconds>(time.time_since_epoch()).count());
}

/// Begins a frame; what stands behind "data": is appended by the caller, and a brace.
void begin_frame(ProcessItem& item) {
    item.frame =
        fmt::format(R"({{"type":"{}","sequence":{},"data":)", to_string(item.kind), item.sequence);
    item.data_begin = item.frame.size();
}

core::Error stopping() {
    return core::Error(core::Code::kUnavailable, "zona is stopping: no more news come from here");
}

std::shared_ptr<ProcessItem> state_of(ProcessView view) {
    auto item = std::make_shared<ProcessItem>();
    item->pm_id = view.stored.pm_id;
    item->id = view.stored.id;
    item->name = view.stored.app->spec.name;
    item->namespace_ = view.stored.app->spec.namespace_;
    item->rendered.emplace(view);
    item->view = std::move(view);
    return item;
}

}  // namespace

std::string_view to_string(ProcessItem::Kind kind) {
    switch (kind) {
        case Kind::kState:
            return "process";
        case Kind::kDeleted:
            return "deleted";
        case Kind::kEvent:
            return "event";
    }
    return "event";
}

std::string ProcessItem::frame_at(core::SystemTime now) const {
    std::string out =
        fmt::format(R"({{"type":"{}","sequence":{},"data":)", to_string(kind), sequence);
    rendered->append_to(out, now);
    out += '}';
    return out;
}

asio::awaitable<Result<ProcessItemPtr>> ProcessFeed::next(core::Deadline deadline) {
    for (;;) {
        ZONA_CO_TRY(const net::BroadcastMessage message, co_await subscription_.next(deadline));
        // Its publisher is ProcessHub alone, which gives each message its item.
        auto item = std::static_pointer_cast<const ProcessItem>(message.about);
        const bool known = item->kind != Kind::kEvent && item->sequence <= sequence_;
        if (!known || continuity_ == Continuity::kWhole) co_return item;
    }
}

ProcessNewsSource news_of(process::Supervisor& supervisor) {
    return {.observe = [&supervisor](
                           process::Observer observer) { supervisor.observe(std::move(observer)); },
            .list =
                [&supervisor](process::Callback<std::vector<ProcessView>> done) {
                    supervisor.list({}, std::move(done));
                }};
}

/// All but start() and stop() runs on `loop_`, that is on one thread. What is posted there refers
/// to the Impl by its address: the loop is part of it, and a reference that owns would be a circle.
class ProcessHub::Impl : public std::enable_shared_from_this<Impl> {
  public:
    Impl(ProcessNewsSource source, const core::Clock& clock, core::MetricRegistry& metrics,
         const net::BroadcastOptions& options, std::chrono::milliseconds linger)
        : source_(std::move(source)),
          clock_(clock),
          metrics_(metrics),
          options_(options),
          linger_(linger) {}

    /// Any thread. Errors: kResourceExhausted.
    Result<void> start();
    /// Once, by the hub's destructor.
    void stop();

    void subscribe(const asio::any_io_executor& executor, std::optional<std::uint64_t> resume_after,
                   process::Callback<ProcessFeed> done);
    auto executor() { return loop_.get_executor(); }

  private:
    struct Waiter {
        asio::any_io_executor executor;
        std::optional<std::uint64_t> resume_after;
        process::Callback<ProcessFeed> done;
    };

    void begin();
    void begun(Result<std::vector<ProcessView>> views);
    void end();
    void take(ProcessNews news);
    void publish(std::shared_ptr<ProcessItem> item, std::string_view key);
    std::shared_ptr<ProcessItem> event_of(ProcessEvent event, const ProcessNews& news) const;
    ProcessFeed admit(const Waiter& waiter);
    std::shared_ptr<void> interest();
    void lose_interest();
    std::uint64_t last() const { return base_ + broadcast_->last_sequence(); }

    const ProcessNewsSource source_;
    const core::Clock& clock_;
    core::MetricRegistry& metrics_;
    const net::BroadcastOptions options_;
    const std::chrono::milliseconds linger_;

    asio::io_context loop_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_{loop_.get_executor()};
    asio::steady_timer pause_{loop_};
    std::mutex starting_;  ///< guards thread_ until it is joined
    std::thread thread_;

    std::optional<net::Broadcast> broadcast_;  ///< while the supervisor is observed
    bool stopped_ = false;
    bool has_states_ = false;  ///< present_ is what the supervisor said
    std::map<std::uint32_t, ProcessItemPtr> present_;
    std::vector<Waiter> waiting_;  ///< for the first states
    std::size_t interested_ = 0;
    std::uint64_t base_ = 0;         ///< the sequence number before the first of this observation
    std::uint64_t observation_ = 0;  ///< news of earlier ones are not taken
};

Result<void> ProcessHub::Impl::start() {
    const std::scoped_lock lock(starting_);
    if (thread_.joinable()) return {};
    try {
        thread_ = std::thread([this] {
            os::name_this_thread("zona-news");
            loop_.run();
        });
    } catch (const std::system_error& error) {
        return core::Error::from_errno(error.code().value(), "start the thread for streams");
    }
    return {};
}

void ProcessHub::Impl::stop() {
    source_.observe({});
    loop_.stop();
    const std::scoped_lock lock(starting_);
    if (thread_.joinable()) thread_.join();
    // Whoever still waits is told, here: what it waits with must not stay in the loop.
    stopped_ = true;
    loop_.restart();
    loop_.poll();
    for (Waiter& waiter : std::exchange(waiting_, {}))
        waiter.done(stopping());
    if (broadcast_) broadcast_->close();
}

void ProcessHub::Impl::subscribe(const asio::any_io_executor& executor,
                                 std::optional<std::uint64_t> resume_after,
                                 process::Callback<ProcessFeed> done) {
    if (stopped_) return done(stopping());
    Waiter waiter{executor, resume_after, std::move(done)};
    pause_.cancel();
    if (has_states_) {
        ProcessFeed feed = admit(waiter);
        return waiter.done(std::move(feed));
    }
    waiting_.push_back(std::move(waiter));
    if (!broadcast_) begin();
}

/// The states are asked for after the observer is set, on one queue of the supervisor's: what
/// changes in between comes as news before them, and they have it already.
void ProcessHub::Impl::begin() {
    const std::uint64_t mine = ++observation_;
    base_ = std::max(base_ + 1, microseconds(clock_.system()));
    broadcast_.emplace(options_, "processes", metrics_);
    const auto self = shared_from_this();
    source_.observe([self, mine](ProcessNews news) {
        asio::post(self->loop_, [impl = self.get(), mine, news = std::move(news)]() mutable {
            if (mine == impl->observation_) impl->take(std::move(news));
        });
    });
    source_.list([self, mine](Result<std::vector<ProcessView>> views) {
        asio::post(self->loop_, [impl = self.get(), mine, views = std::move(views)]() mutable {
            if (mine == impl->observation_) impl->begun(std::move(views));
        });
    });
}

void ProcessHub::Impl::begun(Result<std::vector<ProcessView>> views) {
    auto waiting = std::exchange(waiting_, {});
    if (!views) {
        end();
        for (Waiter& waiter : waiting)
            waiter.done(views.error());
        return;
    }
    present_.clear();
    for (ProcessView& view : *views) {
        auto item = state_of(std::move(view));
        item->sequence = last();
        present_[item->pm_id] = std::move(item);
    }
    has_states_ = true;
    for (Waiter& waiter : waiting) {
        ProcessFeed feed = admit(waiter);
        waiter.done(std::move(feed));
    }
}

void ProcessHub::Impl::end() {
    source_.observe({});
    ++observation_;
    base_ = last();
    has_states_ = false;
    present_.clear();
    broadcast_.reset();
}

void ProcessHub::Impl::take(ProcessNews news) {
    std::vector<std::shared_ptr<ProcessItem>> events;
    events.reserve(news.events.size());
    for (ProcessEvent& event : news.events)
        events.push_back(event_of(std::move(event), news));
    for (auto& event : events)
        publish(std::move(event), {});
    for (ProcessView& view : news.changed) {
        const std::string key = fmt::format("process:{}", view.stored.pm_id);
        auto item = state_of(std::move(view));
        present_[item->pm_id] = item;
        publish(std::move(item), key);
    }
    for (const std::uint32_t pm_id : news.deleted) {
        auto item = std::make_shared<ProcessItem>();
        const auto known = present_.find(pm_id);
        item->kind = Kind::kDeleted;
        item->pm_id = pm_id;
        if (known != present_.end()) {
            item->id = known->second->id;
            item->name = known->second->name;
            item->namespace_ = known->second->namespace_;
            present_.erase(known);
        }
        publish(std::move(item), fmt::format("process:{}", pm_id));
    }
}

/// An event does not say all that selectors look at: the process's state does.
std::shared_ptr<ProcessItem> ProcessHub::Impl::event_of(ProcessEvent event,
                                                        const ProcessNews& news) const {
    auto item = std::make_shared<ProcessItem>();
    item->kind = Kind::kEvent;
    item->pm_id = event.pm_id;
    item->name = event.name;
    const auto known = present_.find(event.pm_id);
    const auto changed = std::ranges::find(news.changed, event.pm_id,
                                           [](const ProcessView& v) { return v.stored.pm_id; });
    if (changed != news.changed.end()) {
        item->id = changed->stored.id;
        item->namespace_ = changed->stored.app->spec.namespace_;
    } else if (known != present_.end()) {
        item->id = known->second->id;
        item->namespace_ = known->second->namespace_;
    }
    item->event = std::move(event);
    return item;
}

void ProcessHub::Impl::publish(std::shared_ptr<ProcessItem> item, std::string_view key) {
    item->sequence = last() + 1;
    begin_frame(*item);
    switch (item->kind) {
        case Kind::kState:
            item->rendered->append_to(item->frame, clock_.system());
            break;
        case Kind::kDeleted:
            item->frame += fmt::format(R"({{"pm_id":{}}})", item->pm_id);
            break;
        case Kind::kEvent:
            item->frame += core::to_json(render(*item->event));
            break;
    }
    item->frame += '}';
    const net::SharedText text(item, &item->frame);
    broadcast_->publish(text, key, std::move(item));
}

ProcessFeed ProcessHub::Impl::admit(const Waiter& waiter) {
    const auto after = waiter.resume_after;
    const bool ours = after && *after >= base_ && *after <= last();
    const auto resumed = ours ? std::optional(*after - base_) : std::nullopt;
    ProcessFeed feed(broadcast_->subscribe(waiter.executor, resumed), interest());
    feed.sequence_ = last();
    feed.present_.reserve(present_.size());
    for (const auto& [pm_id, item] : present_)
        feed.present_.push_back(item);
    if (!after) return feed;
    feed.lost_ = ours ? feed.subscription_.lost() : std::nullopt;
    feed.continuity_ = feed.lost_ == 0U ? Continuity::kWhole : Continuity::kLost;
    return feed;
}

std::shared_ptr<void> ProcessHub::Impl::interest() {
    ++interested_;
    return {nullptr, [self = shared_from_this()](void*) {
                asio::post(self->loop_, [impl = self.get()] { impl->lose_interest(); });
            }};
}

void ProcessHub::Impl::lose_interest() {
    if (--interested_ > 0) return;
    pause_.expires_after(linger_);
    pause_.async_wait([this](const auto& error) {
        const bool wanted = interested_ > 0 || !waiting_.empty();
        if (!error && !wanted && broadcast_) end();
    });
}

ProcessHub::ProcessHub(ProcessNewsSource source, const core::Clock& clock,
                       core::MetricRegistry& metrics, net::BroadcastOptions options,
                       std::chrono::milliseconds linger)
    : impl_(std::make_shared<Impl>(std::move(source), clock, metrics, options, linger)) {}

ProcessHub::~ProcessHub() {
    impl_->stop();
}

asio::awaitable<Result<ProcessFeed>> ProcessHub::subscribe(
    std::optional<std::uint64_t> resume_after) {
    ZONA_CO_TRY_VOID(impl_->start());
    const auto executor = co_await asio::this_coro::executor;
    auto begin = [impl = impl_, executor,
                  resume_after](process::Callback<ProcessFeed> done) mutable {
        asio::post(impl->executor(),
                   [impl = impl.get(), executor, resume_after, done = std::move(done)]() mutable {
                       impl->subscribe(executor, resume_after, std::move(done));
                   });
    };
    co_return co_await answer_of<ProcessFeed>(std::move(begin));
}

}  // namespace zona::api
