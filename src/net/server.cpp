#include "net/server.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

#include "net/detail/connection.h"
#include "net/detail/unix_stream.h"
#include "os/unix_socket.h"

namespace zona::net {
namespace {

using Acceptor = asio::local::stream_protocol::acceptor;
using Socket = asio::local::stream_protocol::socket;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kFirstBackoff{10};
constexpr std::chrono::milliseconds kLongestBackoff{1000};
/// So many clients over the limit are told so at a time; further ones are closed without a word.
constexpr std::size_t kMostTurnedAway = 64;

/// An integer option of SOL_SOCKET that Asio can read.
template <int Name>
class SocketFact {
  public:
    template <class Protocol>
    int level(const Protocol&) const {
        return SOL_SOCKET;
    }
    template <class Protocol>
    int name(const Protocol&) const {
        return Name;
    }
    template <class Protocol>
    int* data(const Protocol&) {
        return &value_;
    }
    template <class Protocol>
    std::size_t size(const Protocol&) const {
        return sizeof value_;
    }
    template <class Protocol>
    void resize(const Protocol&, std::size_t) {}
    int value() const { return value_; }

  private:
    int value_ = 0;
};

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
    std::size_t connections() const { return shared_->connections.size(); }

  private:
    struct Listener {
        explicit Listener(Acceptor from)
            : acceptor(std::move(from)), retry(acceptor.get_executor()) {}
        Acceptor acceptor;
        asio::steady_timer retry;
    };

    core::Result<std::optional<Socket>> accept(Acceptor& acceptor);
    asio::awaitable<void> accept_from(Listener& listener);
    void admit(Socket socket);
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
    const int number = socket.get();
    Acceptor acceptor(shared_->executor);
    boost::system::error_code error;
    acceptor.assign(asio::local::stream_protocol(), number, error);
    if (error) {
        return core::Error::from_errno(error.value(), fmt::format("listen on fd {}", number));
    }
    std::ignore = std::move(socket).release();  // the acceptor owns it now
    SocketFact<SO_DOMAIN> family;
    acceptor.get_option(family, error);
    if (error) {
        return core::Error(core::Code::kInvalidArgument,
                           fmt::format("fd {} is not a socket: {}", number, error.message()));
    }
    if (family.value() != AF_UNIX) {
        return core::Error(core::Code::kUnsupported,
                           fmt::format("fd {} is no unix socket; only those are served", number));
    }
    SocketFact<SO_ACCEPTCONN> listens;
    acceptor.get_option(listens, error);
    if (error || listens.value() == 0) {
        return core::Error(core::Code::kInvalidArgument,
                           fmt::format("the socket fd {} does not listen", number));
    }
    acceptor.non_blocking(true, error);
    if (error) {
        return core::Error::from_errno(error.value(), fmt::format("listen on fd {}", number));
    }
    listeners_.push_back(std::make_unique<Listener>(std::move(acceptor)));
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
core::Result<std::optional<Socket>> Server::Impl::accept(Acceptor& acceptor) {
    ZONA_TRY(std::optional<os::UniqueFd> accepted, os::accept_unix(acceptor.native_handle()));
    if (!accepted) return std::optional<Socket>();
    Socket socket(shared_->executor);
    boost::system::error_code error;
    socket.assign(asio::local::stream_protocol(), accepted->get(), error);
    if (error) return core::Error::from_errno(error.value(), "watch a connection");
    std::ignore = std::move(*accepted).release();  // the socket owns it now
    return std::optional<Socket>(std::move(socket));
}

asio::awaitable<void> Server::Impl::accept_from(Listener& listener) {
    const auto self = shared_from_this();
    std::chrono::milliseconds backoff = kFirstBackoff;
    while (!shared_->draining) {
        auto accepted = accept(listener.acceptor);
        if (accepted && *accepted) {
            backoff = kFirstBackoff;
            admit(*std::move(*accepted));
            // A flood of connections lets those that are open have their turn.
            co_await asio::post(shared_->executor, kAwait);
            continue;
        }
        if (accepted) {
            auto [error] = co_await listener.acceptor.async_wait(Acceptor::wait_read, kAwait);
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

void Server::Impl::admit(Socket socket) {
    core::Result<os::PeerCredentials> who = os::peer_credentials(socket.native_handle());
    if (!who.has_value()) {  // without a name it gets nothing: the socket closes
        shared_->log.report("a client's credentials cannot be read", who.error());
        return;
    }
    const Peer peer = UnixPeer{who->uid, who->gid, who->pid};
    const bool full = shared_->connections.size() - turned_away_ >= shared_->options.connections;
    if (full) refused_.add();
    if (full && turned_away_ >= kMostTurnedAway) return;
    auto connection = std::make_shared<detail::Connection>(
        shared_, std::make_unique<detail::UnixStream>(std::move(socket)), peer);
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
            listener->acceptor.close(ignored);
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
