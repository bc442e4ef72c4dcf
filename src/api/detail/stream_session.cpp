#include "api/detail/stream_session.h"

#include <algorithm>
#include <unordered_map>

#include <boost/asio/this_coro.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "api/detail/await.h"
#include "api/detail/message.h"
#include "api/detail/process_filter.h"
#include "api/detail/render.h"
#include "api/detail/stream_shapes.h"
#include "core/json.h"
#include "net/public_error.h"

namespace zona::api {

namespace asio = boost::asio;
namespace json = boost::json;
using core::Code;
using core::Deadline;
using core::Error;
using core::Result;
using net::SharedText;
using Kind = ProcessItem::Kind;

namespace {

std::string quoted(std::string_view text) {
    std::string out;
    core::append_json_string(out, text);
    return out;
}

std::optional<std::int64_t> integer_of(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    if (value == nullptr || value->is_null()) return std::nullopt;
    return value->to_number<std::int64_t>();
}

std::vector<std::string> texts_of(const json::object& object, std::string_view key) {
    std::vector<std::string> out;
    const json::value* value = object.if_contains(key);
    if (value == nullptr || value->is_null()) return out;
    for (const json::value& item : value->get_array())
        out.emplace_back(item.get_string());
    return out;
}

/// The shape of the message, by its type. Errors: kInvalidArgument.
Result<const Shape*> shape_of(const json::value& message, const Components& components) {
    std::vector<std::string> known;
    for (const MessageShape& row : client_messages())
        known.emplace_back(row.type);
    const Shape shape = Shape::object({required("type", Shape::text("").choices(known))});
    if (!message.is_object())
        return error_of("the message", mistakes_of(message, shape, components));
    const auto text = text_of(message.get_object(), "type");
    for (const MessageShape& row : client_messages()) {
        if (text == row.type) return &components.find(row.component)->second;
    }
    json::object alone;
    if (const json::value* given = message.get_object().if_contains("type")) alone["type"] = *given;
    return error_of("the message", mistakes_of(alone, shape, components));
}

process::LogFiles files_of(const process::ProcessView& view) {
    return {.slot = view.slot,
            .pm_id = view.stored.pm_id,
            .instance = view.stored.instance,
            .name = view.stored.app->spec.name,
            .out_file = view.stored.out_file,
            .error_file = view.stored.error_file};
}

SharedText frame_of(const ProcessItemPtr& item) {
    return {item, &item->frame};
}

}  // namespace

/// What one subscription wants, and where it stands.
struct StreamSession::Subscription {
    Subscription(const asio::any_io_executor& executor, core::Logger log)
        : tasks(executor, std::move(log)) {}

    std::string id;
    bool processes = false, events = false, logs = false;
    std::vector<std::string> select;
    LogSelection selection;
    std::chrono::milliseconds interval{0};
    std::optional<std::uint64_t> resume_after;

