/// @file
/// What an ecosystem file says, before anybody asks what it means: a tree of scalars, lists and
/// maps with the place of each. All three syntaxes end here, so keys, coercions and messages are
/// written once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/document.h"
#include "core/json.h"
#include "core/result.h"

namespace zona::process::detail {

using core::Position;

enum class Kind : std::uint8_t { kNull, kBool, kInteger, kFloat, kString, kList, kMap };

/// "a string", "a list", ...: for messages.
std::string_view describe(Kind kind);

struct Entry;

/// A value. `text` is what a scalar says: of a string the characters, of a bool "true" or "false",
/// of an integer its decimal digits, of a float the text as written.
struct Node {
    Kind kind = Kind::kNull;
    Position at;
    std::string text;
    std::vector<Node> list;
    std::vector<Entry> map;  ///< in the file's order; a key may stand twice
    /// The text came from the caller's environment and is not for messages.
    bool interpolated = false;
    /// Reported already; its text means nothing.
    bool broken = false;

    bool is_scalar() const { return kind != Kind::kList && kind != Kind::kMap; }
    /// The value of the last entry with this key, nullptr if none.
    const Node* find(std::string_view key) const;
};

struct Entry {
    std::string key;
    Position at;
    Node value;
};

/// Limits of a tree, whatever its syntax. Aliases and merges of YAML count with what they stand
/// for.
struct TreeLimits {
    static constexpr int kDepth = 64;
    static constexpr std::size_t kNodes = 200'000;
};

/// A syntax error: message "FILE:LINE:COLUMN: problem", one Detail with the same parts.
core::Error syntax_error(std::string_view file, Position at, std::string problem,
                         std::string hint = {});

/// "FILE:LINE:COLUMN", without the parts that are 0.
std::string place(std::string_view file, Position at);

/// JSON as PM2 takes it: comments, single quotes, back quotes, bare keys, trailing commas, JSON5's
/// numbers. Duplicate keys are kept. Errors: kInvalidArgument, syntax_error().
core::Result<Node> read_json5(std::string_view text, std::string_view file);

/// YAML or TOML by core::parse_document; a member's value has the place of its key.
/// Errors: kInvalidArgument, as syntax_error().
core::Result<Node> read_document(std::string_view text, core::DocumentFormat format,
                                 std::string_view file);

}  // namespace zona::process::detail
