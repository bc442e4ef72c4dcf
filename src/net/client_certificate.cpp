#include "net/client_certificate.h"

#include <string>
#include <utility>

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "net/detail/tls_certificate.h"
#include "net/detail/tls_clients.h"

namespace zona::net {

using core::Code;
using core::Error;

/// As it came.
struct ClientCertificate::Chain {
    Chain(detail::Certificate shown, STACK_OF(X509) * sent)
        : certificate(std::move(shown)), others(X509_chain_up_ref(sent)) {}
    ~Chain() { sk_X509_pop_free(others, X509_free); }
    Chain(const Chain&) = delete;
    Chain& operator=(const Chain&) = delete;

    detail::Certificate certificate;
    STACK_OF(X509) * others;
};

ClientCertificate::ClientCertificate(std::unique_ptr<Chain> chain,
                                     std::shared_ptr<const TlsContext> server)
    : chain_(std::move(chain)),
      facts_(detail::describe(chain_->certificate.get())),
      server_(std::move(server)) {}

ClientCertificate::~ClientCertificate() = default;

std::shared_ptr<const ClientCertificate> ClientCertificate::of(
    const ssl_st* session, std::shared_ptr<const TlsContext> server) {
    detail::Certificate shown(SSL_get1_peer_certificate(session));
    if (!shown) return nullptr;
    auto chain = std::make_unique<Chain>(std::move(shown), SSL_get_peer_cert_chain(session));
    return std::shared_ptr<const ClientCertificate>(
        new ClientCertificate(std::move(chain), std::move(server)));
}

core::Result<void> ClientCertificate::check() const {
    const core::SteadyTime now = server_->clock().steady();
    std::shared_ptr<ssl_ctx_st> trusted = server_->current();
    const std::lock_guard lock(mutex_);
    if (trusted != verified_by_ || now - verified_at_ >= kVerifiedFor) {
        verdict_ = verify(trusted.get());
        verified_by_ = std::move(trusted);
        verified_at_ = now;
    }
    return verdict_;
}

core::Result<void> ClientCertificate::verify(ssl_ctx_st* trusted) const {
    auto good = detail::verify_client(trusted, chain_->certificate.get(), chain_->others,
                                      server_->clock().system());
    if (good) return good;
    return good.take_error().context(
        fmt::format("the client's certificate {} is not good any more", facts_.subject));
}

core::Result<TlsCertificate> read_client_certificate(std::string_view pem) {
    const std::string text(pem);
    ZONA_TRY(const std::vector<detail::Certificate> found, detail::parse_certificates(text));
    if (found.size() != 1) {
        return Error(Code::kInvalidArgument,
                     fmt::format("the text holds {} certificates in PEM, and one is wanted: the "
                                 "client's own",
                                 found.size()));
    }
    X509* const one = found.front().get();
    if (X509_check_ca(one) != 0)
        return Error(Code::kInvalidArgument,
                     "the certificate is an authority's, which no client shows");
    return detail::describe(one);
}

}  // namespace zona::net
