#include "store/mongo/detail/schema.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "core/fault.h"
#include "store/detail/encoding.h"
#include "store/mongo/detail/errors.h"
#include "store/mongo/detail/stored.h"

namespace zona::store::mongo {
namespace {

using core::Code;
using core::Error;
using core::Result;

constexpr std::int64_t kFormat = 1;
// The document about the database itself: no collection has such a name.
constexpr const char* kDatabase = ".";
// The index of words: no declared one has such a name.
constexpr const char* kWordsIndex = "search-words";
// NamespaceExists.
constexpr int kExists = 48;

Result<void> make_collection(Client& client, const std::string& name) {
    auto made = client.write(Bson().put("create", name));
    if (made.has_value() || client.failure().code == kExists) return {};
    return made.take_error();
}

/// Replaces the document with this id, or makes it.
Result<void> note(Client& client, const char* id, Bson document) {
    const Bson update =
        Bson().put("q", Bson().put(kIdField, id)).put("u", document).put("upsert", true);
    ZONA_TRY_VOID(success_of(client.update(kCollections, {update})));
    return {};
}

Result<void> prepare_database(Client& client) {
    ZONA_TRY_VOID(make_collection(client, kCollections));
    ZONA_TRY_VOID(make_collection(client, kOutbox));
    ZONA_TRY(const auto known, client.find_one(kCollections, Bson().put(kIdField, kDatabase)));
    if (known && known->integer("format") > kFormat) {
        return Error(Code::kConflict,
                     fmt::format("the database has format {}, and this zona knows {} at most: "
                                 "start the version that wrote it, or a newer one",
                                 known->integer("format"), kFormat));
    }
    if (known) return {};
    return note(client, kDatabase,
                Bson().put(kIdField, kDatabase).put("application", "zona").put("format", kFormat));
}

std::string signature_of(const CollectionSpec& spec) {
    std::string out;
    for (const IndexSpec& index : spec.indexes) {
        out += index.name;
        for (const IndexField& field : index.fields)
            out += fmt::format(" {}:{}", field.path.pointer(), static_cast<int>(field.type));
        out += fmt::format(" {}{}\n", index.uniqueness == Uniqueness::kUnique ? "unique" : "any",
                           index.coverage == Coverage::kSparse ? " sparse" : "");
    }
    if (!spec.search.empty()) out += "search in";
    for (const Path& path : spec.search)
        out += " " + path.pointer();
    out += "\nwith sizes";
    return out;
}

/// One collection, brought to its declaration.
class Preparation {
  public:
    Preparation(Client& client, const CollectionSpec& spec, Tags& tags, const core::Logger& log)
        : client_(client), spec_(spec), tags_(tags), log_(log), signature_(signature_of(spec)) {}

    Result<void> run() {
        ZONA_TRY_VOID(make_collection(client_, spec_.name));
        ZONA_TRY_VOID(begin());
        while (moving_) {
            ZONA_TRY_VOID(move_some());
            ZONA_FAULT("mongo.migrated_some");
        }
        ZONA_TRY_VOID(make_indexes());
        return note_all();
    }

  private:
    Result<void> begin() {
        ZONA_TRY(const auto known,
                 client_.find_one(kCollections, Bson().put(kIdField, spec_.name)));
        if (!known) return note_all();
        const std::int64_t newest =
            std::max(known->integer("version"), known->integer("target_version"));
        if (newest > spec_.version) {
            return Error(Code::kConflict,
                         fmt::format("collection {} holds documents of version {}, and this zona "
                                     "knows {} at most: start the version that wrote them, or a "
                                     "newer one",
                                     spec_.name, newest, spec_.version));
        }
        version_ = known->integer("version");
        indexes_ = known->text("indexes");
        const bool begun = known->find("target").has_value();
        moving_ = begun || version_ != spec_.version || indexes_ != signature_;
        if (!moving_) return {};
        if (known->integer("target_version") == spec_.version &&
            known->text("target") == signature_) {
            moved_ = known->text("moved");
            log_.info("a migration goes on", {{"collection", spec_.name}, {"document", moved_}});
            return {};
        }
        log_.info("a migration begins",
                  {{"collection", spec_.name}, {"to_version", std::int64_t{spec_.version}}});
        // Values may pass each other on the way; unique indexes are made of what comes out.
        ZONA_TRY_VOID(drop_indexes([](const Bson& there) { return !there.flag("unique"); }));
        return note_some();
    }

    Result<void> move_some() {
        Cursor cursor =
            client_.find(spec_.name, Bson().put(kIdField, Bson().put("$gt", moved_)),
                         Bson().put("sort", Bson().put(kIdField, 1)).put("limit", kMigrationBatch));
        std::vector<Bson> updates;
        int count = 0;
        for (;; ++count) {
            ZONA_TRY(const bson_t* const document, cursor.next());
            if (document == nullptr) break;
            const Bson stored(document);
            auto update = moved(stored);
            if (!update.has_value()) {
                ZONA_TRY_VOID(success_of(client_.update(spec_.name, updates)));
                ZONA_TRY_VOID(note_some());
                return stopped(update.take_error(), stored.text(kIdField));
            }
            if (*update) updates.push_back(**std::move(update));
            moved_ = stored.text(kIdField);
        }
        ZONA_TRY(const Counted done, client_.update(spec_.name, updates));
        if (done.matched != static_cast<std::int64_t>(updates.size())) {
            return Error(Code::kUnavailable,
                         fmt::format("others write to collection {} while it is migrated: stop "
                                     "them, or try again",
                                     spec_.name));
        }
        moving_ = count == kMigrationBatch;
        return note_some();
    }

