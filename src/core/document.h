/// @file
/// Files that people write, in JSON, TOML or YAML, as one kind of tree that knows its lines.
///
/// Configuration and ecosystem files are read through this, so that a mistake in any of the three
/// formats is reported with file and line. Everything here treats its input as hostile: size, depth
/// and the number of values are limited before and while they are read, and no exception leaves.
/// Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/json.h"
#include "core/result.h"

namespace zona::core {

/// What a text is read as. kJson takes comments and trailing commas too.
enum class DocumentFormat : std::uint8_t { kJson, kToml, kYaml };

/// By the extension: .json and .jsonc, .toml, .yaml and .yml, any case; nullopt for others.
std::optional<DocumentFormat> document_format(std::string_view path);

/// What a file may cost. More bytes: kTooLarge; deeper or more: kInvalidArgument, with the place.
struct DocumentLimits {
    ByteCount max_bytes = ByteCount::mib(1);
    std::size_t max_depth = 32;        ///< nested objects and arrays
    std::size_t max_values = 100'000;  ///< what YAML aliases expand to included
};

/// A parsed file: a tree of values and where each stands.
///
/// | In the file | In the tree |
/// |---|---|
/// | TOML date or time | string, as written in RFC 3339 |
/// | YAML plain scalar | by YAML 1.2: null, true, false, numbers; `yes`, `on` are strings |
/// | YAML `0755`, `007` | string: YAML 1.1 and 1.2 disagree about its value |
/// | YAML alias, merge key `<<` | the copied values; the map itself wins over a merge |
/// | an empty file | an empty object |
class Document {
  public:
    Document(Document&&) noexcept;
    Document& operator=(Document&&) noexcept;
    ~Document();

    /// The tree, valid as long as this object.
    const boost::json::value& value() const;

    /// Where the value at a JSON pointer stands; that of the nearest value around it if there is
    /// none. The position of an object's member is that of its key. JSON files know lines only
    /// (column 0).
    Position position(std::string_view pointer) const;

    /// "zona.toml:12" for the value at a JSON pointer.
    std::string where(std::string_view pointer) const;

    /// Turns the JSON pointers in the details of an error of JsonReader::finish into "name:line
    /// pointer".
    Error locate(const Error& error) const;

  private:
    struct Content;
    friend Result<Document> parse_document(std::string_view, DocumentFormat, std::string_view,
                                           const DocumentLimits&);
    explicit Document(std::unique_ptr<Content> content);

    std::unique_ptr<Content> content_;
};

/// Parses one file's text. JSON is read leniently (comments, trailing commas); `name` is the file's
/// name in messages. A leading byte order mark is skipped.
///
/// Errors: kTooLarge over max_bytes. kInvalidArgument "name:line:column: problem" for a syntax
/// error, bytes that are not UTF-8, NUL, a key given twice in one object, too much depth or too
/// many values, a number that is not finite, a YAML tag, a YAML key that is not a scalar, a second
/// YAML document in the file.
Result<Document> parse_document(std::string_view text, DocumentFormat format, std::string_view name,
                                const DocumentLimits& limits = {});

}  // namespace zona::core
