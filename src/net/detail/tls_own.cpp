#include "net/detail/tls_own.h"

#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "net/detail/tls_error.h"

namespace zona::net::detail {
namespace {

using core::Code;
using core::Error;

using Key = std::unique_ptr<EVP_PKEY, decltype([](EVP_PKEY* key) { EVP_PKEY_free(key); })>;

/// A key that is encrypted has nobody here who knows its password.
int no_password(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
}

core::Result<Key> parse_key(const std::string& text, const std::string& path) {
    bool encrypted = false;
    const Bio bio = bio_over(text);
    Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, &encrypted));
    if (key) return key;
    ERR_clear_error();
    return Error(Code::kInvalidArgument,
                 encrypted
                     ? fmt::format("the TLS key {} is encrypted; store it without a password: "
                                   "openssl pkey -in {} -out NEW",
                                   path, path)
                     : fmt::format("the TLS key {} holds no private key in PEM", path));
}

core::Result<void> use_certificates(SSL_CTX* context, const std::vector<Certificate>& chain,
                                    const std::string& path) {
    bool taken = SSL_CTX_use_certificate(context, chain.front().get()) == 1;
    for (std::size_t i = 1; taken && i < chain.size(); ++i)
        taken = SSL_CTX_add1_chain_cert(context, chain[i].get()) == 1;
    if (taken) return {};
    return Error(Code::kInvalidArgument,
                 fmt::format("the TLS certificate {} cannot be used: {}", path, last_tls_error()));
}

core::Result<void> use_key(SSL_CTX* context, EVP_PKEY* key, const std::string& certificates,
                           const std::string& path) {
    if (X509_check_private_key(SSL_CTX_get0_certificate(context), key) != 1) {
        ERR_clear_error();
        return Error(
            Code::kInvalidArgument,
            fmt::format("the TLS key {} is not the key of the certificate {}", path, certificates));
    }
    if (SSL_CTX_use_PrivateKey(context, key) == 1) return {};
    return Error(Code::kInvalidArgument,
                 fmt::format("the TLS key {} cannot be used: {}", path, last_tls_error()));
}

}  // namespace

core::Result<Certificate> show_certificate(SSL_CTX* context, const std::string& certificates,
                                           const std::string& key) {
    ZONA_TRY(const std::string text, read_pem(certificates, "the TLS certificate"));
    ZONA_TRY(const std::string key_text, read_pem(key, "the TLS key"));
    core::Result<std::vector<Certificate>> chain = parse_certificates(text);
    if (!chain) return chain.take_error().context("the TLS certificate " + certificates);
    if (chain->empty()) {
        return Error(
            Code::kInvalidArgument,
            fmt::format("the TLS certificate {} holds no certificate in PEM", certificates));
    }
    ZONA_TRY(const Key own, parse_key(key_text, key));
    ZONA_TRY_VOID(use_certificates(context, *chain, certificates));
    ZONA_TRY_VOID(use_key(context, own.get(), certificates, key));
    return std::move(chain->front());
}

}  // namespace zona::net::detail
