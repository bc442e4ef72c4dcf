#include "net/client_certificate.h"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "core/testing/fake_clock.h"
#include "net/testing/certificates.h"
#include "net/testing/test_server.h"

namespace zona::net {
namespace {

using namespace std::chrono_literals;
using core::Code;
using Session = std::unique_ptr<SSL, decltype([](SSL* one) { SSL_free(one); })>;

std::string text_of(const std::string& path) {
    std::ifstream in(path);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

std::shared_ptr<SSL_CTX> client_with(const TlsFiles& files) {
    auto out = trusting_tls();
    EXPECT_EQ(SSL_CTX_use_certificate_chain_file(out.get(), files.certificates.c_str()), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey_file(out.get(), files.key.c_str(), SSL_FILETYPE_PEM), 1);
    return out;
}

/// Both ends of a handshake in memory, by a server whose clock can be moved.
class ClientCertificates : public testing::Test {
  protected:
    ClientCertificates() { clock_.set_system(std::chrono::system_clock::now()); }

    void load() {
        auto loaded = TlsContext::load(files_, clock_);
        ASSERT_TRUE(loaded) << loaded.error().message();
        server_ = std::move(*loaded);
    }
    void reload() {
        const auto loaded = server_->reload();
        ASSERT_TRUE(loaded) << loaded.error().message();
    }
    /// Whether the server takes the client's part, and what it is told.
    std::string shake_hands(SSL_CTX* client) {
        if (!server_) load();
        if (!server_) return "no server";
        held_ = server_->current();
        client_.reset(SSL_new(client));
        session_.reset(SSL_new(held_.get()));
        BIO* ours = nullptr;
        BIO* theirs = nullptr;
        BIO_new_bio_pair(&ours, 0, &theirs, 0);
        SSL_set_bio(session_.get(), ours, ours);
        SSL_set_bio(client_.get(), theirs, theirs);
        SSL_set_accept_state(session_.get());
        SSL_set_connect_state(client_.get());
        for (int i = 0; i < 10; ++i) {
            ERR_clear_error();
            SSL_do_handshake(client_.get());
            ERR_clear_error();
            const int step = SSL_do_handshake(session_.get());
            if (step == 1 && SSL_is_init_finished(client_.get())) return "taken";
            if (SSL_get_error(session_.get(), step) == SSL_ERROR_SSL) return reason();
        }
        return "no end";
    }
    std::string reason() {
        const unsigned long error = ERR_peek_error();
        ERR_clear_error();
        const long verdict = SSL_get_verify_result(session_.get());
        return verdict == X509_V_OK ? ERR_reason_error_string(error)
                                    : X509_verify_cert_error_string(verdict);
    }
    std::string shake_hands(const TlsFiles& client) {
        return shake_hands(client_with(client).get());
    }
    std::shared_ptr<const ClientCertificate> shown() {
        return ClientCertificate::of(session_.get(), server_);
    }

    core::FakeClock clock_;
    TestAuthority authority_;
    TlsFiles files_ = [this] {
        TlsFiles out = authority_.issue();
        out.authorities = authority_.ca_file();
        return out;
    }();
    std::shared_ptr<TlsContext> server_;
    std::shared_ptr<SSL_CTX> held_;
    Session client_;
    Session session_;
};

// AUTH-30
TEST_F(ClientCertificates, OfAKnownAuthoritySayWhoItIs) {
    const TlsFiles robot = authority_.issue_client("robot");

    ASSERT_EQ(shake_hands(robot), "taken");

    ASSERT_TRUE(shown());
    EXPECT_EQ(shown()->facts().subject, "CN=robot");
    EXPECT_EQ(shown()->facts().fingerprint,
              read_client_certificate(text_of(robot.certificates)).value().fingerprint);
    EXPECT_TRUE(shown()->check());
}

// AUTH-30
TEST_F(ClientCertificates, ThatAreNotGoodEndTheHandshake) {
    TestAuthority other("another authority");
    const TlsFiles revoked = authority_.issue_client("thief");
    authority_.revoke({authority_.last_serial()});
    files_.revocations = authority_.revocations_file();
    const Wanted expired{.ends_in = -60};
    const Wanted early{.begins_in = 600};
    const Wanted of_server{.usage = "serverAuth"};

    EXPECT_EQ(shake_hands(other.issue_client("stranger")),
              "unable to get local issuer certificate");
    EXPECT_EQ(shake_hands(authority_.issue_client("old", expired)), "certificate has expired");
    EXPECT_EQ(shake_hands(authority_.issue_client("early", early)), "certificate is not yet valid");
    EXPECT_EQ(shake_hands(authority_.issue_client("wrong", of_server)),
              "unsuitable certificate purpose");
    EXPECT_EQ(shake_hands(revoked), "certificate revoked");
    EXPECT_EQ(shake_hands(authority_.issue_client("robot")), "taken");
}

// AUTH-30
TEST_F(ClientCertificates, MayBeMissingUnlessTheyAreRequired) {
    EXPECT_EQ(shake_hands(trusting_tls().get()), "taken");
    EXPECT_FALSE(shown());

    files_.certificate_required = true;
    load();
    EXPECT_EQ(shake_hands(trusting_tls().get()), "peer did not return a certificate");
}

// AUTH-30
TEST_F(ClientCertificates, WithoutAListOfTheirIssuerAreRefused) {
    TestAuthority other("another authority");
    other.revoke({});
    files_.revocations = other.revocations_file();
    EXPECT_EQ(shake_hands(authority_.issue_client("robot")), "unable to get certificate CRL");

    authority_.revoke({}, -60);
    files_.revocations = authority_.revocations_file();
    load();
    EXPECT_EQ(shake_hands(authority_.issue_client("robot")), "CRL has expired");
    ASSERT_EQ(server_->warnings().size(), 1U);
    EXPECT_TRUE(server_->warnings().front().contains("CN=test authority"));
}

// AUTH-30
TEST_F(ClientCertificates, AreLookedAtAgainAsLongAsTheirConnectionLasts) {
    const TlsFiles robot = authority_.issue_client("robot");
    const long serial = authority_.last_serial();
    authority_.revoke({});
    files_.revocations = authority_.revocations_file();
    ASSERT_EQ(shake_hands(robot), "taken");
    const auto certificate = shown();
    EXPECT_TRUE(certificate->check());

    authority_.revoke({serial});
    EXPECT_TRUE(certificate->check()) << "the file is read by a reload";
    reload();
    const auto verdict = certificate->check();
    ASSERT_FALSE(verdict);
    EXPECT_EQ(verdict.error().code(), Code::kUnauthenticated);
    EXPECT_TRUE(verdict.error().message().contains("certificate revoked"));

    authority_.revoke({});
    reload();
    EXPECT_TRUE(certificate->check());
    clock_.advance(59min);
    EXPECT_TRUE(certificate->check());
    clock_.advance(2min);
    EXPECT_TRUE(certificate->check().error().message().contains("has expired"));
}

TEST_F(ClientCertificates, OfAnAuthorityThatIsTrustedNoMoreAreNotGood) {
    TestAuthority other("another authority");
    ASSERT_EQ(shake_hands(authority_.issue_client("robot")), "taken");
    const auto certificate = shown();
    std::ofstream(authority_.ca_file()) << text_of(other.ca_file());

    reload();

    EXPECT_FALSE(certificate->check());
}

// AUTH-30
TEST_F(ClientCertificates, AreNotSkippedByAResumedSession) {
    const auto client = client_with(authority_.issue_client("robot"));
    ASSERT_EQ(shake_hands(client.get()), "taken");
    char nothing = 0;
    SSL_write(session_.get(), "x", 1);
    SSL_read(client_.get(), &nothing, 1);  // tickets would have come before it

    EXPECT_EQ(SSL_SESSION_is_resumable(SSL_get0_session(client_.get())), 0);
}

TEST_F(ClientCertificates, NeedFilesThatHoldWhatTheyAreToHold) {
    const auto error = [&](std::string TlsFiles::* which, const std::string& text) {
        TlsFiles files = files_;
        files.*which = authority_.path("wrong.pem");
        std::ofstream(files.*which) << text;
        const auto loaded = TlsContext::load(files, clock_);
        return loaded ? "loaded" : loaded.error().message();
    };
    const std::string leaf = text_of(authority_.issue_client("robot").certificates);

    EXPECT_TRUE(error(&TlsFiles::authorities, "").contains("holds no certificate"));
    EXPECT_TRUE(error(&TlsFiles::authorities, leaf).contains("CN=robot"));
    EXPECT_TRUE(error(&TlsFiles::revocations, "").contains("holds no revocation list"));
    EXPECT_TRUE(
        error(&TlsFiles::revocations, "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n")
            .contains("revocation list 1"));
    EXPECT_FALSE(read_client_certificate("nothing"));
    EXPECT_FALSE(read_client_certificate(leaf + leaf));
    EXPECT_FALSE(read_client_certificate(text_of(authority_.ca_file())));
}

// AUTH-30
TEST(ServerWithClients, TellsHandlersWhoIsAtTheOtherEnd) {
    TestServer server(patient_options(), Transport::kTls);
    server.asks_clients = true;
    server.route(Method::kGet, "/who", [](Request& request) {
        return core::Result<Response>(Response::text(
            request.certificate ? request.certificate->facts().subject : "nobody", "text/plain"));
    });
    server.start();
    constexpr std::string_view kWho = "GET /who HTTP/1.1\r\nHost: zona\r\n\r\n";
    RawClient known(server.address(), client_with(server.authority().issue_client("robot")));
    ASSERT_TRUE(known.shake_hands());

    EXPECT_EQ(known.ask(kWho).body, "CN=robot");
    EXPECT_EQ(known.ask(kWho).body, "CN=robot") << "it is of the connection";
    EXPECT_EQ(RawClient(server.endpoint()).ask(kWho).body, "nobody");

    TestAuthority other("another authority");
    RawClient stranger(server.address(), client_with(other.issue_client("stranger")));
    stranger.shake_hands();
    EXPECT_EQ(stranger.ask(kWho).status, 0);
    EXPECT_EQ(
        server.wait_for_lines("the peer's certificate: unable to get local issuer certificate", 1)
            .size(),
        1U);
    EXPECT_EQ(server.metrics()
                  .counter("zona_tls_handshake_failures_total", "x", {{"reason", "certificate"}})
                  .value(),
              1U);
}

}  // namespace
}  // namespace zona::net
