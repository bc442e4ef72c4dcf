/// @file
/// ServerPool: several servers as one, each in a thread of its own, for several cores.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "core/clock.h"
#include "core/deadline.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/result.h"
#include "net/middleware.h"
#include "net/server.h"
#include "os/fd.h"

namespace zona::net {

/// Makes the application of server `index`. The chains run at the same time: what they share, the
/// router's handlers included, has to bear that.
using ApplicationFactory = std::function<Application(std::size_t index)>;

/// Servers with one thread, io_context and chain each. Limits on connections hold for all together,
/// and so do metrics.
///
///     ServerPool pool(cpus, options, make, clock, log, metrics);
///     ZONA_TRY_VOID(pool.listen(std::move(sockets)));
///     pool.start([&] { ... });   // after the last connection's end
///     pool.drain(deadline);
///     pool.join();
class ServerPool {
  public:
    /// `servers`: at least 1. All that is referred to, by what `make` makes as well, must outlive
    /// the pool; `make` is called here and never again.
    ServerPool(std::size_t servers, const ServerOptions& options, const ApplicationFactory& make,
               const core::Clock& clock, const core::Logger& log, core::MetricRegistry& metrics);
    /// stop() and join().
    ~ServerPool();
    ServerPool(const ServerPool&) = delete;
    ServerPool& operator=(const ServerPool&) = delete;

    /// Adds listening sockets of one address, before start(). With as many as servers (of TCP with
    /// SO_REUSEPORT) each server accepts its own; with more some accept several; with fewer the
    /// sockets' servers accept and deal the connections out to all in turn: no socket is left
    /// without somebody who accepts, whatever the count that an earlier process made them for.
    /// Errors: those of Server::listen().
    core::Result<void> listen(std::vector<os::UniqueFd> sockets,
                              const std::shared_ptr<TlsContext>& tls = nullptr);

    /// Adds one more listening socket while the servers run, from any thread; what is wrong with it
    /// is logged. Its connections are dealt out to all.
    void listen_now(os::UniqueFd socket, const std::shared_ptr<TlsContext>& tls = nullptr);

    /// Starts the threads, with all signals blocked. `ended` is called on one of them when all
    /// servers have drained. Call once.
    void start(std::function<void()> ended = {});

    /// Waits for the end of all threads. Not on one of them.
    void join();

    /// As Server::set_options(), from any thread. The limits on connections hold at once, the
    /// others soon.
    void set_options(const ServerOptions& options);
    /// As Server::drain(), from any thread; nothing is waited for.
    void drain(core::Deadline deadline);
    /// As Server::stop(), from any thread; nothing is waited for.
    void stop();

    /// Connections open now, in all servers.
    std::size_t connections() const;
    /// How many servers there are.
    std::size_t servers() const;

  private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace zona::net
