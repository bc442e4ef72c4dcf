#include "vault/detail/page_cipher.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "crypto/hash.h"

namespace zona::vault::detail {
namespace {

constexpr std::size_t kFixedAssociated = 16 + 1 + 4 + 8;

/// The associated data of one block, without an allocation.
class Associated {
  public:
    Associated(const core::Uuid& file, BlockKind kind, KeyId key, std::uint64_t offset,
               std::span<const std::byte> clear)
        : size_(kFixedAssociated + clear.size()) {
        std::byte* at = bytes_.data();
        at = std::ranges::copy(std::as_bytes(std::span(file.bytes)), at).out;
        *at++ = static_cast<std::byte>(kind);
        for (unsigned shift = 0; shift < 32; shift += 8)
            *at++ = static_cast<std::byte>(std::to_underlying(key) >> shift);
        for (unsigned shift = 0; shift < 64; shift += 8)
            *at++ = static_cast<std::byte>(offset >> shift);
        std::ranges::copy(clear, at);
    }
    std::span<const std::byte> bytes() const { return std::span(bytes_).first(size_); }

  private:
    std::array<std::byte, kFixedAssociated + kClearHeader> bytes_;
    std::size_t size_;
};

struct Parts {
    std::span<std::byte> clear, text, trailer;
};

Parts parts_of(std::span<std::byte> block, std::size_t clear) {
    return {.clear = block.first(clear),
            .text = block.subspan(clear, block.size() - clear - kTrailerSize),
            .trailer = block.last(kTrailerSize)};
}

}  // namespace

PageCipher::PageCipher(const core::Uuid& file, std::shared_ptr<const DataKeys> keys,
                       crypto::NonceSource& nonces)
    : file_(file), keys_(std::move(keys)), nonces_(nonces) {}

KeyId PageCipher::key_of(std::span<const std::byte> block) {
    std::uint32_t id = 0;
    for (std::size_t i = 0; i < 4; ++i)
        id |= std::to_integer<std::uint32_t>(block[block.size() - 4 + i]) << (8 * i);
    return KeyId{id};
}

bool PageCipher::seal(BlockKind kind, std::uint64_t offset, std::size_t clear,
                      std::span<std::byte> block) {
    const auto id = keys_->current();
    crypto::Aes256Gcm* const with = id ? cipher(*id) : nullptr;
    if (with == nullptr) return false;
    const Parts parts = parts_of(block, clear);
    const Associated associated(file_, kind, *id, offset, parts.clear);
    const crypto::Nonce nonce = nonces_.next();
    const crypto::Tag tag = with->seal(nonce, associated.bytes(), parts.text, parts.text);
    auto at = std::ranges::copy(nonce, parts.trailer.begin()).out;
    at = std::ranges::copy(tag, at).out;
    for (unsigned shift = 0; shift < 32; shift += 8)
        *at++ = static_cast<std::byte>(std::to_underlying(*id) >> shift);
    return true;
}

Opened PageCipher::open(BlockKind kind, std::uint64_t offset, std::size_t clear,
                        std::span<std::byte> block) {
    const Parts parts = parts_of(block, clear);
    const KeyId id = key_of(block);
    if (id == KeyId{}) return Opened::kUnwritten;
    crypto::Aes256Gcm* const with = cipher(id);
    if (with == nullptr) return Opened::kUnknownKey;
    crypto::Nonce nonce;
    crypto::Tag tag;
    std::memcpy(nonce.data(), parts.trailer.data(), nonce.size());
    std::memcpy(tag.data(), parts.trailer.data() + nonce.size(), tag.size());
    const Associated associated(file_, kind, id, offset, parts.clear);
    if (!with->open(nonce, associated.bytes(), parts.text, tag, parts.text))
        return Opened::kDamaged;
    std::ranges::fill(parts.trailer, std::byte{0});
    return Opened::kGood;
}

crypto::Aes256Gcm* PageCipher::cipher(KeyId id) {
    if (!ciphers_.empty() && ciphers_.front().first == id) return &ciphers_.front().second;
    const auto found = std::ranges::find(ciphers_, id, [](const auto& one) { return one.first; });
    if (found != ciphers_.end()) {
        std::swap(*found, ciphers_.front());
    } else {
        const auto key = keys_->get(id);
        if (!key) return nullptr;
        const crypto::Key derived =
            crypto::derive_key(*key, std::as_bytes(std::span(file_.bytes)), "zona page 1");
        ciphers_.emplace(ciphers_.begin(), id, crypto::Aes256Gcm(derived));
    }
    return &ciphers_.front().second;
}

}  // namespace zona::vault::detail
