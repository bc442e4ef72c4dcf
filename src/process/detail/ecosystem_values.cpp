#include "process/detail/ecosystem_values.h"

#include <fmt/format.h>

#include "process/detail/printable.h"

namespace zona::process::detail {
namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool is_variable_name(std::string_view text) {
    if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
    for (const char c : text) {
        const bool good =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!good) return false;
    }
    return true;
}

/// Whether the quote at `at` has a partner.
bool is_closed(std::string_view text, std::size_t at) {
    const char quote = text[at];
    for (std::size_t i = at + 1; i < text.size(); ++i) {
        if (text[i] == '\\' && quote == '"') {
            ++i;
        } else if (text[i] == quote) {
            return true;
        }
    }
    return false;
}

}  // namespace

std::optional<std::vector<std::string>> split_arguments(std::string_view text, OpenQuote open) {
    std::vector<std::string> words;
    bool in_word = false;
    char quote = '\0';
    const auto add = [&](char c) {
        if (!in_word) words.emplace_back();
        in_word = true;
        words.back() += c;
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const char next = i + 1 < text.size() ? text[i + 1] : '\0';
        const bool escapes =
            next == '"' || next == '\\' || (quote == '\0' && (next == '\'' || is_blank(next)));
        if (quote != '\0' && c == quote) {
            quote = '\0';
        } else if (c == '\\' && quote != '\'' && escapes) {
            add(next);
            ++i;
        } else if (quote == '\0' && is_blank(c)) {
            in_word = false;
        } else if (quote == '\0' && (c == '"' || c == '\'') && is_closed(text, i)) {
            if (!in_word) words.emplace_back();
            in_word = true;
            quote = c;
        } else if (quote == '\0' && (c == '"' || c == '\'') && open == OpenQuote::kRefuse) {
            return std::nullopt;
        } else {
            add(c);
        }
    }
    return words;
}

Interpolated interpolate(std::string_view text, const std::map<std::string, std::string>& variables,
                         std::size_t most) {
    Interpolated out;
    std::size_t next = 0;
    while (next < text.size()) {
        const std::size_t dollar = std::min(text.find('$', next), text.size());
        out.text += text.substr(next, dollar - next);
        next = dollar;
        if (out.text.size() > most) {
            out.problem = fmt::format("is over {} bytes once its variables are put in", most);
            return out;
        }
        const char after = next + 1 < text.size() ? text[next + 1] : '\0';
        if (next < text.size() && after != '{') {
            out.text += '$';
            next += after == '$' ? 2 : 1;
            continue;
        }
        if (next >= text.size()) break;
        const std::size_t end = text.find('}', next);
        if (end == std::string_view::npos) {
            out.problem = "has a \"${\" that is not closed";
            out.hint = "close it with }, or write $$ for a dollar sign";
            return out;
        }
        const std::string_view body = text.substr(next + 2, end - next - 2);
        const std::size_t mark = body.find(":-");
        const std::string name(body.substr(0, mark));
        const auto variable = variables.find(name);
        const bool has_default = mark != std::string_view::npos;
        if (!is_variable_name(name) ||
            (has_default && body.find("${", mark) != std::string_view::npos)) {
            out.problem = fmt::format("has {}, which is no variable",
                                      quoted(text.substr(next, end + 1 - next)));
            out.hint = "write ${NAME} or ${NAME:-default}, or $$ for a dollar sign";
            return out;
        }
        if (variable == variables.end() && !has_default) {
            out.problem = fmt::format("needs the variable {}, which is not set", name);
            out.hint = fmt::format("set it where you call zona, or write ${{{}:-default}}", name);
            return out;
        }
        const bool absent =
            variable == variables.end() || (has_default && variable->second.empty());
        out.text += absent ? body.substr(mark + 2) : std::string_view(variable->second);
        out.changed = true;
        next = end + 1;
    }
    if (out.text.size() > most) {
        out.problem = fmt::format("is over {} bytes once its variables are put in", most);
    }
    return out;
}

std::string snake_case(std::string_view key) {
    std::string out;
    for (const char c : key) {
        if (c >= 'A' && c <= 'Z') {
            out += '_';
            out += static_cast<char>(c - 'A' + 'a');
        } else {
            out += c;
        }
    }
    return out;
}

}  // namespace zona::process::detail
