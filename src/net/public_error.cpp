#include "net/public_error.h"

#include <algorithm>
#include <variant>

namespace zona::net {
namespace {

constexpr std::string_view kInstead = "(a path on the host)";
/// Paths of the API itself, which hints name.
constexpr std::string_view kOwn[] = {"/api/v1", "/docs", "/openapi.json"};

bool is_quote(char c) {
    return c == '\'' || c == '"' || c == '`';
}

bool begins_path(std::string_view text, std::size_t at) {
    const std::string_view rest = text.substr(at);
    if (!rest.starts_with('/') && !rest.starts_with("~/")) return false;
    if (rest.starts_with('/') && (rest.size() < 2 || rest[1] == ' ')) return false;
    if (at == 0) return true;
    const char before = text[at - 1];
    if (rest.starts_with("//") && before == ':') return false;  // a URL
    const auto c = static_cast<unsigned char>(before);
    return std::isalnum(c) == 0 && before != '.' && before != '_' && before != '-' &&
           before != '/' && before != '}' && c < 0x80;
}

/// A quote ends a text only where a word may end: "it's" goes on.
bool closes(std::string_view text, std::size_t at) {
    return at + 1 >= text.size() ||
           std::string_view(" ,.;:)]}").find(text[at + 1]) != std::string_view::npos;
}

/// Where the path that begins at `at` is certainly over.
std::size_t end_of_path(std::string_view text, std::size_t at) {
    if (at > 0 && is_quote(text[at - 1])) {
        for (std::size_t i = at; i < text.size(); ++i) {
            if (text[i] == text[at - 1] && closes(text, i)) return i;
        }
    }
    std::size_t end = text.size();
    for (const std::string_view stop : {": ", "; ", ", ", ")", " (", "\n"})
        end = std::min(end, text.find(stop, at));
    return end;
}

/// How much of the path is the asker's own word: all of it, or its first part up to a blank.
std::size_t known_part(std::string_view path, std::string_view known) {
    const auto holds = [known](std::string_view part) {
        return part.size() > 1 && known.find(part) != std::string_view::npos;
    };
    if (std::ranges::any_of(kOwn, [&](std::string_view own) { return path.starts_with(own); }))
        return std::min(path.find(' '), path.size());
    if (holds(path)) return path.size();
    const std::string_view word = path.substr(0, path.find_first_of(" '\"`:"));
    return holds(word) ? word.size() : 0;
}

std::string known_to(const Request& request, const core::Error& error) {
    std::string known = request.path + '\n' + request.body + '\n';
    for (const Parameter& parameter : request.query)
        known += parameter.value + '\n';
    for (const core::Detail& detail : error.details()) {
        if (detail.place == core::Detail::Place::kPointer) known += detail.where + '\n';
    }
    return known;
}

}  // namespace

std::string without_paths(std::string_view text, std::string_view known) {
    std::string out;
    std::size_t at = 0;
    while (at < text.size()) {
        if (!begins_path(text, at)) {
            out += text[at++];
            continue;
        }
        const std::size_t end = end_of_path(text, at);
        const std::size_t kept = known_part(text.substr(at, end - at), known);
        if (kept > 0) {
            out += text.substr(at, kept);
            at += kept;
        } else {
            out += kInstead;
            at = end;
        }
    }
    return out;
}

core::Error shown_to(const Request& request, const core::Error& error) {
    if (std::holds_alternative<UnixPeer>(request.peer)) return error;
    const std::string known = known_to(request, error);
    core::Error out(error.code(), without_paths(error.message(), known), error.where());
    for (core::Detail detail : error.details()) {
        if (detail.place != core::Detail::Place::kPointer)
            detail.where = without_paths(detail.where, known);
        detail.problem = without_paths(detail.problem, known);
        detail.hint = without_paths(detail.hint, known);
        out.detail(std::move(detail));
    }
    return out;
}

}  // namespace zona::net
