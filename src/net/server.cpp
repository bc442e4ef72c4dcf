#include "net/server.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

#include "net/detail/connection.h"
#include "net/detail/socket_stream.h"
#include "os/listening_socket.h"
#include "os/tcp_socket.h"
#include "os/unix_socket.h"

namespace zona::net {
namespace {

using Socket = asio::generic::stream_protocol::socket;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kFirstBackoff{10};
constexpr std::chrono::milliseconds kLongestBackoff{1000};
/// So many clients over the limit are told so at a time; further ones are closed without a word.
constexpr std::size_t kMostTurnedAway = 64;

core::Result<Peer> peer_of(int fd, os::SocketFamily family) {
    if (family == os::SocketFamily::kUnix) {
        ZONA_TRY(const os::PeerCredentials who, os::peer_credentials(fd));
        return Peer(UnixPeer{who.uid, who.gid, who.pid});
    }
    ZONA_TRY(os::TcpAddress who, os::peer_address(fd));
    return Peer(TcpPeer{std::move(who.host), who.port});
}

}  // namespace

class Server::Impl : public std::enable_shared_from_this<Server::Impl> {
  public:
    Impl(const asio::any_io_executor& executor, const ServerOptions& options,
         Application application, const core::Clock& clock, core::Logger log,
         core::MetricRegistry& metrics)
        : shared_(std::make_shared<detail::Shared>(executor, options, std::move(application), clock,
                                                   std::move(log))),
          drain_begins_(executor, 1),
          drain_ends_(executor),
          open_(metrics.gauge("zona_http_connections", "Open connections.")),
          refused_(metrics.counter("zona_http_refused_connections_total",
                                   "Connections over the limit.")),
          accept_failures_(metrics.counter("zona_http_accept_failures_total",
                                           "Failed attempts to accept a connection.")) {}

    core::Result<void> listen(os::UniqueFd socket);
    asio::awaitable<void> serve();
    void drain(core::Deadline deadline);
    void set_options(const ServerOptions& options) { shared_->options = options; }
    std::size_t connections() const { return shared_->connections.size(); }

  private:
    struct Listener {
        Listener(asio::posix::stream_descriptor from, os::SocketFamily of)
            : socket(std::move(from)), family(of), retry(socket.get_executor()) {}
        asio::posix::stream_descriptor socket;
        os::SocketFamily family;
        asio::steady_timer retry;
    };

    core::Result<std::optional<Socket>> accept(Listener& listener);
    asio::awaitable<void> accept_from(Listener& listener);
    void admit(Socket socket, os::SocketFamily family);
    asio::awaitable<void> serve_one(std::shared_ptr<detail::Connection> connection);
    asio::awaitable<void> turn_away(std::shared_ptr<detail::Connection> connection);
    void cut();

