#include "tenancy/keys/sealed_fields.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "vault/field_sealer.h"

namespace zona::tenancy {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using store::Aggregation;
using store::Collection;
using store::Document;
using store::Expected;
using store::FieldSpec;
using store::Filter;
using store::Id;
using store::Path;
using store::Query;
using store::Reader;
using store::Record;
using store::Returned;
using store::Update;
using store::Writer;

namespace {

static_assert(vault::FieldSealer::kPrefix == store::kSealedPrefix);

/// Times that a change is tried when others change the same document: only where the backend has no
/// transactions does anybody come in between.
constexpr int kMostTries = 16;

bool is_flagged(const FieldSpec& field) {
    return field.protection == store::Protection::kEncrypted;
}

/// The field, nullptr when it is not there or null.
template <class Object>
auto find(Object& document, const Path& path) -> decltype(document.if_contains("")) {
    auto* object = &document;
    for (std::size_t i = 0; i + 1 < path.keys().size(); ++i) {
        auto* const next = object->if_contains(path.keys()[i]);
        object = next == nullptr ? nullptr : next->if_object();
        if (object == nullptr) return nullptr;
    }
    auto* const value = object->if_contains(path.keys().back());
    return value == nullptr || value->is_null() ? nullptr : value;
}

/// An id as it is bound into a sealed value: a number is not the text of its digits.
std::string bound_id(const Id& id) {
    if (const auto* number = std::get_if<std::int64_t>(&id)) return fmt::format("i{}", *number);
    return "t" + std::get<std::string>(id);
}

/// The flagged fields of one collection.
class Fields {
  public:
    Fields(const SealedFields& access, const Collection& collection)
        : access_(access), collection_(collection) {}

    bool none() const { return !store::has_encrypted_fields(collection_.spec()); }
    /// Whether an update can be left to the database, which knows no plain value.
    bool leaves_alone(const Update& update) const {
        return none() || (!collection_.spec().check && !any_of([&](const FieldSpec& field) {
                   return update.touches(field.path);
               }));
    }

    /// Errors: kInvalidArgument when the answer depends on what a flagged field holds.
    Result<void> check(const Filter& filter) const {
        using Kind = Filter::Kind;
        const Kind kind = filter.kind();
        if (kind == Kind::kEverything || none()) return {};
        if (kind == Kind::kAll || kind == Kind::kAny || kind == Kind::kNot) {
            for (const Filter& member : filter.members())
                ZONA_TRY_VOID(check(member));
            return {};
        }
        return check(filter.path(), kind == Kind::kExists ? Asked::kWhetherThere : Asked::kValue);
    }
    Result<void> check(const Aggregation& aggregation) const {
        ZONA_TRY_VOID(check(aggregation.filter));
        if (aggregation.group_by) ZONA_TRY_VOID(check(*aggregation.group_by, Asked::kValue));
        for (const store::Measure& measure : aggregation.measures) {
            if (measure.path) ZONA_TRY_VOID(check(*measure.path, Asked::kValue));
        }
        return {};
    }

    /// `plain` as it is to be stored. What `before`, as it was stored, holds already under the
    /// current key stays as it is.
    Result<Document> seal(const Id& id, const Document& plain, const Document* before) const {
        for (const FieldSpec& field : collection_.spec().fields) {
            const json::value* const value = is_flagged(field) ? find(plain, field.path) : nullptr;
            if (value != nullptr && value->is_string() && value->get_string() == kMask)
                return is_mask(field);
        }
        ZONA_TRY_VOID(check_document(collection_.spec(), plain, store::Form::kClear));
        Document out = plain;
        for (const FieldSpec& field : collection_.spec().fields) {
            json::value* const value = is_flagged(field) ? find(out, field.path) : nullptr;
            if (value == nullptr) continue;
            const auto* old = before == nullptr ? nullptr : find(*before, field.path);
            ZONA_TRY(*value, seal(id, field, *value, old));
        }
        return out;
    }

