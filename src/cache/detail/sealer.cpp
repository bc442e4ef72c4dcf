#include "cache/detail/sealer.h"

#include <algorithm>
#include <charconv>
#include <span>
#include <utility>

#include <fmt/format.h>

namespace zona::cache::detail {
namespace {

constexpr std::size_t kDigits = 19;
constexpr std::size_t kHeader = 1 + kDigits;
constexpr std::size_t kOverhead = kHeader + crypto::kNonceSize + crypto::kTagSize;

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

void append_size(std::string& out, std::size_t size) {
    for (unsigned shift = 0; shift < 32; shift += 8)
        out += static_cast<char>((size >> shift) & 0xFFU);
}

/// Takes a size off the front; false: there is none.
bool take_size(std::string_view& from, std::size_t& size) {
    if (from.size() < 4) return false;
    size = 0;
    for (unsigned i = 0; i < 4; ++i)
        size |= static_cast<std::size_t>(static_cast<unsigned char>(from[i])) << (8U * i);
    from.remove_prefix(4);
    return true;
}

std::string packed(const Content& content) {
    std::string out;
    append_size(out, content.tags.size());
    for (const std::string& tag : content.tags) {
        append_size(out, tag.size());
        out += tag;
    }
    out += content.bytes;
    return out;
}

bool unpack(std::string_view from, Content& out) {
    std::size_t count = 0;
    if (!take_size(from, count)) return false;
    for (std::size_t i = 0; i < count; ++i) {
        std::size_t size = 0;
        if (!take_size(from, size) || size > from.size()) return false;
        out.tags.emplace_back(from.substr(0, size));
        from.remove_prefix(size);
    }
    out.bytes = from;
    return true;
}

}  // namespace

std::string digits(std::int64_t number) {
    return fmt::format("{:019}", number);
}

Sealer::Sealer(const crypto::Key& key, core::Random& random) : nonces_(random), cipher_(key) {}

std::string Sealer::seal(std::string_view name, const Content& content) {
    const std::string plain = packed(content);
    std::string out = "V" + digits(content.version);
    const std::string associated = std::string(name) + '\0' + out;
    const crypto::Nonce nonce = nonces_.next();
    out.append(reinterpret_cast<const char*>(nonce.data()), nonce.size());
    out.resize(kOverhead + plain.size());
    const std::span<std::byte> whole = std::as_writable_bytes(std::span(out));
    crypto::Tag tag{};
    {
        const std::lock_guard lock(mutex_);
        tag = cipher_.seal(nonce, bytes_of(associated), bytes_of(plain), whole.subspan(kOverhead));
    }
    std::ranges::copy(tag, whole.begin() + kHeader + crypto::kNonceSize);
    return out;
}

std::optional<Content> Sealer::open(std::string_view name, std::string_view sealed) {
    if (sealed.size() < kOverhead || sealed[0] != 'V') return std::nullopt;
    Content out;
    const std::string_view number = sealed.substr(1, kDigits);
    const auto [end, error] =
        std::from_chars(number.data(), number.data() + number.size(), out.version);
    if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
    const std::string associated =
        std::string(name) + '\0' + std::string(sealed.substr(0, kHeader));
    const std::span<const std::byte> whole = bytes_of(sealed);
    crypto::Nonce nonce{};
    crypto::Tag tag{};
    std::ranges::copy(whole.subspan(kHeader, nonce.size()), nonce.begin());
    std::ranges::copy(whole.subspan(kHeader + nonce.size(), tag.size()), tag.begin());
    std::string plain(sealed.size() - kOverhead, '\0');
    {
        const std::lock_guard lock(mutex_);
        if (!cipher_.open(nonce, bytes_of(associated), whole.subspan(kOverhead), tag,
                          std::as_writable_bytes(std::span(plain))))
            return std::nullopt;
    }
    if (!unpack(plain, out)) return std::nullopt;
    return out;
}

}  // namespace zona::cache::detail
