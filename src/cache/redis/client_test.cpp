// One server: reached, gone, slow, refusing, over TLS.
#include "cache/redis/client.h"

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "cache/testing/redis_server.h"

namespace zona::cache::redis {
namespace {

using namespace std::chrono_literals;
using core::Code;

TEST(ClientTest, AsksAndIsAnswered) {
    const RedisServer server;
    RedisHome home;
    const auto client = home.open(server.options());
    EXPECT_EQ(text_of(ask(*client, "t", {"SET", "{t}k", "v"})), "OK");
    EXPECT_EQ(text_of(ask(*client, "t", {"GET", "{t}k"})), "v");
    EXPECT_EQ(text_of(ask(*client, "t", {"NONSENSE"})).substr(0, 11), "ERR unknown");
    EXPECT_GT(client->traffic().sent, 0U);
    EXPECT_GT(client->traffic().received, 0U);
}

TEST(ClientTest, AnswersManyThreadsEachItsOwn) {
    const RedisServer server;
    RedisHome home;
    const auto client = home.open(server.options());
    std::atomic<int> wrong{0};
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&, thread] {
            for (int i = 0; i < 500; ++i) {
                const std::string text = fmt::format("{}-{}", thread, i);
                if (text_of(ask(*client, "t", {"ECHO", text})) != text) ++wrong;
            }
        });
    }
    threads.clear();
    EXPECT_EQ(wrong, 0);
}

// CACHE-09
TEST(ClientTest, FailsAtOnceWhileRedisIsGoneAndAsksAgainWhenItIsBack) {
    RedisServer server;
    RedisHome home;
    const auto client = home.open(server.options());
    EXPECT_EQ(text_of(ask(*client, "t", {"PING"})), "PONG");
    server.program().kill();
    EXPECT_TRUE(wait_until([&] {
        const auto reply = ask(*client, "t", {"PING"});
        return !reply && reply.error().code() == Code::kUnavailable;
    }));
    EXPECT_TRUE(home.log.has("Redis does not answer"));
    server.restart();
    EXPECT_TRUE(wait_until([&] { return text_of(ask(*client, "t", {"PING"})) == "PONG"; }));
    EXPECT_TRUE(home.log.has("Redis answers"));
}

// CACHE-09
TEST(ClientTest, AFrozenRedisHoldsNobodyUp) {
    RedisServer server;
    RedisHome home;
    ClientOptions options = server.options();
    options.node.timeout = 50ms;
    options.node.connect_timeout = 100ms;
    const auto client = home.open(options);
    EXPECT_EQ(text_of(ask(*client, "t", {"PING"})), "PONG");
    server.program().freeze();
    const auto late = ask(*client, "t", {"PING"});
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code(), Code::kTimeout);
    // The breaker is open: nobody waits for it again.
    const auto refused = ask(*client, "t", {"PING"});
    ASSERT_FALSE(refused);
    server.program().thaw();
    EXPECT_TRUE(wait_until([&] { return text_of(ask(*client, "t", {"PING"})) == "PONG"; }));
}

TEST(ClientTest, NobodyThereIsSaidWithTheAddress) {
    RedisHome home;
    const Endpoint nobody{.host = "127.0.0.1", .port = static_cast<std::uint16_t>(free_port())};
    const auto client = home.open({.addresses = {nobody}});
    EXPECT_TRUE(text_of(ask(*client, "t", {"PING"})).contains(nobody.to_string()));
}

TEST(ClientTest, WhatWaitsIsCancelledWhenTheClientDies) {
    RedisServer server;
    RedisHome home;
    auto client = home.open(server.options());
    ask(*client, "t", {"PING"}).value();
    server.program().freeze();
    std::promise<Code> code;
    client->execute("t", command({"PING"}), [&](const core::Result<Reply>& reply) {
        code.set_value(reply ? Code::kInternal : reply.error().code());
    });
    client.reset();
    EXPECT_EQ(code.get_future().get(), Code::kCancelled);
    server.program().thaw();
}

TEST(ClientTest, SignsInWithUserPasswordAndDatabase) {
    const RedisServer server(
        {"--requirepass", "admins", "--user", "zona", "on", ">secret", "~*", "&*", "+@all"},
        free_port(), {"-a", "admins", "--no-auth-warning"});
    RedisHome home;
    ClientOptions options = server.options();
    options.node.login = {.user = "zona", .password = core::Secret("secret"), .database = 3};
    const auto client = home.open(options);
    EXPECT_EQ(text_of(ask(*client, "t", {"SET", "k", "v"})), "OK");
    EXPECT_EQ(server.run("-n 3 GET k"), "v");
    EXPECT_EQ(text_of(ask(*client, "t", {"ACL", "WHOAMI"})), "zona");
    options.node.login.password = core::Secret("wrong");
    const auto refused = ask(*home.open(options), "t", {"PING"});
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().message().contains("WRONGPASS"));
    EXPECT_FALSE(home.log.has("secret"));
}

