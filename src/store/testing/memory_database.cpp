#include "store/testing/memory_database.h"

#include <algorithm>
#include <functional>
#include <utility>

#include <boost/json/object.hpp>

#include "store/detail/compare.h"
#include "store/detail/encoding.h"
#include "store/detail/fold.h"
#include "store/detail/page_token.h"
#include "store/detail/plan.h"
#include "store/detail/refusals.h"

namespace zona::store {

using core::Result;

class MemoryDatabase::Work final : public Writer {
  public:
    Work(const MemoryDatabase& database, State& state) : database_(database), state_(state) {}

    Result<std::optional<Record>> find(const Collection& collection, const Id& id) override {
        ZONA_TRY_VOID(detail::check_declared(database_.collections_, collection));
        const auto found = state_.find(key(collection, id));
        if (found == state_.end()) return std::nullopt;
        ZONA_TRY_VOID(detail::check_owner(collection, found->second));
        return found->second;
    }

    Result<std::optional<Record>> find_one(const Collection& collection,
                                           const Query& query) override {
        ZONA_TRY(Page page, find_page(collection, query, {.limit = 1}));
        if (page.records.empty()) return std::nullopt;
        return page.records.front();
    }

    Result<Page> find_page(const Collection& collection, const Query& query,
                           const PageRequest& request) override {
        ZONA_TRY_VOID(detail::check_page(request));
        ZONA_TRY_VOID(detail::check_declared(database_.collections_, collection));
        ZONA_TRY(const detail::Plan plan,
                 detail::plan(collection.spec(), query, detail::Ordered::kYes));
        this->was_served_by(plan.index);
        detail::Place after;
        if (!request.token.empty()) {
            ZONA_TRY(after, detail::read_token(database_.key_, collection, query, request.token));
        }
        ZONA_TRY(std::vector<Record> records, matching(collection, query.filter));
        const bool forward = query.direction == Direction::kAscending;
        const auto before = [&](const detail::Place& a, const detail::Place& b) {
            return forward ? detail::compare_places(a, b) < 0 : detail::compare_places(b, a) < 0;
        };
        const auto place = [&](const Record& record) { return detail::place_of(plan, record); };
        std::ranges::sort(records, before, place);
        if (!after.empty())
            std::erase_if(records, [&](const Record& r) { return !before(after, place(r)); });
        Page page;
        const bool more = records.size() > request.limit;
        if (more) {
            records.erase(records.begin() + static_cast<std::ptrdiff_t>(request.limit),
                          records.end());
            page.next =
                detail::make_token(database_.key_, collection, query, place(records.back()));
        }
        page.records = std::move(records);
        return page;
    }

    Result<std::uint64_t> count(const Collection& collection, const Query& query) override {
        ZONA_TRY(const std::vector<Record> records, planned(collection, query));
        return records.size();
    }

    Result<std::vector<Group>> aggregate(const Collection& collection,
                                         const Aggregation& aggregation) override {
        ZONA_TRY_VOID(detail::check_declared(database_.collections_, collection));
        ZONA_TRY_VOID(detail::check_aggregation(collection.spec(), aggregation));
        ZONA_TRY(const std::vector<Record> records,
                 planned(collection, {.filter = aggregation.filter, .walk = aggregation.walk}));
        detail::Fold fold(aggregation);
        for (const Record& record : records)
            ZONA_TRY_VOID(fold.add(*record.document));
        return fold.finish();
    }

    Result<StorageUse> storage_use(const Scope& scope) override {
        std::uint64_t documents = 0;
        std::uint64_t text = 0;
        for (const auto& [key, record] : state_) {
            if (std::get<1>(key) != scope.code()) continue;
            const auto spec =
                std::ranges::find(database_.collections_, std::get<0>(key), &CollectionSpec::name);
            if (spec != database_.collections_.end() && !(*spec)->is_counted()) continue;
            ++documents;
            text += detail::to_text(*record.document).size();
        }
        return use_of(documents, text);
    }

    Result<Record> insert(const Collection& collection, const Id& id,
                          const Document& document) override {
        ZONA_TRY_VOID(detail::check_id(id));
        ZONA_TRY_VOID(check_document(collection.spec(), document));
        ZONA_TRY(const std::optional<Record> found, find(collection, id));
        if (found) return detail::exists_already(collection, id);
        const core::SystemTime now = this->now();
        return put(
            collection,
            {.scope = collection.scope(), .id = id, .version = 1, .created = now, .updated = now},
            document);
    }

    Result<Record> upsert(const Collection& collection, const Id& id,
                          const Document& document) override {
        ZONA_TRY_VOID(detail::check_id(id));
        ZONA_TRY(const std::optional<Record> found, find(collection, id));
        return found ? change(collection, *found, document) : insert(collection, id, document);
    }

    Result<void> restore(const Collection& collection, const Record& record) override {
        ZONA_TRY_VOID(detail::check_declared(database_.collections_, collection));
        ZONA_TRY_VOID(detail::check_restored(record));
        Record stored = record;
        stored.scope = collection.scope();
        ZONA_TRY_VOID(put(collection, std::move(stored), *record.document));
        return {};
    }

    Result<Record> replace(const Collection& collection, const Id& id, const Document& document,
                           Expected expected) override {
        ZONA_TRY(const std::optional<Record> found, find(collection, id));
        if (!found) return detail::not_there(collection, id);
        ZONA_TRY_VOID(detail::check_version(collection, *found, expected));
        return change(collection, *found, document);
    }

