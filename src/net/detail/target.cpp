#include "net/detail/target.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/text.h"

namespace zona::net::detail {
namespace {

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

core::Error bad_target(std::string_view problem, std::string_view hint) {
    core::Error error(core::Code::kInvalidArgument,
                      fmt::format("the request target is not usable: {}", problem));
    return std::move(error).detail({"request target", std::string(problem), std::string(hint)});
}

/// `raw` is printable ASCII: parse_target() has looked.
core::Result<std::string> decode_part(std::string_view raw, Plus plus) {
    const bool as_it_is = raw.find('%') == std::string_view::npos &&
                          (plus == Plus::kLiteral || raw.find('+') == std::string_view::npos);
    if (as_it_is) return std::string(raw);
    std::optional<std::string> decoded = percent_decode(raw, plus);
    if (!decoded.has_value()) {
        return bad_target("a '%' is not followed by two hexadecimal digits",
                          "write a literal percent sign as %25");
    }
    if (core::has_control_characters(*decoded)) {
        return bad_target("it holds a control character", "leave it out");
    }
    if (!core::is_valid_utf8(*decoded)) {
        return bad_target("its escapes are not UTF-8", "encode the text as UTF-8 first");
    }
    return std::move(*decoded);
}

/// Takes scheme and authority off an absolute-form target.
core::Result<std::string_view> origin_form(std::string_view target) {
    if (target.front() == '/') return target;
    const std::size_t colon = target.find("://");
    const std::string_view scheme = target.substr(0, colon);
    if (colon == std::string_view::npos ||
        !(equal_ignoring_case(scheme, "http") || equal_ignoring_case(scheme, "https"))) {
        return bad_target("it does not begin with '/'", "send the path, as in GET /api/v1/ping");
    }
    target.remove_prefix(colon + 3);
    const std::size_t begin = target.find_first_of("/?");
    if (begin == 0 || target.empty()) return bad_target("it names no host", "send the path alone");
    if (target.substr(0, begin).contains('@'))
        return bad_target("it names a user", "send the path alone");
    if (begin == std::string_view::npos) return std::string_view("/");
    if (target[begin] == '?') return bad_target("its path is empty", "put a '/' before the '?'");
    return target.substr(begin);
}

core::Result<void> split_path(Request& request, std::string_view raw) {
    request.path.reserve(raw.size());
    std::string_view rest = raw.substr(1);
    while (true) {
        const std::size_t slash = rest.find('/');
        ZONA_TRY(std::string segment, decode_part(rest.substr(0, slash), Plus::kLiteral));
        if (segment == "." || segment == "..") {
            return bad_target("its path has a segment '.' or '..'", "send the resolved path");
        }
        request.path += '/';
        request.path += segment;
        request.segments.push_back(std::move(segment));
        if (slash == std::string_view::npos) return {};
        rest.remove_prefix(slash + 1);
    }
}

core::Result<void> split_query(Request& request, std::string_view rest) {
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('&'), rest.size());
        const std::string_view pair = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (pair.empty()) continue;
        if (request.query.size() == kMaxQueryParameters) {
            return bad_target(
                fmt::format("it has more than {} query parameters", kMaxQueryParameters),
                "send the list in a request body");
        }
        const std::size_t equals = std::min(pair.find('='), pair.size());
        ZONA_TRY(std::string name, decode_part(pair.substr(0, equals), Plus::kSpace));
        ZONA_TRY(std::string value,
                 decode_part(pair.substr(std::min(equals + 1, pair.size())), Plus::kSpace));
        request.query.push_back({std::move(name), std::move(value)});
    }
    return {};
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, Plus plus) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus == Plus::kSpace) {
            out += ' ';
        } else if (text[i] != '%') {
            out += text[i];
        } else {
            if (i + 2 >= text.size()) return std::nullopt;
            const int high = hex_value(text[i + 1]);
            const int low = hex_value(text[i + 2]);
            if (high < 0 || low < 0) return std::nullopt;
            out += static_cast<char>(high * 16 + low);
            i += 2;
        }
    }
    return out;
}

core::Result<void> parse_target(Request& request) {
    const std::string_view target = request.target;
    bool printable = true;
    for (const char c : target)
        printable &= c > 0x20 && c < 0x7f;
    if (target.empty() || !printable) {
        return bad_target("it holds a byte outside of printable ASCII", "percent-encode it");
    }
    if (target == "*" && request.method == Method::kOptions) {
        request.path = "*";
        return {};
    }
    if (target.contains('#')) return bad_target("it has a fragment", "leave '#...' out");
    ZONA_TRY(const std::string_view origin, origin_form(target));
    const std::size_t question = origin.find('?');
    ZONA_TRY_VOID(split_path(request, origin.substr(0, question)));
    if (question == std::string_view::npos) return {};
    return split_query(request, origin.substr(question + 1));
}

}  // namespace zona::net::detail
