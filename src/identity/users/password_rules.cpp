#include "identity/users/password_rules.h"

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>
#include <zxcvbn.h>

#include "core/text.h"
#include "crypto/key.h"
#include "identity/users/password.h"

namespace zona::identity {

using core::Code;
using core::Error;
using core::Result;

namespace {

/// Bytes that are looked at: the search for words takes the square of them and more.
constexpr std::size_t kLookedAt = 100;

Error refused(std::string text) {
    return {Code::kInvalidArgument, std::move(text)};
}

std::size_t characters_in(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

}  // namespace

Result<void> check_password(const PasswordRules& rules, const core::Secret& password,
                            std::span<const std::string> words) {
    const std::string_view text = password.reveal();
    if (text.size() > kMaxPasswordBytes)
        return refused(fmt::format("a password has at most {} bytes", kMaxPasswordBytes));
    if (!core::is_valid_utf8(text) || core::has_control_characters(text))
        return refused("a password is UTF-8 text without control characters");
    if (characters_in(text) < rules.min_length) {
        return refused(
            fmt::format("the password is too short: {} characters at least; several words that do "
                        "not belong together are easy to remember",
                        rules.min_length));
    }
    std::vector<const char*> dictionary;
    for (const std::string& word : words)
        dictionary.push_back(word.c_str());
    dictionary.push_back("zona");
    dictionary.push_back(nullptr);
    std::array<char, kLookedAt + 1> looked_at{};  // ends in NUL
    std::ranges::copy(text.substr(0, kLookedAt), looked_at.begin());
    const double bits = ZxcvbnMatch(looked_at.data(), dictionary.data(), nullptr);
    crypto::wipe(std::as_writable_bytes(std::span(looked_at)));
    if (bits < kMinPasswordBits) {
        return refused(
            "the password is among those that are tried first: it is made of common passwords, "
            "words, names, dates, rows of keys or repetitions; take several words that do not "
            "belong together");
    }
    return {};
}

}  // namespace zona::identity
