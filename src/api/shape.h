/// @file
/// Shape: what a JSON value looks like, said once, for three readers: the check of requests and
/// answers, the JSON Schema of the OpenAPI document, and the tables that people read.
///
///     Shape::object({required("name", Shape::text("Its name.").length(1, 128)),
///                    optional("wait", Shape::boolean("Wait until it is ready."))})
///
/// Shapes are immutable values: a refinement (nullable(), range(), ...) gives a new one. Copies are
/// cheap. Any thread.
///
/// It says less than JSON Schema can: there are no conditions between fields. What one field
/// demands of another is checked by whoever reads the value, in the same style.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace boost::json {
class value;
}  // namespace boost::json

namespace zona::api {

/// What a text means, beyond being one. On the wire the name in brackets.
enum class Format : std::uint8_t {
    kNone,
    kTime,      ///< RFC 3339 [date-time]
    kUuid,      ///< [uuid]
    kDuration,  ///< core::parse_duration: "10m", "1.5s" [duration-text]
};

/// Whether an object has a field.
enum class Presence : std::uint8_t {
    kRequired,
    kOptional,   ///< may be left out; null is the same
    kSometimes,  ///< may be left out, but is not null
};

struct Field;
struct ShapeNode;

/// What a value looks like: an immutable value itself.
class Shape {
  public:
    /// Anything that JSON can say.
    static Shape any(std::string doc);
    /// A string.
    static Shape text(std::string doc);
    /// A whole number, 3 or 3.0.
    static Shape integer(std::string doc);
    /// Any number.
    static Shape number(std::string doc);
    /// True or false.
    static Shape boolean(std::string doc);
    /// A list of values of one shape.
    static Shape array(std::string doc, Shape item);
    /// An object whose keys are data: {"PATH": "...", "HOME": "..."}.
    static Shape map(std::string doc, Shape value);
    /// An object with these fields and no others.
    static Shape object(std::vector<Field> fields, std::string doc = {});
    /// A value that fits one of `shapes`; they should differ in their kind.
    static Shape one_of(std::string doc, std::vector<Shape> shapes);
    /// A shape that has a name: "Process". `doc` says what it is in this place.
    static Shape component(std::string name, std::string doc = {});

    /// Or null.
    Shape nullable() const;
    /// One of these texts.
    Shape choices(std::vector<std::string> texts) const;
    /// An ECMAScript regular expression that matches the whole text. Texts over 256 bytes match
    /// none.
    Shape pattern(std::string expression) const;
    /// A text of this form.
    Shape format(Format format) const;
    /// Inclusive; of a text in characters, of an array in items, of a map in entries.
    Shape length(std::size_t least, std::size_t most) const;
    /// The same without an upper bound.
    Shape at_least(std::size_t least) const;
    /// Inclusive, of an integer.
    Shape range(std::int64_t least, std::int64_t most) const;
    /// A value for the documents, as JSON text.
    Shape example(std::string json) const;
    /// What an absent value means, as JSON text.
    Shape default_value(std::string json) const;
    /// What to do about a mistake here, where the check itself knows no better advice.
    Shape hint(std::string text) const;
    /// Of an object: a key that a client may look for here, and what takes it instead. It stays
    /// unknown, and the advice is told with that.
    Shape elsewhere(std::string key, std::string advice) const;
    /// The shape is for documents; who reads the value checks it (it takes more, and says better
    /// what is wrong).
    Shape checked_by_reader() const;

    const ShapeNode& node() const { return *node_; }

  private:
    explicit Shape(ShapeNode node);
    ShapeNode copy() const;

    // Immutable, owned together by all copies.
    std::shared_ptr<const ShapeNode> node_;
};

/// One field of an object.
struct Field {
    std::string name;
    Shape shape;
    Presence presence;
};
/// A field that is always there.
Field required(std::string name, Shape shape);
/// A field that may be left out or null.
Field optional(std::string name, Shape shape);
/// A field that may be left out and is not null.
Field sometimes(std::string name, Shape shape);

/// What a Shape is made of, for those who read it.
struct ShapeNode {
    /// Which of the factories of Shape made it.
    enum class Kind : std::uint8_t {
        kAny,
        kText,
        kInteger,
        kNumber,
        kBoolean,
        kArray,
        kMap,
        kObject,
        kOneOf,
        kComponent,
    };
    Kind kind = Kind::kAny;
    std::string doc;
    bool nullable = false;
    bool checked_by_reader = false;
    std::vector<std::string> choices;
    std::string pattern;
    Format format = Format::kNone;
    std::size_t least_length = 0;
    std::optional<std::size_t> most_length;
    std::optional<std::int64_t> least;
    std::optional<std::int64_t> most;
    std::string example;        ///< JSON text
    std::string default_value;  ///< JSON text
    std::string hint;
    std::vector<Field> fields;                                  ///< kObject
    std::map<std::string, std::string, std::less<>> elsewhere;  ///< kObject
    std::vector<Shape> parts;  ///< kArray, kMap: one; kOneOf: the alternatives
    std::string component;     ///< kComponent
};

/// The shapes that have a name, in the order of their names.
using Components = std::map<std::string, Shape, std::less<>>;

/// Everything about `value` that does not fit, in the order of the shape, unknown fields last; at
/// most 100 entries. `where` is a JSON pointer below `pointer`. Empty: it fits.
///
/// Cost: one pass over the value; a pattern is compiled each time. Throws std::logic_error for a
/// component that does not exist (a mistake in this program, found by its tests).
std::vector<core::Detail> mistakes_of(const boost::json::value& value, const Shape& shape,
                                      const Components& components, std::string_view pointer = {});

/// The error for such mistakes: kInvalidArgument, the first one in the message, all of them as
/// details. Precondition: there is one.
core::Error error_of(std::string_view what, std::vector<core::Detail> mistakes);

/// Who reads a schema. Fields that a request does not know are refused; answers may get new ones.
enum class Direction : std::uint8_t { kRequest, kAnswer };

/// The JSON Schema (2020-12) of `shape`; components are references into an OpenAPI document.
boost::json::value schema_of(const Shape& shape, Direction direction);

}  // namespace zona::api
