#include "core/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <vector>

#include <fmt/format.h>

namespace zona::core {
namespace {

using std::chrono::milliseconds;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

/// A number and the letters behind it, both taken from the front of a text.
struct Quantity {
    long double number;  // 64 bits of mantissa: exact for every integer that a result can hold
    std::string unit;
};

std::optional<Quantity> take_quantity(std::string_view& text) {
    long double number = 0;
    std::size_t at = 0;
    std::size_t digits = 0;
    for (; at < text.size() && is_digit(text[at]); ++at, ++digits) {
        number = number * 10 + (text[at] - '0');
    }
    if (at < text.size() && text[at] == '.') {
        long double weight = 1;
        for (++at; at < text.size() && is_digit(text[at]); ++at, ++digits) {
            weight /= 10;
            number += weight * (text[at] - '0');
        }
    }
    if (digits == 0 || digits > 30) return std::nullopt;
    while (at < text.size() && text[at] == ' ')
        ++at;
    Quantity result{number, {}};
    for (; at < text.size() && !is_digit(text[at]) && text[at] != ' ' && text[at] != '.'; ++at) {
        result.unit += lower(text[at]);
    }
    while (at < text.size() && text[at] == ' ')
        ++at;
    text.remove_prefix(at);
    return result;
}

struct DurationUnit {
    std::string_view name;
    std::int64_t milliseconds;
};
constexpr std::array kDurationUnits = {
    DurationUnit{"d", 86'400'000}, DurationUnit{"h", 3'600'000}, DurationUnit{"m", 60'000},
    DurationUnit{"s", 1'000},      DurationUnit{"ms", 1},        DurationUnit{"", 1},
};
constexpr long double kLongestMilliseconds = 100.0L * 366 * 86'400'000;

std::optional<milliseconds> duration_of(std::string_view text) {
    const bool one_part_only = text.find_first_not_of("0123456789.") == std::string_view::npos;
    long double total = 0;
    do {
        const std::optional<Quantity> part = take_quantity(text);
        if (!part || (part->unit.empty() && !one_part_only)) return std::nullopt;
        const auto* unit = std::ranges::find(kDurationUnits, part->unit, &DurationUnit::name);
        if (unit == kDurationUnits.end()) return std::nullopt;
        total += part->number * static_cast<long double>(unit->milliseconds);
        if (total > kLongestMilliseconds) return std::nullopt;
    } while (!text.empty());
    return milliseconds(std::llroundl(total));
}

std::optional<int> size_exponent(std::string_view unit) {
    if (unit.empty() || unit == "b") return 0;
    constexpr std::string_view kLetters = "kmgtp";
    const std::size_t power = kLetters.find(unit[0]);
    const std::string_view tail = unit.substr(1);
    if (power == std::string_view::npos || (!tail.empty() && tail != "b" && tail != "ib")) {
        return std::nullopt;
    }
    return static_cast<int>(power + 1) * 10;
}

/// Edits between two words: insert, delete, replace, swap neighbours (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> two_back(b.size() + 1);
    std::vector<std::size_t> previous(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j)
        previous[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replace =
                previous[j - 1] + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
            row[j] = std::min({previous[j] + 1, row[j - 1] + 1, replace});
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1])) {
                row[j] = std::min(row[j], two_back[j - 2] + 1);
            }
        }
        std::swap(two_back, previous);
        std::swap(previous, row);
    }
    return previous[b.size()];
}

bool starts_with_ignoring_case(std::string_view text, std::string_view start) {
    return text.size() >= start.size() &&
           std::ranges::equal(text.substr(0, start.size()), start, {}, lower, lower);
}

/// The length of the well-formed sequence at the front, or 0; then `skip` is the maximal ill-formed
/// subpart.
std::size_t utf8_length(std::string_view bytes, std::size_t& skip) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    skip = 1;
    const unsigned char lead = byte(0);
    if (lead < 0x80) return 1;
    if (lead < 0xC2 || lead > 0xF4) return 0;
    const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
    for (std::size_t i = 1; i < length; ++i) {
        if (i >= bytes.size() || byte(i) < low || byte(i) > high) return 0;
        ++skip;
        low = 0x80;
        high = 0xBF;
    }
    return length;
}

}  // namespace

Result<milliseconds> parse_duration(std::string_view text) {
    text = trim(text);
    if (const std::optional<milliseconds> duration = duration_of(text)) return *duration;
    return Error(Code::kInvalidArgument,
                 "not a duration; write milliseconds (1600) or a unit (250ms, 5s, 1m30s, 2h, 1d)");
}

Result<ByteCount> parse_size(std::string_view text) {
    text = trim(text);
    constexpr long double kLimit = 9'223'372'036'854'775'808.0L;
    if (const std::optional<Quantity> quantity = take_quantity(text); quantity && text.empty()) {
        const std::optional<int> exponent = size_exponent(quantity->unit);
        const long double bytes = exponent ? std::ldexp(quantity->number, *exponent) : kLimit;
        if (bytes < kLimit) return ByteCount(static_cast<std::int64_t>(bytes));
    }
    return Error(Code::kInvalidArgument,
                 "not a size; write bytes (65536) or a unit (64K, 100MB, 1.5G)");
}

