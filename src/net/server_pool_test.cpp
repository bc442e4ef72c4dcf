#include "net/server_pool.h"

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include "core/random.h"
#include "net/router.h"
#include "net/testing/test_server.h"

namespace zona::net {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kPing = "GET /ping HTTP/1.1\r\nHost: zona\r\n\r\n";
constexpr std::string_view kHeld = "GET /held HTTP/1.1\r\nHost: zona\r\n\r\n";
constexpr std::size_t kServers = 3;

/// A pool whose /ping says which server answered, and whose /held waits for a test.
class Pool : public testing::Test {
  protected:
    Pool() : options_(patient_options()) {
        EXPECT_TRUE(
            router_
                .add(Method::kGet, "/ping", [](Request& request) { return say(request.principal); })
                .has_value());
        EXPECT_TRUE(router_.add(Method::kGet, "/held", [this](Request&) { return held(this); })
                        .has_value());
    }
    ~Pool() override {
        released_ = true;
        pool_.reset();
    }

    static asio::awaitable<core::Result<Response>> say(std::string text) {
        co_return Response::text(std::move(text), "text/plain");
    }
    static asio::awaitable<core::Result<Response>> held(Pool* self) {
        ++self->holding_;
        while (!self->released_)
            co_await asio::post(asio::use_awaitable);
        co_return Response::text("released", "text/plain");
    }

    void make() {
        const ApplicationDeps deps{clock_, random_, metrics_, core::Logger(), core::Logger()};
        pool_ = std::make_unique<ServerPool>(
            kServers, options_,
            [&](std::size_t index) {
                auto mark = [index](Request& request) -> Decision {
                    request.principal = std::to_string(index);
                    return {};
                };
                return make_application(router_, deps, {mark});
            },
            clock_, core::Logger(), metrics_);
    }
    void start_unix() {
        make();
        endpoint_ = directory_.path() + "/api.sock";
        std::vector<os::UniqueFd> sockets;
        sockets.push_back(os::listen_unix(endpoint_, 64).value());
        ASSERT_TRUE(pool_->listen(std::move(sockets)).has_value());
        pool_->start([this] { ended_ = true; });
    }
    void start_tcp(std::size_t sockets, const std::shared_ptr<TlsContext>& tls = nullptr) {
        make();
        os::TcpAddress address{"127.0.0.1", 0};
        std::vector<os::UniqueFd> listening;
        for (std::size_t i = 0; i < sockets; ++i) {
            listening.push_back(os::listen_tcp(address, 64, os::ReusePort::kYes).value());
            address = os::local_address(listening.back().get()).value();
        }
        endpoint_ = address.to_string();
        if (tls != nullptr) endpoint_.insert(0, kTlsPrefix);
        ASSERT_TRUE(pool_->listen(std::move(listening), tls).has_value());
        pool_->start([this] { ended_ = true; });
    }
    RawClient client() { return RawClient(endpoint_); }

    /// Which servers answer so many connections, and how many each.
    std::map<std::string, int> answers(int connections) {
        std::map<std::string, int> out;
        std::vector<RawClient> clients;
        for (int i = 0; i < connections; ++i) {
            clients.push_back(client());
            ++out[clients.back().ask(kPing).body];
        }
        return out;
    }

