#include <algorithm>
#include <cmath>
#include <deque>
#include <unordered_map>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "core/text.h"

namespace zona::core {

namespace json = boost::json;

std::string_view kind_name(const json::value& value) {
    switch (value.kind()) {
        case json::kind::null:
            return "null";
        case json::kind::bool_:
            return "a boolean";
        case json::kind::int64:
        case json::kind::uint64:
        case json::kind::double_:
            return "a number";
        case json::kind::string:
            return "a string";
        case json::kind::array:
            return "an array";
        case json::kind::object:
            return "an object";
    }
    return "a value";
}

std::optional<std::int64_t> whole_number(const json::value& value) {
    if (const std::int64_t* number = value.if_int64()) return *number;
    if (const double* number = value.if_double()) {
        constexpr double kExact = 9'007'199'254'740'992;  // 2^53
        if (std::trunc(*number) == *number && std::abs(*number) <= kExact) {
            return static_cast<std::int64_t>(*number);
        }
    }
    return std::nullopt;
}

namespace {

std::optional<std::string> scalar_text(const json::value& value) {
    if (const json::string* text = value.if_string()) return std::string(*text);
    if (value.is_bool() || value.is_number()) {
        if (const std::optional<std::int64_t> whole = whole_number(value)) {
            return fmt::format("{}", *whole);
        }
        return to_json(value);
    }
    return std::nullopt;
}

}  // namespace

Error mistaken(std::string_view what, std::vector<Detail> mistakes, std::size_t count,
               std::size_t most) {
    const Detail& first = mistakes.front();
    std::string message = fmt::format("{}: ", what);
    if (count >= most) {
        message += fmt::format("{} mistakes or more; the first: ", most);
    } else if (count > 1) {
        message += fmt::format("{} mistakes; the first: ", count);
    }
    message +=
        first.where.empty() ? first.problem : fmt::format("{}: {}", first.where, first.problem);
    if (!first.hint.empty()) message += fmt::format(" ({})", first.hint);
    Error result(Code::kInvalidArgument, std::move(message));
    for (Detail& detail : mistakes) {
        detail.place = Detail::Place::kPointer;
        result.detail(std::move(detail));
    }
    return result;
}

struct JsonReader::Reading {
    struct Node {
        const json::object* object;  // nullptr: the value there is not an object
        std::string pointer;
        std::vector<std::string> known;
    };
    std::deque<Node> nodes;
    std::unordered_map<const json::object*, std::size_t> node_of;
    std::vector<Detail> mistakes;  // the first kMostMistakes
    std::size_t count = 0;

    void note(Detail mistake) {
        if (++count <= kMostMistakes) mistakes.push_back(std::move(mistake));
    }

