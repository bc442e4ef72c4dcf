#include "net/detail/pattern.h"

#include <algorithm>

#include <fmt/format.h>

namespace zona::net::detail {
namespace {

core::Error bad_pattern(std::string_view pattern, std::string_view problem) {
    return {core::Code::kInvalidArgument, fmt::format("route pattern '{}': {}", pattern, problem)};
}

/// The end of the segment at the front of `text`; a '/' inside of braces belongs to an expression.
std::size_t segment_end(std::string_view text) {
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '{') ++depth;
        if (text[i] == '}') --depth;
        if (text[i] == '/' && depth <= 0) return i;
    }
    return text.size();
}

bool is_name(std::string_view text) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_';
    };
    return !text.empty() && std::ranges::all_of(text, allowed);
}

core::Result<PatternSegment> parse_segment(std::string_view pattern, std::string_view text) {
    using Kind = PatternSegment::Kind;
    if (text.find_first_of("{}") == std::string_view::npos) {
        return PatternSegment{Kind::kLiteral, {}, std::string(text)};
    }
    if (text.front() != '{' || text.back() != '}') {
        return bad_pattern(pattern,
                           fmt::format("in '{}' the parameter must fill the segment", text));
    }
    const std::string_view inner = text.substr(1, text.size() - 2);
    PatternSegment out;
    std::string_view name = inner;
    if (const std::size_t colon = inner.find(':'); colon != std::string_view::npos) {
        name = inner.substr(0, colon);
        out.kind = Kind::kRegex;
        out.text = inner.substr(colon + 1);
        if (out.text.empty()) return bad_pattern(pattern, "an expression is empty");
    } else if (inner.ends_with("...")) {
        name = inner.substr(0, inner.size() - 3);
        out.kind = Kind::kRest;
    } else {
        out.kind = Kind::kParameter;
    }
    if (!is_name(name)) {
        return bad_pattern(pattern, fmt::format("'{}' is no parameter name ([A-Za-z0-9_]+)", name));
    }
    out.name = name;
    return out;
}

}  // namespace

core::Result<std::vector<PatternSegment>> parse_pattern(std::string_view pattern) {
    if (!pattern.starts_with('/')) return bad_pattern(pattern, "it must begin with '/'");
    std::vector<PatternSegment> segments;
    std::string_view rest = pattern.substr(1);
    while (true) {
        const std::size_t end = segment_end(rest);
        ZONA_TRY(PatternSegment segment, parse_segment(pattern, rest.substr(0, end)));
        const bool repeated =
            !segment.name.empty() &&
            std::ranges::find(segments, segment.name, &PatternSegment::name) != segments.end();
        if (repeated) {
            return bad_pattern(pattern,
                               fmt::format("the parameter '{}' stands in it twice", segment.name));
        }
        const bool last = end == rest.size();
        if (segment.kind == PatternSegment::Kind::kRest && !last) {
            return bad_pattern(pattern,
                               fmt::format("'{{{}...}}' must be the last segment", segment.name));
        }
        segments.push_back(std::move(segment));
        if (last) return segments;
        rest.remove_prefix(end + 1);
    }
}

}  // namespace zona::net::detail
