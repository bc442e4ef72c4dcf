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

#include "net/detail/admission.h"
#include "net/detail/connection.h"
#include "net/detail/socket_stream.h"
#include "net/detail/tls_stream.h"
#include "net/tls.h"
#include "os/listening_socket.h"
#include "os/tcp_socket.h"
#include "os/unix_socket.h"

namespace zona::net {
namespace {

using Socket = asio::generic::stream_protocol::socket;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kFirstBackoff{10};
constexpr std::chrono::milliseconds kLongestBackoff{1000};

Fault fault_of(const detail::Admission& refused) {
    const bool of_one = refused.verdict() == detail::Verdict::kTooManyOfOne;
    std::string text =
        fmt::format("{} connections{} are open, which is the limit; try again later or close some",
                    refused.limit(), of_one ? " from your address" : "");
    return {core::Error(core::Code::kUnavailable, std::move(text)), 0};
}

core::Result<Peer> peer_of(int fd) {
    ZONA_TRY(const os::SocketFamily family, os::family_of(fd));
    if (family == os::SocketFamily::kUnix) {
        ZONA_TRY(const os::PeerCredentials who, os::peer_credentials(fd));
        return Peer(UnixPeer{who.uid, who.gid, who.pid});
    }
    ZONA_TRY(os::TcpAddress who, os::peer_address(fd));
    ZONA_TRY(const os::TcpAddress where, os::local_address(fd));
    return Peer(TcpPeer{std::move(who.host), who.port, where.port});
}

}  // namespace

class Server::Impl : public std::enable_shared_from_this<Server::Impl> {
  public:
    Impl(const asio::any_io_executor& executor, const ServerOptions& options,
         Application application, const core::Clock& clock, core::Logger log,
         core::MetricRegistry& metrics, std::shared_ptr<detail::ConnectionTally> tally)
        : shared_(std::make_shared<detail::Shared>(executor, options, std::move(application), clock,
                                                   std::move(log))),
          drain_begins_(executor, 1),
          drain_ends_(executor),
          counts_alone_(tally == nullptr),
          tally_(tally != nullptr ? std::move(tally)
                                  : std::make_shared<detail::ConnectionTally>(options, metrics)),
          tls_(metrics),
          accept_failures_(metrics.counter("zona_http_accept_failures_total",
                                           "Failed attempts to accept a connection.")) {}

    core::Result<void> listen(os::UniqueFd socket, ListenOptions options);
    void adopt(os::UniqueFd connection, const std::shared_ptr<TlsContext>& tls);
    asio::awaitable<void> serve();
    void drain(core::Deadline deadline);
    void set_options(const ServerOptions& options) {
        shared_->options = options;
        if (counts_alone_) tally_->set_limits(options);
    }
    std::size_t connections() const { return shared_->connections.size(); }

  private:
    struct Listener {
        Listener(asio::posix::stream_descriptor from, ListenOptions how)
            : socket(std::move(from)), options(std::move(how)), retry(socket.get_executor()) {}
        asio::posix::stream_descriptor socket;
        ListenOptions options;
        asio::steady_timer retry;
    };

    asio::awaitable<void> accept_from(Listener& listener);
    core::Result<Socket> watch(os::UniqueFd connection);
    std::unique_ptr<detail::Stream> stream_over(Socket socket, const Peer& peer,
                                                const std::shared_ptr<TlsContext>& tls);
    asio::awaitable<void> serve_one(std::shared_ptr<detail::Connection> connection);
    asio::awaitable<void> turn_away(std::shared_ptr<detail::Connection> connection, Fault fault);
    void cut();