    /// What makes it a document of the declaration; nothing for a tombstone.
    Result<std::optional<Bson>> moved(const Bson& document) {
        ZONA_TRY(Stored stored, read_stored(spec_, document.get()));
        if (stored.gone) return std::nullopt;
        Document changed = *stored.record.document;
        for (const Migration& migration : spec_.migrations) {
            if (migration.to_version > stored.schema) ZONA_TRY_VOID(migration.change(changed));
        }
        ZONA_TRY(const std::string text, detail::checked_text(spec_, changed));
        const auto bytes = static_cast<std::int64_t>(text.size());
        stored.record.document = std::make_shared<const Document>(std::move(changed));
        const Bson filter = Bson().put(kIdField, stored.key).put(kTagField, stored.tag);
        return Bson()
            .put("q", filter)
            .put("u", stored_form(spec_, stored.key, stored.record, bytes, tags_.next()));
    }

    /// The error of one document; what the server says stays what it is.
    Error stopped(Error error, std::string_view key) const {
        if (error.code() == Code::kInvalidArgument || error.code() == Code::kTooLarge)
            error = std::move(error).recode(Code::kConflict);
        return std::move(error).context(
            fmt::format("the migration of collection {} to version {} stops at document {}",
                        spec_.name, spec_.version, key));
    }

    Result<std::vector<Bson>> indexes_there() {
        auto reply = client_.read(Bson().put("listIndexes", spec_.name));
        if (!reply.has_value()) {
            if (says_not_found(client_.failure().code)) return std::vector<Bson>();
            return reply.take_error();
        }
        const Bson batch = reply->object("cursor").object("firstBatch");
        std::vector<Bson> out;
        bson_iter_t at;
        if (bson_iter_init(&at, batch.get())) {
            while (bson_iter_next(&at))
                out.push_back(batch.object({bson_iter_key(&at), bson_iter_key_len(&at)}));
        }
        return out;
    }

    template <class Keep>
    Result<void> drop_indexes(Keep keep) {
        ZONA_TRY(const std::vector<Bson> there, indexes_there());
        for (const Bson& index : there) {
            if (index.text("name") == "_id_" || keep(index)) continue;
            ZONA_TRY_VOID(success_of(client_.write(
                Bson().put("dropIndexes", spec_.name).put("index", index.text("name")))));
        }
        return {};
    }

    static bool is_of(const IndexSpec& spec, const Bson& there) {
        const Bson key = there.object("key");
        return there.text("name") == spec.name && key.find(key_field(spec)).has_value() &&
               there.flag("unique") == (spec.uniqueness == Uniqueness::kUnique);
    }

    Result<void> make_indexes() {
        const auto declared = [this](const Bson& there) {
            if (there.text("name") == kWordsIndex) return !spec_.search.empty();
            return std::ranges::any_of(
                spec_.indexes, [&there](const IndexSpec& index) { return is_of(index, there); });
        };
        ZONA_TRY_VOID(drop_indexes(declared));
        ZONA_TRY(const std::vector<Bson> there, indexes_there());
        for (const IndexSpec& index : spec_.indexes) {
            if (std::ranges::any_of(there, [&](const Bson& b) { return is_of(index, b); }))
                continue;
            ZONA_TRY_VOID(make_index(index));
        }
        const auto is_of_words = [](const Bson& b) { return b.text("name") == kWordsIndex; };
        if (spec_.search.empty() || std::ranges::any_of(there, is_of_words)) return {};
        return make_index(Bson().put("key", Bson().put(kWordsField, 1)).put("name", kWordsIndex),
                          kWordsIndex);
    }

    Result<void> make_index(const IndexSpec& index) {
        Bson wanted;
        wanted.put("key", Bson().put(key_field(index), 1)).put("name", index.name);
        if (index.uniqueness == Uniqueness::kUnique) wanted.put("unique", true);
        if (index.coverage == Coverage::kSparse) wanted.put("sparse", true);
        return make_index(wanted, index.name);
    }

    Result<void> make_index(const Bson& wanted, std::string_view name) {
        auto made = client_.write(
            Bson().put("createIndexes", spec_.name).put("indexes", std::vector<Bson>{wanted}));
        if (made.has_value()) return {};
        return made.take_error().context(
            fmt::format("collection {}: the index {} cannot be made", spec_.name, name));
    }

    Result<void> note_all() {
        return note(client_, spec_.name.c_str(),
                    Bson()
                        .put(kIdField, spec_.name)
                        .put("version", std::int64_t{spec_.version})
                        .put("indexes", signature_));
    }

    /// Writes down how far it is.
    Result<void> note_some() {
        return note(client_, spec_.name.c_str(),
                    Bson()
                        .put(kIdField, spec_.name)
                        .put("version", version_)
                        .put("indexes", indexes_)
                        .put("target_version", std::int64_t{spec_.version})
                        .put("target", signature_)
                        .put("moved", moved_));
    }

    Client& client_;
    const CollectionSpec& spec_;
    Tags& tags_;
    const core::Logger& log_;
    const std::string signature_;
    std::int64_t version_ = 0;
    std::string indexes_;
    bool moving_ = false;
    std::string moved_;  // documents up to here are done
};

}  // namespace

Result<void> prepare_schema(Client& client, const std::vector<const CollectionSpec*>& collections,
                            Tags& tags, const core::Logger& log) {
    ZONA_TRY_VOID(prepare_database(client));
    for (const CollectionSpec* spec : collections)
        ZONA_TRY_VOID(Preparation(client, *spec, tags, log).run());
    return {};
}

}  // namespace zona::store::mongo
