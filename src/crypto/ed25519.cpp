#include "crypto/ed25519.h"

#include <cstdlib>
#include <memory>
#include <utility>

#include <openssl/evp.h>

namespace zona::crypto {
namespace {

void must(bool good) {
    if (!good) std::abort();
}

const unsigned char* raw(const std::byte* bytes) {
    return reinterpret_cast<const unsigned char*>(bytes);
}
const unsigned char* raw(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

struct FreeKey {
    void operator()(::EVP_PKEY* key) const noexcept { ::EVP_PKEY_free(key); }
};
using PkeyPtr = std::unique_ptr<::EVP_PKEY, FreeKey>;
struct FreeContext {
    void operator()(::EVP_MD_CTX* context) const noexcept { ::EVP_MD_CTX_free(context); }
};
using ContextPtr = std::unique_ptr<::EVP_MD_CTX, FreeContext>;

PkeyPtr private_key(const Key& seed) {
    PkeyPtr out(::EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, raw(seed.reveal().data()),
                                               seed.reveal().size()));
    must(out != nullptr);
    return out;
}

ContextPtr context() {
    ContextPtr out(::EVP_MD_CTX_new());
    must(out != nullptr);
    return out;
}

}  // namespace

Ed25519Key::Ed25519Key(Key seed) : seed_(std::move(seed)), public_{} {
    const PkeyPtr key = private_key(seed_);
    std::size_t size = public_.size();
    must(::EVP_PKEY_get_raw_public_key(key.get(), reinterpret_cast<unsigned char*>(public_.data()),
                                       &size) == 1 &&
         size == public_.size());
}

Ed25519Signature Ed25519Key::sign(std::string_view message) const {
    const PkeyPtr key = private_key(seed_);
    const ContextPtr context = crypto::context();
    must(::EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1);
    Ed25519Signature out{};
    std::size_t size = out.size();
    must(::EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                          raw(message), message.size()) == 1 &&
         size == out.size());
    return out;
}

bool is_signed_by(const Ed25519Public& key, std::string_view message,
                  const Ed25519Signature& signature) {
    const PkeyPtr pkey(
        ::EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw(key.data()), key.size()));
    if (pkey == nullptr) return false;
    const ContextPtr context = crypto::context();
    must(::EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, pkey.get()) == 1);
    return ::EVP_DigestVerify(context.get(), raw(signature.data()), signature.size(), raw(message),
                              message.size()) == 1;
}

}  // namespace zona::crypto