    /// What was stored, in clear.
    Result<Document> open(const Id& id, const Document& stored) const {
        Document out = stored;
        for (const FieldSpec& field : collection_.spec().fields) {
            json::value* const value = is_flagged(field) ? find(out, field.path) : nullptr;
            if (value == nullptr) continue;
            ZONA_TRY(*value, open(id, field, *value));
        }
        return out;
    }

    /// A record of the database as a reader is shown it.
    Result<Record> show(Record record) const {
        if (none()) return record;
        if (access_.secrets == Secrets::kShown) {
            ZONA_TRY(Document plain, open(record.id, *record.document));
            record.document = std::make_shared<const Document>(std::move(plain));
            return record;
        }
        Document masked = *record.document;
        for (const FieldSpec& field : collection_.spec().fields) {
            json::value* const value = is_flagged(field) ? find(masked, field.path) : nullptr;
            if (value != nullptr) *value = kMask;
        }
        record.document = std::make_shared<const Document>(std::move(masked));
        return record;
    }

    /// `document` sealed under the current key; none when it is already.
    Result<std::optional<Document>> reseal(const Record& record, Unsealed unsealed) const {
        ZONA_TRY(const vault::FieldSealer* const sealer, this->sealer());
        ZONA_TRY(const vault::KeyId current, sealer->current_key());
        std::optional<Document> out;
        for (const FieldSpec& field : collection_.spec().fields) {
            const json::value* const value =
                is_flagged(field) ? find(*record.document, field.path) : nullptr;
            if (value == nullptr || key_of(*value) == current) continue;
            if (!out) out = *record.document;
            const bool is_sealed = key_of(*value) || unsealed == Unsealed::kRefuse;
            auto text = is_sealed ? open_text(record.id, field, *value)
                                  : Result<core::Secret>(core::Secret(json::serialize(*value)));
            if (!text) return text.take_error();
            ZONA_TRY(*find(*out, field.path), seal_text(record.id, field, *text));
        }
        return out;
    }

    /// `record` as it is stored where `target` says how fields are sealed. Plain values live for no
    /// longer than it takes.
    Result<Document> pass_on(const Record& record, const Fields& target) const {
        Document out = *record.document;
        for (const FieldSpec& field : collection_.spec().fields) {
            json::value* const value = is_flagged(field) ? find(out, field.path) : nullptr;
            if (value == nullptr) continue;
            ZONA_TRY(const core::Secret text, open_text(record.id, field, *value));
            ZONA_TRY(*value, target.seal_text(record.id, field, text));
        }
        return out;
    }

    /// Errors: kUnsupported.
    Result<const vault::FieldSealer*> sealer() const {
        if (access_.sealer != nullptr) return access_.sealer.get();
        return Error(
            Code::kUnsupported,
            fmt::format("there are no keys for the secret fields of {}", collection_.name()));
    }

  private:
    enum class Asked : std::uint8_t { kValue, kWhetherThere };

    template <class Predicate>
    bool any_of(Predicate predicate) const {
        return std::ranges::any_of(collection_.spec().fields, [&](const FieldSpec& field) {
            return is_flagged(field) && predicate(field);
        });
    }

    Result<void> check(const Path& path, Asked asked) const {
        const bool depends = any_of([&](const FieldSpec& field) {
            if (asked == Asked::kWhetherThere) return path != field.path && path.is_in(field.path);
            return path.is_in(field.path) || field.path.is_in(path);
        });
        if (!depends) return {};
        return Error(Code::kInvalidArgument,
                     fmt::format("{}: is or holds a secret of {}, which is encrypted: it cannot be "
                                 "searched or measured by, only whether it is there",
                                 path.pointer(), collection_.name()));
    }

    static Error is_mask(const FieldSpec& field) {
        return Error(Code::kInvalidArgument,
                     fmt::format("{}: '{}' is what is shown in place of a secret; give the secret, "
                                 "or change the other fields alone",
                                 field.path.pointer(), kMask));
    }

