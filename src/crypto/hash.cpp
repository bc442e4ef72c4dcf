#include "crypto/hash.h"

#include <cstdlib>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

namespace zona::crypto {
namespace {

/// What can go wrong is memory alone.
void must(bool good) {
    if (!good) std::abort();
}

const unsigned char* raw(std::span<const std::byte> bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

unsigned char* raw_out(std::span<std::byte> bytes) {
    return reinterpret_cast<unsigned char*>(bytes.data());
}

/// A parameter that is read only; OpenSSL's type is the same for reading and writing.
::OSSL_PARAM octets(const char* name, std::span<const std::byte> bytes) {
    static constexpr unsigned char kNone = 0;
    const unsigned char* data = bytes.empty() ? &kNone : raw(bytes);
    return ::OSSL_PARAM_construct_octet_string(name, const_cast<unsigned char*>(data),
                                               bytes.size());
}

/// Asked for with each request: looking it up would cost as much as it does.
const ::EVP_MD* sha256_algorithm() {
    static const ::EVP_MD* const kAlgorithm = ::EVP_MD_fetch(nullptr, "SHA256", nullptr);
    return kAlgorithm;
}

}  // namespace

Digest sha256(std::span<const std::byte> data) {
    Digest out;
    must(::EVP_Digest(data.data(), data.size(), raw_out(out), nullptr, sha256_algorithm(),
                      nullptr) == 1);
    return out;
}

Sha256::Sha256() : context_(::EVP_MD_CTX_new()) {
    must(context_ != nullptr);
    begin();
}

Sha256::~Sha256() {
    ::EVP_MD_CTX_free(static_cast<::EVP_MD_CTX*>(context_));
}

void Sha256::begin() {
    auto* const context = static_cast<::EVP_MD_CTX*>(context_);
    must(::EVP_DigestInit_ex2(context, sha256_algorithm(), nullptr) == 1);
}

void Sha256::add(std::span<const std::byte> data) {
    auto* const context = static_cast<::EVP_MD_CTX*>(context_);
    must(::EVP_DigestUpdate(context, data.data(), data.size()) == 1);
}

Digest Sha256::finish() {
    Digest out;
    must(::EVP_DigestFinal_ex(static_cast<::EVP_MD_CTX*>(context_), raw_out(out), nullptr) == 1);
    begin();
    return out;
}

Digest sha256(std::string_view text) {
    return sha256(std::as_bytes(std::span(text)));
}

Digest hmac_sha256(std::span<const std::byte> key, std::span<const std::byte> data) {
    Digest out;
    std::size_t size = 0;
    must(::EVP_Q_mac(nullptr, "HMAC", nullptr, "SHA256", nullptr, key.data(), key.size(), raw(data),
                     data.size(), raw_out(out), out.size(), &size) != nullptr);
    return out;
}

Digest hmac_sha256(const Key& key, std::span<const std::byte> data) {
    return hmac_sha256(key.reveal(), data);
}

void hkdf_sha256(std::span<const std::byte> secret, std::span<const std::byte> salt,
                 std::span<const std::byte> info, std::span<std::byte> out) {
    static ::EVP_KDF* const kAlgorithm = ::EVP_KDF_fetch(nullptr, "HKDF", nullptr);
    ::EVP_KDF_CTX* context = ::EVP_KDF_CTX_new(kAlgorithm);
    must(context != nullptr);
    char digest[] = "SHA256";
    const ::OSSL_PARAM parameters[] = {
        ::OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        octets(OSSL_KDF_PARAM_KEY, secret), octets(OSSL_KDF_PARAM_SALT, salt),
        octets(OSSL_KDF_PARAM_INFO, info), ::OSSL_PARAM_construct_end()};
    const int good = ::EVP_KDF_derive(context, raw_out(out), out.size(), parameters);
    ::EVP_KDF_CTX_free(context);
    must(good == 1);
}

Key derive_key(const Key& from, std::span<const std::byte> salt, std::string_view purpose) {
    std::array<std::byte, kKeySize> bytes;
    hkdf_sha256(from.reveal(), salt, std::as_bytes(std::span(purpose)), bytes);
    Key out{std::span<const std::byte, kKeySize>(bytes)};
    wipe(bytes);
    return out;
}

bool same_bytes(std::span<const std::byte> a, std::span<const std::byte> b) {
    return a.size() == b.size() && ::CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool same_bytes(std::string_view a, std::string_view b) {
    return same_bytes(std::as_bytes(std::span(a)), std::as_bytes(std::span(b)));
}

}  // namespace zona::crypto