    std::shared_ptr<detail::Shared> shared_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    asio::experimental::channel<void(boost::system::error_code)> drain_begins_;
    asio::steady_timer drain_ends_;
    core::SteadyTime cut_at_ = core::SteadyTime::max();
    bool serving_ = false;
    bool served_ = false;  ///< serve() is through
    bool counts_alone_;    ///< else whoever made the tally sets its limits
    std::shared_ptr<detail::ConnectionTally> tally_;  // shared with the pool's other servers
    detail::TlsMeter tls_;
    core::Counter& accept_failures_;
};

core::Result<void> Server::Impl::listen(os::UniqueFd socket, ListenOptions options) {
    if (shared_->draining) return core::Error(core::Code::kUnavailable, "the server is draining");
    ZONA_TRY_VOID(shared_->deadlines->usable());
    ZONA_TRY_VOID(os::family_of_listening(socket.get()));
    ZONA_TRY_VOID(os::set_nonblocking(socket.get()));
    asio::posix::stream_descriptor watched(shared_->executor);
    boost::system::error_code error;
    watched.assign(socket.get(), error);
    if (error) {
        return core::Error::from_errno(error.value(), fmt::format("listen on fd {}", socket.get()));
    }
    std::ignore = std::move(socket).release();  // the listener owns it now
    listeners_.push_back(std::make_unique<Listener>(std::move(watched), std::move(options)));
    if (serving_) shared_->tasks.spawn("http accept", accept_from(*listeners_.back()));
    return {};
}

asio::awaitable<void> Server::Impl::serve() {
    const auto self = shared_from_this();
    co_await asio::this_coro::throw_if_cancelled(false);
    serving_ = true;
    for (const auto& listener : listeners_) {
        shared_->tasks.spawn("http accept", accept_from(*listener));
    }
    co_await drain_begins_.async_receive(kAwait);
    if (!shared_->draining) {  // serve() itself was cancelled
        drain(core::Deadline::at(shared_->clock.steady()));
        co_await asio::this_coro::reset_cancellation_state();
    }
    co_await shared_->tasks.join();
    served_ = true;
    drain_ends_.cancel();
}

/// Asio keeps the numbers for later calls of its own, none of which are made here.
core::Result<Socket> Server::Impl::watch(os::UniqueFd connection) {
    Socket socket(shared_->executor);
    boost::system::error_code error;
    socket.assign(asio::generic::stream_protocol(AF_UNSPEC, 0), connection.get(), error);
    if (error) return core::Error::from_errno(error.value(), "watch a connection");
    std::ignore = std::move(connection).release();  // the socket owns it now
    return socket;
}

asio::awaitable<void> Server::Impl::accept_from(Listener& listener) {
    const auto self = shared_from_this();
    std::chrono::milliseconds backoff = kFirstBackoff;
    while (!shared_->draining) {
        // Asio's own accept leaves a descriptor that survives exec: the daemon that becomes the
        // keeper would hold its clients' connections open for ever.
        auto accepted = os::accept_connection(listener.socket.native_handle());
        if (accepted && *accepted) {
            backoff = kFirstBackoff;
            if (listener.options.hand_over) {
                listener.options.hand_over(*std::move(*accepted));
            } else {
                adopt(*std::move(*accepted), listener.options.tls);
            }
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
        if (!os::family_of_listening(listener.socket.native_handle())) break;  // stop_listening()
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

void Server::Impl::adopt(os::UniqueFd connection, const std::shared_ptr<TlsContext>& tls) {
    if (served_) return;
    core::Result<Peer> peer = peer_of(connection.get());
    if (!peer) {  // without a name it gets nothing: the socket closes
        // One that has gone again is nothing to tell.
        if (peer.error().code() != core::Code::kUnavailable)
            shared_->log.report("it cannot be told who a client is", peer.error());
        return;
    }
    detail::Admission admission = tally_->admit(*peer);
    const detail::Verdict verdict = admission.verdict();
    if (verdict == detail::Verdict::kTooManyRefused) return;
    Fault fault = fault_of(admission);
    if (std::holds_alternative<TcpPeer>(*peer)) {
        // Without these it still works, slower.
        if (auto set = os::prepare_connection(connection.get()); !set)
            shared_->log.report("a connection keeps the host's settings", set.error());
    }
    core::Result<Socket> socket = watch(std::move(connection));
    if (!socket) return shared_->log.report("a connection cannot be served", socket.error());
    auto stream = stream_over(std::move(*socket), *peer, tls);
    auto client = std::make_shared<detail::Connection>(shared_, std::move(stream), std::move(*peer),
                                                       std::move(admission));
    auto stop = client->cancellation();
    if (verdict == detail::Verdict::kServed) {
        shared_->tasks.spawn("http connection", serve_one(std::move(client)), std::move(stop));
    } else {
        auto refused = turn_away(std::move(client), std::move(fault));
        shared_->tasks.spawn("http refusal", std::move(refused), std::move(stop));
    }
}

std::unique_ptr<detail::Stream> Server::Impl::stream_over(Socket socket, const Peer& peer,
                                                          const std::shared_ptr<TlsContext>& tls) {
    if (tls != nullptr) return std::make_unique<detail::TlsStream>(std::move(socket), tls, tls_);
    const bool local = std::holds_alternative<UnixPeer>(peer);
    return std::make_unique<detail::SocketStream>(
        std::move(socket), local ? detail::Hangup::kReported : detail::Hangup::kEndOfInput);
}

asio::awaitable<void> Server::Impl::serve_one(std::shared_ptr<detail::Connection> connection) {
    const auto self = shared_from_this();
    co_await connection->serve();
}

asio::awaitable<void> Server::Impl::turn_away(std::shared_ptr<detail::Connection> connection,
                                              Fault fault) {
    const auto self = shared_from_this();
    co_await connection->turn_away(std::move(fault));
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
               core::MetricRegistry& metrics, std::shared_ptr<detail::ConnectionTally> tally)
    : impl_(std::make_shared<Impl>(executor, options, std::move(application), clock, std::move(log),
                                   metrics, std::move(tally))) {}
Server::~Server() = default;

core::Result<void> Server::listen(os::UniqueFd socket, ListenOptions options) {
    return impl_->listen(std::move(socket), std::move(options));
}
void Server::adopt(os::UniqueFd connection, const std::shared_ptr<TlsContext>& tls) {
    impl_->adopt(std::move(connection), tls);
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
