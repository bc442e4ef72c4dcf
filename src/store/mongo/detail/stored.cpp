#include "store/mongo/detail/stored.h"

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
                 std::string_view tag) {
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
    out.put(kTagField, tag).put("x", keys).put_document("d", *record.document);
    if (!spec.search.empty()) out.put(kWordsField, word_keys(spec, record.scope, *record.document));
    return out;
}

Bson tombstone(const std::string& key, std::string_view tag) {
    Bson out;
    out.put(kIdField, key).put(kTagField, tag).put(kGoneField, true);
    return out;
}

Result<Stored> read_stored(const CollectionSpec& spec, const Bson& document) {
    std::string key(document.text(kIdField));
    std::string tag(document.text(kTagField));
    if (document.flag(kGoneField)) {
        return Stored{.record = {.scope = Scope::core(), .id = 0},
                      .key = std::move(key),
                      .tag = std::move(tag),
                      .gone = true};
    }
    auto scope = scope_of(document.text("o"));
    if (!scope.has_value()) return unreadable(spec, key, "has no scope");
    const auto id = document.find("i");
    const auto body = document.find("d");
    if (!id || !body) return unreadable(spec, key, "is not whole");
    auto read = document_of(body->at);
    if (!read.has_value()) return unreadable(spec, key, "is no document of ours");
    Record record{.scope = *std::move(scope),
                  .id = document.integer("i"),
                  .version = document.integer("v"),
                  .created = from_microseconds(document.integer("c")),
                  .updated = from_microseconds(document.integer("u")),
                  .document = *std::move(read)};
    if (BSON_ITER_HOLDS_UTF8(&id->at)) record.id = std::string(document.text("i"));
    return Stored{.record = std::move(record),
                  .key = std::move(key),
                  .tag = std::move(tag),
                  .schema = document.integer(kSchemaField)};
}

}  // namespace zona::store::mongo
