#include "net/detail/tls_clients.h"

#include <memory>
#include <string>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "net/detail/tls_certificate.h"
#include "net/detail/tls_error.h"

namespace zona::net::detail {
namespace {

using core::Code;
using core::Error;

using List = std::unique_ptr<X509_CRL, decltype([](X509_CRL* list) { X509_CRL_free(list); })>;
using Verification =
    std::unique_ptr<X509_STORE_CTX, decltype([](X509_STORE_CTX* at) { X509_STORE_CTX_free(at); })>;

/// An authority of the file is trusted as it is: nobody above has to say that it was not revoked.
int judge(int is_good, X509_STORE_CTX* at) {
    const int error = X509_STORE_CTX_get_error(at);
    const bool is_untold =
        error == X509_V_ERR_UNABLE_TO_GET_CRL || error == X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER;
    if (is_good == 1 || !is_untold) return is_good;
    const int depth = X509_STORE_CTX_get_error_depth(at);
    if (depth == 0 || depth + 1 != sk_X509_num(X509_STORE_CTX_get0_chain(at))) return is_good;
    X509_STORE_CTX_set_error(at, X509_V_OK);
    return 1;
}

core::Result<void> trust(SSL_CTX* context, const std::string& path) {
    ZONA_TRY(const std::string text, read_pem(path, "the authorities of clients"));
    core::Result<std::vector<Certificate>> authorities = parse_certificates(text);
    if (!authorities) return authorities.take_error().context("the authorities of clients " + path);
    if (authorities->empty()) {
        return Error(Code::kInvalidArgument,
                     fmt::format("{} holds no certificate in PEM of an authority", path));
    }
    for (const Certificate& one : *authorities) {
        if (X509_check_ca(one.get()) == 0) {
            return Error(Code::kInvalidArgument,
                         fmt::format("{} in {} is the certificate of no authority",
                                     describe(one.get()).subject, path));
        }
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), one.get()) != 1 ||
            SSL_CTX_add_client_CA(context, one.get()) != 1) {
            return Error(Code::kInternal, "cannot set TLS up: " + last_tls_error());
        }
    }
    return {};
}

core::Result<std::vector<TlsRevocations>> take_revocations(SSL_CTX* context,
                                                           const std::string& path) {
    ZONA_TRY(const std::string text, read_pem(path, "the revocation lists"));
    const Bio bio = bio_over(text);
    std::vector<TlsRevocations> out;
    while (const List one{PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr)}) {
        if (X509_STORE_add_crl(SSL_CTX_get_cert_store(context), one.get()) != 1)
            return Error(Code::kInternal, "cannot set TLS up: " + last_tls_error());
        TlsRevocations& told = out.emplace_back(to_text(X509_CRL_get_issuer(one.get())));
        if (const ASN1_TIME* const next = X509_CRL_get0_nextUpdate(one.get()))
            told.next_update = time_of(next);
    }
    const bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    const std::string problem = last_tls_error();
    if (!is_end) {
        return Error(Code::kInvalidArgument, fmt::format("revocation list {} of {} is damaged: {}",
                                                         out.size() + 1, path, problem));
    }
    if (out.empty()) {
        return Error(Code::kInvalidArgument,
                     fmt::format("{} holds no revocation list in PEM", path));
    }
    return out;
}

}  // namespace

core::Result<std::vector<TlsRevocations>> ask_clients(ssl_ctx_st* context, const TlsFiles& files) {
    ZONA_TRY_VOID(trust(context, files.authorities));
    std::vector<TlsRevocations> lists;
    unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
    if (!files.revocations.empty()) {
        ZONA_TRY(lists, take_revocations(context, files.revocations));
        flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
    }
    if (X509_STORE_set_flags(SSL_CTX_get_cert_store(context), flags) != 1)
        return Error(Code::kInternal, "cannot set TLS up: " + last_tls_error());
    const int demand = files.certificate_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | demand, judge);
    // A session that is resumed brings its certificate along unverified.
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
    return lists;
}

core::Result<void> verify_client(ssl_ctx_st* context, x509_st* certificate, stack_st_X509* others,
                                 core::SystemTime now) {
    const Verification at(X509_STORE_CTX_new());
    const bool made =
        at && X509_STORE_CTX_init(at.get(), SSL_CTX_get_cert_store(context), certificate, others) &&
        X509_STORE_CTX_set_default(at.get(), "ssl_client") == 1;
    if (!made) return Error(Code::kInternal, "cannot verify: " + last_tls_error());
    X509_STORE_CTX_set_verify_cb(at.get(), judge);
    X509_STORE_CTX_set_time(at.get(), 0, std::chrono::system_clock::to_time_t(now));
    const bool is_good = X509_verify_cert(at.get()) == 1;
    ERR_clear_error();
    if (is_good) return {};
    return Error(Code::kUnauthenticated,
                 X509_verify_cert_error_string(X509_STORE_CTX_get_error(at.get())));
}

}  // namespace zona::net::detail
