// Answers GET /ping with two servers, over one listening socket whose connections are dealt out, or
// over one for each: pool_server SOCKETS. Prints its address; SIGTERM ends it.
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/random.h"
#include "net/middleware.h"
#include "net/router.h"
#include "net/server_pool.h"
#include "os/tcp_socket.h"

namespace {

using namespace zona;

boost::asio::awaitable<core::Result<net::Response>> pong(net::Request&) {
    co_return net::Response::success("\"pong\"");
}

core::Result<std::vector<os::UniqueFd>> listen_on(int count) {
    constexpr int kBacklog = 4096;
    const auto reuse = count > 1 ? os::ReusePort::kYes : os::ReusePort::kNo;
    std::vector<os::UniqueFd> sockets;
    os::TcpAddress at{"127.0.0.1", 0};
    for (int i = 0; i < count; ++i) {
        ZONA_TRY(os::UniqueFd socket, os::listen_tcp(at, kBacklog, reuse));
        ZONA_TRY(at, os::local_address(socket.get()));
        sockets.push_back(std::move(socket));
    }
    std::puts(at.to_string().c_str());
    std::fflush(stdout);
    return sockets;
}

}  // namespace

int main(int count, char** words) {
    const core::RealClock clock;
    core::SystemRandom random;
    core::MetricRegistry metrics;
    net::Router router;
    const auto make = [&](std::size_t) {
        return net::make_application(router,
                                     {clock, random, metrics, core::Logger(), core::Logger()});
    };
    net::ServerPool pool(2, {}, make, clock, {}, metrics);
    auto sockets = listen_on(count > 1 ? std::atoi(words[1]) : 1);
    if (!sockets || !router.add(net::Method::kGet, "/ping", pong) ||
        !pool.listen(std::move(*sockets))) {
        return 1;
    }
    pool.start();
    ::pause();
}