    std::shared_ptr<detail::Shared> shared_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    asio::experimental::channel<void(boost::system::error_code)> drain_begins_;
    asio::steady_timer drain_ends_;
    core::SteadyTime cut_at_ = core::SteadyTime::max();
    std::size_t turned_away_ = 0;  ///< connections that are being told so
    core::Gauge& open_;
    core::Counter& refused_;
    core::Counter& accept_failures_;
};

core::Result<void> Server::Impl::listen(os::UniqueFd socket) {
    ZONA_TRY_VOID(shared_->deadlines->usable());
    ZONA_TRY(const os::SocketFamily family, os::family_of_listening(socket.get()));
    ZONA_TRY_VOID(os::set_nonblocking(socket.get()));
    asio::posix::stream_descriptor watched(shared_->executor);
    boost::system::error_code error;
    watched.assign(socket.get(), error);
    if (error) {
        return core::Error::from_errno(error.value(), fmt::format("listen on fd {}", socket.get()));
    }
    std::ignore = std::move(socket).release();  // the listener owns it now
    listeners_.push_back(std::make_unique<Listener>(std::move(watched), family));
    return {};
}

asio::awaitable<void> Server::Impl::serve() {
    const auto self = shared_from_this();
    co_await asio::this_coro::throw_if_cancelled(false);
    for (const auto& listener : listeners_) {
        shared_->tasks.spawn("http accept", accept_from(*listener));
    }
    co_await drain_begins_.async_receive(kAwait);
    if (!shared_->draining) {  // serve() itself was cancelled
        drain(core::Deadline::at(shared_->clock.steady()));
        co_await asio::this_coro::reset_cancellation_state();
    }
    co_await shared_->tasks.join();
    drain_ends_.cancel();
}

/// The next connection that waits, if one does. Asio's own accept leaves a descriptor that survives
/// exec: the daemon that becomes the keeper would hold its clients' connections open for ever.
core::Result<std::optional<Socket>> Server::Impl::accept(Listener& listener) {
    ZONA_TRY(std::optional<os::UniqueFd> accepted,
             os::accept_connection(listener.socket.native_handle()));
    if (!accepted) return std::optional<Socket>();
    if (listener.family == os::SocketFamily::kTcp) {
        // Without these it still works, slower.
        if (auto set = os::prepare_connection(accepted->get()); !set)
            shared_->log.report("a connection keeps the host's settings", set.error());
    }
    Socket socket(shared_->executor);
    boost::system::error_code error;
    // Asio keeps the numbers for later calls of its own, none of which are made here.
    socket.assign(asio::generic::stream_protocol(AF_UNSPEC, 0), accepted->get(), error);
    if (error) return core::Error::from_errno(error.value(), "watch a connection");
    std::ignore = std::move(*accepted).release();  // the socket owns it now
    return std::optional<Socket>(std::move(socket));
}

asio::awaitable<void> Server::Impl::accept_from(Listener& listener) {
    const auto self = shared_from_this();
    std::chrono::milliseconds backoff = kFirstBackoff;
    while (!shared_->draining) {
        auto accepted = accept(listener);
        if (accepted && *accepted) {
            backoff = kFirstBackoff;
            admit(*std::move(*accepted), listener.family);
            // A flood of connections lets those that are open have their turn.
            co_await asio::post(shared_->executor, kAwait);
            continue;
        }
        if (accepted) {
            auto [error] = co_await listener.socket.async_wait(
                asio::posix::descriptor_base::wait_read, kAwait);
            if (error == asio::error::operation_aborted) break;
            continue;
        }
        accept_failures_.add();
        if (backoff == kFirstBackoff) {
            shared_->log.warn(
                "cannot accept connections; they wait in the queue",
                {{"error", accepted.error().message()}, {"open", shared_->connections.size()}});
        }
        listener.retry.expires_after(backoff);
        co_await listener.retry.async_wait(kAwait);
        backoff = std::min(backoff * 2, kLongestBackoff);
    }
}

void Server::Impl::admit(Socket socket, os::SocketFamily family) {
    core::Result<Peer> peer = peer_of(socket.native_handle(), family);
    if (!peer) {  // without a name it gets nothing: the socket closes
        // One that has gone again is nothing to tell.
        if (peer.error().code() != core::Code::kUnavailable)
            shared_->log.report("it cannot be told who a client is", peer.error());
        return;
    }
    const bool full = shared_->connections.size() - turned_away_ >= shared_->options.connections;
    if (full) refused_.add();
    if (full && turned_away_ >= kMostTurnedAway) return;
    auto connection = std::make_shared<detail::Connection>(
        shared_,
        std::make_unique<detail::SocketStream>(
            std::move(socket), family == os::SocketFamily::kUnix ? detail::Hangup::kReported
                                                                 : detail::Hangup::kEndOfInput),
        std::move(*peer));
    open_.set(static_cast<double>(shared_->connections.size()));
    if (full) {
        shared_->tasks.spawn("http refusal", turn_away(std::move(connection)));
    } else {
        if (shared_->draining) connection->drain();
        shared_->tasks.spawn("http connection", serve_one(std::move(connection)));
    }
}

asio::awaitable<void> Server::Impl::serve_one(std::shared_ptr<detail::Connection> connection) {
    const auto self = shared_from_this();
    co_await connection->serve();
    connection.reset();
    open_.set(static_cast<double>(shared_->connections.size()));
}

asio::awaitable<void> Server::Impl::turn_away(std::shared_ptr<detail::Connection> connection) {
    const auto self = shared_from_this();
    ++turned_away_;
    Fault fault{core::Error(core::Code::kUnavailable,
                            fmt::format("{} connections are open, which is the limit; try again "
                                        "later or close some",
                                        shared_->options.connections)),
                0};
    co_await connection->turn_away(std::move(fault));
    --turned_away_;
    connection.reset();
    open_.set(static_cast<double>(shared_->connections.size()));
}

void Server::Impl::drain(core::Deadline deadline) {
    if (!shared_->draining) {
        shared_->draining = true;
        boost::system::error_code ignored;  // a socket that is gone accepts nothing either
        for (const auto& listener : listeners_) {
            listener->socket.close(ignored);
            listener->retry.cancel();
        }
        drain_begins_.try_send(boost::system::error_code());
        for (detail::Connection* connection : shared_->connections)
            connection->drain();
    }
    if (deadline.moment() >= cut_at_) return;
    cut_at_ = deadline.moment();
    if (deadline.expired(shared_->clock)) return cut();
    drain_ends_.expires_after(deadline.remaining(shared_->clock));
    drain_ends_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
        if (error) return;
        if (const auto self = weak.lock()) self->cut();
    });
}

void Server::Impl::cut() {
    if (!shared_->connections.empty()) {
        shared_->log.warn("connections are cut at the end of the drain",
                          {{"open", shared_->connections.size()}});
    }
    for (detail::Connection* connection : shared_->connections)
        connection->cut();
}

Server::Server(const asio::any_io_executor& executor, const ServerOptions& options,
               Application application, const core::Clock& clock, core::Logger log,
               core::MetricRegistry& metrics)
    : impl_(std::make_shared<Impl>(executor, options, std::move(application), clock, std::move(log),
                                   metrics)) {}
Server::~Server() = default;

core::Result<void> Server::listen(os::UniqueFd socket) {
    return impl_->listen(std::move(socket));
}
asio::awaitable<void> Server::serve() {
    return impl_->serve();
}
void Server::set_options(const ServerOptions& options) {
    impl_->set_options(options);
}
void Server::drain(core::Deadline deadline) {
    impl_->drain(deadline);
}
void Server::stop() {
    impl_->drain(core::Deadline::at(core::SteadyTime::min()));
}
std::size_t Server::connections() const {
    return impl_->connections();
}

}  // namespace zona::net