    core::RealClock clock_;
    core::SystemRandom random_;
    core::MetricRegistry metrics_;
    core::TemporaryDirectory directory_;
    ServerOptions options_;
    Router router_;
    std::string endpoint_;
    std::atomic<bool> released_ = false;
    std::atomic<int> holding_ = 0;
    std::atomic<bool> ended_ = false;
    std::unique_ptr<ServerPool> pool_;
};

TEST_F(Pool, DealsTheConnectionsOfOneSocketToAllServersInTurn) {
    start_unix();

    const std::map<std::string, int> expected = {{"0", 4}, {"1", 4}, {"2", 4}};
    EXPECT_EQ(answers(12), expected);
}

TEST_F(Pool, DealsTlsConnectionsToo) {
    TestAuthority authority;
    start_tcp(1, TlsContext::load(authority.issue(), clock_).value());

    const std::map<std::string, int> expected = {{"0", 2}, {"1", 2}, {"2", 2}};
    EXPECT_EQ(answers(6), expected);
}

TEST_F(Pool, LeavesNoSocketWithoutSomebodyWhoAccepts) {
    for (const std::size_t sockets : {1U, 2U, 3U, 5U}) {
        start_tcp(sockets);
        // The kernel chooses the socket by a hash; 40 connections miss none of five but by a chance
        // of 1 in 1500, and none of them may be left waiting.
        int sum = 0;
        for (const auto& [server, count] : answers(40)) {
            EXPECT_FALSE(server.empty()) << sockets;
            sum += count;
        }
        EXPECT_EQ(sum, 40);
        pool_.reset();
    }
}

// HTTP-04
TEST_F(Pool, HoldsTheLimitOnConnectionsOverAllServers) {
    options_.connections = 4;
    start_unix();
    std::vector<RawClient> clients;
    for (int i = 0; i < 4; ++i) {
        clients.push_back(client());
        ASSERT_EQ(clients.back().ask(kPing).status, 200);
    }

    const RawResponse refused = client().ask("");

    EXPECT_EQ(refused.status, 503);
    EXPECT_TRUE(refused.body.contains("4 connections are open, which is the limit"));
    EXPECT_EQ(metrics_.counter("zona_http_refused_connections_total", "x").value(), 1U);
    clients.pop_back();
    EXPECT_TRUE(TestServer::eventually([&] { return client().ask(kPing).status == 200; }));
}

// HTTP-04
TEST_F(Pool, HoldsTheLimitOfOneAddressOverAllServers) {
    options_.connections_per_address = 2;
    start_tcp(1);
    RawClient first = client();
    RawClient second = client();
    ASSERT_EQ(first.ask(kPing).status, 200);
    ASSERT_EQ(second.ask(kPing).status, 200);

    const RawResponse refused = client().ask("");

    EXPECT_EQ(refused.status, 503);
    EXPECT_TRUE(refused.body.contains("2 connections from your address are open")) << refused.body;
    first.close();
    EXPECT_TRUE(TestServer::eventually([&] { return client().ask(kPing).status == 200; }));
}

TEST_F(Pool, HasNoLimitOfOneAddressOverTheUnixSocket) {
    options_.connections_per_address = 1;
    start_unix();
    RawClient first = client();
    ASSERT_EQ(first.ask(kPing).status, 200);

    EXPECT_EQ(client().ask(kPing).status, 200);
}

TEST_F(Pool, CountsTheConnectionsOfAllServersTogether) {
    start_unix();
    std::vector<RawClient> clients;
    for (int i = 0; i < 5; ++i) {
        clients.push_back(client());
        ASSERT_EQ(clients.back().ask(kPing).status, 200);
    }

    EXPECT_EQ(pool_->connections(), 5U);
    EXPECT_EQ(metrics_.gauge("zona_http_connections", "x").value(), 5.0);
    clients.clear();
    EXPECT_TRUE(TestServer::eventually([&] { return pool_->connections() == 0; }));
    EXPECT_EQ(metrics_.gauge("zona_http_connections", "x").value(), 0.0);
}

TEST_F(Pool, TakesNewLimitsWhileItRuns) {
    start_unix();
    RawClient first = client();
    ASSERT_EQ(first.ask(kPing).status, 200);
    options_.connections = 1;
    pool_->set_options(options_);

    EXPECT_TRUE(TestServer::eventually([&] { return client().ask("").status == 503; }));
}

// HTTP-04
TEST_F(Pool, DrainsAllServers) {
    start_unix();
    std::vector<RawClient> clients;
    std::vector<RawClient> idle;
    for (std::size_t i = 0; i < kServers; ++i) {
        clients.push_back(client());
        clients.back().send(kHeld);
    }
    for (std::size_t i = 0; i < kServers; ++i) {
        idle.push_back(client());
        ASSERT_EQ(idle.back().ask(kPing).status, 200);
    }
    ASSERT_TRUE(TestServer::eventually([&] { return holding_ == kServers; }));

    pool_->drain(core::Deadline::after(clock_, kPatience));

    for (RawClient& raw : idle)
        EXPECT_TRUE(raw.closed_silently());
    EXPECT_FALSE(ended_);
    released_ = true;
    for (RawClient& raw : clients) {
        const RawResponse response = raw.read();
        EXPECT_EQ(response.body, "released");
        EXPECT_EQ(response.header("Connection"), "close");
    }
    pool_->join();
    EXPECT_TRUE(ended_);
}

TEST_F(Pool, CutsAllServersAtTheDeadline) {
    start_unix();
    std::vector<RawClient> clients;
    for (std::size_t i = 0; i < kServers; ++i) {
        clients.push_back(client());
        clients.back().ask("GET /ping HTTP/1.1\r\nHost: x\r\n\r\nGET /pi");
    }

    pool_->drain(core::Deadline::at(clock_.steady()));
    pool_->join();

    EXPECT_TRUE(ended_);
    for (RawClient& raw : clients)
        EXPECT_TRUE(raw.closed_silently());
}

TEST_F(Pool, SurvivesConnectionsThatComeWhileItDrains) {
    for (int round = 0; round < 20; ++round) {
        ended_ = false;
        start_unix();
        std::atomic<bool> enough = false;
        std::thread flood([&] {
            while (!enough)
                (void)os::connect_unix(endpoint_);
        });
        EXPECT_TRUE(TestServer::eventually([&] { return pool_->connections() > 0; }));

        pool_->drain(core::Deadline::after(clock_, 10ms));
        pool_->join();

        enough = true;
        flood.join();
        EXPECT_TRUE(ended_);
        EXPECT_EQ(pool_->connections(), 0U);
        pool_.reset();
    }
}

TEST_F(Pool, EndsWithoutHavingBeenStarted) {
    make();
}

}  // namespace
}  // namespace zona::net
