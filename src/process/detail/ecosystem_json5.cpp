#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "core/utf8.h"
#include "process/detail/ecosystem_tree.h"
#include "process/detail/printable.h"

namespace zona::process::detail {
namespace {

constexpr std::string_view kDataHint =
    "the file is read as data: write the value itself, or run the file with node and save what it "
    "exports "
    "as JSON";

bool is_word(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '$' || byte >= 0x80;
}

/// Recursive descent; the first problem ends it and stands in `problem_`.
class Json5 {
  public:
    Json5(std::string_view text, std::string_view file) : text_(text), file_(file) {}

    core::Result<Node> document() {
        Node root;
        bool good = skip_blank() && value(root) && skip_blank();
        if (good && !at_end()) good = fail("there is more text behind the value", {});
        if (!good) return std::move(*problem_);
        return root;
    }

  private:
    bool at_end() const { return next_ >= text_.size(); }
    char peek(std::size_t ahead = 0) const {
        return next_ + ahead < text_.size() ? text_[next_ + ahead] : '\0';
    }
    Position here() const { return {line_, static_cast<int>(next_ - line_start_) + 1}; }

    bool fail(std::string text, std::string_view hint, std::optional<Position> at = std::nullopt) {
        problem_ = syntax_error(file_, at.value_or(here()), std::move(text), std::string(hint));
        return false;
    }

    void advance() {
        if (text_[next_++] == '\n') {
            ++line_;
            line_start_ = next_;
        }
    }

    bool accept(char c) {
        if (at_end() || peek() != c) return false;
        advance();
        return true;
    }

    bool skip_blank() {
        while (!at_end()) {
            const char c = peek();
            if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f') {
                advance();
            } else if (text_.substr(next_).starts_with("\xC2\xA0") && next_ + 1 < text_.size()) {
                next_ += 2;
            } else if (c == '/' && peek(1) == '/') {
                while (!at_end() && peek() != '\n')
                    advance();
            } else if (c == '/' && peek(1) == '*') {
                const Position begin = here();
                const std::size_t end = text_.find("*/", next_ + 2);
                if (end == std::string_view::npos)
                    return fail("comment without an end", "close it with */", begin);
                while (next_ < end + 2)
                    advance();
            } else {
                break;
            }
        }
        return true;
    }

    bool value(Node& out) {
        out.at = here();
        if (++nodes_ > TreeLimits::kNodes) {
            return fail(fmt::format("more than {} values", TreeLimits::kNodes), "split the file");
        }
        if (at_end()) return fail("the text ends where a value is expected", {});
        const char c = peek();
        if (c == '{' || c == '[') return nested(out);
        if (c == '"' || c == '\'' || c == '`') {
            out.kind = Kind::kString;
            return string(out.text);
        }
        if ((c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.') return number(out);
        if (is_word(c)) return word(out);
        return fail(fmt::format("unexpected {}", quoted({&c, 1})), "a value is expected here");
    }

    bool nested(Node& out) {
        if (depth_ >= TreeLimits::kDepth) {
            return fail(fmt::format("nested more than {} levels deep", TreeLimits::kDepth), {});
        }
        ++depth_;
        const bool good = peek() == '{' ? object(out) : array(out);
        --depth_;
        return good;
    }

    bool object(Node& out) {
        out.kind = Kind::kMap;
        advance();
        while (true) {
            if (!skip_blank()) return false;
            if (accept('}')) return true;
            Entry& entry = out.map.emplace_back();
            entry.at = here();
            if (!key(entry.key) || !skip_blank()) return false;
            if (!accept(':'))
                return fail(fmt::format("no \":\" after the key {}", quoted(entry.key)), {});
            if (!skip_blank() || !value(entry.value) || !separator('}', out.at)) return false;
        }
    }

    bool array(Node& out) {
        out.kind = Kind::kList;
        advance();
        while (true) {
            if (!skip_blank()) return false;
            if (accept(']')) return true;
            if (!value(out.list.emplace_back()) || !separator(']', out.at)) return false;
        }
    }

    /// A comma, or the closing bracket still to come.
    bool separator(char close, Position opened) {
        if (!skip_blank()) return false;
        if (accept(',') || (!at_end() && peek() == close)) return true;
        const char open = close == '}' ? '{' : '[';
        if (at_end()) {
            return fail(fmt::format("the \"{}\" of line {} is not closed", open, opened.line),
                        "is the file complete?");
        }
        const char c = peek();
        if (std::string_view("+-*/%.([?|&=<>!").find(c) != std::string_view::npos) {
            return fail(fmt::format("unexpected {}: JavaScript expressions are not carried out",
                                    quoted({&c, 1})),
                        kDataHint);
        }
        return fail(fmt::format("unexpected {}", quoted({&c, 1})),
                    fmt::format("a comma or \"{}\" is expected here", close));
    }

    bool key(std::string& out) {
        if (at_end()) return fail("the text ends where a key is expected", "is the file complete?");
        if (peek() == '"' || peek() == '\'') return string(out);
        if (text_.substr(next_).starts_with("...")) {
            return fail("\"...\" is a JavaScript expression", kDataHint);
        }
        while (!at_end() && is_word(peek())) {
            out += peek();
            advance();
        }
        if (!out.empty()) return true;
        const char c = peek();
        return fail(fmt::format("unexpected {}", quoted({&c, 1})), "a key is expected here");
    }

    bool word(Node& out) {
        const Position begin = here();
        std::string text;
        while (!at_end() && is_word(peek())) {
            text += peek();
            advance();
        }
        if (text == "true" || text == "false") {
            out.kind = Kind::kBool;
            out.text = std::move(text);
            return true;
        }
        if (text == "null" || text == "undefined") return true;
        if (text == "Infinity" || text == "NaN") {
            return fail(text + " is not a usable value", {}, begin);
        }
        return fail(fmt::format("{} is not a value", quoted(text)),
                    text == "module" || text == "export" || peek() == '.' || peek() == '('
                        ? kDataHint
                        : std::string_view("put texts in quotes"),
                    begin);
    }

    bool number(Node& out) {
        const Position begin = here();
        const std::size_t start = next_;
        if (peek() == '+' || peek() == '-') advance();
        while (!at_end() &&
               (is_word(peek()) || peek() == '.' ||
                ((peek() == '+' || peek() == '-') && (text_[next_ - 1] | 0x20) == 'e' &&
                 !hexadecimal(text_.substr(start, next_ - start))))) {
            advance();
        }
        std::string text(text_.substr(start, next_ - start));
        std::erase(text, '_');
        if (text.starts_with('+')) text.erase(0, 1);
        if (integer(text, out) || decimal(text, out)) return true;
        return fail(fmt::format("{} is not a number", quoted(text)), "put texts in quotes", begin);
    }

    static bool hexadecimal(std::string_view text) {
        if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
        return text.starts_with("0x") || text.starts_with("0X");
    }

    static bool integer(std::string_view text, Node& out) {
        const bool negative = text.starts_with('-');
        std::string_view digits = text.substr(negative ? 1 : 0);
        int base = 10;
        if (digits.size() > 2 && digits[0] == '0') {
            const char mark = static_cast<char>(digits[1] | 0x20);
            base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
            if (base != 10) digits.remove_prefix(2);
        }
        std::uint64_t number = 0;
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
        if (error != std::errc() || end != digits.data() + digits.size()) return false;
        out.kind = Kind::kInteger;
        out.text = fmt::format("{}{}", negative && number != 0 ? "-" : "", number);
        return true;
    }

    static bool decimal(std::string_view text, Node& out) {
        std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
        if (digits.empty() || !((digits[0] >= '0' && digits[0] <= '9') || digits[0] == '.'))
            return false;
        double number = 0;
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), number);
        if (error != std::errc() || end != digits.data() + digits.size()) return false;
        out.kind = Kind::kFloat;
        out.text = fmt::format("{}{}", text.starts_with('-') ? "-" : "", number);
        return true;
    }

