/// @file
/// Redis servers, sentinels and clusters of Debian, for tests: on free loopback ports, in a
/// directory of their own, gone with their object.
#pragma once

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache/redis/client.h"
#include "core/random.h"
#include "core/testing/memory_log.h"
#include "core/testing/temporary_directory.h"

namespace zona::cache {

/// Asks `condition` until it holds; false after half a minute.
inline bool wait_until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
}

/// A port that nobody listens on, and whose cluster bus port is free as well.
inline int free_port() {
    const auto bound = [](int port) {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{.sin_family = AF_INET,
                            .sin_port = htons(static_cast<std::uint16_t>(port)),
                            .sin_addr = {htonl(INADDR_LOOPBACK)},
                            .sin_zero = {}};
        socklen_t size = sizeof address;
        auto* as_socket = reinterpret_cast<sockaddr*>(&address);
        int out = 0;
        if (::bind(fd, as_socket, size) == 0 && ::getsockname(fd, as_socket, &size) == 0)
            out = ntohs(address.sin_port);
        ::close(fd);
        return out;
    };
    while (true) {
        // Below the ephemeral ports, which connections of other tests take.
        static std::atomic<int> next{12000 + (::getpid() * 37) % 8000};
        const int port = next++;
        if (bound(port) == port && bound(port + 10'000) == port + 10'000) return port;
    }
}

/// A program that ends with its object.
class Program {
  public:
    explicit Program(std::vector<std::string> words) : words_(std::move(words)) { start(); }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    ~Program() { kill(); }

    void start() {
        std::vector<char*> arguments;
        for (std::string& word : words_)
            arguments.push_back(word.data());
        arguments.push_back(nullptr);
        pid_ = ::fork();
        if (pid_ != 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (std::getenv("ZONA_TEST_SHOW_REDIS") == nullptr) {
            const int nowhere = ::open("/dev/null", O_WRONLY);
            ::dup2(nowhere, STDOUT_FILENO);
            ::dup2(nowhere, STDERR_FILENO);
        }
        ::execvp(arguments[0], arguments.data());
        ::_exit(127);
    }
    void kill() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        wait();
    }
    int wait() {
        int status = -1;
        ::waitpid(pid_, &status, 0);
        pid_ = 0;
        return status;
    }
    void freeze() const { ::kill(pid_, SIGSTOP); }
    void thaw() const { ::kill(pid_, SIGCONT); }

  private:
    std::vector<std::string> words_;
    pid_t pid_ = 0;
};

/// What clients of tests work with.
struct RedisHome {
    redis::ClientDeps deps() { return {clock, random, log.logger("cache")}; }
    std::unique_ptr<redis::Client> open(redis::ClientOptions options) {
        auto client = redis::Client::open(std::move(options), deps());
        if (!client) {
            ADD_FAILURE() << client.error().message();
            return nullptr;
        }
        (*client)->start();
        return *std::move(client);
    }
    core::RealClock clock;
    core::SystemRandom random;
    core::MemoryLog log;
};

/// What a server answers, waited for.
inline core::Result<redis::Reply> ask(redis::Client& client, std::string_view tag,
                                      std::initializer_list<std::string_view> words) {
    auto promise = std::make_shared<std::promise<core::Result<redis::Reply>>>();
    client.execute(tag, redis::command(words), [promise](core::Result<redis::Reply> reply) {
        promise->set_value(std::move(reply));
    });
    return promise->get_future().get();
}

/// The text of an answer, or `!` and what went wrong.
inline std::string text_of(const core::Result<redis::Reply>& reply) {
    if (!reply) return "! " + reply.error().message();
    if (reply->is_nil()) return "nil";
    if (reply->kind == redis::Reply::Kind::kInteger) return std::to_string(reply->integer);
    return reply->text;
}

/// A redis-server; answers when it is made.
class RedisServer {
  public:
    explicit RedisServer(std::vector<std::string> more = {}, int port = free_port(),
                         std::vector<std::string> client = {})
        : port_(port), cli_(std::move(client)), program_(words(std::move(more))) {
        EXPECT_TRUE(wait_until([&] { return run("PING") == "PONG"; }));
    }

    redis::Endpoint endpoint() const {
        return {.host = "127.0.0.1", .port = static_cast<std::uint16_t>(port_)};
    }
    redis::ClientOptions options() const { return {.addresses = {endpoint()}}; }
    /// What redis-cli prints for a command, without the newline at its end.
    std::string run(const std::string& command) const {
        std::string line = fmt::format("redis-cli -p {}", port_);
        for (const std::string& word : cli_)
            line += " " + word;
        FILE* pipe = ::popen((line + " " + command + " 2>&1").c_str(), "r");
        std::string out;
        char buffer[4096];
        while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, pipe))
            out.append(buffer, count);
        ::pclose(pipe);
        while (out.ends_with('\n'))
            out.pop_back();
        return out;
    }
    Program& program() { return program_; }
    int port() const { return port_; }
    const std::string& directory() const { return directory_.path(); }
    void restart() {
        program_.kill();
        program_.start();
        EXPECT_TRUE(wait_until([&] { return run("PING") == "PONG"; }));
    }

  private:
    std::vector<std::string> words(std::vector<std::string> more) const {
        std::vector<std::string> out{
            "redis-server",   "--port", std::to_string(port_), "--bind", "127.0.0.1",
            "--save",         "",       "--appendonly",        "no",     "--dir",
            directory_.path()};
        out.insert(out.end(), more.begin(), more.end());
        return out;
    }

    core::TemporaryDirectory directory_;
    int port_;
    std::vector<std::string> cli_;
    Program program_;
};

