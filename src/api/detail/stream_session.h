// One client of GET /api/v1/stream: its messages, and what it is subscribed to.
//
// Each subscription has a coroutine for news of processes and one for lines of logs. Both write to
// the socket and wait for it, each for itself: the one of the news is bounded by its feed, which
// coalesces and then drops it; the one of the logs reads no further meanwhile.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json/fwd.hpp>

#include "api/detail/log_feed.h"
#include "api/detail/process_hub.h"
#include "api/shape.h"
#include "core/log.h"
#include "core/task_group.h"
#include "net/http.h"
#include "net/websocket.h"

namespace zona::api {

/// What both sides speak.
inline constexpr std::string_view kStreamProtocol = "zona.v1";

/// Every limit of a stream's messages; over one of them is an error that names it.
struct StreamLimits {
    static constexpr std::size_t kMostSubscriptions = 16;
    static constexpr std::size_t kMostSelectors = 64;
    static constexpr std::size_t kMostId = 64;
    static constexpr std::int64_t kMostLines = 1'000'000;
    static constexpr std::int64_t kMostSequence = (std::int64_t{1} << 53) - 1;  ///< JSON's integers
    /// Of one message of a client: 1009.
    static constexpr core::ByteCount kMessage = core::ByteCount::kib(64);
};

/// What a session works with; all outlive it.
struct StreamDeps {
    ProcessHub& hub;
    process::Capture& capture;
    const core::Clock& clock;
    const Components& components;
    core::Logger log;
};

/// The options of the socket of a session.
net::WebSocketOptions stream_options();

/// Runs on the connection's executor.
class StreamSession {
  public:
    /// `request` and `socket` outlive it.
    StreamSession(const StreamDeps& deps, const net::Request& request, net::WebSocket& socket,
                  const boost::asio::any_io_executor& executor);
    ~StreamSession();
    StreamSession(const StreamSession&) = delete;
    StreamSession& operator=(const StreamSession&) = delete;

    /// Until the socket ends; then nothing of it runs any more.
    boost::asio::awaitable<core::Result<void>> run();

  private:
    struct Subscription;
    using Subscribed = std::shared_ptr<Subscription>;
    using Done = boost::asio::awaitable<core::Result<void>>;

    Done take(std::string_view text);
    Done subscribe(const boost::json::value& message);
    Done unsubscribe(std::string id);
    boost::asio::awaitable<void> end_all();

    Done follow(Subscribed subscription);
    Done follow_news(Subscribed subscription);
    Done begin(Subscribed subscription, ProcessFeed& feed);
    Done tell(Subscribed subscription, ProcessItemPtr item);
    Done tell_due(Subscribed subscription);
    void begin_logs(const Subscribed& subscription, const ProcessFeed& feed);
    Done follow_logs(Subscribed subscription);
    Done send_logs(Subscribed subscription);

    Done send(std::string frame);
    Done send_error(std::optional<std::string> id, const core::Error& error);
    Done end_with(std::string id, core::Error error);

    const StreamDeps& deps_;
    const net::Request& request_;
    net::WebSocket& socket_;
    boost::asio::any_io_executor executor_;
    std::map<std::string, Subscribed, std::less<>> subscriptions_;
};

}  // namespace zona::api
