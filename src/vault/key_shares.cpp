#include "vault/key_shares.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "crypto/encoding.h"
#include "crypto/hash.h"

namespace zona::vault {
namespace {

using core::Code;
using core::Error;
using core::Result;
using crypto::Key;
using crypto::kKeySize;

constexpr std::string_view kPrefix = "zona-share-";
constexpr std::byte kVersion{1};
constexpr std::size_t kSetSize = 4;
constexpr std::size_t kCheckSize = 8;
constexpr std::size_t kChecksumSize = 4;
constexpr std::size_t kBodySize = 3 + kSetSize + kCheckSize + kKeySize;
constexpr std::size_t kShareSize = kBodySize + kChecksumSize;
constexpr std::size_t kGroup = 6;
constexpr unsigned kMostShares = 100;

/// A product in GF(256) modulo x^8 + x^4 + x^3 + x + 1; no branch and no table looks at secrets.
std::uint8_t times(std::uint8_t a, std::uint8_t b) {
    unsigned left = a;
    unsigned product = 0;
    for (unsigned bit = 0; bit < 8; ++bit) {
        product ^= left & (0U - ((static_cast<unsigned>(b) >> bit) & 1U));
        left = (left << 1U) ^ (0x11BU & (0U - (left >> 7U)));
    }
    return static_cast<std::uint8_t>(product);
}

/// a^254, which is 1/a.
std::uint8_t inverse(std::uint8_t a) {
    std::uint8_t power = a;
    std::uint8_t out = 1;
    for (int bit = 1; bit < 8; ++bit) {
        power = times(power, power);
        out = times(out, power);
    }
    return out;
}

/// What a share says; wiped.
struct Share {
    std::uint8_t needed = 0;
    std::uint8_t number = 0;  ///< where the polynomial was evaluated, from 1 on
    std::array<std::byte, kSetSize> set{};
    std::array<std::byte, kCheckSize> check{};
    std::array<std::byte, kKeySize> value{};

