#include "store/mongo/detail/key.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <variant>

#include <boost/json/string.hpp>

#include "core/text.h"
#include "core/utf8.h"
#include "store/detail/compare.h"
#include "store/detail/words.h"

namespace zona::store::mongo {
namespace {

// Ends a text; less than anything that a text becomes.
constexpr char kEnd = '\x01';
// Before a byte up to \x02, which stands behind it one greater.
constexpr char kEscape = '\x02';

/// `count` digits of six bits, in the order of their bytes.
void append_digits(std::string& key, unsigned __int128 number, unsigned count) {
    static constexpr std::string_view kDigits =
        "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
    for (unsigned i = count; i > 0; --i)
        key += kDigits[static_cast<std::size_t>(number >> (6 * (i - 1)) & 63U)];
}

std::string escaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (static_cast<unsigned char>(c) > kEscape) {
            out += c;
        } else {
            out += kEscape;
            out += static_cast<char>(c + 1);
        }
    }
    return out;
}

/// The greatest double that is not above `number`.
double not_above(std::int64_t number) {
    constexpr double kTooLarge = 9223372036854775808.0;
    const auto near = static_cast<double>(number);
    if (near >= kTooLarge || static_cast<std::int64_t>(near) > number)
        return std::nextafter(near, -std::numeric_limits<double>::infinity());
    return near;
}

/// The double and, behind it, how far a whole number is above it: less than 2^10.
void append_number(std::string& key, const json::value& value) {
    const auto whole = as_integer(value);
    double real = whole ? not_above(*whole) : value.to_number<double>();
    if (real == 0) real = 0;  // there is a negative one
    const std::int64_t rest = whole ? *whole - static_cast<std::int64_t>(real) : 0;
    constexpr std::uint64_t kSign = std::uint64_t{1} << 63U;
    const auto bits = std::bit_cast<std::uint64_t>(real);
    const std::uint64_t ordered = (bits & kSign) != 0 ? ~bits : bits | kSign;
    const auto digits =
        static_cast<unsigned __int128>(ordered) << 10U | static_cast<unsigned __int128>(rest);
    append_digits(key, digits, 13);
}

/// The first text behind all that begin with `prefix`; nothing if there is none.
std::optional<std::string> text_behind(std::string prefix) {
    while (!prefix.empty()) {
        std::size_t at = prefix.size() - 1;
        while (at > 0 && (static_cast<unsigned char>(prefix[at]) & 0xC0U) == 0x80U)
            --at;
        std::string_view last = std::string_view(prefix).substr(at);
        const char32_t point = core::take_code_point(last);
        prefix.resize(at);
        if (point == 0x10FFFF) continue;
        core::append_utf8(prefix, point == 0xD7FF ? 0xE000 : point + 1);
        return prefix;
    }
    return std::nullopt;
}

std::string equal_key(const Scope& scope, const Plan& plan, const json::value* in) {
    std::string key = scope_key(scope);
    for (const json::value& value : plan.equal)
        append_key(key, value);
    if (in != nullptr) append_key(key, *in);
    return key;
}

/// The end of a range below which texts stay: one that the planner made of a prefix is no text.
/// Nothing: no text is above it.
std::optional<std::string> upper_key(const std::string& equal, const Bound& bound) {
    if (bound.value.is_string()) {
        std::string_view text = bound.value.get_string();
        if (text.ends_with('\xFF')) {
            text.remove_suffix(1);
            if (!core::is_valid_utf8(text)) return std::nullopt;
            const auto end = text_behind(escaped(text));
            if (!end) return std::nullopt;
            return equal + *end;
        }
        if (!core::is_valid_utf8(text)) return std::nullopt;
    }
    std::string key = equal;
    append_key(key, bound.value);
    return bound.ends == Bound::Ends::kInclusive ? behind(std::move(key)) : key;
}

}  // namespace

void append_key(std::string& key, std::string_view text) {
    key += escaped(text);
    key += kEnd;
}

