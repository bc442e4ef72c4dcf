#include "crypto/key.h"

#include <algorithm>

#include <openssl/crypto.h>

namespace zona::crypto {

void wipe(std::span<std::byte> secret) noexcept {
    ::OPENSSL_cleanse(secret.data(), secret.size());
}

Key Key::random(core::Random& random) {
    Key out;
    random.fill(out.bytes_);
    return out;
}

Key::Key(std::span<const std::byte, kKeySize> bytes) {
    std::ranges::copy(bytes, bytes_.begin());
}

Key::Key(Key&& other) noexcept : bytes_(other.bytes_) {
    wipe(other.bytes_);
}

Key& Key::operator=(Key&& other) noexcept {
    if (this != &other) {
        bytes_ = other.bytes_;
        wipe(other.bytes_);
    }
    return *this;
}

Key::~Key() {
    wipe(bytes_);
}

Key Key::clone() const {
    return Key(std::span<const std::byte, kKeySize>(bytes_));
}

bool Key::same_as(const Key& other) const {
    return ::CRYPTO_memcmp(bytes_.data(), other.bytes_.data(), kKeySize) == 0;
}

}  // namespace zona::crypto
