#include "identity/federation/detail/encryption_key.h"

#include <memory>
#include <span>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "crypto/encoding.h"

namespace zona::identity::detail {

using core::Code;
using core::Error;
using core::Result;
using core::Secret;

namespace {

constexpr unsigned kBits = 3072;
constexpr std::chrono::years kGoodFor{10};

template <class T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

Error failed() {
    return {Code::kInternal, "a key for an identity provider could not be made"};
}

Result<std::string> certificate_of(EVP_PKEY* key, core::SystemTime now) {
    const Owned<X509> made(::X509_new(), ::X509_free);
    if (!made) return failed();
    const std::time_t begin = core::SystemTime::clock::to_time_t(now);
    const std::time_t end = core::SystemTime::clock::to_time_t(now + kGoodFor);
    X509_NAME* const name = ::X509_get_subject_name(made.get());
    const bool is_made =
        ::X509_set_version(made.get(), X509_VERSION_3) == 1 &&
        ::ASN1_INTEGER_set(::X509_get_serialNumber(made.get()), 1) == 1 &&
        ::ASN1_TIME_set(::X509_getm_notBefore(made.get()), begin) != nullptr &&
        ::ASN1_TIME_set(::X509_getm_notAfter(made.get()), end) != nullptr &&
        ::X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                     reinterpret_cast<const unsigned char*>("zona"), -1, -1,
                                     0) == 1 &&
        ::X509_set_issuer_name(made.get(), name) == 1 && ::X509_set_pubkey(made.get(), key) == 1 &&
        ::X509_sign(made.get(), key, ::EVP_sha256()) > 0;
    unsigned char* bytes = nullptr;
    const int size = is_made ? ::i2d_X509(made.get(), &bytes) : -1;
    if (size <= 0) return failed();
    std::string out =
        crypto::base64(std::as_bytes(std::span(bytes, static_cast<std::size_t>(size))));
    ::OPENSSL_free(bytes);
    return out;
}

Result<Secret> pem_of(EVP_PKEY* key) {
    const Owned<BIO> out(::BIO_new(::BIO_s_secmem()), ::BIO_free_all);
    if (!out ||
        ::PEM_write_bio_PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
        return failed();
    char* text = nullptr;
    const long size = ::BIO_get_mem_data(out.get(), &text);
    return Secret(std::string(text, static_cast<std::size_t>(size)));
}

}  // namespace

Result<EncryptionKey> new_encryption_key(core::SystemTime now) {
    const Owned<EVP_PKEY> key(EVP_RSA_gen(kBits), ::EVP_PKEY_free);
    if (!key) return failed();
    ZONA_TRY(std::string certificate, certificate_of(key.get(), now));
    ZONA_TRY(Secret pem, pem_of(key.get()));
    return EncryptionKey{.key = std::move(pem), .certificate = std::move(certificate)};
}

}  // namespace zona::identity::detail