    static std::optional<vault::KeyId> key_of(const json::value& value) {
        return value.is_string() ? vault::FieldSealer::key_of(value.get_string()) : std::nullopt;
    }

    template <class Use>
    auto at_place(const Id& id, const FieldSpec& field, Use use) const {
        const std::string document = bound_id(id);
        const std::string path = field.path.pointer();
        return use(vault::FieldPlace{
            .collection = collection_.name(), .document = document, .field = path});
    }

    Result<json::value> seal(const Id& id, const FieldSpec& field, const json::value& plain,
                             const json::value* before) const {
        ZONA_TRY(const vault::FieldSealer* const sealer, this->sealer());
        if (before != nullptr) {
            ZONA_TRY(const vault::KeyId current, sealer->current_key());
            if (key_of(*before) == current) {
                ZONA_TRY(const json::value old, open(id, field, *before));
                if (old == plain) return *before;
            }
        }
        return seal_text(id, field, core::Secret(json::serialize(plain)));
    }

    Result<json::value> seal_text(const Id& id, const FieldSpec& field,
                                  const core::Secret& text) const {
        ZONA_TRY(const vault::FieldSealer* const sealer, this->sealer());
        auto sealed = at_place(id, field, [&](const vault::FieldPlace& place) {
            return sealer->seal(place, text.reveal());
        });
        if (!sealed) return sealed.take_error();
        return json::value(*sealed);
    }

    /// The JSON of what was sealed.
    Result<core::Secret> open_text(const Id& id, const FieldSpec& field,
                                   const json::value& stored) const {
        ZONA_TRY(const vault::FieldSealer* const sealer, this->sealer());
        if (!stored.is_string() || !stored.get_string().starts_with(store::kSealedPrefix)) {
            return reported(
                id, field,
                Error(Code::kConflict,
                      fmt::format("the secret in field {} of {} {} is not sealed: it "
                                  "was written past zona's keys",
                                  field.path.pointer(), collection_.name(), store::to_string(id))));
        }
        auto plain = at_place(id, field, [&](const vault::FieldPlace& place) {
            return sealer->open(place, stored.get_string());
        });
        if (!plain) return reported(id, field, plain.take_error());
        return plain;
    }

    Result<json::value> open(const Id& id, const FieldSpec& field,
                             const json::value& stored) const {
        ZONA_TRY(const core::Secret plain, open_text(id, field, stored));
        Result<json::value> out = core::parse_written_json(plain.reveal());
        if (!out.has_value()) {
            return reported(
                id, field,
                Error(Code::kConflict,
                      fmt::format("the secret in field {} of {} {} is no JSON",
                                  field.path.pointer(), collection_.name(), store::to_string(id))));
        }
        return out;
    }

    Error reported(const Id& id, const FieldSpec& field, Error error) const {
        access_.log.report("a secret field cannot be read", error,
                           {{"tenant", collection_.scope().code()},
                            {"collection", collection_.name()},
                            {"id", store::to_string(id)},
                            {"field", field.path.pointer()}});
        return error;
    }

    const SealedFields& access_;
    const Collection& collection_;
};

template <class Base>
class OpeningReading : public Base {
  public:
    OpeningReading(Base& inner, const SealedFields& access) : inner_(inner), access_(access) {}

