#include "crypto/aead.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <cstring>
#include <limits>

#include <openssl/evp.h>

namespace zona::crypto {
namespace {

constexpr std::size_t kMostBytes = std::numeric_limits<int>::max();

/// What can go wrong with arguments of the right size is memory alone, and that only at the
/// beginning.
void must(bool good) {
    if (!good) std::abort();
}

const unsigned char* raw(std::span<const std::byte> bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

unsigned char* raw_out(std::span<std::byte> bytes) {
    return reinterpret_cast<unsigned char*>(bytes.data());
}

::EVP_CIPHER_CTX* evp(void* context) {
    return static_cast<::EVP_CIPHER_CTX*>(context);
}

/// Nonce, associated data and text through the cipher; what remains is the tag.
void run(::EVP_CIPHER_CTX* context, int encrypt, const Nonce& nonce,
         std::span<const std::byte> associated, std::span<const std::byte> in,
         std::span<std::byte> out) {
    must(in.size() == out.size() && in.size() <= kMostBytes && associated.size() <= kMostBytes);
    must(::EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, raw(nonce), encrypt) == 1);
    int size = 0;
    if (!associated.empty()) {
        must(::EVP_CipherUpdate(context, nullptr, &size, raw(associated),
                                static_cast<int>(associated.size())) == 1);
    }
    if (!in.empty()) {
        must(::EVP_CipherUpdate(context, raw_out(out), &size, raw(in),
                                static_cast<int>(in.size())) == 1);
    }
}

}  // namespace

NonceSource::NonceSource(core::Random& random)
    : prefix_(static_cast<std::uint32_t>(random.next())), counter_(random.next()) {}

Nonce NonceSource::next() noexcept {
    const std::uint64_t count = counter_.fetch_add(1, std::memory_order_relaxed);
    Nonce out;
    std::memcpy(out.data(), &prefix_, sizeof prefix_);
    std::memcpy(out.data() + sizeof prefix_, &count, sizeof count);
    return out;
}

void Aes256Gcm::Free::operator()(void* context) const noexcept {
    ::EVP_CIPHER_CTX_free(evp(context));
}

Aes256Gcm::Aes256Gcm(const Key& key) : context_(::EVP_CIPHER_CTX_new()) {
    static const ::EVP_CIPHER* const kAlgorithm =
        ::EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
    must(context_ != nullptr && kAlgorithm != nullptr);
    must(::EVP_CipherInit_ex(evp(context_.get()), kAlgorithm, nullptr, raw(key.reveal()), nullptr,
                             1) == 1);
}

Aes256Gcm::Aes256Gcm(Aes256Gcm&&) noexcept = default;
Aes256Gcm& Aes256Gcm::operator=(Aes256Gcm&&) noexcept = default;
Aes256Gcm::~Aes256Gcm() = default;

Tag Aes256Gcm::seal(const Nonce& nonce, std::span<const std::byte> associated,
                    std::span<const std::byte> plain, std::span<std::byte> cipher) {
    ::EVP_CIPHER_CTX* context = evp(context_.get());
    run(context, 1, nonce, associated, plain, cipher);
    unsigned char rest[16];
    int size = 0;
    must(::EVP_CipherFinal_ex(context, rest, &size) == 1);
    Tag tag;
    must(::EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagSize, tag.data()) == 1);
    return tag;
}

bool Aes256Gcm::open(const Nonce& nonce, std::span<const std::byte> associated,
                     std::span<const std::byte> cipher, const Tag& tag,
                     std::span<std::byte> plain) {
    ::EVP_CIPHER_CTX* context = evp(context_.get());
    run(context, 0, nonce, associated, cipher, plain);
    Tag expected = tag;
    must(::EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagSize, expected.data()) == 1);
    unsigned char rest[16];
    int size = 0;
    if (::EVP_CipherFinal_ex(context, rest, &size) == 1) return true;
    wipe(plain);
    return false;
}

}  // namespace zona::crypto
