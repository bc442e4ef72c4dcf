#include "cache/detail/news.h"

#include <charconv>
#include <vector>

#include <fmt/format.h>

namespace zona::cache::detail {
namespace {

/// Stands for an empty word.
constexpr std::string_view kNone = "-";

std::string word(std::string_view text) {
    return text.empty() ? std::string(kNone) : escaped(text);
}

std::string unworded(std::string_view text) {
    return text == kNone ? std::string() : unescaped(text);
}

bool read_number(std::string_view text, std::int64_t& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size();
}

bool read_key(const std::vector<std::string_view>& words, News& out) {
    if (words.size() != 2 || !read_number(words[1], out.version)) return false;
    auto key = Key::parse(words[0]);
    if (!key) return false;
    out.tenant = unescaped(key->tenant());
    out.key = *std::move(key);
    return true;
}

bool read_pattern(const std::vector<std::string_view>& words, News& out) {
    if (words.size() != 4) return false;
    out.tenant = unworded(words[0]);
    out.pattern = {.tenant = out.tenant, .entity = unworded(words[1]), .id = unworded(words[2])};
    if (words[3] == kNone) return true;
    std::int64_t below = 0;
    if (!read_number(words[3], below)) return false;
    out.pattern.below_version = below;
    return true;
}

bool read_news(char kind, const std::vector<std::string_view>& words, News& out) {
    out.kind = static_cast<News::Kind>(kind);
    switch (out.kind) {
        case News::Kind::kWritten:
        case News::Kind::kRemoved:
            return read_key(words, out);
        case News::Kind::kPattern:
            return read_pattern(words, out);
        case News::Kind::kTag:
            if (words.size() != 2) return false;
            out.tenant = unworded(words[0]);
            out.tag = unworded(words[1]);
            return true;
        case News::Kind::kTenant:
            if (words.size() != 1) return false;
            out.tenant = unworded(words[0]);
            return true;
    }
    return false;
}

}  // namespace

std::string News::to_words() const {
    const char letter = static_cast<char>(kind);
    switch (kind) {
        case Kind::kWritten:
        case Kind::kRemoved:
            return fmt::format("{} {} {}", letter, key->text(), version);
        case Kind::kTag:
            return fmt::format("{} {} {}", letter, word(tenant), word(tag));
        case Kind::kPattern:
            return fmt::format(
                "{} {} {} {} {}", letter, word(tenant), word(pattern.entity), word(pattern.id),
                pattern.below_version ? std::to_string(*pattern.below_version) : "-");
        case Kind::kTenant:
            return fmt::format("{} {}", letter, word(tenant));
    }
    return {};
}

std::optional<Delivered> Delivered::parse(std::string_view text) {
    std::vector<std::string_view> words;
    while (true) {
        const std::size_t space = text.find(' ');
        words.push_back(text.substr(0, space));
        if (space == text.npos) break;
        text.remove_prefix(space + 1);
    }
    Delivered out;
    if (words.size() < 4 || words[2].size() != 1 || !read_number(words[1], out.number))
        return std::nullopt;
    out.origin = words[0];
    const char kind = words[2].front();
    words.erase(words.begin(), words.begin() + 3);
    if (!read_news(kind, words, out.news)) return std::nullopt;
    return out;
}

}  // namespace zona::cache::detail