    Result<std::optional<Record>> find(const Collection& collection, const Id& id) override {
        return shown(collection, inner_.find(collection, id));
    }
    Result<std::optional<Record>> find_one(const Collection& collection,
                                           const Query& query) override {
        ZONA_TRY_VOID(Fields(access_, collection).check(query.filter));
        return shown(collection, inner_.find_one(collection, query));
    }
    Result<store::Page> find_page(const Collection& collection, const Query& query,
                                  const store::PageRequest& request) override {
        const Fields fields(access_, collection);
        ZONA_TRY_VOID(fields.check(query.filter));
        ZONA_TRY(store::Page page, inner_.find_page(collection, query, request));
        for (Record& record : page.records) {
            ZONA_TRY(record, fields.show(std::move(record)));
        }
        return page;
    }
    Result<std::uint64_t> count(const Collection& collection, const Query& query) override {
        ZONA_TRY_VOID(Fields(access_, collection).check(query.filter));
        return inner_.count(collection, query);
    }
    Result<store::StorageUse> storage_use(const store::Scope& scope) override {
        return inner_.storage_use(scope);
    }
    Result<std::vector<store::Group>> aggregate(const Collection& collection,
                                                const Aggregation& aggregation) override {
        ZONA_TRY_VOID(Fields(access_, collection).check(aggregation));
        return inner_.aggregate(collection, aggregation);
    }

  protected:
    Result<std::optional<Record>> shown(const Collection& collection,
                                        Result<std::optional<Record>> found) const {
        if (!found || !*found) return found;
        ZONA_TRY(Record record, Fields(access_, collection).show(**std::move(found)));
        return std::optional(std::move(record));
    }
    Result<Record> shown(const Collection& collection, Result<Record> record) const {
        if (!record) return record;
        return Fields(access_, collection).show(*std::move(record));
    }

    Base& inner_;
    const SealedFields& access_;
};

class SealingWriter final : public OpeningReading<Writer> {
  public:
    using OpeningReading<Writer>::OpeningReading;

    Result<Record> insert(const Collection& collection, const Id& id,
                          const Document& document) override {
        return sealed(collection, id, document, [&](const Document& stored) {
            return inner_.insert(collection, id, stored);
        });
    }
    Result<Record> upsert(const Collection& collection, const Id& id,
                          const Document& document) override {
        return sealed(collection, id, document, [&](const Document& stored) {
            return inner_.upsert(collection, id, stored);
        });
    }
    Result<Record> replace(const Collection& collection, const Id& id, const Document& document,
                           Expected expected) override {
        return sealed(collection, id, document, [&](const Document& stored) {
            return inner_.replace(collection, id, stored, expected);
        });
    }
    Result<Record> modify(const Collection& collection, const Id& id, const Update& update,
                          Expected expected) override {
        return shown(collection, change(collection, id, update, expected));
    }
    Result<std::optional<Record>> find_and_modify(const Collection& collection, const Query& query,
                                                  const Update& update,
                                                  Returned returned) override {
        const Fields fields(access_, collection);
        ZONA_TRY_VOID(fields.check(query.filter));
        if (fields.leaves_alone(update))
            return shown(collection, inner_.find_and_modify(collection, query, update, returned));
        for (int tries = 1;; ++tries) {
            ZONA_TRY(const std::optional<Record> found, inner_.find_one(collection, query));
            if (!found) return std::nullopt;
            Result<Record> changed = change_found(collection, *found, update);
            if (!changed && tries < kMostTries && moved_on(collection, *found)) continue;
            if (!changed) return changed.take_error();
            return shown(
                collection,
                std::optional(returned == Returned::kBefore ? *found : *std::move(changed)));
        }
    }
    Result<std::uint64_t> update_many(const Collection& collection, const Query& query,
                                      const Update& update) override {
        const Fields fields(access_, collection);
        ZONA_TRY_VOID(fields.check(query.filter));
        if (fields.leaves_alone(update)) return inner_.update_many(collection, query, update);
        // All ids first: the changes may move documents within the order of the query.
        ZONA_TRY(const std::vector<Id> ids, ids_of(collection, query));
        for (const Id& id : ids)
            ZONA_TRY_VOID(change(collection, id, update, {}));
        return ids.size();
    }
    Result<bool> remove(const Collection& collection, const Id& id, Expected expected) override {
        return inner_.remove(collection, id, expected);
    }
    Result<std::uint64_t> remove_many(const Collection& collection, const Query& query) override {
        ZONA_TRY_VOID(Fields(access_, collection).check(query.filter));
        return inner_.remove_many(collection, query);
    }

