#include "cache/detail/sealer.h"

#include <algorithm>
#include <charconv>
#include <span>
#include <utility>

#include <fmt/format.h>

namespace zona::cache::detail {
namespace {

/// Of a size.
constexpr unsigned kSize = 4;
constexpr std::size_t kDigits = 19;
constexpr std::size_t kHeader = 1 + kDigits;
constexpr std::size_t kOverhead = kHeader + crypto::kNonceSize + crypto::kTagSize;

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

void append_size(std::string& out, std::size_t size) {
    for (unsigned shift = 0; shift < 8 * kSize; shift += 8)
        out += static_cast<char>((size >> shift) & 0xFFU);
}

/// Takes a size off the front; false: there is none.
bool take_size(std::string_view& from, std::size_t& size) {
    if (from.size() < kSize) return false;
    size = 0;
    for (unsigned i = 0; i < kSize; ++i)
        size |= static_cast<std::size_t>(static_cast<unsigned char>(from[i])) << (8U * i);
    from.remove_prefix(kSize);
    return true;
}

/// The bytes, the tags, how long those are: so the bytes need not move when it is opened.
std::string packed(const Content& content) {
    std::string tags;
    for (const std::string& tag : content.tags) {
        append_size(tags, tag.size());
        tags += tag;
    }
    std::string out;
    out.reserve(content.bytes.size() + tags.size() + kSize);
    out.append(content.bytes).append(tags);
    append_size(out, tags.size());
    return out;
}

bool unpack(std::string from, Content& out) {
    if (from.size() < kSize) return false;
    std::string_view rest = std::string_view(from).substr(from.size() - kSize);
    std::size_t all = 0;
    if (!take_size(rest, all) || all > from.size() - kSize) return false;
    const std::size_t bytes = from.size() - kSize - all;
    rest = std::string_view(from).substr(bytes, all);
    while (!rest.empty()) {
        std::size_t size = 0;
        if (!take_size(rest, size) || size > rest.size()) return false;
        out.tags.emplace_back(rest.substr(0, size));
        rest.remove_prefix(size);
    }
    from.resize(bytes);
    out.bytes = std::move(from);
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
    if (!unpack(std::move(plain), out)) return std::nullopt;
    return out;
}

}  // namespace zona::cache::detail
