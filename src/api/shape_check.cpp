#include <algorithm>
#include <cctype>
#include <cmath>
#include <regex>
#include <stdexcept>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "api/shape.h"
#include "core/json.h"
#include "core/text.h"
#include "core/time_format.h"

namespace zona::api {

namespace json = boost::json;
using core::Detail;
using Kind = ShapeNode::Kind;

namespace {

constexpr std::size_t kMostMistakes = core::JsonReader::kMostMistakes;
/// std::regex recurses once per character.
constexpr std::size_t kMostMatched = 256;
/// A wrong text is quoted up to this length.
constexpr std::size_t kMostQuoted = 64;
constexpr std::size_t kMostPlace = 256;

std::string_view wanted_name(const ShapeNode& shape) {
    switch (shape.kind) {
        case Kind::kText:
            return "a string";
        case Kind::kInteger:
            return "a whole number of at most 64 bits";
        case Kind::kNumber:
            return "a number";
        case Kind::kBoolean:
            return "true or false";
        case Kind::kArray:
            return shape.parts.front().node().kind == Kind::kText ? "an array of strings"
                                                                  : "an array";
        case Kind::kMap:
        case Kind::kObject:
            return "an object";
        default:
            return "another value";
    }
}

bool is_whole(const json::value& value) {
    return value.is_uint64() || core::whole_number(value).has_value();
}

std::string quoted(std::string_view text) {
    return fmt::format("'{}'", core::to_valid_utf8(text.substr(0, kMostQuoted)));
}

/// Code points, as JSON Schema counts: the bytes that begin one.
std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

bool is_uuid(std::string_view text) {
    if (text.size() != 36) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        if (hyphen ? text[i] != '-' : std::isxdigit(static_cast<unsigned char>(text[i])) == 0)
            return false;
    }
    return true;
}

/// One reading of a value against a shape.
class Check {
  public:
    explicit Check(const Components& components) : components_(components) {}

    void value(const json::value& value, const Shape& shape, const std::string& where);

    std::vector<Detail> result() && {
        for (Detail& detail : unknown_)
            mistakes_.push_back(std::move(detail));
        if (mistakes_.size() > kMostMistakes) mistakes_.resize(kMostMistakes);
        for (Detail& detail : mistakes_) {
            // Keys are the sender's: an answer is not as long as what it answers.
            if (detail.where.size() > kMostPlace)
                detail.where = core::to_valid_utf8(detail.where.substr(0, kMostPlace)) + "...";
        }
        return std::move(mistakes_);
    }

  private:
    const Shape& named(const std::string& name) const {
        const auto found = components_.find(name);
        if (found == components_.end()) throw std::logic_error("no component is named " + name);
        return found->second;
    }
    bool full() const { return mistakes_.size() + unknown_.size() >= kMostMistakes; }
    void mistake(const ShapeNode& shape, const std::string& where, std::string problem,
                 std::string hint = {}) {
        if (full()) return;
        mistakes_.push_back(
            {where, std::move(problem), hint.empty() ? shape.hint : std::move(hint)});
    }

    void text(const json::string& text, const ShapeNode& shape, const std::string& where);
    void number(const json::value& value, const ShapeNode& shape, const std::string& where);
    void length(std::size_t length, std::string_view unit, const ShapeNode& shape,
                const std::string& where);
    void object(const json::object& object, const ShapeNode& shape, const std::string& where);
    void unknown(const json::object& object, const ShapeNode& shape, const std::string& where);
    void one_of(const json::value& value, const ShapeNode& shape, const std::string& where);
    bool has_kind(const json::value& value, const ShapeNode& shape) const;