  private:
    /// Calls `store` with the document as it is to be stored.
    template <class Store>
    Result<Record> sealed(const Collection& collection, const Id& id, const Document& document,
                          Store store) const {
        const Fields fields(access_, collection);
        if (fields.none()) return store(document);
        ZONA_TRY(const Document stored, fields.seal(id, document, nullptr));
        return shown(collection, store(stored));
    }

    /// The changed record as it is stored.
    Result<Record> change(const Collection& collection, const Id& id, const Update& update,
                          Expected expected) {
        if (Fields(access_, collection).leaves_alone(update))
            return inner_.modify(collection, id, update, expected);
        for (int tries = 1;; ++tries) {
            ZONA_TRY(const std::optional<Record> found, inner_.find(collection, id));
            const bool is_other = found && expected && found->version != *expected;
            // Changes nothing: the refusal is the database's own.
            if (!found || is_other) return inner_.modify(collection, id, Update(), expected);
            Result<Record> changed = change_found(collection, *found, update);
            if (changed || expected || tries == kMostTries || !moved_on(collection, *found))
                return changed;
        }
    }

    Result<Record> change_found(const Collection& collection, const Record& found,
                                const Update& update) {
        const Fields fields(access_, collection);
        ZONA_TRY(Document plain, fields.open(found.id, *found.document));
        ZONA_TRY_VOID(update.apply(plain));
        ZONA_TRY(const Document stored, fields.seal(found.id, plain, found.document.get()));
        return inner_.replace(collection, found.id, stored, found.version);
    }

    /// Whether somebody else has changed it since.
    bool moved_on(const Collection& collection, const Record& found) {
        const auto now = inner_.find(collection, found.id);
        return now && (!*now || (*now)->version != found.version);
    }

    Result<std::vector<Id>> ids_of(const Collection& collection, const Query& query) {
        std::vector<Id> ids;
        store::PageRequest request{.limit = store::kMaxPageSize, .token = {}};
        do {
            ZONA_TRY(store::Page page, inner_.find_page(collection, query, request));
            for (Record& record : page.records)
                ids.push_back(std::move(record.id));
            if (ids.size() > kMaxSealedAtOnce) {
                return Error(Code::kTooLarge,
                             fmt::format("a change of secrets in more than {} documents of {} at "
                                         "once: change fewer at a time",
                                         kMaxSealedAtOnce, collection.name()));
            }
            request.token = std::move(page.next);
        } while (!request.token.empty());
        return ids;
    }
};

}  // namespace

std::unique_ptr<Reader> open_fields(Reader& reader, const SealedFields& fields) {
    return std::make_unique<OpeningReading<Reader>>(reader, fields);
}

std::unique_ptr<Writer> open_fields(Writer& writer, const SealedFields& fields) {
    return std::make_unique<SealingWriter>(writer, fields);
}

Result<Resealed> reseal_page(Writer& writer, const SealedFields& fields,
                             const Collection& collection, const store::PageRequest& request,
                             Unsealed unsealed) {
    const Fields flagged(fields, collection);
    if (flagged.none()) return Resealed();
    const Query all{.filter = {}, .sort = {}, .walk = store::Walk::kAllow};
    ZONA_TRY(store::Page page, writer.find_page(collection, all, request));
    Resealed out{.seen = page.records.size(), .changed = 0, .next = std::move(page.next)};
    for (const Record& record : page.records) {
        ZONA_TRY(const std::optional<Document> sealed, flagged.reseal(record, unsealed));
        if (!sealed) continue;
        ZONA_TRY_VOID(writer.replace(collection, record.id, *sealed, record.version));
        ++out.changed;
    }
    return out;
}

Result<Document> seal_for_another(const Collection& collection, const SealedFields& from,
                                  const Collection& target, const SealedFields& to,
                                  const Record& record) {
    return Fields(from, collection).pass_on(record, Fields(to, target));
}

}  // namespace zona::tenancy