Result<std::int64_t> parse_integer(std::string_view text) {
    const std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
    std::int64_t value = 0;
    const auto [end, failure] = std::from_chars(digits.begin(), digits.end(), value);
    const bool two_signs = digits.size() != text.size() && digits.starts_with('-');
    if (failure == std::errc() && end == digits.end() && !two_signs) return value;
    return Error(Code::kInvalidArgument, "not a whole number of at most 64 bits");
}

std::string format_duration(milliseconds duration) {
    const bool negative = duration.count() < 0;
    const std::uint64_t raw = static_cast<std::uint64_t>(duration.count());
    const std::uint64_t ms = negative ? 0 - raw : raw;
    const std::uint64_t s = ms / 1000;
    std::string text = negative ? "-" : "";
    if (ms < 1000) return text + fmt::format("{}ms", ms);
    if (s < 10) return text + fmt::format("{}.{}s", s, ms % 1000 / 100);
    if (s < 60) return text + fmt::format("{}s", s);
    if (s < 3600) return text + fmt::format("{}m {}s", s / 60, s % 60);
    if (s < 86'400) return text + fmt::format("{}h {}m", s / 3600, s % 3600 / 60);
    return text + fmt::format("{}d {}h", s / 86'400, s % 86'400 / 3600);
}

std::string exact_duration(milliseconds duration) {
    for (const DurationUnit& unit : kDurationUnits) {
        if (duration.count() != 0 && duration.count() % unit.milliseconds == 0) {
            return fmt::format("{}{}", duration.count() / unit.milliseconds, unit.name);
        }
    }
    return "0ms";
}

std::string format_size(ByteCount size) {
    constexpr std::array kUnits = {"KB", "MB", "GB", "TB", "PB", "EB"};
    if (size.bytes() < 1024) return fmt::format("{} B", size.bytes());
    double amount = static_cast<double>(size.bytes()) / 1024;
    std::size_t unit = 0;
    // 1023.95 would print as 1024.0.
    while (amount >= 1023.95 && unit + 1 < kUnits.size()) {
        amount /= 1024;
        ++unit;
    }
    return fmt::format("{:.1f} {}", amount, kUnits.at(unit));
}

std::string exact_size(ByteCount size) {
    constexpr std::string_view kUnits = "TGMK";
    std::int64_t unit = std::int64_t{1} << 40;
    for (const char name : kUnits) {
        if (size.bytes() != 0 && size.bytes() % unit == 0) {
            return fmt::format("{}{}", size.bytes() / unit, name);
        }
        unit >>= 10;
    }
    return fmt::format("{}B", size.bytes());
}

std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates) {
    constexpr std::size_t kLongestWord = 256;
    if (word.empty() || word.size() > kLongestWord) return std::nullopt;
    const std::string* best = nullptr;
    std::size_t best_distance = 0;
    const std::string* completed = nullptr;
    std::size_t completions = 0;
    for (const std::string& candidate : candidates) {
        if (candidate.size() > kLongestWord) continue;
        if (word.size() >= 2 && starts_with_ignoring_case(candidate, word)) {
            completed = &candidate;
            ++completions;
        }
        const std::size_t longer = std::max(word.size(), candidate.size());
        const std::size_t allowed = longer <= 5 ? 1 : longer / 3;
        const std::size_t distance = edit_distance(word, candidate);
        if (distance <= allowed && distance < longer && (!best || distance < best_distance)) {
            best = &candidate;
            best_distance = distance;
        }
    }
    if (!best && completions == 1) best = completed;
    if (!best) return std::nullopt;
    return *best;
}

std::string suggestion(std::string_view word, std::span<const std::string> candidates) {
    const std::optional<std::string> meant = nearest(word, candidates);
    return meant ? fmt::format("; did you mean '{}'?", *meant) : std::string();
}

std::string to_valid_utf8(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size());
    while (!bytes.empty()) {
        std::size_t skip = 0;
        if (const std::size_t length = utf8_length(bytes, skip); length > 0) {
            text += bytes.substr(0, length);
        } else {
            text += "\xEF\xBF\xBD";
        }
        bytes.remove_prefix(skip);
    }
    return text;
}

bool is_valid_utf8(std::string_view bytes) {
    while (!bytes.empty()) {
        std::size_t skip = 0;
        if (utf8_length(bytes, skip) == 0) return false;
        bytes.remove_prefix(skip);
    }
    return true;
}

std::string_view trimmed(std::string_view text, std::string_view blanks) {
    const std::size_t begin = text.find_first_not_of(blanks);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

bool has_control_characters(std::string_view text) {
    return std::ranges::any_of(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7F;
    });
}

std::string lower_ascii(std::string_view text) {
    std::string lower(text);
    for (char& c : lower) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return lower;
}

}  // namespace zona::core
