// What a server does that speaks TLS beside HTTP itself, which server_test.cpp asks of it as well.
#include <atomic>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "net/detail/tls_certificate.h"
#include "net/testing/test_server.h"

namespace zona::net {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kPing = "GET /ping HTTP/1.1\r\nHost: zona\r\n\r\n";

class ServerTls : public testing::Test {
  protected:
    void start(const ServerOptions& options = patient_options()) {
        server_ = std::make_unique<TestServer>(options, Transport::kTls);
        server_->route(Method::kGet, "/ping", [](Request& request) {
            return core::Result<Response>(
                Response::text(request.over_tls ? "protected" : "open", "text/plain"));
        });
        server_->start();
    }
    RawClient client() { return RawClient(server_->endpoint()); }
    RawClient client(std::shared_ptr<SSL_CTX> tls) {
        return RawClient(server_->address(), std::move(tls));
    }
    /// A client that speaks no TLS yet.
    RawClient plain() { return RawClient(server_->address()); }

    std::uint64_t failures(const std::string& reason) {
        return server_->metrics()
            .counter("zona_tls_handshake_failures_total", "x", {{"reason", reason}})
            .value();
    }
    bool counted(const std::string& reason, std::uint64_t count = 1) {
        return TestServer::eventually([&] { return failures(reason) == count; });
    }
    static std::string fingerprint_of(RawClient& raw) {
        X509* certificate = SSL_get1_peer_certificate(raw.tls().native());
        std::string out = detail::fingerprint_of(certificate);
        X509_free(certificate);
        return out;
    }

    std::unique_ptr<TestServer> server_;
};

// HTTP-07, PM-69
TEST_F(ServerTls, SaysSoToHandlersAndBrowsers) {
    start();

    const RawResponse response = client().ask(kPing);

    EXPECT_EQ(response.body, "protected");
    EXPECT_EQ(response.header("Strict-Transport-Security"), "max-age=31536000");
    EXPECT_TRUE(server_->wait_for_lines("\"peer\":\"127.0.0.1:", 1).size() == 1U);
}

TEST_F(ServerTls, PlainHttpGetsNoStrictTransportSecurity) {
    TestServer server(patient_options(), Transport::kTcp);
    server.start();

    EXPECT_EQ(RawClient(server.endpoint()).ask(kPing).header("Strict-Transport-Security"),
              "(none)");
}

TEST_F(ServerTls, SpeaksTls13WithHttp11) {
    start();
    const auto tls = trusting_tls();
    const std::string offered = "\x02h2\x08http/1.1";
    SSL_CTX_set_alpn_protos(tls.get(), reinterpret_cast<const unsigned char*>(offered.data()),
                            static_cast<unsigned>(offered.size()));
    RawClient raw = client(tls);

    ASSERT_TRUE(raw.shake_hands());
    const unsigned char* chosen = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(raw.tls().native(), &chosen, &length);
    EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(chosen), length), "http/1.1");
    EXPECT_EQ(SSL_version(raw.tls().native()), TLS1_3_VERSION);
    EXPECT_EQ(raw.ask(kPing).status, 200);
    EXPECT_EQ(SSL_SESSION_get_max_early_data(SSL_get0_session(raw.tls().native())), 0U);
}

TEST_F(ServerTls, RefusesAClientThatSpeaksHttp2Only) {
    start();
    const auto tls = trusting_tls();
    const std::string offered = "\x02h2";
    SSL_CTX_set_alpn_protos(tls.get(), reinterpret_cast<const unsigned char*>(offered.data()),
                            static_cast<unsigned>(offered.size()));
    RawClient raw = client(tls);

    EXPECT_FALSE(raw.shake_hands());
    EXPECT_TRUE(raw.tls().error().message().contains("no application protocol"));
    EXPECT_TRUE(counted("other"));
}

// PM-69
TEST_F(ServerTls, RefusesTls12WithItsAlert) {
    start();
    const auto tls = trusting_tls();
    SSL_CTX_set_max_proto_version(tls.get(), TLS1_2_VERSION);
    RawClient raw = client(tls);

    EXPECT_FALSE(raw.shake_hands());
    EXPECT_TRUE(raw.tls().error().message().contains("alert protocol version"))
        << raw.tls().error().message();
    EXPECT_TRUE(counted("protocol_version"));
    EXPECT_EQ(client().ask(kPing).status, 200);
}

TEST_F(ServerTls, TellsPlainHttpToUseHttps) {
    start();
    RawClient raw = plain();

    const RawResponse response = raw.ask(kPing);

    EXPECT_EQ(response.status, 400);
    EXPECT_TRUE(response.body.contains("this port speaks TLS; ask for https://")) << response.body;
    EXPECT_EQ(response.header("Strict-Transport-Security"), "(none)");
    EXPECT_EQ(response.header("Connection"), "close");
    raw.end_output();
    EXPECT_TRUE(raw.closed_silently());
    EXPECT_TRUE(counted("not_tls"));
}