    const Components& components_;
    std::vector<Detail> mistakes_;
    std::vector<Detail> unknown_;
};

bool Check::has_kind(const json::value& value, const ShapeNode& shape) const {
    switch (shape.kind) {
        case Kind::kAny:
            return true;
        case Kind::kText:
            return value.is_string();
        case Kind::kInteger:
            return is_whole(value);
        case Kind::kNumber:
            return value.is_number();
        case Kind::kBoolean:
            return value.is_bool();
        case Kind::kArray:
            return value.is_array();
        case Kind::kMap:
        case Kind::kObject:
            return value.is_object();
        case Kind::kOneOf:
            return std::ranges::any_of(
                shape.parts, [&](const Shape& part) { return has_kind(value, part.node()); });
        case Kind::kComponent:
            return has_kind(value, named(shape.component).node());
    }
    return false;
}

void Check::value(const json::value& value, const Shape& wanted, const std::string& where) {
    const ShapeNode& shape = wanted.node();
    if (shape.checked_by_reader || full()) return;
    if (value.is_null() && shape.nullable) return;
    if (shape.kind == Kind::kComponent) {
        this->value(value, named(shape.component), where);
        return;
    }
    if (shape.kind == Kind::kOneOf) {
        one_of(value, shape, where);
        return;
    }
    if (!has_kind(value, shape)) {
        mistake(shape, where,
                fmt::format("must be {}, not {}", wanted_name(shape), core::kind_name(value)));
        return;
    }
    if (const json::string* string = value.if_string()) text(*string, shape, where);
    if (shape.kind == Kind::kInteger) number(value, shape, where);
    if (const json::array* array = value.if_array(); array != nullptr && !shape.parts.empty()) {
        length(array->size(), "entries", shape, where);
        for (std::size_t i = 0; i < array->size(); ++i)
            this->value((*array)[i], shape.parts.front(), fmt::format("{}/{}", where, i));
    }
    if (shape.kind == Kind::kMap) {
        length(value.get_object().size(), "entries", shape, where);
        for (const auto& [key, entry] : value.get_object())
            this->value(entry, shape.parts.front(), core::pointer_to(where, key));
    }
    if (shape.kind == Kind::kObject) object(value.get_object(), shape, where);
}

void Check::text(const json::string& text, const ShapeNode& shape, const std::string& where) {
    if (shape.kind != Kind::kText) return;
    const std::string_view view(text.data(), text.size());
    if (!shape.choices.empty()) {
        if (std::ranges::find(shape.choices, view) == shape.choices.end()) {
            mistake(
                shape, where,
                fmt::format("{} is not one of {}{}", quoted(view), fmt::join(shape.choices, ", "),
                            core::suggestion(view, shape.choices)));
        }
        return;
    }
    length(characters(view), "characters", shape, where);
    if (!shape.pattern.empty() &&
        (text.size() > kMostMatched ||
         !std::regex_match(view.begin(), view.end(), std::regex(shape.pattern)))) {
        mistake(shape, where,
                fmt::format("{} does not have the form {}", quoted(view), shape.pattern));
    }
    if (shape.format == Format::kTime && !core::parse_rfc3339(view)) {
        mistake(shape, where, fmt::format("{} is not a time", quoted(view)),
                "for example 2026-01-31T12:00:00Z");
    }
    if (shape.format == Format::kDuration && !core::parse_duration(view)) {
        mistake(shape, where, fmt::format("{} is not a duration", quoted(view)),
                "for example 10m or 1.5s");
    }
    if (shape.format == Format::kUuid && !is_uuid(view)) {
        mistake(shape, where, fmt::format("{} is not a UUID", quoted(view)));
    }
}

void Check::number(const json::value& value, const ShapeNode& shape, const std::string& where) {
    if (!shape.least && !shape.most) return;
    constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
    const std::int64_t least = shape.least.value_or(std::numeric_limits<std::int64_t>::min());
    const std::int64_t most = shape.most.value_or(kMost);
    const std::int64_t number = core::whole_number(value).value_or(kMost);
    if (number >= least && number <= most && (most == kMost || !value.is_uint64())) return;
    if (most == kMost) {
        mistake(shape, where,
                fmt::format("must be at least {}, not {}", least, core::to_json(value)));
        return;
    }
    mistake(shape, where,
            fmt::format("must be from {} to {}, not {}", least, most, core::to_json(value)));
}

void Check::length(std::size_t length, std::string_view unit, const ShapeNode& shape,
                   const std::string& where) {
    if (length < shape.least_length) {
        if (length == 0) {
            mistake(shape, where, "may not be empty");
        } else {
            mistake(
                shape, where,
                fmt::format("must have at least {} {}, not {}", shape.least_length, unit, length));
        }
    }
    if (shape.most_length && length > *shape.most_length) {
        mistake(shape, where,
                fmt::format("must have at most {} {}, not {}", *shape.most_length, unit, length));
    }
}

void Check::object(const json::object& object, const ShapeNode& shape, const std::string& where) {
    for (const Field& field : shape.fields) {
        const json::value* found = object.if_contains(field.name);
        if (found != nullptr) {
            value(*found, field.shape, core::pointer_to(where, field.name));
        } else if (field.presence == Presence::kRequired) {
            mistake(field.shape.node(), core::pointer_to(where, field.name), "is required");
        }
    }
    unknown(object, shape, where);
}

void Check::unknown(const json::object& object, const ShapeNode& shape, const std::string& where) {
    std::vector<std::string> known;
    known.reserve(shape.fields.size());
    for (const Field& field : shape.fields)
        known.push_back(field.name);
    for (const auto& [name, entry] : object) {
        if (full()) return;
        const std::string key(name);
        if (std::ranges::find(known, key) != known.end()) continue;
        if (const auto advice = shape.elsewhere.find(key); advice != shape.elsewhere.end()) {
            unknown_.push_back({core::pointer_to(where, key), "unknown key", advice->second});
            continue;
        }
        const std::optional<std::string> meant = core::nearest(key, known);
        unknown_.push_back({core::pointer_to(where, key), "unknown key",
                            meant ? fmt::format("did you mean '{}'?", *meant) : std::string()});
    }
}

void Check::one_of(const json::value& value, const ShapeNode& shape, const std::string& where) {
    const Shape* alike = nullptr;
    for (const Shape& part : shape.parts) {
        Check attempt(components_);
        attempt.value(value, part, where);
        if (std::move(attempt).result().empty()) return;
        if (alike == nullptr && has_kind(value, part.node())) alike = &part;
    }
    if (alike != nullptr) {
        this->value(value, *alike, where);
        return;
    }
    std::vector<std::string_view> wanted;
    for (const Shape& part : shape.parts)
        wanted.push_back(wanted_name(part.node()));
    mistake(shape, where,
            fmt::format("must be {}, not {}", fmt::join(wanted, " or "), core::kind_name(value)));
}

}  // namespace

std::vector<Detail> mistakes_of(const json::value& value, const Shape& shape,
                                const Components& components, std::string_view pointer) {
    Check check(components);
    check.value(value, shape, std::string(pointer));
    return std::move(check).result();
}

core::Error error_of(std::string_view what, std::vector<Detail> mistakes) {
    const std::size_t count = mistakes.size();
    return core::mistaken(what, std::move(mistakes), count, kMostMistakes);
}

}  // namespace zona::api
