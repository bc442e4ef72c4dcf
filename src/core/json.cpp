#include "core/json.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <span>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "core/detail/json_parser.h"
#include "core/text.h"

namespace zona::core {
namespace {

namespace json = boost::json;

/// The bytes that stand in a JSON string as they are and are characters by themselves.
constexpr std::array<bool, 256> kPlain = [] {
    std::array<bool, 256> plain{};
    for (std::size_t byte = 0x20; byte < 0x7F; ++byte)
        plain[byte] = byte != '"' && byte != '\\';
    return plain;
}();

/// Whether all of `block` are. Without a branch within, which is what a compiler makes vectors of.
bool is_plain(std::span<const char, 16> block) {
    std::uint8_t other = 0;
    for (const char c : block) {
        const auto byte = static_cast<std::uint8_t>(c);
        other |= static_cast<std::uint8_t>((byte < 0x20) | (byte > 0x7E) | (byte == '"') |
                                           (byte == '\\'));
    }
    return other == 0;
}

/// How many of them `text` begins with.
std::size_t plain_bytes(std::string_view text) {
    constexpr std::size_t kBlock = 16;
    std::size_t count = 0;
    while (text.size() - count >= kBlock &&
           is_plain(std::span<const char, kBlock>(text.data() + count, kBlock)))
        count += kBlock;
    while (count < text.size() && kPlain[static_cast<unsigned char>(text[count])])
        ++count;
    return count;
}

void append_escaped(std::string& out, std::string_view text) {
    constexpr std::string_view kHex = "0123456789abcdef";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\t') {
            out += "\\t";
        } else if (c == '\r') {
            out += "\\r";
        } else if (byte < 0x20 || byte == 0x7F) {
            out += "\\u00";
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        } else {
            out += c;
        }
    }
}

class Writer {
  public:
    Writer(std::string& out, JsonLayout layout) : out_(out), layout_(layout) {}

    void write(const json::value& value) {
        switch (value.kind()) {
            case json::kind::null:
                out_ += "null";
                return;
            case json::kind::bool_:
                out_ += value.get_bool() ? "true" : "false";
                return;
            case json::kind::int64:
                fmt::format_to(std::back_inserter(out_), "{}", value.get_int64());
                return;
            case json::kind::uint64:
                fmt::format_to(std::back_inserter(out_), "{}", value.get_uint64());
                return;
            case json::kind::double_:
                append_json_number(out_, value.get_double());
                return;
            case json::kind::string:
                append_json_string(out_, value.get_string());
                return;
            case json::kind::array:
                return write_array(value.get_array());
            case json::kind::object:
                return write_object(value.get_object());
        }
    }

  private:
    void write_array(const json::array& array) {
        out_ += '[';
        ++depth_;
        bool first = true;
        for (const json::value& element : array) {
            separate(first);
            write(element);
        }
        close(']', first);
    }

    void write_object(const json::object& object) {
        out_ += '{';
        ++depth_;
        bool first = true;
        for (const auto& [key, element] : object) {
            separate(first);
            append_json_string(out_, key);
            out_ += layout_ == JsonLayout::kIndented ? ": " : ":";
            write(element);
        }
        close('}', first);
    }

    void separate(bool& first) {
        if (!first) out_ += ',';
        first = false;
        new_line();
    }

    void close(char bracket, bool empty) {
        --depth_;
        if (!empty) new_line();
        out_ += bracket;
    }

    void new_line() {
        if (layout_ != JsonLayout::kIndented) return;
        out_ += '\n';
        out_.append(depth_ * 2, ' ');
    }

    std::string& out_;
    JsonLayout layout_;
    std::size_t depth_ = 0;
};

}  // namespace

Result<json::value> parse_json(std::string_view text, const JsonLimits& limits) {
    return detail::parse_json_text(text, limits, nullptr);
}

std::string to_json(const json::value& value, JsonLayout layout) {
    std::string out;
    Writer(out, layout).write(value);
    return out;
}

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    // Nearly every text is plain, and a log is sent as fast as this goes.
    const std::size_t plain = plain_bytes(text);
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) {
        out += '"';
        return;
    }
    if (is_valid_utf8(text)) {
        append_escaped(out, text);
    } else {
        append_escaped(out, to_valid_utf8(text));
    }
    out += '"';
}

void append_json_number(std::string& out, double number) {
    if (!std::isfinite(number)) {
        out += "null";
        return;
    }
    std::array<char, 32> buffer;
    const auto [end, failure] = std::to_chars(buffer.begin(), buffer.end(), number);
    const std::string_view text(buffer.data(), end);
    out += text;
    // Keeps 3.0 a double for readers that tell the two apart.
    if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

std::string pointer_to(std::string_view parent, std::string_view key) {
    std::string pointer(parent);
    pointer += '/';
    for (const char c : key) {
        if (c == '~') {
            pointer += "~0";
        } else if (c == '/') {
            pointer += "~1";
        } else {
            pointer += c;
        }
    }
    return pointer;
}

}  // namespace zona::core
