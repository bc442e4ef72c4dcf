#include "cache/key.h"

#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace zona::cache {
namespace {

constexpr std::string_view kDigits = "0123456789ABCDEF";

bool has_meaning(char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '\x7f' ||
           std::string_view("/:%{}*?[]\\").contains(c);
}

/// An id's glob with all but its stars and question marks escaped.
std::string escaped_glob(std::string_view glob) {
    std::string out;
    for (const char c : glob)
        out += c == '*' || c == '?' ? std::string(1, c) : escaped({&c, 1});
    return out;
}

/// Linear but for the last star: no pattern makes it slow.
bool glob_matches(std::string_view glob, std::string_view text) {
    std::size_t g = 0;
    std::size_t t = 0;
    std::size_t star = std::string_view::npos;
    std::size_t after_star = 0;
    while (t < text.size()) {
        if (g < glob.size() && glob[g] == '*') {
            star = g++;
            after_star = t;
        } else if (g < glob.size() && (glob[g] == '?' || glob[g] == text[t])) {
            ++g;
            ++t;
        } else if (star != std::string_view::npos) {
            g = star + 1;
            t = ++after_star;
        } else {
            return false;
        }
    }
    while (g < glob.size() && glob[g] == '*')
        ++g;
    return g == glob.size();
}

}  // namespace

std::string escaped(std::string_view part) {
    std::string out;
    out.reserve(part.size());
    for (const char c : part) {
        if (!has_meaning(c)) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += kDigits[byte >> 4U];
        out += kDigits[byte & 15U];
    }
    return out;
}

std::string unescaped(std::string_view part) {
    std::string out;
    out.reserve(part.size());
    for (std::size_t i = 0; i < part.size(); ++i) {
        if (part[i] != '%' || i + 2 >= part.size()) {
            out += part[i];
            continue;
        }
        const std::size_t high = kDigits.find(part[i + 1]);
        const std::size_t low = kDigits.find(part[i + 2]);
        out += static_cast<char>((high << 4U) | low);
        i += 2;
    }
    return out;
}

std::uint64_t hash_of(std::string_view text) {
    return XXH3_64bits(text.data(), text.size());
}

Key::Key(std::string text, std::size_t entity, std::size_t id)
    : text_(std::move(text)), entity_(entity), id_(id), hash_(hash_of(text_)) {}

Key::Key(std::string_view tenant, std::string_view entity, std::string_view id)
    : text_(escaped(tenant)), entity_(0), id_(0), hash_(0) {
    text_ += '/';
    entity_ = text_.size();
    text_ += escaped(entity);
    text_ += '/';
    id_ = text_.size();
    text_ += escaped(id);
    hash_ = hash_of(text_);
}

core::Result<Key> Key::parse(std::string_view text) {
    const std::size_t first = text.find('/');
    const std::size_t second = first == text.npos ? first : text.find('/', first + 1);
    if (second == text.npos || text.find('/', second + 1) != text.npos)
        return core::Error(core::Code::kInvalidArgument, "a key is tenant/entity/id");
    return Key(std::string(text), first + 1, second + 1);
}

bool Pattern::matches(const Key& key, std::int64_t version) const {
    if (below_version && version >= *below_version) return false;
    return key.tenant() == escaped(tenant) && (entity.empty() || key.entity() == escaped(entity)) &&
           glob_matches(escaped_glob(id), key.id());
}

std::string Pattern::glob() const {
    return escaped(tenant) + '/' + (entity.empty() ? "*" : escaped(entity)) + '/' +
           escaped_glob(id);
}

}  // namespace zona::cache