    bool string(std::string& out) {
        const Position begin = here();
        const char quote = peek();
        advance();
        while (!at_end()) {
            const char c = peek();
            if (c == quote) {
                advance();
                return true;
            }
            if (c == '\n' && quote != '`') break;
            if (quote == '`' && c == '$' && peek(1) == '{') {
                return fail("\"${\" in a template text is a JavaScript expression", kDataHint);
            }
            if (c == '\\') {
                if (!escape(out)) return false;
            } else {
                out += c;
                advance();
            }
        }
        return fail("text without a closing quote", fmt::format("close it with {}", quote), begin);
    }

    bool escape(std::string& out) {
        const Position begin = here();
        advance();
        if (at_end()) return fail("the text ends inside a string", "is the file complete?");
        const char c = peek();
        constexpr std::string_view kFrom = "bfnrtv0";
        constexpr std::string_view kTo{"\b\f\n\r\t\v\0", 7};
        if (c == 'u' || c == 'x') return code_point(out, c, begin);
        advance();
        if (c == '\r') {
            accept('\n');
        } else if (const std::size_t i = kFrom.find(c); i != std::string_view::npos) {
            out += kTo[i];
        } else if (c != '\n') {
            out += c;
        }
        return true;
    }

    bool code_point(std::string& out, char kind, Position begin) {
        advance();
        std::uint32_t code = 0;
        if (kind == 'u' && peek() == '{') {
            advance();
            const std::size_t end = text_.find('}', next_);
            const std::size_t digits = end == std::string_view::npos ? 0 : end - next_;
            if (digits < 1 || digits > 6 || !hex(digits, code)) return bad_escape(begin);
            advance();
        } else if (!hex(kind == 'x' ? 2 : 4, code)) {
            return bad_escape(begin);
        }
        if (code >= 0xD800 && code < 0xDC00 && peek() == '\\' && peek(1) == 'u') {
            next_ += 2;
            std::uint32_t low = 0;
            if (!hex(4, low) || low < 0xDC00 || low > 0xDFFF) return bad_escape(begin);
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
        if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return bad_escape(begin);
        core::append_utf8(out, code);
        return true;
    }

    bool bad_escape(Position begin) {
        return fail("\"\\u\" or \"\\x\" without the number of a character behind it", {}, begin);
    }

    bool hex(std::size_t digits, std::uint32_t& out) {
        if (next_ + digits > text_.size()) return false;
        const char* const begin = text_.data() + next_;
        const auto [end, error] = std::from_chars(begin, begin + digits, out, 16);
        if (error != std::errc() || end != begin + digits) return false;
        next_ += digits;
        return true;
    }

    std::string_view text_;
    std::string_view file_;
    std::size_t next_ = 0;
    std::size_t line_start_ = 0;
    int line_ = 1;
    int depth_ = 0;
    std::size_t nodes_ = 0;
    std::optional<core::Error> problem_;
};

}  // namespace

core::Result<Node> read_json5(std::string_view text, std::string_view file) {
    return Json5(text, file).document();
}

}  // namespace zona::process::detail
