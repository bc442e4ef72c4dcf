#include "crypto/encoding.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include <openssl/evp.h>

namespace zona::crypto {

using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t kNoDigit = 0xFF;

constexpr std::array<std::uint8_t, 256> digit_values() {
    std::array<std::uint8_t, 256> out{};
    out.fill(kNoDigit);
    for (std::size_t i = 0; i < kBase64Url.size(); ++i)
        out[static_cast<unsigned char>(kBase64Url[i])] = static_cast<std::uint8_t>(i);
    return out;
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

std::string base64(std::span<const std::byte> bytes) {
    std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
    const int size = ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                       reinterpret_cast<const unsigned char*>(bytes.data()),
                                       static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(size));
    return out;
}

std::string base64url(std::span<const std::byte> bytes) {
    std::string out = base64(bytes);
    std::ranges::replace(out, '+', '-');
    std::ranges::replace(out, '/', '_');
    out.resize(std::min(out.find('='), out.size()));
    return out;
}

Result<std::string> from_base64url(std::string_view text) {
    static constexpr std::array<std::uint8_t, 256> kValues = digit_values();
    const Error wrong(Code::kInvalidArgument, "not base64url without padding");
    if (text.size() % 4 == 1) return wrong;
    std::string out;
    out.reserve(text.size() / 4 * 3 + 2);
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (const char c : text) {
        const std::uint8_t value = kValues[static_cast<unsigned char>(c)];
        if (value == kNoDigit) return wrong;
        bits = bits << 6U | value;
        held += 6;
        if (held < 8) continue;
        held -= 8;
        out += static_cast<char>(bits >> held & 0xFFU);
    }
    if ((bits & ((1U << held) - 1)) != 0) return wrong;
    return out;
}

std::string hex(std::span<const std::byte> bytes) {
    std::string out(2 * bytes.size(), '\0');
    char* to = out.data();
    for (const std::byte byte : bytes) {
        *to++ = kHexDigits[std::to_integer<unsigned>(byte) >> 4U];
        *to++ = kHexDigits[std::to_integer<unsigned>(byte) & 0xFU];
    }
    return out;
}

Result<std::string> from_hex(std::string_view text) {
    const Error wrong(Code::kInvalidArgument, "not hexadecimal digits, two for each byte");
    if (text.size() % 2 != 0) return wrong;
    std::string out;
    out.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = hex_value(text[i]);
        const int low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) return wrong;
        out += static_cast<char>(high * 16 + low);
    }
    return out;
}

}  // namespace zona::crypto
