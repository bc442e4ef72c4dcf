#include "cli/detail/text.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "core/text.h"
#include "core/utf8.h"

namespace zona::cli {
namespace {

struct Range {
    char32_t first;
    char32_t last;
};

template <std::size_t N>
bool is_in(const std::array<Range, N>& ranges, char32_t c) {
    return std::ranges::any_of(ranges, [c](Range r) { return c >= r.first && c <= r.last; });
}

// Coarse on purpose: the blocks that names and messages really use. A wrong width costs alignment.
constexpr std::array kWide = {
    Range{0x1100, 0x115F},   Range{0x2E80, 0x303E},   Range{0x3041, 0xA4CF},
    Range{0xA960, 0xA97F},   Range{0xAC00, 0xD7A3},   Range{0xF900, 0xFAFF},
    Range{0xFE30, 0xFE6F},   Range{0xFF00, 0xFF60},   Range{0xFFE0, 0xFFE6},
    Range{0x1F300, 0x1F64F}, Range{0x1F680, 0x1F6FF}, Range{0x1F900, 0x1FAFF},
    Range{0x20000, 0x3FFFD},
};
constexpr std::array kZeroWidth = {
    Range{0x0300, 0x036F}, Range{0x0483, 0x0489}, Range{0x0591, 0x05BD}, Range{0x0610, 0x061A},
    Range{0x064B, 0x065F}, Range{0x200B, 0x200D}, Range{0x20D0, 0x20F0}, Range{0xFE00, 0xFE0F},
    Range{0xFE20, 0xFE2F}, Range{0xFEFF, 0xFEFF},
};
constexpr std::array kDangerous = {
    Range{0x00, 0x1F},     Range{0x7F, 0x9F},     Range{0x061C, 0x061C},
    Range{0x200E, 0x200F}, Range{0x2028, 0x202E}, Range{0x2066, 0x2069},
};

std::size_t width_of(char32_t c) {
    if (is_in(kZeroWidth, c)) return 0;
    return is_in(kWide, c) ? 2 : 1;
}

bool is_plain_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7F; });
}

std::string escape_of(char32_t c) {
    switch (c) {
        case '\n':
            return "\\n";
        case '\r':
            return "\\r";
        case '\t':
            return "\\t";
        default:
            return c < 0x100 ? fmt::format("\\x{:02x}", static_cast<unsigned>(c))
                             : fmt::format("\\u{{{:x}}}", static_cast<unsigned>(c));
    }
}

/// The length of a colour sequence at the front, or 0.
std::size_t sgr_length(std::string_view text) {
    if (!text.starts_with("\x1b[")) return 0;
    const std::size_t end = text.find_first_not_of("0123456789;:", 2);
    return end != std::string_view::npos && text[end] == 'm' ? end + 1 : 0;
}

std::string_view mark(Ellipsis ellipsis) {
    return ellipsis == Ellipsis::kUnicode ? "…" : "~";
}

/// Where each code point begins, and the end.
std::vector<std::size_t> boundaries(std::string_view text) {
    std::vector<std::size_t> at{0};
    while (at.back() < text.size()) {
        std::string_view rest = text.substr(at.back());
        core::take_code_point(rest);
        at.push_back(text.size() - rest.size());
    }
    return at;
}

}  // namespace

std::string escape_control(std::string_view text) {
    if (is_plain_ascii(text)) return std::string(text);
    const std::string valid = core::to_valid_utf8(text);
    std::string_view rest = valid;
    std::string result;
    while (!rest.empty()) {
        const std::string_view before = rest;
        const char32_t point = core::take_code_point(rest);
        if (is_in(kDangerous, point)) {
            result += escape_of(point);
        } else {
            result += before.substr(0, before.size() - rest.size());
        }
    }
    return result;
}

std::string printable_line(std::string_view line, Sgr sgr) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (is_plain_ascii(line)) return std::string(line);
    std::string result;
    bool coloured = false;
    while (!line.empty()) {
        if (const std::size_t length = sgr_length(line)) {
            if (sgr == Sgr::kKeep) result += line.substr(0, length);
            coloured = true;
            line.remove_prefix(length);
        } else if (line.front() == '\t') {
            result += '\t';
            line.remove_prefix(1);
        } else {
            const std::size_t end = std::min(line.find_first_of("\x1b\t", 1), line.size());
            result += escape_control(line.substr(0, end));
            line.remove_prefix(end);
        }
    }
    if (coloured && sgr == Sgr::kKeep) result += "\x1b[0m";
    return result;
}

std::size_t display_width(std::string_view text) {
    if (is_plain_ascii(text)) return text.size();
    std::size_t width = 0;
    while (!text.empty()) {
        width += width_of(core::take_code_point(text));
    }
    return width;
}

std::string shorten(std::string_view text, std::size_t width, Ellipsis ellipsis) {
    if (display_width(text) <= width) return std::string(text);
    if (width == 0) return {};
    const std::vector<std::size_t> at = boundaries(text);
    std::size_t keep = at.size() - 1;
    while (keep > 0 && display_width(text.substr(0, at[keep])) > width - 1)
        --keep;
    return std::string(text.substr(0, at[keep])) += mark(ellipsis);
}

std::string shorten_front(std::string_view text, std::size_t width, Ellipsis ellipsis) {
    if (display_width(text) <= width) return std::string(text);
    if (width == 0) return {};
    const std::vector<std::size_t> at = boundaries(text);
    std::size_t from = 0;
    while (from + 1 < at.size() && display_width(text.substr(at[from])) > width - 1)
        ++from;
    return std::string(mark(ellipsis)) += text.substr(at[from]);
}

std::vector<std::string> wrap(std::string_view text, std::size_t width) {
    std::vector<std::string> lines;
    std::string line;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        const std::string_view word = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (word.empty()) continue;
        if (!line.empty() && display_width(line) + 1 + display_width(word) > width) {
            lines.push_back(std::move(line));
            line.clear();
        }
        if (!line.empty()) line += ' ';
        line += word;
    }
    if (!line.empty()) lines.push_back(std::move(line));
    return lines;
}

std::string count_of(std::size_t n, std::string_view noun) {
    return fmt::format("{} {}{}", n, noun, n == 1 ? "" : noun.ends_with("ss") ? "es" : "s");
}

}  // namespace zona::cli
