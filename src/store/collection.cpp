#include "store/collection.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "core/text.h"
#include "store/detail/compare.h"
#include "store/detail/encoding.h"
#include "store/detail/words.h"

namespace zona::store {

namespace json = boost::json;

namespace {

using core::Code;
using core::Error;
using core::Result;

Error invalid(std::string message) {
    return Error(Code::kInvalidArgument, std::move(message));
}

Error wrong(std::string where, std::string_view problem) {
    std::string message = fmt::format("{}: {}", where.empty() ? "the document" : where, problem);
    return invalid(std::move(message))
        .detail({.where = std::move(where),
                 .problem = std::string(problem),
                 .place = core::Detail::Place::kPointer});
}

bool is_name(std::string_view name) {
    return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
}

std::string_view type_name(FieldType type) {
    switch (type) {
        case FieldType::kText:
            return "a text";
        case FieldType::kInteger:
            return "a whole number";
        case FieldType::kNumber:
            return "a number";
        case FieldType::kBoolean:
            return "true or false";
        case FieldType::kObject:
            return "an object";
        case FieldType::kArray:
            return "an array";
    }
    return "nothing";
}

bool is_of(FieldType type, const json::value& value) {
    switch (type) {
        case FieldType::kText:
            return value.is_string();
        case FieldType::kInteger:
            return detail::as_integer(value).has_value();
        case FieldType::kNumber:
            return value.is_number();
        case FieldType::kBoolean:
            return value.is_bool();
        case FieldType::kObject:
            return value.is_object();
        case FieldType::kArray:
            return value.is_array();
    }
    return false;
}

/// Walks a document; stops at the first thing that cannot be stored.
class Walk {
  public:
    explicit Walk(std::size_t max_depth) : max_depth_(max_depth) {}

    Result<void> object(const json::object& object, const std::string& at,
                        std::size_t depth) const {
        if (depth > max_depth_)
            return wrong(at, fmt::format("nested deeper than {} levels", max_depth_));
        for (const json::key_value_pair& field : object) {
            if (!core::is_valid_utf8(field.key()))
                return wrong(at, "holds a key that is not valid UTF-8");
            ZONA_TRY_VOID(value(field.value(), core::pointer_to(at, field.key()), depth));
        }
        return {};
    }

  private:
    Result<void> value(const json::value& value, const std::string& at, std::size_t depth) const {
        switch (value.kind()) {
            case json::kind::string:
                if (!core::is_valid_utf8(value.get_string()))
                    return wrong(at, "is not valid UTF-8");
                return {};
            case json::kind::double_:
                if (!std::isfinite(value.get_double())) return wrong(at, "is not a finite number");
                return {};
            case json::kind::uint64:
                if (!detail::as_integer(value))
                    return wrong(at, "is larger than 9223372036854775807, the largest number here");
                return {};
            case json::kind::object:
                return object(value.get_object(), at, depth + 1);
            case json::kind::array: {
                if (depth + 1 > max_depth_)
                    return wrong(at, fmt::format("nested deeper than {} levels", max_depth_));
                std::size_t index = 0;
                for (const json::value& element : value.get_array()) {
                    ZONA_TRY_VOID(this->value(
                        element, core::pointer_to(at, fmt::format("{}", index++)), depth + 1));
                }
                return {};
            }
            default:
                return {};
        }
    }

