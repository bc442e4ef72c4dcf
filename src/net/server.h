/// @file
/// Server: HTTP/1.1 (and 1.0) over listening sockets that it is given.
///
/// It owns the wire: framing, limits, deadlines, order of answers, draining. What an answer says
/// comes from an Application (net/middleware.h); nothing is answered past it, so every response,
/// the refusal of a malformed request included, has the same envelope, headers, log line and
/// metrics.
///
/// One server runs on one executor that never runs two handlers at once: an io_context with one
/// thread, or a strand. Several cores are several servers. Without connections it makes no system
/// call and no wake-up. Source: RFC 9112; HTTP-02, HTTP-04, HTTP-07, OBS-16.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "core/byte_count.h"
#include "core/clock.h"
#include "core/deadline.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/result.h"
#include "net/middleware.h"
#include "os/fd.h"

namespace zona::net {

class TlsContext;

namespace detail {
class ConnectionTally;
}

/// Every limit of a server. What a client gets for exceeding one stands beside it; the connection
/// is closed after each of these answers.
struct ServerOptions {
    core::ByteCount head = core::ByteCount::kib(32);  ///< request line and headers: 431
    std::size_t head_fields = 100;                    ///< 431
    core::ByteCount body =
        core::ByteCount::mib(1);  ///< 413, before the body is read; a route may differ
    /// 503; of all servers together that share one ConnectionTally, as those of a ServerPool do.
    std::size_t connections = 1024;
    /// 503; of one address over TCP, counted as above. 0: no such limit.
    std::size_t connections_per_address = 256;
    std::size_t requests_per_connection = 10'000;  ///< the last answer says Connection: close

    /// Between requests: closed without a word.
    std::chrono::milliseconds idle_time = std::chrono::seconds(60);
    /// From the first byte of a request to the end of its head: 408. Before that as much for the
    /// handshake of TLS, the wait for its first byte included: closed without a word.
    std::chrono::milliseconds head_time = std::chrono::seconds(10);
    /// From the first byte to the end of the body: 408. To the handler's return: 504; a route may
    /// differ.
    std::chrono::milliseconds request_time = std::chrono::seconds(30);
    /// What a handler gets after that to notice its cancellation, before it is overtaken.
    std::chrono::milliseconds overtime = std::chrono::seconds(1);
    /// A client that takes nothing of an answer for so long is cut off; each 256 KiB or chunk
    /// starts anew.
    std::chrono::milliseconds write_time = std::chrono::seconds(30);
    /// After a refusal: how long input is still read and dropped, so that the answer is not lost to
    /// a reset.
    std::chrono::milliseconds linger_time = std::chrono::seconds(2);
};

/// How a listening socket is served.
struct ListenOptions {
    /// Not null: its connections speak TLS; one that does not is answered 400 without it and
    /// closed. Shared with whoever reloads it.
    std::shared_ptr<TlsContext> tls;
    /// Not empty: gets each accepted connection in the server's place, on its executor.
    std::function<void(os::UniqueFd)> hand_over;
};

/// An HTTP server.
///
/// | Input                                                     | Answer |
/// | ---                                                       | --- |
/// | malformed head, chunk or target; smuggling (two framings) | 400 INVALID_ARGUMENT |
/// | no Host or several in HTTP/1.1                            | 400 INVALID_ARGUMENT |
/// | the input ends inside of a request                        | 400 INVALID_ARGUMENT |
/// | Expect: 100-continue                                      | 100 once the head is accepted |
/// | any other expectation                                     | 417 INVALID_ARGUMENT |
/// | unknown method, a Transfer-Encoding beside chunked        | 501 UNSUPPORTED |
/// | HTTP/2.0 and other versions                               | 505 UNSUPPORTED |
/// | HTTP/1.0                                                  | served, closed after one answer |
/// | several requests at once                                  | served one after the other, in order |
/// | an exception out of the application                       | 500 INTERNAL |
class Server {
  public:
    /// `executor`: see above. `clock` and what `application` refers to must outlive the server; the
    /// server must outlive serve(). Metrics: zona_http_connections (gauge),
    /// zona_http_refused_connections_total, zona_http_accept_failures_total, and
    /// zona_tls_handshakes_total, zona_tls_handshake_failures_total{reason}. `tally` counts the
    /// connections of several servers together; null: of this one.
    Server(const asio::any_io_executor& executor, const ServerOptions& options,
           Application application, const core::Clock& clock, core::Logger log,
           core::MetricRegistry& metrics, std::shared_ptr<detail::ConnectionTally> tally = nullptr);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Adds a listening socket, unix or TCP, from whoever made it; before serve(), or on the
    /// executor while it serves: not any more once it drains (kUnavailable). It is set
    /// non-blocking, which all holders of its open file description share. Errors: kInvalidArgument
    /// for a descriptor that is no listening socket, kUnsupported for another family,
    /// kResourceExhausted when no timer can be had.
    core::Result<void> listen(os::UniqueFd socket, ListenOptions options = {});

    /// Serves a connection that somebody else accepted, unix or TCP; `tls` as in ListenOptions. It
    /// is closed when serve() is through. Threading: on the executor.
    void adopt(os::UniqueFd connection, const std::shared_ptr<TlsContext>& tls);

    /// Serves until drain() or stop() is through; then no coroutine of the server is left. Call
    /// once.
    ///
    /// When accepting fails for lack of descriptors or memory it logs, waits (10 ms, doubling up to
    /// 1 s) and tries again: queued clients wait and nothing spins.
    asio::awaitable<void> serve();

    /// Other limits from now on; the length of a head for new connections only. Threading: on the
    /// executor.
    void set_options(const ServerOptions& options);

    /// Ends in order: stops accepting (clients in the backlog stay there for another holder of the
    /// socket), closes idle connections, lets requests in progress finish with Connection: close,
    /// ends streams of kind kOnDrain at once, and cuts what is left at `deadline`. Later calls can
    /// only bring the deadline forward. Threading: on the executor.
    void drain(core::Deadline deadline);

    /// drain() with a deadline that is over: handlers are cancelled, connections closed.
    void stop();

    /// Connections open now.
    std::size_t connections() const;

  private:
    class Impl;
    // Shared with the coroutines that it starts.
    std::shared_ptr<Impl> impl_;
};

}  // namespace zona::net
