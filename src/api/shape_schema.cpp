#include <boost/json.hpp>

#include "api/shape.h"
#include "core/json.h"

namespace zona::api {

namespace json = boost::json;
using Kind = ShapeNode::Kind;

namespace {

json::value parsed(const std::string& text) {
    auto value = core::parse_json(text);
    // A wrong example is found by the tests, which check each against its shape.
    return value ? std::move(*value) : json::value(text);
}

void set_type(json::object& schema, std::string_view type, bool nullable) {
    if (nullable) {
        schema["type"] = json::array{type, "null"};
    } else {
        schema["type"] = type;
    }
}

std::string_view type_name(Kind kind) {
    switch (kind) {
        case Kind::kText:
            return "string";
        case Kind::kInteger:
            return "integer";
        case Kind::kNumber:
            return "number";
        case Kind::kBoolean:
            return "boolean";
        case Kind::kArray:
            return "array";
        case Kind::kMap:
        case Kind::kObject:
            return "object";
        default:
            return "";
    }
}

void add_text_rules(json::object& schema, const ShapeNode& shape) {
    if (!shape.choices.empty()) {
        json::array choices(shape.choices.begin(), shape.choices.end());
        if (shape.nullable) choices.emplace_back(nullptr);
        schema["enum"] = std::move(choices);
    }
    if (!shape.pattern.empty()) schema["pattern"] = "^(?:" + shape.pattern + ")$";
    if (shape.format == Format::kTime) schema["format"] = "date-time";
    if (shape.format == Format::kUuid) schema["format"] = "uuid";
    if (shape.format == Format::kDuration) schema["format"] = "duration-text";
}

void add_lengths(json::object& schema, const ShapeNode& shape) {
    std::string_view least = "minLength";
    std::string_view most = "maxLength";
    if (shape.kind == Kind::kArray) {
        least = "minItems";
        most = "maxItems";
    } else if (shape.kind == Kind::kMap) {
        least = "minProperties";
        most = "maxProperties";
    }
    if (shape.least_length > 0) schema[least] = shape.least_length;
    if (shape.most_length) schema[most] = *shape.most_length;
    if (shape.least) schema["minimum"] = *shape.least;
    if (shape.most && *shape.most != std::numeric_limits<std::int64_t>::max())
        schema["maximum"] = *shape.most;
}

void add_fields(json::object& schema, const ShapeNode& shape, Direction direction) {
    json::array needed;
    json::object properties;
    for (const Field& field : shape.fields) {
        if (field.presence == Presence::kRequired) needed.emplace_back(field.name);
        properties[field.name] = schema_of(field.shape, direction);
    }
    if (!needed.empty()) schema["required"] = std::move(needed);
    schema["properties"] = std::move(properties);
    if (direction == Direction::kRequest) schema["additionalProperties"] = false;
}

/// `shape` without its own words, or null.
void add_alternatives(json::object& schema, const ShapeNode& shape, Direction direction) {
    json::array alternatives;
    if (shape.kind == Kind::kComponent) {
        alternatives.push_back(json::object{{"$ref", "#/components/schemas/" + shape.component}});
    }
    for (const Shape& part : shape.parts)
        alternatives.push_back(schema_of(part, direction));
    if (shape.nullable) alternatives.push_back(json::object{{"type", "null"}});
    schema["anyOf"] = std::move(alternatives);
}

}  // namespace

json::value schema_of(const Shape& wanted, Direction direction) {
    const ShapeNode& shape = wanted.node();
    json::object schema;
    if (!shape.doc.empty()) schema["description"] = shape.doc;
    if (shape.kind == Kind::kComponent && !shape.nullable) {
        schema["$ref"] = "#/components/schemas/" + shape.component;
        return schema;
    }
    if (shape.kind == Kind::kComponent || shape.kind == Kind::kOneOf) {
        add_alternatives(schema, shape, direction);
    } else if (shape.kind != Kind::kAny) {
        set_type(schema, type_name(shape.kind), shape.nullable);
    }
    add_text_rules(schema, shape);
    add_lengths(schema, shape);
    if (shape.kind == Kind::kArray) schema["items"] = schema_of(shape.parts.front(), direction);
    if (shape.kind == Kind::kMap)
        schema["additionalProperties"] = schema_of(shape.parts.front(), direction);
    if (shape.kind == Kind::kObject) add_fields(schema, shape, direction);
    if (!shape.default_value.empty()) schema["default"] = parsed(shape.default_value);
    if (!shape.example.empty()) schema["examples"] = json::array{parsed(shape.example)};
    return schema;
}

}  // namespace zona::api
