#include "vault/field_sealer.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "crypto/encoding.h"
#include "crypto/hash.h"

namespace zona::vault {
namespace {

using core::Code;
using core::Error;
using core::Result;

constexpr std::string_view kPrefix = FieldSealer::kPrefix;
constexpr std::size_t kKeyIdSize = 4;
constexpr std::size_t kBefore = kKeyIdSize + crypto::kNonceSize;
constexpr std::size_t kAround = kBefore + crypto::kTagSize;
constexpr std::size_t kMostBytes = std::size_t{16} << 20U;

/// Each part behind its length, so that no two places are written alike.
std::string associated_data(std::string_view tenant, const FieldPlace& place, KeyId key) {
    return fmt::format("zona field 1|{}|{}:{}|{}:{}|{}:{}|{}:{}", std::to_underlying(key),
                       tenant.size(), tenant, place.collection.size(), place.collection,
                       place.document.size(), place.document, place.field.size(), place.field);
}

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

crypto::Aes256Gcm cipher_for(const crypto::Key& key) {
    return crypto::Aes256Gcm(crypto::derive_key(key, {}, "zona field 1"));
}

KeyId id_in(std::string_view bytes) {
    std::uint32_t id = 0;
    for (std::size_t i = 0; i < kKeyIdSize; ++i)
        id |= std::uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    return KeyId{id};
}

/// The bytes of a sealed value; nullopt for any other text.
std::optional<std::string> decoded(std::string_view sealed) {
    if (!sealed.starts_with(kPrefix)) return std::nullopt;
    auto bytes = crypto::from_base64url(sealed.substr(kPrefix.size()));
    if (!bytes || bytes->size() < kAround) return std::nullopt;
    return std::move(*bytes);
}

}  // namespace

FieldSealer::FieldSealer(std::string tenant, std::shared_ptr<const DataKeys> keys,
                         core::Random& random)
    : tenant_(std::move(tenant)), keys_(std::move(keys)), nonces_(random) {}

Result<std::string> FieldSealer::seal(const FieldPlace& place, std::string_view value) const {
    if (value.size() > kMostBytes) {
        return Error(Code::kTooLarge, fmt::format("a secret field holds at most {} bytes, not {}",
                                                  kMostBytes, value.size()));
    }
    ZONA_TRY(const KeyId id, keys_->current());
    ZONA_TRY(const crypto::Key key, keys_->get(id));
    std::vector<std::byte> out(kAround + value.size());
    for (std::size_t i = 0; i < kKeyIdSize; ++i)
        out[i] = static_cast<std::byte>(std::to_underlying(id) >> (8 * i));
    const crypto::Nonce nonce = nonces_.next();
    std::ranges::copy(nonce, out.begin() + kKeyIdSize);
    const crypto::Tag tag =
        cipher_for(key).seal(nonce, bytes_of(associated_data(tenant_, place, id)), bytes_of(value),
                             std::span(out).subspan(kBefore, value.size()));
    std::ranges::copy(tag, out.end() - crypto::kTagSize);
    return std::string(kPrefix) + crypto::base64url(out);
}

Result<core::Secret> FieldSealer::open(const FieldPlace& place, std::string_view sealed) const {
    const Error wrong(Code::kConflict,
                      fmt::format("the secret in field '{}' of {} '{}' does not open: it was "
                                  "changed, or is of another place",
                                  place.field, place.collection, place.document));
    const auto bytes = decoded(sealed);
    if (!bytes) return wrong;
    const KeyId id = id_in(*bytes);
    ZONA_TRY(const crypto::Key key, keys_->get(id));
    crypto::Nonce nonce;
    crypto::Tag tag;
    const auto all = bytes_of(*bytes);
    std::ranges::copy(all.subspan(kKeyIdSize, crypto::kNonceSize), nonce.begin());
    std::ranges::copy(all.last(crypto::kTagSize), tag.begin());
    std::string plain(bytes->size() - kAround, '\0');
    if (!cipher_for(key).open(nonce, bytes_of(associated_data(tenant_, place, id)),
                              all.subspan(kBefore, plain.size()), tag,
                              std::as_writable_bytes(std::span(plain))))
        return wrong;
    return core::Secret(std::move(plain));
}

Result<KeyId> FieldSealer::current_key() const {
    return keys_->current();
}

std::optional<KeyId> FieldSealer::key_of(std::string_view sealed) {
    // Two characters more than the id needs: whole groups of four.
    constexpr std::size_t kBeginning = 8;
    if (!sealed.starts_with(kPrefix)) return std::nullopt;
    const auto bytes = crypto::from_base64url(sealed.substr(kPrefix.size(), kBeginning));
    if (!bytes || bytes->size() < kKeyIdSize) return std::nullopt;
    const KeyId id = id_in(*bytes);
    return id == KeyId{} ? std::nullopt : std::optional(id);
}

}  // namespace zona::vault
