#include "core/detail/json_parser.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/error.hpp>
#include <fmt/format.h>

#include "core/text.h"

namespace zona::core::detail {
namespace {

namespace json = boost::json;

/// Receives Boost's parse events. A member that returns false has set `ec` and ends the parse.
class Handler {
  public:
    static constexpr std::size_t max_object_size = std::size_t(-1);
    static constexpr std::size_t max_array_size = std::size_t(-1);
    static constexpr std::size_t max_key_size = std::size_t(-1);
    static constexpr std::size_t max_string_size = std::size_t(-1);

    explicit Handler(PositionTree* positions) : builder_(positions) {}

    void set_line(int line) { line_ = line; }
    const std::string& problem() const { return problem_; }
    json::value take() { return builder_.take(); }

    bool on_document_begin(json::error_code&) { return true; }
    bool on_document_end(json::error_code&) { return true; }
    bool on_object_begin(json::error_code&) {
        builder_.begin_object({line_, 0});
        return true;
    }
    bool on_object_end(std::size_t, json::error_code&) {
        builder_.end();
        return true;
    }
    bool on_array_begin(json::error_code&) {
        builder_.begin_array({line_, 0});
        return true;
    }
    bool on_array_end(std::size_t, json::error_code&) {
        builder_.end();
        return true;
    }
    bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
        pending_.append(part.data(), part.size());
        return true;
    }
    bool on_key(json::string_view part, std::size_t, json::error_code& ec) {
        pending_.append(part.data(), part.size());
        if (!builder_.key(pending_, {line_, 0})) {
            problem_ = fmt::format("the key '{}' stands twice in one object",
                                   to_valid_utf8(pending_.substr(0, 64)));
            ec = json::make_error_code(json::error::exception);
            return false;
        }
        pending_.clear();
        return true;
    }
    bool on_string_part(json::string_view part, std::size_t, json::error_code&) {
        pending_.append(part.data(), part.size());
        return true;
    }
    bool on_string(json::string_view part, std::size_t, json::error_code&) {
        pending_.append(part.data(), part.size());
        add(json::string(pending_));
        pending_.clear();
        return true;
    }
    bool on_number_part(json::string_view part, json::error_code&) {
        pending_.append(part.data(), part.size());
        return true;
    }
    bool on_int64(std::int64_t number, json::string_view, json::error_code&) {
        pending_.clear();
        return add(number);
    }
    bool on_uint64(std::uint64_t number, json::string_view, json::error_code&) {
        pending_.clear();
        return add(number);
    }
    bool on_double(double number, json::string_view part, json::error_code& ec) {
        pending_.append(part.data(), part.size());
        // Boost's own conversion may be off in the last bit; a number too small for a double is
        // left to it.
        double exact = number;
        std::from_chars(pending_.data(), pending_.data() + pending_.size(), exact);
        pending_.clear();
        if (std::isfinite(number)) return add(exact);
        problem_ = "the number is too large";
        ec = json::make_error_code(json::error::exponent_overflow);
        return false;
    }
    bool on_bool(bool value, json::error_code&) { return add(value); }
    bool on_null(json::error_code&) { return add(nullptr); }
    bool on_comment_part(json::string_view, json::error_code&) { return true; }
    bool on_comment(json::string_view, json::error_code&) { return true; }

  private:
    bool add(json::value value) {
        builder_.add(std::move(value), {line_, 0});
        return true;
    }

    JsonBuilder builder_;
    std::string pending_;
    std::string problem_;
    int line_ = 1;
};

Position position_of(std::string_view text, std::size_t offset) {
    const std::string_view before = text.substr(0, offset);
    const auto line = std::ranges::count(before, '\n');
    const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 == 0
    return {static_cast<int>(line) + 1, static_cast<int>(offset - line_start) + 1};
}

Error syntax_error(std::string_view text, std::size_t offset, std::string_view problem) {
    const Position at = position_of(text, offset);
    return Error(Code::kInvalidArgument, fmt::format("{}:{}: {}", at.line, at.column, problem));
}

std::string problem_text(const json::error_code& ec, const JsonLimits& limits) {
    if (ec == json::error::too_deep) {
        return fmt::format("more than {} nested levels", limits.max_depth);
    }
    if (ec == json::error::incomplete) return "the text ends before the value does";
    return fmt::format("not valid JSON ({})", ec.message());
}

}  // namespace

Result<json::value> parse_json_text(std::string_view text, const JsonLimits& limits,
                                    PositionTree* positions) {
    if (text.size() > limits.max_bytes.as_size()) {
        return Error(Code::kTooLarge, fmt::format("{} bytes of JSON, the limit is {}", text.size(),
                                                  limits.max_bytes.bytes()));
    }
    json::parse_options options;
    options.max_depth = limits.max_depth;
    options.allow_comments = limits.syntax == JsonSyntax::kLenient;
    options.allow_trailing_commas = limits.syntax == JsonSyntax::kLenient;
    json::basic_parser<Handler> parser(options, positions);

    // The parser tells no positions, but fed line by line its events belong to a line.
    std::size_t fed = 0;
    int line = 1;
    do {
        const std::size_t line_end =
            positions != nullptr ? text.find('\n', fed) : std::string_view::npos;
        const std::size_t next = line_end == std::string_view::npos ? text.size() : line_end + 1;
        const bool more = next < text.size();
        parser.handler().set_line(line++);
        json::error_code ec;
        const std::size_t used = parser.write_some(more, text.data() + fed, next - fed, ec);
        if (ec) {
            const std::string& own = parser.handler().problem();
            return syntax_error(text, fed + used, own.empty() ? problem_text(ec, limits) : own);
        }
        if (used < next - fed) {
            return syntax_error(text, fed + used, "something stands behind the value");
        }
        fed = next;
    } while (fed < text.size());
    return parser.handler().take();
}

}  // namespace zona::core::detail
