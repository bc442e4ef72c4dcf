#include "store/mongo/detail/stored.h"

#include <optional>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "store/detail/plan.h"
#include "store/mongo/detail/key.h"

namespace zona::store::mongo {

using core::Code;
using core::Error;
using core::Result;

namespace {

Error unreadable(const CollectionSpec& spec, std::string_view key, std::string_view problem) {
    return {Code::kInternal, fmt::format("{}: what is stored as {} {}: somebody else has written "
                                         "it; restore it from a backup",
                                         spec.name, key, problem)};
}

std::string_view text_of(const Field& field) {
    if (!BSON_ITER_HOLDS_UTF8(&field.at)) return {};
    std::uint32_t size = 0;
    const char* text = bson_iter_utf8(&field.at, &size);
    return {text, size};
}

std::int64_t integer_of(const Field& field) {
    return BSON_ITER_HOLDS_NUMBER(&field.at) ? bson_iter_as_int64(&field.at) : 0;
}

/// The fields of a document, which lasts as long: found in one pass, since looking for each begins
/// at the first.
struct Parts {
    std::string_view key;
    std::string_view tag;
    std::string_view scope;
    std::optional<Id> id;
    std::optional<Field> body;
    std::int64_t version = 0;
    std::int64_t created = 0;
    std::int64_t updated = 0;
    std::int64_t schema = 0;
    std::int64_t bytes = 0;
    bool gone = false;

    void take(const Field& field) {
        const std::string_view name(bson_iter_key(&field.at), bson_iter_key_len(&field.at));
        if (name == kIdField) key = text_of(field);
        if (name == kTagField) tag = text_of(field);
        if (name == kSchemaField) schema = integer_of(field);
        if (name == kBytesField) bytes = integer_of(field);
        if (name == kGoneField) gone = bson_iter_as_bool(&field.at);
        if (name == "o") scope = text_of(field);
        if (name == "v") version = integer_of(field);
        if (name == "c") created = integer_of(field);
        if (name == "u") updated = integer_of(field);
        if (name == "d") body = field;
        if (name != "i") return;
        if (BSON_ITER_HOLDS_UTF8(&field.at))
            id = std::string(text_of(field));
        else
            id = integer_of(field);
    }
};

Result<Scope> scope_of(std::string_view code) {
    if (code == Scope::core().code()) return Scope::core();
    return Scope::tenant(code);
}

}  // namespace

std::string key_field(const IndexSpec& index) {
    return "x." + index.name;
}

std::string stored_key(const Scope& scope, const Id& id) {
    if (const auto* number = std::get_if<std::int64_t>(&id))
        return fmt::format("{}/{}", scope.code(), *number);
    return fmt::format("{}/'{}", scope.code(), std::get<std::string>(id));
}

Bson stored_form(const CollectionSpec& spec, const std::string& key, const Record& record,
                 std::int64_t bytes, std::string_view tag) {
    Bson keys;
    for (const IndexSpec& index : spec.indexes) {
        if (const auto in =
                index_key(index, record.scope, *record.document, record.created, record.id))
            keys.put(index.name, *in);
    }
    Bson out;
    out.put(kIdField, key).put("o", record.scope.code()).put("i", record.id);
    out.put("v", record.version).put("c", microseconds(record.created));
    out.put("u", microseconds(record.updated)).put(kSchemaField, std::int64_t{spec.version});
    out.put(kTagField, tag).put("x", keys).put(kBytesField, bytes);
    out.put_document("d", *record.document);
    if (!spec.search.empty()) out.put(kWordsField, word_keys(spec, record.scope, *record.document));
    return out;
}

Bson tombstone(const std::string& key, std::string_view tag) {
    Bson out;
    out.put(kIdField, key).put(kTagField, tag).put(kGoneField, true);
    return out;
}

Result<Stored> read_stored(const CollectionSpec& spec, const bson_t* document) {
    Parts parts;
    Field field;
    for (bool good = bson_iter_init(&field.at, document); good && bson_iter_next(&field.at);)
        parts.take(field);
    if (parts.gone) {
        return Stored{.record = {.scope = Scope::core(), .id = 0},
                      .key = std::string(parts.key),
                      .tag = std::string(parts.tag),
                      .gone = true};
    }
    auto scope = scope_of(parts.scope);
    if (!scope.has_value()) return unreadable(spec, parts.key, "has no scope");
    if (!parts.id || !parts.body) return unreadable(spec, parts.key, "is not whole");
    auto read = document_of(parts.body->at);
    if (!read.has_value()) return unreadable(spec, parts.key, "is no document of ours");
    return Stored{.record = {.scope = *std::move(scope),
                             .id = *std::move(parts.id),
                             .version = parts.version,
                             .created = from_microseconds(parts.created),
                             .updated = from_microseconds(parts.updated),
                             .document = *std::move(read)},
                  .key = std::string(parts.key),
                  .tag = std::string(parts.tag),
                  .bytes = parts.bytes,
                  .schema = parts.schema};
}

}  // namespace zona::store::mongo
