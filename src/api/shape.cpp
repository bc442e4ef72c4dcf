#include "api/shape.h"

#include <utility>

namespace zona::api {

using Kind = ShapeNode::Kind;

namespace {

ShapeNode of_kind(Kind kind, std::string doc) {
    ShapeNode node;
    node.kind = kind;
    node.doc = std::move(doc);
    return node;
}

}  // namespace

Shape::Shape(ShapeNode node) : node_(std::make_shared<const ShapeNode>(std::move(node))) {}

ShapeNode Shape::copy() const {
    return *node_;
}

Shape Shape::any(std::string doc) {
    return Shape(of_kind(Kind::kAny, std::move(doc)));
}

Shape Shape::text(std::string doc) {
    return Shape(of_kind(Kind::kText, std::move(doc)));
}

Shape Shape::integer(std::string doc) {
    return Shape(of_kind(Kind::kInteger, std::move(doc)));
}

Shape Shape::number(std::string doc) {
    return Shape(of_kind(Kind::kNumber, std::move(doc)));
}

Shape Shape::boolean(std::string doc) {
    return Shape(of_kind(Kind::kBoolean, std::move(doc)));
}

Shape Shape::array(std::string doc, Shape item) {
    ShapeNode node = of_kind(Kind::kArray, std::move(doc));
    node.parts.push_back(std::move(item));
    return Shape(std::move(node));
}

Shape Shape::map(std::string doc, Shape value) {
    ShapeNode node = of_kind(Kind::kMap, std::move(doc));
    node.parts.push_back(std::move(value));
    return Shape(std::move(node));
}

Shape Shape::object(std::vector<Field> fields, std::string doc) {
    ShapeNode node = of_kind(Kind::kObject, std::move(doc));
    node.fields = std::move(fields);
    return Shape(std::move(node));
}

Shape Shape::one_of(std::string doc, std::vector<Shape> shapes) {
    ShapeNode node = of_kind(Kind::kOneOf, std::move(doc));
    node.parts = std::move(shapes);
    return Shape(std::move(node));
}

Shape Shape::component(std::string name, std::string doc) {
    ShapeNode node = of_kind(Kind::kComponent, std::move(doc));
    node.component = std::move(name);
    return Shape(std::move(node));
}

Shape Shape::nullable() const {
    ShapeNode node = copy();
    node.nullable = true;
    return Shape(std::move(node));
}

Shape Shape::choices(std::vector<std::string> texts) const {
    ShapeNode node = copy();
    node.choices = std::move(texts);
    return Shape(std::move(node));
}

Shape Shape::pattern(std::string expression) const {
    ShapeNode node = copy();
    node.pattern = std::move(expression);
    return Shape(std::move(node));
}

Shape Shape::format(Format format) const {
    ShapeNode node = copy();
    node.format = format;
    return Shape(std::move(node));
}

Shape Shape::length(std::size_t least, std::size_t most) const {
    ShapeNode node = copy();
    node.least_length = least;
    node.most_length = most;
    return Shape(std::move(node));
}

Shape Shape::at_least(std::size_t least) const {
    ShapeNode node = copy();
    node.least_length = least;
    return Shape(std::move(node));
}

Shape Shape::range(std::int64_t least, std::int64_t most) const {
    ShapeNode node = copy();
    node.least = least;
    node.most = most;
    return Shape(std::move(node));
}

Shape Shape::example(std::string json) const {
    ShapeNode node = copy();
    node.example = std::move(json);
    return Shape(std::move(node));
}

Shape Shape::default_value(std::string json) const {
    ShapeNode node = copy();
    node.default_value = std::move(json);
    return Shape(std::move(node));
}

Shape Shape::elsewhere(std::string key, std::string advice) const {
    ShapeNode node = copy();
    node.elsewhere.insert_or_assign(std::move(key), std::move(advice));
    return Shape(std::move(node));
}

Shape Shape::hint(std::string text) const {
    ShapeNode node = copy();
    node.hint = std::move(text);
    return Shape(std::move(node));
}

Shape Shape::checked_by_reader() const {
    ShapeNode node = copy();
    node.checked_by_reader = true;
    return Shape(std::move(node));
}

Field required(std::string name, Shape shape) {
    return {std::move(name), std::move(shape), Presence::kRequired};
}

Field optional(std::string name, Shape shape) {
    return {std::move(name), shape.nullable(), Presence::kOptional};
}

Field sometimes(std::string name, Shape shape) {
    return {std::move(name), std::move(shape), Presence::kSometimes};
}

}  // namespace zona::api
