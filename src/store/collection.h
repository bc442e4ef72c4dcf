/// @file
/// A collection, declared in one place, and the handle by which one scope's part of it is used.
///
///     const CollectionSpec kTasks{
///         .name = "tasks",
///         .fields = {{.path = "status", .type = FieldType::kText, .presence = Presence::kRequired,
///                     .allowed = {"open", "done"}},
///                    {.path = "secret", .type = FieldType::kText,
///                     .protection = Protection::kEncrypted}},
///         .indexes = {{.name = "by_status", .fields = {{"status", FieldType::kText}}}},
///     };
///
/// The declaration is data: the backend makes tables and indexes from it, the planner refuses what
/// no index serves, and tests list every query against it. Source: DATA-39, DATA-40, SEC-02.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "store/value.h"

namespace zona::store {

/// What a field holds.
enum class FieldType : std::uint8_t {
    kText,
    kInteger,  ///< a whole number of 64 bits, written without a point
    kNumber,   ///< any number
    kBoolean,
    kObject,  ///< not in an index
    kArray,   ///< not in an index
};

/// Whether a field must be there. JSON's null counts as absent.
enum class Presence : std::uint8_t { kOptional, kRequired };
/// Whether its value is stored as ciphertext. The layer that has the keys does it; a backend
/// refuses what was not sealed, so a layer that was left out is an error and no leak.
enum class Protection : std::uint8_t { kClear, kEncrypted };

/// What a sealed value begins with, whatever the type of the field: it is stored as a text.
inline constexpr std::string_view kSealedPrefix = "zenc1.";

/// What is checked of one field on every write. Fields that are not declared are left alone.
struct FieldSpec {
    Path path;
    FieldType type = FieldType::kText;
    Presence presence = Presence::kOptional;
    /// An encrypted field is in no index, and in no other encrypted field.
    Protection protection = Protection::kClear;
    std::vector<std::string> allowed;  ///< of a text; empty: any
};

/// One field of an index.
struct IndexField {
    Path path;
    FieldType type = FieldType::kText;
};

/// Whether two documents of one scope may have the same values in an index.
enum class Uniqueness : std::uint8_t { kAny, kUnique };
/// Which documents are in an index.
enum class Coverage : std::uint8_t {
    kAll,     ///< every one: its fields are required, and a write without one is refused
    kSparse,  ///< those that have all its fields. It serves only queries that bind each of them
};

/// An order in which documents can be found. Every index ends in the moment of creation and the
/// id, so its order is total and stable; one without fields is the order of creation.
struct IndexSpec {
    std::string name;                ///< 1 to 64 of [a-z0-9_]
    std::vector<IndexField> fields;  ///< at most kMaxIndexFields
    Uniqueness uniqueness = Uniqueness::kAny;
    Coverage coverage = Coverage::kAll;
};

/// When documents may be purged. Data of the declaration; the purging job reads it.
struct Retention {
    std::chrono::seconds keep{0};  ///< after creation
};

/// Brings a document to `to_version` of its collection. Must give the same when it is done again
/// on a copy of the same document: a migration that was interrupted goes on where it was.
struct Migration {
    int to_version = 0;
    std::function<core::Result<void>(Document&)> change;
};

/// Whether documents count in Reader::storage_use(), by which quotas go. A record of what was done
/// does not: whoever has used a quota up is on record all the same, and has not used it up by that.
enum class Accounting : std::uint8_t { kCounted, kFree };

/// Everything that is known of a collection.
struct CollectionSpec {
    std::string name;  ///< 1 to 64 of [a-z0-9_]
    int version = 1;   ///< of its documents; one more with each migration
    std::vector<FieldSpec> fields;
    std::vector<IndexSpec> indexes;
    /// Where the texts are that Filter::search() looks at: each path leads to a text, or to an
    /// array or object, all texts in which count. None: there is no search.
    std::vector<Path> search;
    std::optional<Retention> retention;
    Accounting accounting = Accounting::kCounted;
    DocumentLimits limits;
    /// What fields cannot say; called with every document before it is written, after the check of
    /// the fields; in clear, so for a collection with encrypted fields not by the backend. Must not
    /// block.
    std::function<core::Result<void>(const Document&)> check;
    std::vector<Migration> migrations;  ///< one for each version from 2 on, in order

    bool is_counted() const { return accounting == Accounting::kCounted; }
};

/// Fields of one index.
inline constexpr std::size_t kMaxIndexFields = 4;
/// Indexes of one collection.
inline constexpr std::size_t kMaxIndexes = 16;
/// Paths of its search.
inline constexpr std::size_t kMaxSearchPaths = 8;

/// Whether a declaration makes sense. Errors: kInvalidArgument, naming the collection, the index or
/// field, and the rule; kUnsupported for a search where the locale C.UTF-8 is not installed, by
/// which words are told apart. Backends call it when they open.
core::Result<void> validate(const CollectionSpec& spec);

/// A document as it lies in a database, its encrypted fields sealed, or as code above has it.
enum class Form : std::uint8_t { kStored, kClear };

/// Whether `document` may be written to the collection: limits, fields, indexes, then the hook. Of
/// an encrypted field the clear form has the declared type, the stored one is sealed.
///
/// Errors  kTooLarge: over max_bytes. kInvalidArgument, with a JSON pointer: too deep, text or a
///         key that is not UTF-8, a number that is not finite or not within the 64 bits of a
///         signed integer, a field of another type, one that is missing, a text of an index over
///         kMaxIndexedBytes. Those of the hook.
core::Result<void> check_document(const CollectionSpec& spec, const Document& document,
                                  Form form = Form::kStored);

/// Whether a field of the collection is encrypted.
bool has_encrypted_fields(const CollectionSpec& spec);

/// One scope's part of a collection: the only way to name documents. It cannot be made without a
/// scope; whatever it reads is of that scope, and whatever it writes is stamped with it, whatever
/// the document says. Cheap to copy.
class Collection {
  public:
    /// `spec` must outlive every copy; a declaration is a constant as a rule.
    Collection(const CollectionSpec& spec, Scope scope) : spec_(&spec), scope_(std::move(scope)) {}

    const CollectionSpec& spec() const { return *spec_; }
    const std::string& name() const { return spec_->name; }
    const Scope& scope() const { return scope_; }

  private:
    const CollectionSpec* spec_;
    Scope scope_;
};

}  // namespace zona::store
