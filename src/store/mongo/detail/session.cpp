#include "store/mongo/detail/session.h"

#include <algorithm>
#include <utility>

#include <boost/json/object.hpp>

#include "store/detail/compare.h"
#include "store/detail/encoding.h"
#include "store/detail/fold.h"
#include "store/detail/page_token.h"
#include "store/detail/refusals.h"
#include "store/mongo/detail/key.h"
#include "store/mongo/detail/scan.h"

namespace zona::store::mongo {

using core::Code;
using core::Error;
using core::Result;

namespace {

bool nothing_can_match(const Plan& plan) {
    return plan.in && plan.in->empty();
}

/// What a session has changed of one collection and scope.
template <class Changes>
Overlay overlay_of(const Changes& changes, const Collection& collection) {
    Overlay out;
    for (const auto& [key, change] : changes) {
        if (change.spec != &collection.spec()) continue;
        out.hidden.insert(change.key);
        if (change.now && change.now->scope == collection.scope())
            out.records.push_back(*change.now);
    }
    return out;
}

/// As the server gives it back: whole numbers are of one type.
Result<std::shared_ptr<const Document>> as_stored(const Document& document) {
    Bson holder;
    holder.put_document("d", document);
    return document_of(holder.find("d")->at);
}

void put(Change& change, const Record& record, std::string_view text) {
    change.now = record;
    change.bytes = static_cast<std::int64_t>(text.size());
}

}  // namespace

Amount Change::amount() const {
    if (!spec->is_counted()) return {};
    const std::int64_t before = base_tag.empty() ? 0 : 1;
    const std::int64_t after = now ? 1 : 0;
    return {.documents = after - before, .bytes = bytes - base_bytes};
}

Bson stored_form(const Change& change, std::string_view tag) {
    return stored_form(*change.spec, change.key, *change.now, change.bytes, tag);
}

core::SystemTime Session::now() const {
    return from_microseconds(microseconds(setup_.clock->system()));
}

/// The server's transaction, with the first question.
Result<void> Session::begin() {
    if (!setup_.transactions || client_.in_transaction()) return {};
    if (use_ == Use::kRead && !setup_.primary_reads) return {};
    return noted(client_.begin());
}

template <class T>
Result<T> Session::noted(Result<T> result) {
    const Failure& failure = client_.failure();
    const bool curable =
        failure.kind == Failure::Kind::kTransient || failure.kind == Failure::Kind::kNetwork;
    if (!result.has_value() && curable && failure_.kind == Failure::Kind::kNone) failure_ = failure;
    return result;
}

/// The tag of what was seen first: if the server has another in the end, somebody was quicker.
void Session::note_base(const Collection& collection, const Stored& stored) {
    if (use_ == Use::kWrite && !stored.tag.empty())
        bases_.try_emplace({&collection.spec(), stored.key}, stored.tag, stored.bytes);
}

Result<std::optional<Record>> Session::next(Scan& scan, const Collection& collection) {
    ZONA_TRY(std::optional<Stored> stored, noted(scan.next()));
    if (!stored) return std::nullopt;
    note_base(collection, *stored);
    return std::move(stored->record);
}

Result<std::optional<Record>> Session::current(const Collection& collection, const Id& id) {
    const std::string key = stored_key(collection.scope(), id);
    const auto changed = changes_.find({&collection.spec(), key});
    if (changed != changes_.end()) return changed->second.now;
    ZONA_TRY_VOID(begin());
    ZONA_TRY(const std::optional<Bson> found,
             noted(client_.find_one(collection.name(), Bson().put(kIdField, key))));
    if (!found) return std::nullopt;
    ZONA_TRY(Stored stored, read_stored(collection.spec(), found->get()));
    if (stored.gone) return std::nullopt;
    ZONA_TRY_VOID(check_owner(collection, stored.record));
    note_base(collection, stored);
    return std::move(stored.record);
}

Result<std::optional<Record>> Session::find(const Collection& collection, const Id& id) {
    ZONA_TRY_VOID(check_declared(setup_.collections, collection));
    return current(collection, id);
}

Result<std::optional<Record>> Session::first(const Collection& collection, const Query& query) {
    ZONA_TRY_VOID(check_declared(setup_.collections, collection));
    ZONA_TRY(const Plan plan, detail::plan(collection.spec(), query, Ordered::kYes));
    was_served_by(plan.index);
    if (nothing_can_match(plan)) return std::nullopt;
    ZONA_TRY_VOID(begin());
    Scan scan(client_,
              {.collection = collection,
               .filter = query.filter,
               .plan = plan,
               .ordered = Ordered::kYes,
               .direction = query.direction,
               .wanted = 1},
              overlay_of(changes_, collection));
    for (std::size_t examined = 0; examined < setup_.max_examined; ++examined) {
        ZONA_TRY(std::optional<Record> record, next(scan, collection));
        if (!record) return std::nullopt;
        if (query.filter.matches(*record->document)) return record;
    }
    return too_many_examined(collection, setup_.max_examined);
}

Result<std::optional<Record>> Session::find_one(const Collection& collection, const Query& query) {
    return first(collection, query);
}

Result<Page> Session::find_page(const Collection& collection, const Query& query,
                                const PageRequest& request) {
    ZONA_TRY_VOID(check_page(request));
    ZONA_TRY_VOID(check_declared(setup_.collections, collection));
    ZONA_TRY(const Plan plan, detail::plan(collection.spec(), query, Ordered::kYes));
    was_served_by(plan.index);
    Place after;
    if (!request.token.empty()) {
        ZONA_TRY(after, read_token(setup_.page_token_key, collection, query, request.token));
    }
    Page page;
    if (nothing_can_match(plan)) return page;
    ZONA_TRY_VOID(begin());
    Scan scan(client_,
              {.collection = collection,
               .filter = query.filter,
               .plan = plan,
               .ordered = Ordered::kYes,
               .direction = query.direction,
               .after = after.empty() ? nullptr : &after,
               .wanted = request.limit + 1},
              overlay_of(changes_, collection));
    const auto go_on_behind = [&](const Record& record) {
        page.next = make_token(setup_.page_token_key, collection, query, place_of(plan, record));
    };
    std::optional<Record> skipped;  // the last one, unless it is in the page
    for (std::size_t examined = 0;; ++examined) {
        ZONA_TRY(std::optional<Record> record, next(scan, collection));
        if (!record) return page;
        if (examined == setup_.max_examined) {
            go_on_behind(skipped ? *skipped : page.records.back());
            return page;
        }
        const bool matches = query.filter.matches(*record->document);
        if (matches && page.records.size() == request.limit) {
            go_on_behind(page.records.back());
            return page;
        }
        if (matches) page.records.push_back(*std::exchange(record, std::nullopt));
        skipped = std::move(record);
    }
}

Result<void> Session::scan(const Collection& collection, const Filter& filter, const Plan& plan,
                           const Visit& visit) {
    if (nothing_can_match(plan)) return {};
    ZONA_TRY_VOID(begin());
    Scan scan(client_, {.collection = collection, .filter = filter, .plan = plan},
              overlay_of(changes_, collection));
    for (std::size_t examined = 0;; ++examined) {
        ZONA_TRY(std::optional<Record> record, next(scan, collection));
        if (!record) return {};
        if (examined == setup_.max_examined)
            return too_many_examined(collection, setup_.max_examined);
        if (!filter.matches(*record->document)) continue;
        ZONA_TRY(const bool go_on, visit(*std::move(record)));
        if (!go_on) return {};
    }
}

/// What the server counts by itself.
Result<std::uint64_t> Session::count_there(const Collection& collection, const Plan& plan) {
    ZONA_TRY_VOID(begin());
    std::uint64_t count = 0;
    const auto add = [&](const json::value* in) -> Result<void> {
        const KeyRange range = range_of(collection.scope(), plan, in);
        if (range.from >= range.to) return {};
        Cursor cursor = client_.aggregate(
            collection.name(),
            {Bson().put("$match", range_filter(*plan.index, range)), Bson().put("$count", "n")});
        ZONA_TRY(const bson_t* const answer, noted(cursor.next()));
        if (answer != nullptr) count += static_cast<std::uint64_t>(Bson(answer).integer("n"));
        return {};
    };
    if (!plan.in) ZONA_TRY_VOID(add(nullptr));
    for (std::size_t i = 0; plan.in && i < plan.in->size(); ++i)
        ZONA_TRY_VOID(add(&(*plan.in)[i]));
    return count;
}

Result<std::uint64_t> Session::count(const Collection& collection, const Query& query) {
    ZONA_TRY_VOID(check_declared(setup_.collections, collection));
    ZONA_TRY(const Plan plan, detail::plan(collection.spec(), query, Ordered::kNo));
    was_served_by(plan.index);
    if (plan.exact && changes_.empty()) return count_there(collection, plan);
    std::uint64_t count = 0;
    ZONA_TRY_VOID(scan(collection, query.filter, plan, [&count](const Record&) -> Result<bool> {
        ++count;
        return true;
    }));
    return count;
}

Result<std::vector<Group>> Session::aggregate(const Collection& collection,
                                              const Aggregation& aggregation) {
    ZONA_TRY_VOID(check_declared(setup_.collections, collection));
    ZONA_TRY_VOID(check_aggregation(collection.spec(), aggregation));
    const Query query{.filter = aggregation.filter, .walk = aggregation.walk};
    ZONA_TRY(const Plan plan, detail::plan(collection.spec(), query, Ordered::kNo));
    was_served_by(plan.index);
    Fold fold(aggregation);
    ZONA_TRY_VOID(scan(collection, query.filter, plan, [&fold](const Record& r) -> Result<bool> {
        ZONA_TRY_VOID(fold.add(*r.document));
        return true;
    }));
    return fold.finish();
}

Result<StorageUse> Session::storage_use(const Scope& scope) {
    ZONA_TRY(Amount sum, noted(sums_.of(client_, scope)));
    for (const auto& [place, change] : changes_) {
        if (change.scope == scope) sum += change.amount();
    }
    return use_of(static_cast<std::uint64_t>(std::max<std::int64_t>(sum.documents, 0)),
                  static_cast<std::uint64_t>(std::max<std::int64_t>(sum.bytes, 0)));
}

Result<bool> Session::is_taken(const Collection& collection, const IndexSpec& index,
                               const std::string& index_key, const std::string& key) {
    for (const auto& [place, change] : changes_) {
        if (change.spec != &collection.spec() || change.key == key || !change.now) continue;
        const Record& other = *change.now;
        if (mongo::index_key(index, other.scope, *other.document, other.created, other.id) ==
            index_key)
            return true;
    }
    if (care_ == Care::kAssumes) {
        assumed_ = true;
        return false;
    }
    ZONA_TRY_VOID(begin());
    ZONA_TRY(const std::optional<Bson> found,
             noted(client_.find_one(collection.name(), Bson().put(key_field(index), index_key))));
    if (!found) return false;
    const std::string other(found->text(kIdField));
    return other != key && !changes_.contains({&collection.spec(), other});
}

Result<void> Session::check_unique(const Collection& collection, const std::string& key,
                                   const Record& record, const Record* before) {
    for (const IndexSpec& index : collection.spec().indexes) {
        if (index.uniqueness != Uniqueness::kUnique) continue;
        const auto key_in = [&index](const Record& r) {
            return index_key(index, r.scope, *r.document, r.created, r.id);
        };
        const auto wanted = key_in(record);
        if (!wanted || (before != nullptr && key_in(*before) == wanted)) continue;
        ZONA_TRY(const bool taken, is_taken(collection, index, *wanted, key));
        if (taken) return not_unique(collection, index);
    }
    return {};
}

/// The change of a document that was read, begun now if there is none yet.
Change& Session::change_of(const Collection& collection, const Id& id) {
    const std::pair place(&collection.spec(), stored_key(collection.scope(), id));
    const auto [at, fresh] = changes_.try_emplace(place);
    if (fresh) {
        at->second = {.spec = place.first,
                      .key = place.second,
                      .scope = collection.scope(),
                      .order = changes_.size()};
        if (const auto base = bases_.find(place); base != bases_.end()) {
            at->second.base_tag = base->second.tag;
            at->second.base_bytes = base->second.bytes;
        }
    }
    return at->second;
}

void Session::erase(const Collection& collection, const Record& record) {
    Change& change = change_of(collection, record.id);
    // Nothing would tell that a document which was taken for new is there.
    if (change.base_tag.empty() && care_ == Care::kAssumes) must_ask_ = true;
    change.now.reset();
    change.bytes = 0;
}

Result<Record> Session::insert(const Collection& collection, const Id& id,
                               const Document& document) {
    ZONA_TRY_VOID(check_declared(setup_.collections, collection));
    ZONA_TRY_VOID(check_id(id));
    ZONA_TRY(const std::string text, detail::checked_text(collection.spec(), document));
    const std::string key = stored_key(collection.scope(), id);
    const std::pair place(&collection.spec(), key);
    if (care_ == Care::kAssumes && !changes_.contains(place) && !bases_.contains(place)) {
        assumed_ = true;
    } else {
        ZONA_TRY(const std::optional<Record> found, current(collection, id));
        if (found) return exists_already(collection, id);
    }
    const core::SystemTime now = this->now();
    ZONA_TRY(auto stored, as_stored(document));
    Record record{.scope = collection.scope(),
                  .id = id,
                  .version = 1,
                  .created = now,
                  .updated = now,
                  .document = std::move(stored)};
    ZONA_TRY_VOID(check_unique(collection, key, record, nullptr));
    put(change_of(collection, id), record, text);
    return record;
}

Result<Record> Session::change(const Collection& collection, Record found,
                               const Document& document) {
    ZONA_TRY(const std::string text, detail::checked_text(collection.spec(), document));
    Record changed = found;
    ++changed.version;
    changed.updated = now();
    ZONA_TRY(changed.document, as_stored(document));
    const std::string key = stored_key(collection.scope(), changed.id);
    ZONA_TRY_VOID(check_unique(collection, key, changed, &found));
    put(change_of(collection, changed.id), changed, text);
    return changed;
}

Result<Record> Session::change(const Collection& collection, const Record& found,
                               const Update& update) {
    Document document = *found.document;
    ZONA_TRY_VOID(update.apply(document));
    return change(collection, found, document);
}

Result<Record> Session::existing(const Collection& collection, const Id& id,
                                 const Expected& expected) {
    ZONA_TRY_VOID(check_declared(setup_.collections, collection));
    ZONA_TRY(std::optional<Record> found, current(collection, id));
    if (!found) return not_there(collection, id);
    ZONA_TRY_VOID(check_version(collection, *found, expected));
    return *std::move(found);
}

Result<Record> Session::upsert(const Collection& collection, const Id& id,
                               const Document& document) {
    ZONA_TRY_VOID(check_declared(setup_.collections, collection));
    ZONA_TRY_VOID(check_id(id));
    ZONA_TRY(std::optional<Record> found, current(collection, id));
    return found ? change(collection, *std::move(found), document)
                 : insert(collection, id, document);
}

Result<Record> Session::replace(const Collection& collection, const Id& id,
                                const Document& document, Expected expected) {
    ZONA_TRY(Record found, existing(collection, id, expected));
    return change(collection, std::move(found), document);
}

Result<void> Session::restore(const Collection& collection, const Record& record) {
    ZONA_TRY_VOID(check_declared(setup_.collections, collection));
    ZONA_TRY_VOID(check_restored(record));
    ZONA_TRY_VOID(check_id(record.id));
    ZONA_TRY(const std::string text, detail::checked_text(collection.spec(), *record.document));
    ZONA_TRY(const std::optional<Record> found, current(collection, record.id));
    ZONA_TRY(auto stored, as_stored(*record.document));
    const Record restored{.scope = collection.scope(),
                          .id = record.id,
                          .version = record.version,
                          .created = record.created,
                          .updated = record.updated,
                          .document = std::move(stored)};
    const std::string key = stored_key(collection.scope(), record.id);
    ZONA_TRY_VOID(check_unique(collection, key, restored, found ? &*found : nullptr));
    put(change_of(collection, record.id), restored, text);
    return {};
}

Result<Record> Session::modify(const Collection& collection, const Id& id, const Update& update,
                               Expected expected) {
    ZONA_TRY(const Record found, existing(collection, id, expected));
    return change(collection, found, update);
}

Result<std::optional<Record>> Session::find_and_modify(const Collection& collection,
                                                       const Query& query, const Update& update,
                                                       Returned returned) {
    ZONA_TRY(const std::optional<Record> before, first(collection, query));
    if (!before) return std::nullopt;
    ZONA_TRY(Record after, change(collection, *before, update));
    if (returned == Returned::kBefore) return before;
    return after;
}

Result<std::vector<Record>> Session::all_of(const Collection& collection, const Query& query) {
    ZONA_TRY_VOID(check_declared(setup_.collections, collection));
    ZONA_TRY(const Plan plan, detail::plan(collection.spec(), query, Ordered::kNo));
    was_served_by(plan.index);
    std::vector<Record> records;
    ZONA_TRY_VOID(scan(collection, query.filter, plan, [&records](Record r) -> Result<bool> {
        records.push_back(std::move(r));
        return true;
    }));
    return records;
}

/// All or none of them.
Result<void> Session::for_all(const std::vector<Record>& records,
                              const std::function<Result<void>(const Record&)>& change) {
    Changes before = changes_;
    for (const Record& record : records) {
        auto changed = change(record);
        if (changed.has_value()) continue;
        changes_ = std::move(before);
        return changed;
    }
    return {};
}

Result<std::uint64_t> Session::update_many(const Collection& collection, const Query& query,
                                           const Update& update) {
    ZONA_TRY(const std::vector<Record> records, all_of(collection, query));
    ZONA_TRY_VOID(for_all(records, [&](const Record& record) -> Result<void> {
        ZONA_TRY(const Record changed, change(collection, record, update));
        return {};
    }));
    return records.size();
}

Result<bool> Session::remove(const Collection& collection, const Id& id, Expected expected) {
    ZONA_TRY_VOID(check_declared(setup_.collections, collection));
    ZONA_TRY(const std::optional<Record> found, current(collection, id));
    if (!found) return false;
    ZONA_TRY_VOID(check_version(collection, *found, expected));
    erase(collection, *found);
    return true;
}

Result<std::uint64_t> Session::remove_many(const Collection& collection, const Query& query) {
    ZONA_TRY(const std::vector<Record> records, all_of(collection, query));
    ZONA_TRY_VOID(for_all(records, [&](const Record& record) -> Result<void> {
        erase(collection, record);
        return {};
    }));
    return records.size();
}

std::vector<Change> Session::take_changes() {
    std::vector<Change> out;
    for (auto& [key, change] : changes_) {
        if (!change.base_tag.empty() || change.now) out.push_back(std::move(change));
    }
    changes_.clear();
    std::ranges::sort(out, {}, &Change::order);
    return out;
}

}  // namespace zona::store::mongo
