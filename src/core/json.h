/// @file
/// JSON in, JSON out, and the typed reading of JSON objects with all mistakes reported at once.
///
/// boost::json::value is the in-memory form; this header only names it, and a file that touches
/// values includes <boost/json.hpp> itself (.cpp and detail/ only). Pure functions; any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/byte_count.h"
#include "core/result.h"

namespace boost::json {
class value;
class object;
}  // namespace boost::json

namespace zona::core {

/// How much of JSON's neighbourhood is accepted.
enum class JsonSyntax : std::uint8_t {
    kStrict,   ///< RFC 8259 and nothing else
    kLenient,  ///< also // and /* */ comments and trailing commas: files that people keep
};

/// What a text may cost before it is refused.
struct JsonLimits {
    ByteCount max_bytes = ByteCount::mib(1);
    std::size_t max_depth = 64;  ///< nested arrays and objects
    JsonSyntax syntax = JsonSyntax::kStrict;
};

/// Where a value of a parsed file stands; 1-based. Column 0 means that only the line is known.
struct Position {
    int line = 0;
    int column = 0;
    bool operator==(const Position&) const = default;
};

/// The one value that `text` holds.
///
/// Errors: kTooLarge over max_bytes. kInvalidArgument, "line:column: problem" in the message, for a
/// syntax error, bytes that are not UTF-8, anything behind the value, more depth than max_depth, a
/// number that a double cannot hold, and a key that one object has twice (RFC 8259 leaves its
/// meaning open: parsers disagree, and what was checked would not be what is used).
Result<boost::json::value> parse_json(std::string_view text, const JsonLimits& limits = {});

/// The value of a text that this program wrote, by to_json() or Boost's serialize(): quicker than
/// parse_json(), as exact, whatever its size, and without looking for keys that stand twice (the
/// last one counts). Not for what comes from outside.
///
/// Errors: kInvalidArgument for what is no JSON, deeper than 256 levels, or a number that a double
/// cannot hold.
Result<boost::json::value> parse_written_json(std::string_view text);

/// How to_json lays text out.
enum class JsonLayout : std::uint8_t { kCompact, kIndented };

/// The text of `value`, always valid JSON and valid UTF-8: ill-formed bytes become U+FFFD, a number
/// that is not finite becomes null. Doubles are the shortest text that reads back the same. No
/// newline at the end.
std::string to_json(const boost::json::value& value, JsonLayout layout = JsonLayout::kCompact);

/// `text` as a JSON string, quotes included, by the rules of to_json, appended to `out`. For
/// writers that build a line without building a tree.
void append_json_string(std::string& out, std::string_view text);

/// `number` by the rules of to_json, appended to `out`.
void append_json_number(std::string& out, double number);

/// A JSON pointer one step further: "/apps/0" and "a/b" give "/apps/0/a~1b". Source: RFC 6901.
std::string pointer_to(std::string_view parent, std::string_view key);

/// What finish() does about keys that nobody asked for.
enum class UnknownKeys : std::uint8_t { kRefuse, kWarn };

/// What a value is, for messages: "null", "a boolean", "a number", "a string", "an array", "an
/// object".
std::string_view kind_name(const boost::json::value& value);
/// A whole number that fits 64 bits, 3 or 3.0 (beyond 2^53 only written without a point).
std::optional<std::int64_t> whole_number(const boost::json::value& value);
/// The error of a document with mistakes: kInvalidArgument, the first one in the message behind
/// `what`, all of them as details whose places are JSON pointers. `count` of them there were, "or
/// more" from `most` on. Precondition: `mistakes` holds one.
Error mistaken(std::string_view what, std::vector<Detail> mistakes, std::size_t count,
               std::size_t most);

/// Reads the fields of one JSON object by name and type, and collects every mistake instead of
/// stopping at the first.
///
///     JsonReader body(value);
///     const std::string name = body.require_string("name");
///     const auto instances = body.integer("instances", {1, 1000}).value_or(1);
///     ZONA_TRY_VOID(body.finish("the request body"));
///
/// A field that is absent or null reads as nothing. A field of the wrong type or out of range also
/// reads as nothing (require_* as an empty value) and adds a mistake that finish() returns, so
/// values may be used only after finish() succeeded. A key is known once it was asked for; finish()
/// reports all others with the nearest known key. Copies are handles to the same reading. The value
/// must outlive the reader. One thread.
class JsonReader {
  public:
    /// Inclusive at both ends.
    struct IntegerRange {
        std::int64_t least = std::numeric_limits<std::int64_t>::min();
        std::int64_t most = std::numeric_limits<std::int64_t>::max();
    };

