/// @file
/// The small types that a document store speaks in: scope, id, path, document, record.
///
/// Documents are JSON objects (boost::json::object, only named here; a file that touches one
/// includes <boost/json.hpp>). Nothing inside a document has a meaning to the store: `$ne`, keys
/// with dots and `__proto__` are data like any other. What the store adds stands beside the
/// document, in its Record, where no document can reach it. Value types; any thread.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/byte_count.h"
#include "core/clock.h"
#include "core/result.h"

namespace boost::json {
class object;
class value;
}  // namespace boost::json

namespace zona::store {

/// What is stored.
using Document = boost::json::object;
/// What a field of it holds.
using Value = boost::json::value;

/// What a document may be; the same in every backend, so that it can move to another.
struct DocumentLimits {
    core::ByteCount max_bytes = core::ByteCount::mib(1);  ///< of its compact JSON text
    std::size_t max_depth = 32;                           ///< of nested objects and arrays
};

/// Bytes of an id that is a text.
inline constexpr std::size_t kMaxIdBytes = 200;
/// Bytes of a text in a field of an index: what an index entry and a page token may cost.
inline constexpr std::size_t kMaxIndexedBytes = 1024;

/// Whose data: "core" or the code of one tenant. There is no default and no "all": a document
/// belongs to one scope, and a handle to a collection (collection.h) is made for one. Source:
/// TEN-04, TEN-05.
class Scope {
  public:
    /// The installation's own data.
    static Scope core();
    /// One tenant's. Errors: kInvalidArgument for anything but 1 to 64 of [a-z0-9_-] that begins
    /// with a letter or digit, and for "core": whoever takes codes from outside folds their case
    /// first, so that two spellings never are two tenants.
    static core::Result<Scope> tenant(std::string_view code);

    const std::string& code() const { return code_; }

    auto operator<=>(const Scope&) const = default;

  private:
    explicit Scope(std::string code) : code_(std::move(code)) {}
    std::string code_;
};

/// What a document is called within its scope and collection: a number (DATA-25) or a text. Numbers
/// come before texts; texts are in the order of their bytes.
using Id = std::variant<std::int64_t, std::string>;

/// An id for messages: 17 or "blue".
std::string to_string(const Id& id);

/// The way to a field: the keys of nested objects, taken as they are. `Path("a.b")` is the one key
/// "a.b"; `Path({"a", "b"})` is b within a. Arrays are not entered.
class Path {
  public:
    /// @{
    /// One key, or several from the outside inwards.
    Path(const char* key) : keys_{key} {}
    explicit Path(std::string key) : keys_{std::move(key)} {}
    Path(std::initializer_list<std::string_view> keys) : keys_(keys.begin(), keys.end()) {}
    /// @}

    const std::vector<std::string>& keys() const { return keys_; }
    /// Whether it is `other` or leads into it.
    bool is_in(const Path& other) const;
    /// As a JSON pointer, "/a/b": for messages and names. Source: RFC 6901.
    std::string pointer() const;

    auto operator<=>(const Path&) const = default;

  private:
    std::vector<std::string> keys_;
};

/// A document as it is stored, with what the store knows of it.
struct Record {
    Scope scope;               ///< as it was stamped when it was written
    Id id;                     ///< of the document
    std::int64_t version = 0;  ///< 1 when inserted, one more with each change
    core::SystemTime created;  ///< in microseconds; stays through changes
    core::SystemTime updated;  ///< of the last change
    /// Never null and never changed: copies of the record share it.
    std::shared_ptr<const Document> document;
};

}  // namespace zona::store