/// A master, a replica and three sentinels that notice within a second when it is gone.
class RedisSentinels {
  public:
    RedisSentinels() {
        EXPECT_TRUE(wait_until(
            [&] { return replica.run("INFO replication").contains("master_link_status:up"); }));
        for (int i = 0; i < 3; ++i)
            start_sentinel();
        // All know each other and the replica: else there is no majority for a failover.
        for (const int port : ports_) {
            EXPECT_TRUE(wait_until([&] {
                const std::string state = ask_sentinel(port, "SENTINEL MASTER zona");
                return state.contains("num-other-sentinels\n2") && state.contains("num-slaves\n1");
            }));
        }
    }

    redis::ClientOptions options() const {
        redis::ClientOptions out{.topology = redis::Topology::kSentinel, .master_name = "zona"};
        for (const int port : ports_)
            out.addresses.push_back(
                {.host = "127.0.0.1", .port = static_cast<std::uint16_t>(port)});
        return out;
    }

    RedisServer master;
    RedisServer replica{{"--replicaof", "127.0.0.1", std::to_string(master.port())}};
    std::vector<std::unique_ptr<Program>> sentinels;

  private:
    void start_sentinel() {
        const int port = free_port();
        const std::string file = fmt::format("{}/sentinel-{}.conf", directory_.path(), port);
        std::ofstream(file) << fmt::format(
            "port {}\nbind 127.0.0.1\ndir {}\nsentinel monitor zona 127.0.0.1 {} 2\n"
            "sentinel down-after-milliseconds zona 500\nsentinel failover-timeout zona 2000\n",
            port, directory_.path(), master.port());
        sentinels.push_back(
            std::make_unique<Program>(std::vector<std::string>{"redis-sentinel", file}));
        ports_.push_back(port);
    }
    static std::string ask_sentinel(int port, const std::string& command) {
        FILE* pipe = ::popen(fmt::format("redis-cli -p {} {} 2>&1", port, command).c_str(), "r");
        std::string out;
        char buffer[4096];
        while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, pipe))
            out.append(buffer, count);
        ::pclose(pipe);
        return out;
    }

    core::TemporaryDirectory directory_;
    std::vector<int> ports_;
};

/// A Redis Cluster of three masters.
class RedisCluster {
  public:
    RedisCluster() {
        std::string line = "redis-cli --cluster create";
        for (int i = 0; i < 3; ++i) {
            servers.push_back(std::make_unique<RedisServer>(
                std::vector<std::string>{"--cluster-enabled", "yes", "--cluster-node-timeout",
                                         "1000", "--cluster-require-full-coverage", "no"}));
            line += " " + servers.back()->endpoint().to_string();
        }
        EXPECT_EQ(std::system((line + " --cluster-yes >/dev/null 2>&1").c_str()), 0);
        for (const auto& server : servers) {
            EXPECT_TRUE(wait_until(
                [&] { return server->run("CLUSTER INFO").contains("cluster_state:ok"); }));
        }
    }
    redis::ClientOptions options() const {
        return {.topology = redis::Topology::kCluster,
                .addresses = {servers[0]->endpoint(), servers[1]->endpoint()}};
    }
    std::vector<std::unique_ptr<RedisServer>> servers;
};

}  // namespace zona::cache
