#include "net/tls_client.h"

#include <string>

#include <gtest/gtest.h>

#include "net/client.h"
#include "net/testing/test_server.h"

namespace zona::net {
namespace {

using namespace std::chrono_literals;

const core::RealClock kClock;

class TlsClient : public testing::Test {
  protected:
    void SetUp() override {
        server_.route(Method::kGet, "/ping",
                      [](Request&) { return Response::success("\"pong\""); });
        server_.route(Method::kPost, "/echo",
                      [](Request& request) { return Response::json(request.body); });
        server_.start();
        endpoint_ = RemoteEndpoint::parse("https://" + server_.address()).value();
    }

    /// Puts another certificate in force.
    void show(const Wanted& wanted) {
        server_.authority().issue("server", wanted);
        ASSERT_TRUE(server_.tls().reload().has_value());
    }
    TlsTrust its_authority() { return {.ca_file = server_.authority().ca_file()}; }

    core::Result<ClientResponse> ask(const TlsTrust& trust,
                                     std::chrono::milliseconds time = kPatience) {
        ZONA_TRY(auto transport, tls_transport(endpoint_, trust));
        HttpClient client(std::move(transport), kClock);
        return client.request({.target = "/ping"}, core::Deadline::after(kClock, time));
    }
    std::string refusal(const TlsTrust& trust) {
        const auto answer = ask(trust);
        if (answer.has_value()) return "it was answered";
        EXPECT_EQ(answer.error().code(), core::Code::kUnauthenticated);
        return answer.error().message();
    }

    TestServer server_{patient_options(), Transport::kTls};
    RemoteEndpoint endpoint_;
};

// PM-69
TEST_F(TlsClient, AsksAServerWhoseAuthorityItTrusts) {
    HttpClient client(tls_transport(endpoint_, its_authority()).value(), kClock);
    for (int i = 0; i < 3; ++i) {
        const auto answer =
            client.request({.target = "/ping"}, core::Deadline::after(kClock, kPatience));
        ASSERT_TRUE(answer.has_value()) << answer.error().message();
        EXPECT_EQ(answer->body, R"({"success":true,"data":"pong"})");
    }
    EXPECT_EQ(server_.metrics().counter("zona_tls_handshakes_total", "x").value(), 1U)
        << "the connection is kept, though session tickets come on it";
}

TEST_F(TlsClient, SendsAndReadsLargeBodies) {
    HttpClient client(tls_transport(endpoint_, its_authority()).value(), kClock);
    const std::string body = "\"" + std::string(1'000'000, 'x') + "\"";
    Headers headers;
    headers.add("Content-Type", "application/json");

    const auto answer =
        client.request({"POST", "/echo", &headers, body}, core::Deadline::after(kClock, kPatience));

    ASSERT_TRUE(answer.has_value()) << answer.error().message();
    EXPECT_EQ(answer->body, body);
}

TEST_F(TlsClient, TrustsTheHostsAuthoritiesUnlessTold) {
    const std::string message = refusal({});

    EXPECT_TRUE(message.contains("the certificate of " + server_.address() + " is not trusted"))
        << message;
    EXPECT_TRUE(message.contains(server_.tls().certificate().fingerprint))
        << "what can be pinned is told";
}

// PM-69
TEST_F(TlsClient, RefusesAnExpiredCertificate) {
    show({.begins_in = -7200, .ends_in = -3600});

    EXPECT_TRUE(refusal(its_authority()).contains("certificate has expired"));
}

TEST_F(TlsClient, RefusesACertificateThatIsNotValidYet) {
    show({.begins_in = 3600, .ends_in = 7200});

    const std::string message = refusal(its_authority());

    EXPECT_TRUE(message.contains("not yet valid; here it is 20")) << "perhaps our clock is wrong";
}

// PM-69
TEST_F(TlsClient, RefusesACertificateOfAnotherHost) {
    show({.names = "DNS:other.example,IP:127.0.0.2"});

    EXPECT_TRUE(refusal(its_authority()).contains("IP address mismatch"));
    endpoint_.host = "localhost";
    EXPECT_TRUE(refusal(its_authority()).contains("hostname mismatch"));
}

TEST_F(TlsClient, AsksByName) {
    show({.names = "DNS:localhost"});
    endpoint_.host = "localhost";

    EXPECT_TRUE(ask(its_authority()).has_value());
}

TEST_F(TlsClient, TrustsThePinnedCertificateAndNoOther) {
    show({.names = "DNS:other.example", .ends_in = -60});
    TlsTrust pinned{.fingerprint = server_.tls().certificate().fingerprint};
    EXPECT_TRUE(ask(pinned).has_value());
    for (char& c : pinned.fingerprint)
        c = static_cast<char>(std::toupper(c));
    for (std::size_t i = 62; i > 0; i -= 2)
        pinned.fingerprint.insert(i, ":");
    EXPECT_TRUE(ask(pinned).has_value()) << pinned.fingerprint;

    show({});

    EXPECT_TRUE(refusal(pinned).contains("it is not the pinned one"));
}

TEST_F(TlsClient, RefusesAMalformedFingerprint) {
    for (const std::string& text : {std::string("abc"), std::string(63, 'a'), std::string(65, 'a'),
                                    std::string(64, 'g'), std::string(":")}) {
        const auto answer = ask({.fingerprint = text});
        ASSERT_FALSE(answer.has_value());
        EXPECT_EQ(answer.error().code(), core::Code::kInvalidArgument) << text;
    }
}

TEST_F(TlsClient, NamesTheFileOfAuthoritiesThatCannotBeUsed) {
    const std::string absent = server_.authority().path("absent");
    const TlsFiles files = server_.authority().issue("another");

    EXPECT_EQ(ask({.ca_file = absent}).error().code(), core::Code::kNotFound);
    EXPECT_TRUE(ask({.ca_file = absent}).error().message().contains(absent));
    EXPECT_TRUE(ask({.ca_file = files.key})
                    .error()
                    .message()
                    .contains(files.key + " holds no certificate"));
}

TEST_F(TlsClient, SaysThatAServerSpeaksNoTls) {
    TestServer plain(patient_options(), Transport::kTcp);
    plain.start();
    endpoint_ = RemoteEndpoint::parse("https://" + plain.endpoint()).value();

    const auto answer = ask({});

    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().code(), core::Code::kUnavailable);
    EXPECT_TRUE(answer.error().message().contains("speaks no TLS 1.3, or no TLS at all"))
        << answer.error().message();
}

TEST_F(TlsClient, GivesUpAHandshakeAtTheDeadline) {
    const auto silent = os::listen_tcp({"127.0.0.1", 0}, 8).value();
    endpoint_.port = os::local_address(silent.get()).value().port;

    EXPECT_EQ(ask({}, 20ms).error().code(), core::Code::kTimeout);
}

TEST_F(TlsClient, ConnectsAnewWhenTheServerHasClosed) {
    ServerOptions options = patient_options();
    options.requests_per_connection = 1;
    server_.on_server([&](Server& server) { server.set_options(options); });
    HttpClient client(tls_transport(endpoint_, its_authority()).value(), kClock);
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(client.request({.target = "/ping"}, core::Deadline::after(kClock, kPatience))
                        .has_value());
    }
}

}  // namespace
}  // namespace zona::net