    Result<Record> modify(const Collection& collection, const Id& id, const Update& update,
                          Expected expected) override {
        ZONA_TRY(const std::optional<Record> found, find(collection, id));
        if (!found) return detail::not_there(collection, id);
        ZONA_TRY_VOID(detail::check_version(collection, *found, expected));
        return change(collection, *found, update);
    }

    Result<std::optional<Record>> find_and_modify(const Collection& collection, const Query& query,
                                                  const Update& update,
                                                  Returned returned) override {
        ZONA_TRY(const std::optional<Record> found, find_one(collection, query));
        if (!found) return std::nullopt;
        ZONA_TRY(const Record changed, change(collection, *found, update));
        return returned == Returned::kBefore ? *found : changed;
    }

    Result<std::uint64_t> update_many(const Collection& collection, const Query& query,
                                      const Update& update) override {
        ZONA_TRY(const std::vector<Record> records, planned(collection, query));
        State before = state_;
        for (const Record& record : records) {
            if (auto changed = change(collection, record, update); !changed.has_value()) {
                state_ = std::move(before);
                return changed.take_error();
            }
        }
        return records.size();
    }

    Result<bool> remove(const Collection& collection, const Id& id, Expected expected) override {
        ZONA_TRY(const std::optional<Record> found, find(collection, id));
        if (!found) return false;
        ZONA_TRY_VOID(detail::check_version(collection, *found, expected));
        state_.erase(key(collection, id));
        return true;
    }

    Result<std::uint64_t> remove_many(const Collection& collection, const Query& query) override {
        ZONA_TRY(const std::vector<Record> records, planned(collection, query));
        for (const Record& record : records)
            state_.erase(key(collection, record.id));
        return records.size();
    }

  private:
    static Key key(const Collection& collection, const Id& id) {
        return {collection.name(), collection.scope().code(), id};
    }

    core::SystemTime now() const {
        return detail::from_microseconds(detail::microseconds(database_.clock_.system()));
    }

    /// Every record of the scope that meets the filter, in the order of the ids.
    Result<std::vector<Record>> matching(const Collection& collection, const Filter& filter) const {
        std::vector<Record> out;
        for (const auto& [key, record] : state_) {
            if (std::get<0>(key) != collection.name() ||
                std::get<1>(key) != collection.scope().code() || !filter.matches(*record.document))
                continue;
            ZONA_TRY_VOID(detail::check_owner(collection, record));
            out.push_back(record);
        }
        return out;
    }

    Result<std::vector<Record>> planned(const Collection& collection, const Query& query) {
        ZONA_TRY_VOID(detail::check_declared(database_.collections_, collection));
        ZONA_TRY(const detail::Plan plan,
                 detail::plan(collection.spec(), query, detail::Ordered::kNo));
        this->was_served_by(plan.index);
        return matching(collection, query.filter);
    }

    Result<Record> change(const Collection& collection, const Record& found, const Update& update) {
        Document document = *found.document;
        ZONA_TRY_VOID(update.apply(document));
        return change(collection, found, document);
    }

    Result<Record> change(const Collection& collection, const Record& found,
                          const Document& document) {
        Record changed = found;
        ++changed.version;
        changed.updated = now();
        return put(collection, std::move(changed), document);
    }

    Result<Record> put(const Collection& collection, Record record, const Document& document) {
        ZONA_TRY_VOID(check_document(collection.spec(), document));
        for (const IndexSpec& index : collection.spec().indexes) {
            if (index.uniqueness == Uniqueness::kUnique &&
                taken(collection, index, record.id, document))
                return detail::not_unique(collection, index);
        }
        // As a file gives it back.
        ZONA_TRY(record.document, detail::from_text(detail::to_text(document)));
        state_.insert_or_assign(key(collection, record.id), record);
        return record;
    }

    bool taken(const Collection& collection, const IndexSpec& index, const Id& id,
               const Document& document) const {
        return std::ranges::any_of(state_, [&](const auto& entry) {
            const auto& [key, other] = entry;
            return std::get<0>(key) == collection.name() &&
                   std::get<1>(key) == collection.scope().code() && std::get<2>(key) != id &&
                   std::ranges::all_of(index.fields, [&](const IndexField& field) {
                       const auto* mine = detail::find(document, field.path);
                       const auto* theirs = detail::find(*other.document, field.path);
                       return mine != nullptr && theirs != nullptr && !mine->is_null() &&
                              detail::equal(*mine, *theirs);
                   });
        });
    }

    const MemoryDatabase& database_;
    State& state_;
};

void MemoryDatabase::submit_read(ReadWork work) {
    State state;
    {
        const std::lock_guard lock(mutex_);
        state = state_;
    }
    // Without the lock: who is answered may ask for more.
    Work reader(*this, state);
    work(&reader);
}

void MemoryDatabase::submit_write(WriteWork work, Callback<void> done) {
    Result<void> answer;
    {
        const std::lock_guard lock(mutex_);
        State before = state_;
        Work writer(*this, state_);
        answer = work(writer);
        if (!answer.has_value()) state_ = std::move(before);
        ++(answer.has_value() ? load_.committed : load_.failed);
        load_.commits = load_.committed;
    }
    done(std::move(answer));
}

DatabaseLoad MemoryDatabase::load() const {
    const std::lock_guard lock(mutex_);
    return load_;
}

void MemoryDatabase::plant(const Collection& where, const Record& record) {
    const std::lock_guard lock(mutex_);
    state_.insert_or_assign({where.name(), where.scope().code(), record.id}, record);
}

}  // namespace zona::store