    std::size_t max_depth_;
};

Result<void> check_field(const FieldSpec& field, const Document& document, Form form) {
    const json::value* value = detail::find(document, field.path);
    if (value == nullptr || value->is_null()) {
        if (field.presence == Presence::kRequired)
            return wrong(field.path.pointer(),
                         fmt::format("is missing: {}", type_name(field.type)));
        return {};
    }
    if (form == Form::kStored && field.protection == Protection::kEncrypted) {
        if (value->is_string() && value->get_string().starts_with(kSealedPrefix)) return {};
        return wrong(field.path.pointer(), "is secret, and is not stored without being sealed");
    }
    if (!is_of(field.type, *value)) {
        return wrong(
            field.path.pointer(),
            fmt::format("is {} where {} belongs", core::kind_name(*value), type_name(field.type)));
    }
    if (!field.allowed.empty() && value->is_string()) {
        const std::string text(value->get_string());
        if (std::ranges::find(field.allowed, text) == field.allowed.end()) {
            return wrong(field.path.pointer(),
                         fmt::format("must be one of {}{}", fmt::join(field.allowed, ", "),
                                     core::suggestion(text, field.allowed)));
        }
    }
    return {};
}

Result<void> check_indexed(const IndexSpec& index, const IndexField& field,
                           const Document& document) {
    const json::value* value = detail::find(document, field.path);
    if (value == nullptr || value->is_null()) {
        if (index.coverage == Coverage::kSparse) return {};
        return wrong(field.path.pointer(),
                     fmt::format("is missing: the index {} needs it", index.name));
    }
    if (!is_of(field.type, *value)) {
        return wrong(field.path.pointer(),
                     fmt::format("is {} where {} belongs: it is in the index {}",
                                 core::kind_name(*value), type_name(field.type), index.name));
    }
    if (value->is_string() && value->get_string().size() > kMaxIndexedBytes) {
        return wrong(field.path.pointer(),
                     fmt::format("is longer than {} bytes: it is in the index {}", kMaxIndexedBytes,
                                 index.name));
    }
    return {};
}

/// What is known of a declaration while it is checked.
struct Seen {
    std::set<std::string> indexes;
    std::map<std::string, FieldType> types;
    std::vector<Path> encrypted;
    std::map<std::string, std::string> spelling;  // of paths in indexes, by their lower case
};

/// Whether `path` is one of `others` or within it.
bool lies_in_any(const Path& path, const std::vector<Path>& others) {
    return std::ranges::any_of(others, [&path](const Path& other) { return path.is_in(other); });
}

Result<void> validate_encrypted(const CollectionSpec& spec, const std::vector<Path>& encrypted) {
    for (const FieldSpec& field : spec.fields) {
        for (const Path& other : encrypted) {
            if (field.path == other || !field.path.is_in(other)) continue;
            return invalid(fmt::format("collection {}: {} lies in {}, which is encrypted as one",
                                       spec.name, field.path.pointer(), other.pointer()));
        }
    }
    return {};
}

Result<void> validate_search(const CollectionSpec& spec, const std::vector<Path>& encrypted) {
    const auto refused = [&spec](const Path& path, std::string_view problem) {
        return invalid(
            fmt::format("collection {}, search: {} {}", spec.name, path.pointer(), problem));
    };
    if (spec.search.size() > kMaxSearchPaths)
        return invalid(
            fmt::format("collection {}, search: more than {} paths", spec.name, kMaxSearchPaths));
    for (auto at = spec.search.begin(); at != spec.search.end(); ++at) {
        const std::string path = at->pointer();
        if (at->keys().empty() || path.contains('\0') || !core::is_valid_utf8(path))
            return refused(*at, "is not one key of UTF-8 at least, without NUL");
        if (lies_in_any(*at, encrypted) ||
            std::ranges::any_of(encrypted, [at](const Path& other) { return other.is_in(*at); }))
            return refused(*at, "is encrypted or holds what is, and ciphertext has no words");
        if (std::any_of(spec.search.begin(), at,
                        [at](const Path& other) { return other.is_in(*at) || at->is_in(other); }))
            return refused(*at, "lies in another, or holds one");
    }
    for (const FieldSpec& field : spec.fields) {
        const bool has_texts = field.type == FieldType::kText || field.type == FieldType::kObject ||
                               field.type == FieldType::kArray;
        if (!has_texts && std::ranges::count(spec.search, field.path) > 0)
            return refused(field.path, fmt::format("is {}, and no text", type_name(field.type)));
    }
    return spec.search.empty() ? Result<void>() : detail::check_words();
}

Result<void> validate_index(const CollectionSpec& spec, const IndexSpec& index, Seen& seen) {
    const auto refused = [&](std::string_view problem) {
        return invalid(fmt::format("collection {}, index {}: {}", spec.name, index.name, problem));
    };
    const auto bad_field = [&](std::string_view path, std::string_view problem) {
        return refused(fmt::format("{} {}", path, problem));
    };
    if (!is_name(index.name)) return refused("the name is not 1 to 64 of [a-z0-9_]");
    if (!seen.indexes.insert(index.name).second) return refused("declared twice");
    if (index.fields.size() > kMaxIndexFields)
        return refused(fmt::format("more than {} fields", kMaxIndexFields));
    if (index.fields.empty() &&
        (index.uniqueness == Uniqueness::kUnique || index.coverage == Coverage::kSparse))
        return refused("without fields it is neither unique nor sparse");
    std::set<std::string> own;
    for (const IndexField& field : index.fields) {
        const std::string path = field.path.pointer();
        if (!own.insert(path).second) return bad_field(path, "stands in it twice");
        if (field.type == FieldType::kObject || field.type == FieldType::kArray)
            return bad_field(path, "is an object or array, which have no order");
        if (lies_in_any(field.path, seen.encrypted))
            return bad_field(path, "is encrypted, and its ciphertext has no order");
        const auto [at, fresh] = seen.types.emplace(path, field.type);
        if (at->second != field.type) return bad_field(path, "has two types");
        if (field.path.keys().empty() || path.contains('\0') || !core::is_valid_utf8(path))
            return refused("a path is one key of UTF-8 at least, without NUL");
        // Backends name columns by the path, and know names whatever their case.
        const auto [spelt, first] = seen.spelling.emplace(core::lower_ascii(path), path);
        if (spelt->second != path)
            return bad_field(path, fmt::format("and {} differ in case alone", spelt->second));
    }
    return {};
}

}  // namespace

Result<void> validate(const CollectionSpec& spec) {
    if (!is_name(spec.name))
        return invalid(
            fmt::format("collection {}: the name is not 1 to 64 of [a-z0-9_]", spec.name));
    if (spec.version < 1 || spec.migrations.size() != static_cast<std::size_t>(spec.version) - 1) {
        return invalid(
            fmt::format("collection {}: version {} needs one migration for each version "
                        "from 2 on",
                        spec.name, spec.version));
    }
    for (std::size_t i = 0; i < spec.migrations.size(); ++i) {
        if (spec.migrations[i].to_version != static_cast<int>(i) + 2 || !spec.migrations[i].change)
            return invalid(
                fmt::format("collection {}: its migrations are not in order", spec.name));
    }
    if (spec.indexes.size() > kMaxIndexes)
        return invalid(fmt::format("collection {}: more than {} indexes", spec.name, kMaxIndexes));
    Seen seen;
    for (const FieldSpec& field : spec.fields) {
        const std::string path = field.path.pointer();
        if (!seen.types.emplace(path, field.type).second)
            return invalid(fmt::format("collection {}: {} is declared twice", spec.name, path));
        if (field.protection == Protection::kEncrypted) seen.encrypted.push_back(field.path);
    }
    ZONA_TRY_VOID(validate_encrypted(spec, seen.encrypted));
    ZONA_TRY_VOID(validate_search(spec, seen.encrypted));
    for (const IndexSpec& index : spec.indexes)
        ZONA_TRY_VOID(validate_index(spec, index, seen));
    return {};
}

Result<std::string> detail::checked_text(const CollectionSpec& spec, const Document& document,
                                         Form form) {
    // The depth first: what writes the text recurses.
    ZONA_TRY_VOID(Walk(spec.limits.max_depth).object(document, "", 1));
    std::string text = to_text(document);
    if (text.size() > spec.limits.max_bytes.as_size()) {
        return Error(Code::kTooLarge,
                     fmt::format("a document of {} bytes: collection {} takes {}", text.size(),
                                 spec.name, core::format_size(spec.limits.max_bytes)));
    }
    for (const FieldSpec& field : spec.fields)
        ZONA_TRY_VOID(check_field(field, document, form));
    for (const IndexSpec& index : spec.indexes) {
        for (const IndexField& field : index.fields)
            ZONA_TRY_VOID(check_indexed(index, field, document));
    }
    const bool is_clear = form == Form::kClear || !has_encrypted_fields(spec);
    if (spec.check && is_clear) ZONA_TRY_VOID(spec.check(document));
    return text;
}

bool has_encrypted_fields(const CollectionSpec& spec) {
    return std::ranges::any_of(spec.fields, [](const FieldSpec& field) {
        return field.protection == Protection::kEncrypted;
    });
}

Result<void> check_document(const CollectionSpec& spec, const Document& document, Form form) {
    auto text = detail::checked_text(spec, document, form);
    if (!text.has_value()) return text.take_error();
    return {};
}

}  // namespace zona::store