TEST(ClientTest, AServerThatDoesNotKnowAuthShowsNoPassword) {
    const RedisServer server({"--rename-command", "AUTH", "SIGN-IN"});
    RedisHome home;
    ClientOptions options = server.options();
    options.node.login = {.user = "zona", .password = core::Secret("secret")};
    const auto refused = ask(*home.open(options), "t", {"PING"});
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().message().contains("signs in")) << refused.error().message();
    EXPECT_FALSE(refused.error().message().contains("secret"));
    EXPECT_FALSE(home.log.has("secret"));
}

/// A small authority and a certificate for 127.0.0.1, made by openssl.
class Certificates {
  public:
    explicit Certificates(const std::string& names = "IP:127.0.0.1") {
        run("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
            "-subj /CN=authority -keyout ca.key -out ca.pem");
        run("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=redis "
            "-keyout redis.key -out redis.csr");
        std::ofstream(path("names")) << "subjectAltName=" << names << "\n";
        run("x509 -req -in redis.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
            "-extfile names -out redis.pem");
    }
    std::string path(const std::string& name) const { return directory_.path() + "/" + name; }
    std::vector<std::string> server_words(int port) const {
        return {"--port",
                "0",
                "--tls-port",
                std::to_string(port),
                "--tls-cert-file",
                path("redis.pem"),
                "--tls-key-file",
                path("redis.key"),
                "--tls-ca-cert-file",
                path("ca.pem"),
                "--tls-auth-clients",
                "no"};
    }
    std::vector<std::string> cli_words() const { return {"--tls", "--insecure"}; }

  private:
    void run(const std::string& words) const {
        const std::string line =
            "cd " + directory_.path() + " && openssl " + words + " >/dev/null 2>&1";
        EXPECT_EQ(std::system(line.c_str()), 0) << words;
    }
    core::TemporaryDirectory directory_;
};

// CACHE-21
TEST(ClientTlsTest, SpeaksTlsWithWhomItsAuthorityVouchesFor) {
    const Certificates certificates;
    const int port = free_port();
    const RedisServer server(certificates.server_words(port), port, certificates.cli_words());
    RedisHome home;
    ClientOptions options = server.options();
    options.security = {.tls = true, .ca_file = certificates.path("ca.pem")};
    const auto client = home.open(options);
    const std::string large(300'000, 'x');
    EXPECT_EQ(text_of(ask(*client, "t", {"SET", "k", large})), "OK");
    EXPECT_EQ(text_of(ask(*client, "t", {"GET", "k"})), large);
}

// CACHE-21
TEST(ClientTlsTest, RefusesAnotherNameAnUnknownAuthorityAndNoTls) {
    const Certificates other_name("DNS:elsewhere.example");
    const int port = free_port();
    const RedisServer server(other_name.server_words(port), port, other_name.cli_words());
    RedisHome home;
    ClientOptions options = server.options();
    options.security = {.tls = true, .ca_file = other_name.path("ca.pem")};
    EXPECT_TRUE(text_of(ask(*home.open(options), "t", {"PING"})).contains("not trusted"));
    const Certificates stranger;
    options.security.ca_file = stranger.path("ca.pem");
    EXPECT_TRUE(text_of(ask(*home.open(options), "t", {"PING"})).contains("not trusted"));
    const RedisServer plain;
    options.addresses = {plain.endpoint()};
    EXPECT_FALSE(ask(*home.open(options), "t", {"PING"}));
    options.security.ca_file = "/nowhere/ca.pem";
    EXPECT_FALSE(Client::open(options, home.deps()));
}

TEST(ClientTest, RefusesOptionsThatMeanNothing) {
    RedisHome home;
    EXPECT_FALSE(Client::open({}, home.deps()));
    ClientOptions cluster{.topology = Topology::kCluster, .addresses = {{.host = "a"}}};
    cluster.node.login.database = 1;
    EXPECT_FALSE(Client::open(cluster, home.deps()));
    EXPECT_FALSE(
        Client::open({.topology = Topology::kSentinel, .addresses = {{.host = "a"}}}, home.deps()));
}

TEST(ClientTest, ScansAndHears) {
    const RedisServer server;
    RedisHome home;
    const auto client = home.open(server.options());
    std::promise<std::string> heard;
    client->subscribe("news", [&](std::string_view text) { heard.set_value(std::string(text)); });
    EXPECT_TRUE(wait_until([&] { return server.run("PUBSUB NUMSUB news").ends_with("1"); }));
    EXPECT_EQ(text_of(ask(*client, "t", {"PUBLISH", "news", "hello"})), "1");
    EXPECT_EQ(heard.get_future().get(), "hello");
    client->check_subscriptions();
    for (int i = 0; i < 3000; ++i)
        ask(*client, "t", {"SET", fmt::format("{}:{}", i % 2 == 0 ? "even" : "odd", i), "v"})
            .value();
    std::set<std::string> keys;
    std::promise<core::Result<void>> done;
    client->scan(
        "", "even:*", [&](const auto& some) { keys.insert(some.begin(), some.end()); },
        [&](core::Result<void> end) { done.set_value(std::move(end)); });
    EXPECT_TRUE(done.get_future().get());
    EXPECT_EQ(keys.size(), 1500U);
}

}  // namespace
}  // namespace zona::cache::redis