    /// A process whose state was sent less than `interval` ago.
    struct Paced {
        core::SteadyTime due;
        ProcessItemPtr newest;  ///< null: nothing new
    };
    std::unordered_map<std::uint32_t, Paced> paced;
    std::optional<ProcessFilter> filter;
    std::unique_ptr<LogFeed> log_feed;
    core::TaskGroup tasks;  ///< last: they use what is above
};

net::WebSocketOptions stream_options() {
    net::WebSocketOptions options;
    options.subprotocols = {std::string(kStreamProtocol)};
    options.message = StreamLimits::kMessage;
    return options;
}

StreamSession::StreamSession(const StreamDeps& deps, const net::Request& request,
                             net::WebSocket& socket, const asio::any_io_executor& executor)
    : deps_(deps), request_(request), socket_(socket), executor_(executor) {}

StreamSession::~StreamSession() = default;

asio::awaitable<Result<void>> StreamSession::run() {
    // The subscriptions use the session and its socket.
    const auto end = [this] { return end_all(); };
    auto texts = read_texts(socket_, [this](std::string_view text) { return take(text); });
    co_return co_await with_cleanup(std::move(texts), end);
}

asio::awaitable<void> StreamSession::end_all() {
    for (const auto& [id, subscription] : subscriptions_)
        subscription->tasks.cancel();
    for (const auto& [id, subscription] : subscriptions_)
        co_await subscription->tasks.join();
}

/// A message that is wrong is answered and changes nothing.
StreamSession::Done StreamSession::take(std::string_view text) {
    auto message = core::parse_json(text, {.max_bytes = StreamLimits::kMessage});
    if (!message) co_return co_await send_error(std::nullopt, message.error());
    const json::object* object = message->if_object();
    const auto id = object == nullptr ? std::nullopt : text_of(*object, "id");
    const auto shape = shape_of(*message, deps_.components);
    if (!shape) co_return co_await send_error(id, shape.error());
    auto mistakes = mistakes_of(*message, **shape, deps_.components);
    if (!mistakes.empty())
        co_return co_await send_error(id, error_of("the message", std::move(mistakes)));
    const std::string type = *text_of(*object, "type");
    if (type == "subscribe") co_return co_await subscribe(*message);
    if (type == "unsubscribe") co_return co_await unsubscribe(*id);
    co_return co_await send(fmt::format(R"({{"type":"pong","id":{}}})", quoted(*id)));
}

StreamSession::Done StreamSession::subscribe(const json::value& message) {
    const json::object& object = message.get_object();
    const std::string id = *text_of(object, "id");
    // Those that have failed are there no more.
    std::erase_if(subscriptions_, [](const auto& one) { return one.second->tasks.size() == 0; });
    if (subscriptions_.contains(id)) {
        const Error error(Code::kConflict,
                          fmt::format("this socket has a subscription {} already", quoted(id)));
        co_return co_await send_error(id, error);
    }
    if (subscriptions_.size() >= StreamLimits::kMostSubscriptions) {
        const Error error(Code::kTooManyRequests,
                          fmt::format("a socket has at most {} subscriptions: end one, or open "
                                      "another socket",
                                      StreamLimits::kMostSubscriptions));
        co_return co_await send_error(id, error);
    }
    auto made = std::make_shared<Subscription>(executor_, deps_.log);
    made->id = id;
    for (const std::string& topic : texts_of(object, "topics")) {
        made->processes |= topic == "processes";
        made->events |= topic == "events";
        made->logs |= topic == "logs";
    }
    made->select = texts_of(object, "select");
    made->interval = std::chrono::milliseconds(integer_of(object, "interval_ms").value_or(0));
    if (const auto after = integer_of(object, "resume_after"))
        made->resume_after = static_cast<std::uint64_t>(*after);
    LogSelection& logs = made->selection;
    logs.follow = process::Follow::kYes;
    choose_stream(logs, text_of(object, "stream").value_or("all"));
    logs.lines = static_cast<std::size_t>(integer_of(object, "lines").value_or(0));
    logs.cursor = text_of(object, "cursor").value_or("");
    if (const auto since = text_of(object, "since")) {
        const auto time = read_since(*since, deps_.clock);
        if (!time) co_return co_await send_error(id, time.error());
        logs.since = *time;
    }
    subscriptions_.emplace(id, made);
    made->tasks.spawn("news", follow(made));
    co_return Result<void>();
}

StreamSession::Done StreamSession::unsubscribe(std::string id) {
    const auto found = subscriptions_.find(id);
    if (found == subscriptions_.end()) {
        const Error error(Code::kNotFound,
                          fmt::format("this socket has no subscription {}", quoted(id)));
        co_return co_await send_error(id, error);
    }
    const Subscribed ending = found->second;
    ending->tasks.cancel();
    co_await ending->tasks.join();
    subscriptions_.erase(id);
    co_return co_await send(fmt::format(R"({{"type":"unsubscribed","id":{}}})", quoted(id)));
}

StreamSession::Done StreamSession::follow(Subscribed subscription) {
    auto ended = co_await follow_news(subscription);
    if (ended) co_return Result<void>();
    co_return co_await end_with(subscription->id, ended.take_error());
}

/// Tells the client why one of its subscriptions ends; too slow, and a hub that has closed, end the
/// socket.
StreamSession::Done StreamSession::end_with(std::string id, Error error) {
    if (error.code() == Code::kCancelled) co_return Result<void>();
    if (error.code() == Code::kTooManyRequests) {
        socket_.close(net::CloseCode::kTryAgainLater, error.message());
        co_return Result<void>();
    }
    co_return co_await send_error(std::move(id), error);
}

StreamSession::Done StreamSession::follow_news(Subscribed subscription) {
    ZONA_CO_TRY(ProcessFeed feed, co_await deps_.hub.subscribe(subscription->resume_after));
    ZONA_CO_TRY(subscription->filter, ProcessFilter::make(subscription->select, feed.present()));
    ZONA_CO_TRY_VOID(co_await begin(subscription, feed));
    feed.forget_present();
    for (;;) {
        auto earliest = core::SteadyTime::max();
        for (const auto& [pm_id, paced] : subscription->paced) {
            if (paced.newest) earliest = std::min(earliest, paced.due);
        }
        auto item = co_await feed.next(Deadline::at(earliest));
        if (item) {
            ZONA_CO_TRY_VOID(co_await tell(subscription, *item));
        } else if (item.error().code() != Code::kTimeout) {
            co_return item.take_error();
        }
        ZONA_CO_TRY_VOID(co_await tell_due(subscription));
    }
}

StreamSession::Done StreamSession::begin(Subscribed subscription, ProcessFeed& feed) {
    const std::string id = quoted(subscription->id);
    ZONA_CO_TRY_VOID(co_await send(
        fmt::format(R"({{"type":"subscribed","id":{},"sequence":{}}})", id, feed.sequence())));
    if (feed.continuity() == Continuity::kLost) {
        const std::string count = feed.lost() ? fmt::format("{}", *feed.lost()) : "null";
        ZONA_CO_TRY_VOID(
            co_await send(fmt::format(R"({{"type":"lost","id":{},"count":{}}})", id, count)));
    }
    if (subscription->logs) begin_logs(subscription, feed);
    if (!subscription->processes || feed.continuity() == Continuity::kWhole)
        co_return Result<void>();
    for (const ProcessItemPtr& item : feed.present()) {
        if (!subscription->filter->wants(*item)) continue;
        if (subscription->interval.count() > 0) {
            const core::SteadyTime due = deps_.clock.steady() + subscription->interval;
            subscription->paced[item->pm_id] = {.due = due, .newest = nullptr};
        }
        ZONA_CO_TRY_VOID(co_await send(item->frame_at(deps_.clock.system())));
    }
    co_return Result<void>();
}

StreamSession::Done StreamSession::tell(Subscribed subscription, ProcessItemPtr item) {
    Subscription& wanted = *subscription;
    if (!wanted.filter->wants(*item)) co_return Result<void>();
    if (item->kind == Kind::kEvent) {
        if (wanted.events) co_return co_await socket_.write(frame_of(item));
        co_return Result<void>();
    }
    const bool begins = item->kind == Kind::kState && wanted.log_feed != nullptr &&
                        !wanted.log_feed->has(item->pm_id);
    if (begins) {
        ZONA_CO_TRY_VOID(wanted.log_feed->add(files_of(*item->view)));
    }
    if (!wanted.processes) co_return Result<void>();
    if (item->kind == Kind::kDeleted) {
        wanted.paced.erase(item->pm_id);
    } else if (wanted.interval.count() > 0) {
        wanted.paced[item->pm_id].newest = std::move(item);
        co_return Result<void>();
    }
    co_return co_await socket_.write(frame_of(item));
}

/// With an interval: the states whose time has come.
StreamSession::Done StreamSession::tell_due(Subscribed subscription) {
    const core::SteadyTime now = deps_.clock.steady();
    std::vector<ProcessItemPtr> due;
    for (auto& [pm_id, paced] : subscription->paced) {
        if (!paced.newest || paced.due > now) continue;
        due.push_back(std::exchange(paced.newest, nullptr));
        paced.due = now + subscription->interval;
    }
    for (const ProcessItemPtr& item : due)
        ZONA_CO_TRY_VOID(co_await socket_.write(frame_of(item)));
    co_return Result<void>();
}

void StreamSession::begin_logs(const Subscribed& subscription, const ProcessFeed& feed) {
    std::vector<process::LogFiles> files;
    for (const ProcessItemPtr& item : feed.present()) {
        if (subscription->filter->wants(*item)) files.push_back(files_of(*item->view));
    }
    subscription->log_feed = std::make_unique<LogFeed>(std::move(files), subscription->selection,
                                                       deps_.capture, executor_);
    subscription->tasks.spawn("logs", follow_logs(subscription));
}

StreamSession::Done StreamSession::follow_logs(Subscribed subscription) {
    auto ended = co_await send_logs(subscription);
    if (ended) co_return Result<void>();
    co_return co_await end_with(subscription->id, ended.take_error());
}

/// A frame for each line, and the cursor behind each block.
StreamSession::Done StreamSession::send_logs(Subscribed subscription) {
    LogFeed& feed = *subscription->log_feed;
    const std::string id = quoted(subscription->id);
    const std::string before = fmt::format(R"({{"type":"log","id":{},"data":)", id);
    ZONA_CO_TRY_VOID(feed.seek());
    for (;;) {
        feed.rearm();
        std::string text;
        const auto lines = feed.append_lines(text, before, "}\n");
        if (!lines) {  // of one file; the others go on
            ZONA_CO_TRY_VOID(co_await send_error(subscription->id, lines.error()));
            continue;
        }
        if (*lines == 0) {
            co_await feed.wait(Deadline::never());
            continue;
        }
        const std::string cursor = quoted(feed.cursor());
        std::string_view rest = text;
        while (!rest.empty()) {
            // No newline stands in JSON text that is not indented.
            const std::size_t end = rest.find('\n');
            ZONA_CO_TRY_VOID(co_await send(std::string(rest.substr(0, end))));
            rest.remove_prefix(end + 1);
        }
        ZONA_CO_TRY_VOID(
            co_await send(fmt::format(R"({{"type":"cursor","id":{},"cursor":{}}})", id, cursor)));
    }
}

StreamSession::Done StreamSession::send(std::string frame) {
    co_return co_await socket_.write(net::share(std::move(frame)));
}

StreamSession::Done StreamSession::send_error(std::optional<std::string> id, const Error& error) {
    co_return co_await send(fmt::format(R"({{"type":"error","id":{},"error":{}}})",
                                        id ? quoted(*id) : "null",
                                        core::to_json(render(net::shown_to(request_, error)))));
}

}  // namespace zona::api