    Share() = default;
    Share(const Share&) = default;
    Share& operator=(const Share&) = default;
    ~Share() { crypto::wipe(value); }
};

std::array<std::byte, kCheckSize> check_of(const Key& key) {
    constexpr std::string_view kPurpose = "zona share check 1";
    const crypto::Digest digest = crypto::hmac_sha256(key, std::as_bytes(std::span(kPurpose)));
    std::array<std::byte, kCheckSize> out;
    std::copy_n(digest.begin(), out.size(), out.begin());
    return out;
}

std::array<std::byte, kChecksumSize> checksum_of(std::span<const std::byte> body) {
    const crypto::Digest digest = crypto::sha256(body);
    std::array<std::byte, kChecksumSize> out;
    std::copy_n(digest.begin(), out.size(), out.begin());
    return out;
}

core::Secret text_of(const Share& share) {
    std::array<std::byte, kShareSize> bytes;
    auto at = bytes.begin();
    *at++ = kVersion;
    *at++ = std::byte{share.needed};
    *at++ = std::byte{share.number};
    at = std::ranges::copy(share.set, at).out;
    at = std::ranges::copy(share.check, at).out;
    at = std::ranges::copy(share.value, at).out;
    std::ranges::copy(checksum_of(std::span(bytes).first<kBodySize>()), at);
    const core::Secret digits(crypto::hex(bytes));
    crypto::wipe(bytes);
    std::string out;
    out.reserve(kPrefix.size() + 2 * kShareSize + 2 * kShareSize / kGroup);
    out += kPrefix;
    for (std::size_t i = 0; i < digits.reveal().size(); i += kGroup) {
        if (i != 0) out += '-';
        out += digits.reveal().substr(i, kGroup);
    }
    return core::Secret(std::move(out));
}

/// The digits alone, as people may have typed them.
core::Secret digits_of(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (c != '-' && c != ' ' && c != '\t' && c != '\r' && c != '\n')
            out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    constexpr std::string_view kBeginning = "zonashare";
    const std::size_t skip = out.starts_with(kBeginning) ? kBeginning.size() : 0;
    core::Secret whole(std::move(out));
    return core::Secret(std::string(whole.reveal().substr(skip)));
}

Result<Share> parse_share(std::string_view text, std::size_t place) {
    const core::Secret digits = digits_of(text);
    auto decoded = crypto::from_hex(digits.reveal());
    if (!decoded || decoded->size() != kShareSize) {
        return Error(Code::kInvalidArgument,
                     fmt::format("share {} is not '{}' and {} hexadecimal digits", place, kPrefix,
                                 2 * kShareSize));
    }
    const core::Secret holder(std::move(*decoded));
    const auto bytes = std::as_bytes(std::span(holder.reveal()));
    if (!std::ranges::equal(checksum_of(bytes.first(kBodySize)), bytes.last(kChecksumSize))) {
        return Error(Code::kInvalidArgument,
                     fmt::format("share {} has a mistake in it: its checksum does not fit", place));
    }
    if (bytes[0] != kVersion)
        return Error(Code::kInvalidArgument, fmt::format("share {} is of another zona", place));
    Share out;
    out.needed = std::to_integer<std::uint8_t>(bytes[1]);
    out.number = std::to_integer<std::uint8_t>(bytes[2]);
    std::size_t at = 3;
    for (const std::span<std::byte> part :
         {std::span<std::byte>(out.set), std::span<std::byte>(out.check),
          std::span<std::byte>(out.value)}) {
        std::ranges::copy(bytes.subspan(at, part.size()), part.begin());
        at += part.size();
    }
    if (out.needed < 2 || out.number < 1 || out.needed > kMostShares || out.number > kMostShares)
        return Error(Code::kInvalidArgument, fmt::format("share {} is of no set of ours", place));
    return out;
}

Result<void> check_set(std::span<const Share> shares) {
    const Share& first = shares.front();
    for (std::size_t i = 1; i < shares.size(); ++i) {
        const Share& one = shares[i];
        if (one.set != first.set || one.needed != first.needed || one.check != first.check) {
            return Error(Code::kInvalidArgument,
                         fmt::format("share {} is of another set than share 1", i + 1));
        }
        for (std::size_t j = 0; j < i; ++j) {
            if (shares[j].number != one.number) continue;
            return Error(Code::kInvalidArgument,
                         fmt::format("share {} is the same one as share {}", i + 1, j + 1));
        }
    }
    if (shares.size() >= first.needed) return {};
    return Error(Code::kInvalidArgument, fmt::format("{} shares are needed; {} more", first.needed,
                                                     first.needed - shares.size()));
}

/// The polynomial's value at 0: Lagrange's formula, in which minus is plus.
Key interpolate(std::span<const Share> shares) {
    std::array<std::byte, kKeySize> bytes{};
    for (const Share& one : shares) {
        std::uint8_t weight = 1;
        for (const Share& other : shares) {
            if (other.number == one.number) continue;
            const auto difference = static_cast<std::uint8_t>(other.number ^ one.number);
            weight = times(weight, times(other.number, inverse(difference)));
        }
        for (std::size_t i = 0; i < bytes.size(); ++i)
            bytes[i] ^= std::byte{times(weight, std::to_integer<std::uint8_t>(one.value[i]))};
    }
    Key out{std::span<const std::byte, kKeySize>(bytes)};
    crypto::wipe(bytes);
    return out;
}

}  // namespace

Result<std::vector<core::Secret>> split_key(const Key& key, ShareCount count,
                                            core::Random& random) {
    if (count.needed < 2 || count.needed > count.total || count.total > kMostShares) {
        return Error(Code::kInvalidArgument,
                     fmt::format("{} of {} shares: at least 2 are needed, and there are at most {}",
                                 count.needed, count.total, kMostShares));
    }
    Share share;
    share.needed = count.needed;
    share.check = check_of(key);
    random.fill(share.set);
    std::vector<Key> coefficients;
    for (int i = 1; i < count.needed; ++i)
        coefficients.push_back(Key::random(random));
    std::vector<core::Secret> out;
    for (share.number = 1; share.number <= count.total; ++share.number) {
        for (std::size_t i = 0; i < kKeySize; ++i) {
            std::uint8_t value = 0;
            for (auto c = coefficients.rbegin(); c != coefficients.rend(); ++c) {
                value ^= std::to_integer<std::uint8_t>(c->reveal()[i]);
                value = times(value, share.number);
            }
            share.value[i] = std::byte{value} ^ key.reveal()[i];
        }
        out.push_back(text_of(share));
    }
    return out;
}

Result<Key> combine_shares(std::span<const core::Secret> shares) {
    if (shares.empty()) return Error(Code::kInvalidArgument, "there is no share");
    std::vector<Share> parsed;
    parsed.reserve(shares.size());
    for (const core::Secret& text : shares) {
        ZONA_TRY(const Share one, parse_share(text.reveal(), parsed.size() + 1));
        parsed.push_back(one);
    }
    ZONA_TRY_VOID(check_set(parsed));
    Key key = interpolate(std::span(parsed).first(parsed.front().needed));
    if (check_of(key) != parsed.front().check) {
        return Error(Code::kInvalidArgument,
                     "the shares make no key that fits them: one was changed, checksum and all");
    }
    return key;
}

}  // namespace zona::vault
