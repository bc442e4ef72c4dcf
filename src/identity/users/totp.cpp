#include "identity/users/totp.h"

#include <array>
#include <vector>

#include <fmt/format.h>

#include "core/uri.h"
#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "crypto/hmac_sha1.h"
#include "crypto/key.h"

namespace zona::identity {

using core::Secret;

namespace {

/// RFC 4648 section 6.
constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Without what looks like something else; 32 of them.
constexpr std::string_view kRecoveryLetters = "abcdefghjkmnpqrstuvwxyz023456789";
static_assert(kRecoveryLetters.size() == 32);
constexpr std::size_t kRecoveryLength = 16;
constexpr std::size_t kGroup = 4;
constexpr unsigned kBits = 5;
constexpr unsigned kByte = 8;

/// Five bits at a time, the highest first.
std::string in_letters(std::span<const std::byte> bytes, std::string_view letters) {
    std::string out;
    unsigned bits = 0;
    unsigned held = 0;
    for (const std::byte byte : bytes) {
        bits = (bits << kByte) | std::to_integer<unsigned>(byte);
        for (held += kByte; held >= kBits; held -= kBits)
            out += letters[(bits >> (held - kBits)) & 31U];
    }
    return out;
}

std::vector<std::byte> from_base32(std::string_view text) {
    std::vector<std::byte> out;
    unsigned bits = 0;
    unsigned held = 0;
    for (const char letter : text) {
        bits = (bits << kBits) | static_cast<unsigned>(kBase32.find(letter) & 31U);
        held += kBits;
        if (held < kByte) continue;
        held -= kByte;
        out.push_back(static_cast<std::byte>((bits >> held) & 255U));
    }
    return out;
}

}  // namespace

std::string totp_code(std::span<const std::byte> secret, std::int64_t step, int digits) {
    std::array<std::byte, 8> counter{};
    for (std::size_t i = 0; i < counter.size(); ++i)
        counter.at(counter.size() - 1 - i) =
            static_cast<std::byte>((static_cast<std::uint64_t>(step) >> (i * kByte)) & 255U);
    const auto mac = crypto::hmac_sha1(secret, counter);
    // Dynamic truncation, RFC 4226 section 5.3.
    const auto offset = std::to_integer<std::size_t>(mac.back() & std::byte{15});
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < 4; ++i)
        number = (number << kByte) | std::to_integer<std::uint32_t>(mac.at(offset + i));
    number &= 0x7FFFFFFFU;
    std::uint32_t modulus = 1;
    for (int i = 0; i < digits; ++i)
        modulus *= 10;
    return fmt::format("{:0{}}", number % modulus, digits);
}

std::int64_t totp_step(core::SystemTime now) {
    return std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()) / kTotpStep;
}

std::optional<std::int64_t> match_totp(const Secret& secret, std::string_view code,
                                       core::SystemTime now, std::int64_t last) {
    std::vector<std::byte> bytes = from_base32(secret.reveal());
    std::optional<std::int64_t> found;
    const std::int64_t present = totp_step(now);
    for (std::int64_t step = present - 1; step <= present + 1; ++step) {
        const bool same = crypto::same_bytes(totp_code(bytes, step), code);
        if (same && step > last && !found) found = step;
    }
    crypto::wipe(bytes);
    return found;
}

Secret new_totp_secret(core::Random& random) {
    std::array<std::byte, kTotpSecretBytes> bytes{};
    random.fill(bytes);
    Secret out(in_letters(bytes, kBase32));
    crypto::wipe(bytes);
    return out;
}

Secret totp_uri(const Secret& secret, std::string_view issuer, std::string_view account) {
    return Secret(fmt::format("otpauth://totp/{}:{}?secret={}&issuer={}",
                              core::percent_encoded(issuer), core::percent_encoded(account),
                              secret.reveal(), core::percent_encoded(issuer)));
}

Secret new_recovery_code(core::Random& random) {
    std::array<std::byte, kRecoveryLength * kBits / kByte> bytes{};
    random.fill(bytes);
    const Secret letters(in_letters(bytes, kRecoveryLetters));
    crypto::wipe(bytes);
    std::string out;
    for (std::size_t at = 0; at < kRecoveryLength; at += kGroup) {
        if (!out.empty()) out += '-';
        out += letters.reveal().substr(at, kGroup);
    }
    return Secret(std::move(out));
}

std::optional<std::string> recovery_hash(std::string_view code) {
    constexpr std::size_t kMost = 64;
    if (code.size() > kMost) return std::nullopt;
    std::string letters;
    for (const char c : code) {
        if (c == '-' || c == ' ') continue;
        const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        if (!kRecoveryLetters.contains(lower)) return std::nullopt;
        letters += lower;
    }
    if (letters.size() != kRecoveryLength) return std::nullopt;
    const std::string hash = crypto::base64url(crypto::sha256(letters));
    crypto::wipe(std::as_writable_bytes(std::span(letters)));
    return hash;
}

}  // namespace zona::identity