TEST_F(ServerTls, OutlivesGarbageForAHandshake) {
    start();
    const std::string garbage[] = {
        std::string("\x16\x03\x01\x00\x05hello", 10), std::string("\x16\x03\x03\xff\xff", 5),
        std::string("\x16", 1) + std::string(5000, 'x'), std::string(1, '\x16')};
    for (const std::string& bytes : garbage) {
        RawClient raw = plain();
        raw.send(bytes);
        raw.end_output();
        raw.read_to_end();
    }
    EXPECT_TRUE(TestServer::eventually([&] {
        return failures("other") + failures("unfinished") + failures("protocol_version") == 4;
    }));
    EXPECT_EQ(client().ask(kPing).status, 200);
    for (const std::string& line : server_->log_lines()) {
        EXPECT_FALSE(line.contains("\"level\":\"warn\"") || line.contains("\"level\":\"error\""))
            << line;
    }
}

// HTTP-04
TEST_F(ServerTls, CutsAHandshakeThatIsNeverFinished) {
    ServerOptions options = patient_options();
    options.head_time = 20ms;
    start(options);
    RawClient silent = plain();
    RawClient half = plain();
    half.send(std::string_view("\x16\x03\x01\x02\x00\x01", 6));

    EXPECT_TRUE(silent.closed_silently());
    EXPECT_TRUE(half.closed_silently());
    EXPECT_TRUE(counted("unfinished", 2));
}

TEST_F(ServerTls, EndsProperly) {
    start();
    RawClient raw = client();
    raw.ask("GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");

    EXPECT_TRUE(raw.closed_silently());
    EXPECT_TRUE(raw.ended_properly());
}

TEST_F(ServerTls, ABrokenOffConnectionIsAnEndWithoutHarm) {
    start();
    RawClient raw = client();
    EXPECT_EQ(raw.ask(kPing).status, 200);
    raw.break_off();

    EXPECT_TRUE(TestServer::eventually([&] {
        std::size_t open = 1;
        server_->on_server([&](Server& server) { open = server.connections(); });
        return open == 0;
    }));
    for (const std::string& line : server_->log_lines())
        EXPECT_FALSE(line.contains("\"level\":\"warn\"")) << line;
}

TEST_F(ServerTls, ResumesASession) {
    start();
    SSL_SESSION* session = nullptr;
    {
        RawClient raw = client();
        raw.ask(kPing);  // tickets come with the first answer
        session = SSL_get1_session(raw.tls().native());
        raw.close();
    }
    RawClient again = client(trusting_tls());
    SSL_set_session(again.tls().native(), session);

    ASSERT_TRUE(again.shake_hands());
    EXPECT_EQ(SSL_session_reused(again.tls().native()), 1);
    EXPECT_EQ(again.ask(kPing).status, 200);
    SSL_SESSION_free(session);
}

// PM-69
TEST_F(ServerTls, ReloadsUnderTraffic) {
    start();
    RawClient old = client();
    ASSERT_EQ(old.ask(kPing).status, 200);
    const std::string first = fingerprint_of(old);
    std::atomic<bool> enough = false;
    std::atomic<int> bad = 0;
    std::atomic<int> good = 0;
    std::thread traffic([&] {
        while (!enough)
            ++(client().ask(kPing).status == 200 ? good : bad);
    });

    for (int i = 0; i < 20; ++i) {
        server_->authority().issue();
        EXPECT_TRUE(server_->tls().reload().has_value());
    }
    const int before = good;
    EXPECT_TRUE(TestServer::eventually([&] { return good > before; }));
    enough = true;
    traffic.join();

    EXPECT_EQ(bad, 0);
    RawClient fresh = client();
    EXPECT_EQ(fingerprint_of(fresh), server_->tls().certificate().fingerprint);
    EXPECT_NE(fingerprint_of(fresh), first);
    EXPECT_EQ(old.ask(kPing).status, 200) << "it goes on with what it began with";
}

TEST_F(ServerTls, TellsTheLimitOverTls) {
    ServerOptions options = patient_options();
    options.connections = 1;
    start(options);
    RawClient first = client();
    ASSERT_EQ(first.ask(kPing).status, 200);

    const RawResponse refused = client().ask(kPing);

    EXPECT_EQ(refused.status, 503);
    EXPECT_TRUE(refused.body.contains("1 connections are open, which is the limit"));
}

TEST_F(ServerTls, DrainsAConnectionThatIsInItsHandshake) {
    start();
    RawClient half = plain();
    half.send(std::string_view("\x16\x03\x01\x02\x00\x01", 6));
    EXPECT_TRUE(TestServer::eventually([&] {
        std::size_t open = 0;
        server_->on_server([&](Server& server) { open = server.connections(); });
        return open == 1;
    }));

    server_->drain(kPatience);
    server_->join();

    EXPECT_TRUE(server_->served());
    EXPECT_TRUE(half.closed_silently());
}

}  // namespace
}  // namespace zona::net
