#include "crypto/key.h"

#include <algorithm>
#include <utility>

#include <openssl/crypto.h>

#include "core/locked_memory.h"

namespace zona::crypto {

static_assert(kKeySize == core::kLockedPieceSize);

void wipe(std::span<std::byte> secret) noexcept {
    ::OPENSSL_cleanse(secret.data(), secret.size());
}

Key::Key() : bytes_(core::take_locked_piece().data()) {}

Key Key::random(core::Random& random) {
    Key out;
    random.fill(std::span(out.bytes_, kKeySize));
    return out;
}

Key::Key(std::span<const std::byte, kKeySize> bytes) : Key() {
    std::ranges::copy(bytes, bytes_);
}

Key::Key(Key&& other) noexcept : bytes_(std::exchange(other.bytes_, nullptr)) {}

Key& Key::operator=(Key&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
}

Key::~Key() {
    if (bytes_ != nullptr) core::give_back_locked_piece(bytes_);
}

std::span<const std::byte, kKeySize> Key::reveal() const {
    return std::span<const std::byte, kKeySize>(bytes_, kKeySize);
}

Key Key::clone() const {
    return Key(reveal());
}

bool Key::same_as(const Key& other) const {
    return ::CRYPTO_memcmp(bytes_, other.bytes_, kKeySize) == 0;
}

}  // namespace zona::crypto