    std::size_t add(const json::value& value, std::string pointer) {
        const json::object* object = value.if_object();
        const auto [place, is_new] = node_of.try_emplace(object, nodes.size());
        if (is_new) nodes.push_back({object, std::move(pointer), {}});
        return place->second;
    }
};

JsonReader::JsonReader(const json::value& root) : reading_(std::make_shared<Reading>()), node_(0) {
    reading_->add(root, "");
    if (!root.is_object()) {
        reading_->note({"", fmt::format("must be an object, not {}", kind_name(root)), ""});
    }
}

JsonReader::JsonReader(std::shared_ptr<Reading> reading, std::size_t node)
    : reading_(std::move(reading)), node_(node) {}

const json::value* JsonReader::raw(std::string_view key) const {
    Reading::Node& node = reading_->nodes[node_];
    if (std::ranges::find(node.known, key) == node.known.end()) node.known.emplace_back(key);
    return node.object == nullptr ? nullptr : node.object->if_contains(key);
}

const json::value* JsonReader::present(std::string_view key) const {
    const json::value* value = raw(key);
    return value == nullptr || value->is_null() ? nullptr : value;
}

bool JsonReader::has(std::string_view key) const {
    return present(key) != nullptr;
}

const std::string& JsonReader::pointer() const {
    return reading_->nodes[node_].pointer;
}

void JsonReader::mistake(std::string_view key, std::string problem, std::string hint) const {
    std::string where = key.empty() ? pointer() : pointer_to(pointer(), key);
    reading_->note({std::move(where), std::move(problem), std::move(hint)});
}

void JsonReader::wrong_type(std::string_view key, std::string_view wanted,
                            const json::value& found) const {
    mistake(key, fmt::format("must be {}, not {}", wanted, kind_name(found)));
}

std::optional<std::string> JsonReader::string(std::string_view key) const {
    const json::value* value = present(key);
    if (value == nullptr) return std::nullopt;
    if (const json::string* text = value->if_string()) return std::string(*text);
    wrong_type(key, "a string", *value);
    return std::nullopt;
}

std::string JsonReader::require_string(std::string_view key) const {
    const json::value* value = present(key);
    if (value != nullptr && !value->is_string()) {
        wrong_type(key, "a string", *value);
        return {};
    }
    if (value == nullptr || value->get_string().empty()) {
        mistake(key, "is required and may not be empty");
        return {};
    }
    return std::string(value->get_string());
}

std::optional<bool> JsonReader::boolean(std::string_view key) const {
    const json::value* value = present(key);
    if (value == nullptr) return std::nullopt;
    if (const bool* flag = value->if_bool()) return *flag;
    wrong_type(key, "true or false", *value);
    return std::nullopt;
}

std::optional<double> JsonReader::number(std::string_view key) const {
    const json::value* value = present(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_number()) return value->to_number<double>();
    wrong_type(key, "a number", *value);
    return std::nullopt;
}

std::optional<std::int64_t> JsonReader::integer(std::string_view key, IntegerRange range) const {
    const json::value* value = present(key);
    if (value == nullptr) return std::nullopt;
    const std::optional<std::int64_t> number = whole_number(*value);
    if (!number) {
        wrong_type(key, "a whole number of at most 64 bits", *value);
        return std::nullopt;
    }
    if (*number < range.least || *number > range.most) {
        mistake(key,
                fmt::format("must be from {} to {}, not {}", range.least, range.most, *number));
        return std::nullopt;
    }
    return number;
}

std::optional<std::int64_t> JsonReader::integer(std::string_view key) const {
    return integer(key, IntegerRange{});
}

std::optional<std::chrono::milliseconds> JsonReader::duration(std::string_view key) const {
    const json::value* value = present(key);
    if (value == nullptr) return std::nullopt;
    const std::optional<std::string> text = scalar_text(*value);
    if (!text || value->is_bool()) {
        wrong_type(key, "a duration: milliseconds or a text such as \"5s\"", *value);
        return std::nullopt;
    }
    Result<std::chrono::milliseconds> duration = parse_duration(*text);
    if (duration) return *duration;
    mistake(key, duration.error().message());
    return std::nullopt;
}

std::optional<ByteCount> JsonReader::size(std::string_view key) const {
    const json::value* value = present(key);
    if (value == nullptr) return std::nullopt;
    const std::optional<std::string> text = scalar_text(*value);
    if (!text || value->is_bool()) {
        wrong_type(key, "a size: bytes or a text such as \"100MB\"", *value);
        return std::nullopt;
    }
    Result<ByteCount> size = parse_size(*text);
    if (size) return *size;
    mistake(key, size.error().message());
    return std::nullopt;
}

std::optional<std::string> JsonReader::choice(std::string_view key,
                                              std::span<const std::string> allowed) const {
    std::optional<std::string> text = string(key);
    if (!text || std::ranges::find(allowed, *text) != allowed.end()) return text;
    mistake(key, fmt::format("'{}' is not one of {}{}", to_valid_utf8(text->substr(0, 64)),
                             fmt::join(allowed, ", "), suggestion(*text, allowed)));
    return std::nullopt;
}

std::optional<std::vector<std::string>> JsonReader::strings(std::string_view key) const {
    const json::value* value = present(key);
    if (value == nullptr) return std::nullopt;
    const json::array* array = value->if_array();
    if (array == nullptr) {
        wrong_type(key, "an array of strings", *value);
        return std::nullopt;
    }
    std::vector<std::string> result;
    for (std::size_t i = 0; i < array->size(); ++i) {
        if (const json::string* text = (*array)[i].if_string()) {
            result.emplace_back(*text);
        } else {
            reading_->note({fmt::format("{}/{}", pointer_to(pointer(), key), i),
                            fmt::format("must be a string, not {}", kind_name((*array)[i])), ""});
        }
    }
    return result;
}

std::optional<std::vector<std::pair<std::string, std::string>>> JsonReader::string_map(
    std::string_view key) const {
    const json::value* value = present(key);
    if (value == nullptr) return std::nullopt;
    const json::object* object = value->if_object();
    if (object == nullptr) {
        wrong_type(key, "an object of texts", *value);
        return std::nullopt;
    }
    std::vector<std::pair<std::string, std::string>> result;
    for (const auto& [name, element] : *object) {
        if (std::optional<std::string> text = scalar_text(element)) {
            result.emplace_back(name, std::move(*text));
        } else {
            reading_->note(
                {pointer_to(pointer_to(pointer(), key), name),
                 fmt::format("must be a text, a number or a boolean, not {}", kind_name(element)),
                 ""});
        }
    }
    return result;
}

std::optional<JsonReader> JsonReader::object(std::string_view key) const {
    const json::value* value = present(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_object()) {
        wrong_type(key, "an object", *value);
        return std::nullopt;
    }
    return JsonReader(reading_, reading_->add(*value, pointer_to(pointer(), key)));
}

std::vector<JsonReader> JsonReader::objects(std::string_view key) const {
    const json::value* value = present(key);
    if (value == nullptr) return {};
    const json::array* array = value->if_array();
    if (array == nullptr) {
        wrong_type(key, "an array of objects", *value);
        return {};
    }
    std::vector<JsonReader> result;
    const std::string base = pointer_to(pointer(), key);
    for (std::size_t i = 0; i < array->size(); ++i) {
        const json::value& element = (*array)[i];
        std::string where = fmt::format("{}/{}", base, i);
        if (element.is_object()) {
            result.push_back(JsonReader(reading_, reading_->add(element, std::move(where))));
        } else {
            reading_->note({std::move(where),
                            fmt::format("must be an object, not {}", kind_name(element)), ""});
        }
    }
    return result;
}

std::vector<Detail> JsonReader::unknown_keys() const {
    constexpr std::size_t kMostShown = 256;
    std::vector<Detail> result;
    for (const Reading::Node& node : reading_->nodes) {
        if (node.object == nullptr) continue;
        for (const auto& [name, element] : *node.object) {
            const std::string key(name);
            if (std::ranges::find(node.known, key) != node.known.end()) continue;
            if (result.size() == kMostMistakes) return result;
            const std::optional<std::string> meant = nearest(key, node.known);
            const std::string shown = to_valid_utf8(key.substr(0, kMostShown));
            result.push_back({pointer_to(node.pointer, shown), "unknown key",
                              meant ? fmt::format("did you mean '{}'?", *meant) : std::string()});
        }
    }
    return result;
}

Result<void> JsonReader::finish(std::string_view what, UnknownKeys unknown) const {
    std::vector<Detail> mistakes = reading_->mistakes;
    std::size_t count = reading_->count;
    if (unknown == UnknownKeys::kRefuse) {
        for (Detail& detail : unknown_keys()) {
            ++count;
            if (mistakes.size() < kMostMistakes) mistakes.push_back(std::move(detail));
        }
    }
    if (mistakes.empty()) return {};
    return mistaken(what, std::move(mistakes), count, kMostMistakes);
}

}  // namespace zona::core