void append_key(std::string& key, std::int64_t number) {
    constexpr std::uint64_t kSign = std::uint64_t{1} << 63U;
    append_digits(key, static_cast<std::uint64_t>(number) ^ kSign, 11);
}

void append_key(std::string& key, const Id& id) {
    // Numbers are before texts.
    key += std::holds_alternative<std::int64_t>(id) ? 'n' : 't';
    if (const auto* number = std::get_if<std::int64_t>(&id)) {
        append_key(key, *number);
    } else {
        append_key(key, std::string_view(std::get<std::string>(id)));
    }
}

void append_key(std::string& key, const json::value& value) {
    if (value.is_bool()) {
        key += value.get_bool() ? 't' : 'f';
    } else if (value.is_string()) {
        append_key(key, std::string_view(value.get_string()));
    } else if (value.is_number()) {
        append_number(key, value);
    }
}

std::string behind(std::string prefix) {
    // The end of a text, or a digit, whose successors are one byte, too.
    ++prefix.back();
    return prefix;
}

std::string scope_key(const Scope& scope) {
    std::string key;
    append_key(key, std::string_view(scope.code()));
    return key;
}

std::optional<std::string> index_key(const IndexSpec& index, const Scope& scope,
                                     const Document& document, core::SystemTime created,
                                     const Id& id) {
    std::string key = scope_key(scope);
    for (const IndexField& field : index.fields) {
        const json::value* value = find(document, field.path);
        if (value == nullptr || value->is_null()) return std::nullopt;
        append_key(key, *value);
    }
    if (index.uniqueness == Uniqueness::kAny) {
        append_key(key, microseconds(created));
        append_key(key, id);
    }
    return key;
}

std::vector<std::string> word_keys(const CollectionSpec& spec, const Scope& scope,
                                   const Document& document) {
    std::vector<std::string> out;
    for (const std::string& word : document_words(document, spec.search)) {
        out.push_back(scope_key(scope));
        append_key(out.back(), std::string_view(word));
    }
    return out;
}

KeyRange range_of_word(const Scope& scope, std::string_view word) {
    std::string key = scope_key(scope);
    if (word.ends_with('*')) {
        // Letters and digits, of which none is the last code point.
        word.remove_suffix(1);
        return {.from = key + std::string(word), .to = key + *text_behind(std::string(word))};
    }
    append_key(key, word);
    return {.from = key, .to = behind(key)};
}

KeyRange range_of(const Scope& scope, const Plan& plan, const json::value* in) {
    const std::string equal = equal_key(scope, plan, in);
    KeyRange range{.from = equal, .to = behind(equal)};
    if (plan.lower &&
        (!plan.lower->value.is_string() || core::is_valid_utf8(plan.lower->value.get_string()))) {
        append_key(range.from, plan.lower->value);
        if (plan.lower->ends == Bound::Ends::kExclusive) range.from = behind(std::move(range.from));
    }
    if (plan.upper) {
        if (auto to = upper_key(equal, *plan.upper)) range.to = *std::move(to);
    }
    return range;
}

bool holds_place(const Plan& plan) {
    return plan.index->uniqueness == Uniqueness::kAny || !plan.by_creation;
}

void go_behind(KeyRange& range, const Scope& scope, const Plan& plan, const json::value* in,
               const Place& place, Direction direction) {
    std::string key = equal_key(scope, plan, in);
    std::size_t at = 0;
    for (; at < plan.order.size() && at < place.size(); ++at)
        append_key(key, place[at]);
    if (plan.by_creation && place.size() == at + 2) {
        append_key(key, place[at].to_number<std::int64_t>());
        const json::value& id = place[at + 1];
        append_key(key, id.is_string() ? Id(std::string(id.get_string()))
                                       : Id(id.to_number<std::int64_t>()));
    }
    if (direction == Direction::kDescending) {
        range.to = std::min(range.to, key);
    } else if (key >= range.from) {
        range.from = std::move(key);
        range.without_from = true;
    }
}

}  // namespace zona::store::mongo
