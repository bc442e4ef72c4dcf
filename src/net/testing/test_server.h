/// @file
/// A real server on a real unix socket for tests, and a client that says exactly what it is told.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/random.h"
#include "core/testing/memory_log.h"
#include "core/testing/temporary_directory.h"
#include "net/middleware.h"
#include "net/router.h"
#include "net/server.h"
#include "net/testing/certificates.h"
#include "net/testing/raw_client.h"
#include "net/tls.h"
#include "os/tcp_socket.h"
#include "os/unix_socket.h"

namespace zona::net {

/// What a test's server is reached over.
enum class Transport : std::uint8_t { kUnix, kTcp, kTls };

inline std::string name_of_transport(const testing::TestParamInfo<Transport>& info) {
    const std::string names[] = {"Unix", "Tcp", "Tls"};
    return names[static_cast<std::size_t>(info.param)];
}

/// Options under which a test's own speed never meets a limit.
inline ServerOptions patient_options() {
    ServerOptions options;
    options.idle_time = options.head_time = options.request_time = options.write_time = kPatience;
    options.overtime = std::chrono::milliseconds(1);
    return options;
}

/// A server in a thread. Add routes to router(), then start().
class TestServer {
  public:
    explicit TestServer(const ServerOptions& options = patient_options(),
                        Transport transport = Transport::kUnix)
        : options_(options), transport_(transport) {
        log_.set_default_level(core::LogLevel::kTrace);
        log_.add_sink(std::make_unique<core::MemorySink>(lines_));
    }
    TestServer(const TestServer&) = delete;
    TestServer& operator=(const TestServer&) = delete;
    ~TestServer() { stop(); }

    /// Whether clients may show certificates of authority(); before start().
    bool asks_clients = false;

    Router& router() { return router_; }
    core::MetricRegistry& metrics() { return metrics_; }
    /// Where clients find it: the path of its socket, or its address.
    const std::string& endpoint() const { return endpoint_; }
    boost::asio::io_context& context() { return context_; }
    /// Over TLS, once it is started: who issued its certificate, and how it is reloaded.
    TestAuthority& authority() { return *authority_; }
    TlsContext& tls() { return *tls_; }
    /// Without "tls:", for those who bring their own TLS or none.
    std::string address() const { return endpoint_.substr(kTlsPrefix.size()); }

    /// A route whose handler is a plain function.
    void route(Method method, std::string_view pattern,
               std::function<core::Result<Response>(Request&)> handler, RouteOptions options = {}) {
        auto as_coroutine = [handler = std::move(handler)](Request& request) {
            return answer(handler, request);
        };
        ASSERT_TRUE(
            router_.add(method, pattern, std::move(as_coroutine), std::move(options)).has_value());
    }

    void start(std::vector<Middleware> inner = {}, std::vector<Middleware> outer = {}) {
        const ApplicationDeps deps{clock_, random_, metrics_, log_.logger("http.access"),
                                   log_.logger("http")};
        server_ = std::make_unique<Server>(
            context_.get_executor(), options_,
            make_application(router_, deps, std::move(inner), std::move(outer)), clock_,
            log_.logger("http"), metrics_);
        const bool tcp = transport_ != Transport::kUnix;
        auto socket =
            tcp ? os::listen_tcp({"127.0.0.1", 0}, 1024) : os::listen_unix(endpoint_, 1024);
        ASSERT_TRUE(socket.has_value());
        if (tcp) endpoint_ = os::local_address(socket->get()).value().to_string();
        ListenOptions listen;
        if (transport_ == Transport::kTls) {
            endpoint_.insert(0, kTlsPrefix);
            authority_ = std::make_unique<TestAuthority>();
            TlsFiles files = authority_->issue();
            if (asks_clients) {
                authority_->revoke({});
                files.authorities = authority_->ca_file();
                files.revocations = authority_->revocations_file();
            }
            tls_ = TlsContext::load(std::move(files), clock_).value();
            listen.tls = tls_;
        }
        ASSERT_TRUE(server_->listen(std::move(*socket), std::move(listen)).has_value());
        boost::asio::co_spawn(context_, run(*server_, served_), boost::asio::detached);
        thread_ = std::thread([this] { context_.run(); });
    }

    /// Runs `work` on the server's executor and waits for it.
    void on_server(std::function<void(Server&)> work) {
        std::promise<void> done;
        boost::asio::post(context_, [&] {
            work(*server_);
            done.set_value();
        });
        done.get_future().wait();
    }

    void drain(std::chrono::milliseconds time) {
        on_server([&](Server& server) { server.drain(core::Deadline::after(clock_, time)); });
    }

    /// Whether serve() has returned.
    bool served() const { return served_; }
    /// Waits for serve() to return.
    void join() {
        if (thread_.joinable()) thread_.join();
    }
    void stop() {
        if (!thread_.joinable()) return;
        boost::asio::post(context_, [this] { server_->stop(); });
        join();
    }

    std::vector<std::string> log_lines() const {
        const std::lock_guard lock(lines_.mutex);
        return lines_.lines;
    }
    /// The lines that hold `text`, once there are `count` of them.
    std::vector<std::string> wait_for_lines(std::string_view text, std::size_t count) const {
        const auto end = std::chrono::steady_clock::now() + kPatience;
        std::vector<std::string> found;
        while (std::chrono::steady_clock::now() < end) {
            found.clear();
            for (const std::string& line : log_lines()) {
                if (line.contains(text)) found.push_back(line);
            }
            if (found.size() >= count) break;
            std::this_thread::yield();
        }
        return found;
    }
    /// Waits until `condition` holds; false when it does not in time.
    static bool eventually(const std::function<bool()>& condition) {
        const auto end = std::chrono::steady_clock::now() + kPatience;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > end) return false;
            std::this_thread::yield();
        }
        return true;
    }

  private:
    static asio::awaitable<core::Result<Response>> answer(
        const std::function<core::Result<Response>(Request&)>& handler, Request& request) {
        co_return handler(request);
    }
    static asio::awaitable<void> run(Server& server, std::atomic<bool>& served) {
        co_await server.serve();
        served = true;
    }

    ServerOptions options_;
    core::TemporaryDirectory directory_;
    Transport transport_;
    std::string endpoint_ = directory_.path() + "/api.sock";
    core::RealClock clock_;
    core::SystemRandom random_;
    core::MetricRegistry metrics_;
    core::MemorySink::Lines lines_;
    core::Logging log_{clock_};
    Router router_;
    std::unique_ptr<TestAuthority> authority_;
    std::shared_ptr<TlsContext> tls_;  // shared with the server
    boost::asio::io_context context_{1};
    std::unique_ptr<Server> server_;
    std::atomic<bool> served_ = false;
    std::thread thread_;
};

}  // namespace zona::net
