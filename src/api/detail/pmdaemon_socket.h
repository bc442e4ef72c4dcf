// One client of PMDaemon's GET /ws, which speaks either of its two protocols: that of its source,
// where the server alone talks, until the client subscribes; then that of its documents.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json.hpp>

#include "api/detail/pmdaemon_actions.h"
#include "api/detail/pmdaemon_frames.h"
#include "api/detail/process_hub.h"
#include "core/clock.h"
#include "core/log.h"
#include "net/http.h"
#include "net/websocket.h"

namespace zona::api::pmdaemon {

/// What sessions work with; all outlive them.
struct SocketDeps {
    ProcessHub& hub;
    const Actions& actions;
    Frames& frames;
    const core::Clock& clock;
    core::Logger log;
    int cpus = 1;
};

/// Between two messages about the whole, as in PMDaemon.
inline constexpr std::chrono::milliseconds kTick{2000};
inline constexpr std::chrono::milliseconds kLeastInterval{100};
inline constexpr std::chrono::milliseconds kMostInterval = std::chrono::hours(1);
/// Names that one client may filter by.
inline constexpr std::size_t kMostNames = 1024;

net::WebSocketOptions socket_options();

/// Runs on the connection's executor.
class SocketSession {
  public:
    /// `request` and `socket` outlive it.
    SocketSession(SocketDeps deps, const net::Request& request, net::WebSocket& socket,
                  const boost::asio::any_io_executor& executor)
        : deps_(std::move(deps)), request_(request), socket_(socket), executor_(executor) {}

    /// Until the socket ends; then nothing of it runs any more.
    boost::asio::awaitable<core::Result<void>> run();

  private:
    using Step = boost::asio::awaitable<core::Result<void>>;

    Step take(std::string_view text);
    Step subscribe(const boost::json::object& data);
    Step unsubscribe(const boost::json::object& data);
    Step command(const boost::json::object& data);
    Step get_info(const boost::json::object& data);
    Step get_system();

    boost::asio::awaitable<void> tell_all(ProcessFeed feed);
    Step tell_news(ProcessFeed& feed);
    Step tell(const ProcessItemPtr& item);
    Step tell_event(const ProcessItemPtr& item);
    Step tell_state(const ProcessItemPtr& item);
    Step tick();
    Step send_list();
    Step send_metrics();
    core::Deadline next_tick() const;

    bool wants(std::string_view event, const std::string& process) const;
    Step send(std::string_view type, boost::json::object data);
    Step send_error(const core::Error& error);
    Step send_error(std::string_view code, const std::string& message);

    SocketDeps deps_;
    const net::Request& request_;
    net::WebSocket& socket_;
    boost::asio::any_io_executor executor_;

    std::map<std::uint32_t, ProcessItemPtr> present_;               ///< by pm_id
    std::map<std::uint32_t, std::vector<ProcessItemPtr>> waiting_;  ///< events before their state
    bool documented_ = false;                                       ///< it has subscribed
    std::set<std::string, std::less<>> events_;
    std::set<std::string, std::less<>> names_;  ///< empty: all
    std::chrono::milliseconds interval_{1000};
    core::SteadyTime due_{};
    std::uint64_t sent_ = 0;  ///< numbers its messages
};

}  // namespace zona::api::pmdaemon