    /// What is remembered of a value that is wrong everywhere: a list of a million numbers where
    /// texts belong must not become a million sentences.
    static constexpr std::size_t kMostMistakes = 100;

    /// Reads `root`; a root that is not an object is a mistake, and all its fields are absent.
    explicit JsonReader(const boost::json::value& root);

    bool has(std::string_view key) const;  ///< present and not null; makes the key known

    /// @{
    /// A value of the type of the name.
    std::optional<std::string> string(std::string_view key) const;
    std::string require_string(std::string_view key) const;  ///< absent or empty is a mistake
    std::optional<bool> boolean(std::string_view key) const;
    std::optional<double> number(std::string_view key) const;
    /// @}
    /// @{
    /// A whole number (3 or 3.0), without a range any of 64 bits.
    std::optional<std::int64_t> integer(std::string_view key, IntegerRange range) const;
    std::optional<std::int64_t> integer(std::string_view key) const;
    /// @}
    /// A number of milliseconds or a text for parse_duration.
    std::optional<std::chrono::milliseconds> duration(std::string_view key) const;
    /// A number of bytes or a text for parse_size.
    std::optional<ByteCount> size(std::string_view key) const;
    /// One of `allowed`; the mistake lists them and the nearest.
    std::optional<std::string> choice(std::string_view key,
                                      std::span<const std::string> allowed) const;
    /// An array of strings.
    std::optional<std::vector<std::string>> strings(std::string_view key) const;
    /// An object whose values are strings, numbers or booleans, as texts in the object's order: an
    /// environment.
    std::optional<std::vector<std::pair<std::string, std::string>>> string_map(
        std::string_view key) const;
    /// An object below this one.
    std::optional<JsonReader> object(std::string_view key) const;
    /// An array of objects below this one; empty if absent.
    std::vector<JsonReader> objects(std::string_view key) const;
    /// The value itself, for fields of several shapes; nullptr if absent. Null is returned as a
    /// value.
    const boost::json::value* raw(std::string_view key) const;

    /// Adds a mistake of the caller's own about field `key` ("" is the object itself).
    void mistake(std::string_view key, std::string problem, std::string hint = {}) const;

    /// The JSON pointer of this object, "" for the root.
    const std::string& pointer() const;

    /// Ends the whole reading, from whichever handle it is called.
    ///
    /// Errors: kInvalidArgument, the first mistake in the message, and one Detail (JSON pointer,
    /// problem, hint) per mistake in the order of reading, unknown keys last; at most
    /// kMostMistakes of them.
    Result<void> finish(std::string_view what, UnknownKeys unknown = UnknownKeys::kRefuse) const;

    /// The unknown keys seen so far, as Details, for callers that only warn; at most kMostMistakes.
    std::vector<Detail> unknown_keys() const;

  private:
    struct Reading;
    JsonReader(std::shared_ptr<Reading> reading, std::size_t node);
    const boost::json::value* present(std::string_view key) const;
    void wrong_type(std::string_view key, std::string_view wanted,
                    const boost::json::value& found) const;

    // Owned together by all handles to one reading: children are handed out by value.
    std::shared_ptr<Reading> reading_;
    std::size_t node_;
};

}  // namespace zona::core
