#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 1
#define TOML_ENABLE_WINDOWS_COMPAT 0
#include <cmath>
#include <optional>
#include <sstream>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "core/detail/document_readers.h"

namespace zona::core::detail {
namespace {

/// toml++ limits the nesting of values, but builds a table per part of a dotted key and destroys
/// them recursively: a line of dots would overflow the stack. This looks for such lines beforehand,
/// with just enough lexing to tell keys from strings and comments.
class KeyDepthCheck {
  public:
    KeyDepthCheck(std::string_view text, std::size_t most) : text_(text), most_(most) {}

    /// The position of the first key with too many parts, or of the first bracket nested too deep.
    std::optional<Position> run() {
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '"' || c == '\'') {
                skip_string(c);
                continue;
            }
            if (c == '#') {
                at_ = std::min(text_.find('\n', at_), text_.size());
                continue;
            }
            if (c == '\n') start_line();
            if (c == '.' && ++dots_ > most_) return here();
            if (c == '[' || c == '{') {
                dots_ = 0;
                if (++brackets_ > most_) return here();
            }
            if ((c == ']' || c == '}') && brackets_ > 0) --brackets_;
            if (c == '=' || c == ',' || c == ']' || c == '}') dots_ = 0;
            ++at_;
        }
        return std::nullopt;
    }

  private:
    Position here() const { return {line_, static_cast<int>(at_ - line_start_) + 1}; }

    void start_line() {
        ++line_;
        line_start_ = at_ + 1;
        dots_ = 0;
    }

    void skip_string(char quote) {
        const std::string three(3, quote);
        const bool long_form = text_.substr(at_).starts_with(three);
        at_ += long_form ? 3 : 1;
        while (at_ < text_.size()) {
            if (long_form && text_.substr(at_).starts_with(three)) {
                at_ += 3;
                // Up to two more quotes belong to the text and stand before the closing three.
                for (int i = 0; i < 2 && text_.substr(at_).starts_with(quote); ++i)
                    ++at_;
                return;
            }
            if (!long_form && (text_[at_] == quote || text_[at_] == '\n')) {
                at_ += text_[at_] == quote ? 1 : 0;
                return;
            }
            if (text_[at_] == '\\' && quote == '"') ++at_;
            if (at_ < text_.size() && text_[at_] == '\n') start_line();
            ++at_;
        }
    }

    std::string_view text_;
    std::size_t most_;
    std::size_t at_ = 0;
    std::size_t dots_ = 0;
    std::size_t brackets_ = 0;
    std::size_t line_start_ = 0;
    int line_ = 1;
};

Position position_of(const toml::source_region& region) {
    return {static_cast<int>(region.begin.line), static_cast<int>(region.begin.column)};
}

class Converter {
  public:
    Converter(const DocumentLimits& limits, PositionTree& positions)
        : limits_(limits), builder_(&positions) {}

    Result<boost::json::value> convert(const toml::table& root) {
        visit(root, {1, 1});
        if (failure_) return std::move(*failure_);
        return builder_.take();
    }

  private:
    void visit(const toml::node& node, Position at) {
        if (failure_) return;
        if (builder_.depth() >= limits_.max_depth && !node.is_value()) {
            return fail(at, fmt::format("more than {} nested levels", limits_.max_depth));
        }
        if (++values_ > limits_.max_values) {
            return fail(at, fmt::format("more than {} values", limits_.max_values));
        }
        if (const toml::table* table = node.as_table()) {
            builder_.begin_object(at);
            for (const auto& [key, child] : *table) {
                const Position key_at = position_of(key.source());
                builder_.key(key.str(), key_at);
                visit(child, key_at);
            }
            builder_.end();
        } else if (const toml::array* array = node.as_array()) {
            builder_.begin_array(at);
            for (const toml::node& child : *array)
                visit(child, position_of(child.source()));
            builder_.end();
        } else {
            add_scalar(node, at);
        }
    }

    void add_scalar(const toml::node& node, Position at) {
        if (const auto* text = node.as_string()) {
            builder_.add(boost::json::string(text->get()), at);
        } else if (const auto* whole = node.as_integer()) {
            builder_.add(whole->get(), at);
        } else if (const auto* real = node.as_floating_point()) {
            if (!std::isfinite(real->get())) return fail(at, "the number is not finite");
            builder_.add(real->get(), at);
        } else if (const auto* flag = node.as_boolean()) {
            builder_.add(flag->get(), at);
        } else {
            std::ostringstream time;
            if (const auto* date = node.as_date()) time << date->get();
            if (const auto* clock = node.as_time()) time << clock->get();
            if (const auto* both = node.as_date_time()) time << both->get();
            builder_.add(boost::json::string(time.str()), at);
        }
    }

    void fail(Position at, std::string_view problem) {
        if (!failure_) failure_ = problem_at(at, problem);
    }

    const DocumentLimits& limits_;
    JsonBuilder builder_;
    std::size_t values_ = 0;
    std::optional<Error> failure_;
};

}  // namespace

Result<boost::json::value> read_toml(std::string_view text, const DocumentLimits& limits,
                                     PositionTree& positions) {
    if (const std::optional<Position> deep = KeyDepthCheck(text, limits.max_depth).run()) {
        return problem_at(*deep, fmt::format("more than {} nested levels", limits.max_depth));
    }
    const toml::parse_result parsed = toml::parse(text);
    if (!parsed) {
        return problem_at(position_of(parsed.error().source()), parsed.error().description());
    }
    return Converter(limits, positions).convert(parsed.table());
}

}  // namespace zona::core::detail
