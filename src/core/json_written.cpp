#include <charconv>
#include <cmath>
#include <string>
#include <utility>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_stack.hpp>
#include <fmt/format.h>

#include "core/json.h"

namespace zona::core {
namespace {

namespace json = boost::json;
using json::error_code;
using json::string_view;

/// Builds what Boost's own parser builds, but for doubles, whose last bit that one guesses. It
/// goes once Boost has number_precision::precise.
class ExactHandler {
  public:
    static constexpr std::size_t max_object_size = json::object::max_size();
    static constexpr std::size_t max_array_size = json::array::max_size();
    static constexpr std::size_t max_key_size = json::string::max_size();
    static constexpr std::size_t max_string_size = json::string::max_size();

    json::value take() { return stack_.release(); }

    bool on_document_begin(error_code&) {
        stack_.reset();
        return true;
    }
    bool on_document_end(error_code&) { return true; }
    bool on_object_begin(error_code&) { return true; }
    bool on_object_end(std::size_t size, error_code&) {
        stack_.push_object(size);
        return true;
    }
    bool on_array_begin(error_code&) { return true; }
    bool on_array_end(std::size_t size, error_code&) {
        stack_.push_array(size);
        return true;
    }
    bool on_key_part(string_view part, std::size_t, error_code&) {
        stack_.push_chars(part);
        return true;
    }
    bool on_key(string_view part, std::size_t, error_code&) {
        stack_.push_key(part);
        return true;
    }
    bool on_string_part(string_view part, std::size_t, error_code&) {
        stack_.push_chars(part);
        return true;
    }
    bool on_string(string_view part, std::size_t, error_code&) {
        stack_.push_string(part);
        return true;
    }
    bool on_number_part(string_view part, error_code&) {
        number_.append(part);
        return true;
    }
    bool on_int64(std::int64_t number, string_view, error_code&) {
        number_.clear();
        stack_.push_int64(number);
        return true;
    }
    bool on_uint64(std::uint64_t number, string_view, error_code&) {
        number_.clear();
        stack_.push_uint64(number);
        return true;
    }
    bool on_double(double number, string_view part, error_code& problem) {
        number_.append(part);
        double exact = number;
        std::from_chars(number_.data(), number_.data() + number_.size(), exact);
        number_.clear();
        stack_.push_double(exact);
        if (!std::isfinite(exact)) problem = json::make_error_code(json::error::exponent_overflow);
        return !problem;
    }
    bool on_bool(bool value, error_code&) {
        stack_.push_bool(value);
        return true;
    }
    bool on_null(error_code&) {
        stack_.push_null();
        return true;
    }
    bool on_comment_part(string_view, error_code&) { return true; }
    bool on_comment(string_view, error_code&) { return true; }

  private:
    json::value_stack stack_;
    std::string number_;
};

}  // namespace

Result<json::value> parse_written_json(std::string_view text) {
    constexpr std::size_t kDepth = 256;  // deeper than anything that is written
    json::parse_options options;
    options.max_depth = kDepth;
    json::basic_parser<ExactHandler> parser(options);
    error_code problem;
    const std::size_t used = parser.write_some(false, text.data(), text.size(), problem);
    if (!problem && used < text.size()) problem = json::make_error_code(json::error::extra_data);
    if (problem) {
        return Error(Code::kInvalidArgument,
                     fmt::format("not the JSON that was written ({})", problem.message()));
    }
    return parser.handler().take();
}

}  // namespace zona::core
