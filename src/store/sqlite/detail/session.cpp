#include "store/sqlite/detail/session.h"

#include <algorithm>
#include <utility>

#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "store/detail/compare.h"
#include "store/detail/encoding.h"
#include "store/detail/fold.h"
#include "store/detail/page_token.h"
#include "store/detail/plan.h"
#include "store/detail/refusals.h"

namespace zona::store::detail {

using core::Code;
using core::Error;
using core::Result;

namespace {

void bind_bounds(Statement& statement, const Collection& collection, const Plan& plan, bool lower,
                 bool upper) {
    statement.bind(std::string_view(collection.scope().code()));
    for (const json::value& value : plan.equal)
        statement.bind_value(&value);
    if (lower && plan.lower && !plan.order.empty()) statement.bind_value(&plan.lower->value);
    if (upper && plan.upper && !plan.order.empty()) statement.bind_value(&plan.upper->value);
}

/// The parameters of Layout::select().
void bind_select(Statement& statement, const Collection& collection, const Plan& plan,
                 Direction direction, const Place& after) {
    const bool forward = direction == Direction::kAscending;
    const std::size_t parts = plan.in ? plan.in->size() : 1;
    for (std::size_t i = 0; i < parts; ++i) {
        bind_bounds(statement, collection, plan, after.empty() || !forward,
                    after.empty() || forward);
        if (plan.in) statement.bind_value(&(*plan.in)[i]);
        for (const json::value& value : after)
            statement.bind_value(&value);
    }
}

/// Those of Layout::select_unordered().
void bind_unordered(Statement& statement, const Collection& collection, const Plan& plan) {
    bind_bounds(statement, collection, plan, true, true);
    if (!plan.in) return;
    for (const json::value& value : *plan.in)
        statement.bind_value(&value);
}

/// Documents that are found by their words and sorted by what they hold; of more of them so many
/// are met on the way through the order that this is quicker.
constexpr std::size_t kFewFound = 2000;

/// The value of a column, as the document has it.
json::value value_of(const Statement& statement, int at, FieldType type) {
    if (statement.is_null(at)) return {};
    if (type == FieldType::kText) return json::value(statement.text(at));
    if (type == FieldType::kBoolean) return statement.integer(at) != 0;
    return statement.integer(at);
}

/// The rows of Layout::select_groups().
Result<void> add_groups(Statement& statement, const Layout& layout, const Aggregation& aggregation,
                        Fold& fold) {
    while (true) {
        ZONA_TRY(const bool row, statement.step());
        const auto number = [&statement](int at) { return statement.integer(at); };
        // Without groups there is a row of nothing, too.
        if (!row || number(1) == 0) return {};
        json::value key;
        if (aggregation.group_by)
            key = value_of(statement, 0, layout.column(*aggregation.group_by)->type);
        std::vector<Fold::Whole> measures;
        int at = 2;
        for (const Measure& measure : aggregation.measures) {
            if (measure.kind == Measure::Kind::kCount) {
                measures.push_back({.count = static_cast<std::uint64_t>(number(1))});
                continue;
            }
            measures.push_back({.count = static_cast<std::uint64_t>(number(at)),
                                .sum = Layout::sum_of_halves(number(at + 1), number(at + 2)),
                                .least = number(at + 3),
                                .most = number(at + 4)});
            at += 5;
        }
        ZONA_TRY_VOID(fold.add(key, measures));
    }
}

bool nothing_can_match(const Plan& plan) {
    return plan.in && plan.in->empty();
}

}  // namespace

const Layout& Session::layout(const Collection& collection) const {
    return setup_.layouts.at(&collection.spec());
}

core::SystemTime Session::now() const {
    return from_microseconds(microseconds(setup_.clock->system()));
}

Result<Session::Row> Session::read_row(const Collection& collection,
                                       const Statement& statement) const {
    const Id id = statement.id(1);
    if (const std::string_view owner = statement.text(6); owner != collection.scope().code()) {
        setup_.log.error("a stored document of another scope came back, and was refused",
                         {{"collection", collection.name()},
                          {"scope", collection.scope().code()},
                          {"owner", owner},
                          {"id", to_string(id)}});
        return Error(Code::kForbidden,
                     fmt::format("a document of {} belongs to another scope than the one it was "
                                 "asked for in",
                                 collection.name()));
    }
    auto document = from_text(statement.text(7));
    if (!document.has_value()) {
        return document.take_error().context(
            fmt::format("{} {}", collection.name(), to_string(id)));
    }
    return Row{.k = statement.integer(0),
               .record = {.scope = collection.scope(),
                          .id = id,
                          .version = statement.integer(4),
                          .created = from_microseconds(statement.integer(2)),
                          .updated = from_microseconds(statement.integer(3)),
                          .document = *std::move(document)},
               .bytes = static_cast<std::int64_t>(statement.text(7).size())};
}

Result<std::optional<Session::Row>> Session::find_row(const Collection& collection, const Id& id) {
    ZONA_TRY_VOID(check_declared(setup_.collections, collection));
    ZONA_TRY(Statement statement, connection_.prepare(layout(collection).find()));
    statement.bind(std::string_view(collection.scope().code())).bind(id);
    ZONA_TRY(const bool found, statement.step());
    if (!found) return std::nullopt;
    ZONA_TRY(Row row, read_row(collection, statement));
    return row;
}

Result<std::optional<Record>> Session::find(const Collection& collection, const Id& id) {
    ZONA_TRY(std::optional<Row> row, find_row(collection, id));
    if (!row) return std::nullopt;
    return std::move(row->record);
}

Result<std::optional<Session::Row>> Session::first(const Collection& collection,
                                                   const Query& query) {
    ZONA_TRY_VOID(check_declared(setup_.collections, collection));
    ZONA_TRY(const Plan plan, detail::plan(collection.spec(), query, Ordered::kYes));
    was_served_by(plan.index);
    if (nothing_can_match(plan)) return std::nullopt;
    ZONA_TRY(const auto rows, by_words(collection, plan, kFewFound));
    if (rows) {
        ZONA_TRY(const std::vector<Found> found, sorted(collection, query, plan, *rows, {}));
        if (found.empty()) return std::nullopt;
        return row_at(collection, found.front().k);
    }
    const std::string sql = layout(collection).select(plan, query.direction, false);
    ZONA_TRY(Statement statement, connection_.prepare(sql));
    bind_select(statement, collection, plan, query.direction, {});
    for (std::size_t examined = 0; examined < setup_.max_examined; ++examined) {
        ZONA_TRY(const bool found, statement.step());
        if (!found) return std::nullopt;
        ZONA_TRY(Row row, read_row(collection, statement));
        if (plan.exact || query.filter.matches(*row.record.document)) return row;
    }
    return too_many_examined(collection, setup_.max_examined);
}

Result<std::optional<Record>> Session::find_one(const Collection& collection, const Query& query) {
    ZONA_TRY(std::optional<Row> row, first(collection, query));
    if (!row) return std::nullopt;
    return std::move(row->record);
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
    ZONA_TRY(const auto rows, by_words(collection, plan, kFewFound));
    if (rows) {
        ZONA_TRY(const std::vector<Found> found, sorted(collection, query, plan, *rows, after));
        for (std::size_t i = 0; i < std::min(found.size(), request.limit); ++i) {
            ZONA_TRY(std::optional<Row> row, row_at(collection, found[i].k));
            if (row) page.records.push_back(std::move(row->record));
        }
        if (found.size() > request.limit) {
            page.next = make_token(setup_.page_token_key, collection, query,
                                   found[request.limit - 1].place);
        }
        return page;
    }
    const std::string sql = layout(collection).select(plan, query.direction, !after.empty());
    ZONA_TRY(Statement statement, connection_.prepare(sql));
    bind_select(statement, collection, plan, query.direction, after);
    const auto go_on_behind = [&](const Record& record) {
        page.next = make_token(setup_.page_token_key, collection, query, place_of(plan, record));
    };
    std::optional<Record> last;
    for (std::size_t examined = 0;; ++examined) {
        ZONA_TRY(const bool found, statement.step());
        if (!found) return page;
        if (examined == setup_.max_examined) {
            go_on_behind(*last);
            return page;
        }
        ZONA_TRY(Row row, read_row(collection, statement));
        const bool matches = plan.exact || query.filter.matches(*row.record.document);
        if (matches && page.records.size() == request.limit) {
            go_on_behind(page.records.back());
            return page;
        }
        if (matches) page.records.push_back(row.record);
        last = std::move(row.record);
    }
}

/// Rows that may meet the plan, by their words; nothing: they are to be found by its index.
Result<std::optional<std::vector<std::int64_t>>> Session::by_words(const Collection& collection,
                                                                   const Plan& plan,
                                                                   std::size_t most) {
    if (plan.words.empty()) return std::nullopt;
    return words_.rows(layout(collection), collection.scope(), plan.words, most);
}

Result<std::optional<Session::Row>> Session::row_at(const Collection& collection, std::int64_t k) {
    ZONA_TRY(Statement statement, connection_.prepare(layout(collection).find_row()));
    statement.bind(k);
    ZONA_TRY(const bool found, statement.step());
    if (!found) return std::nullopt;
    ZONA_TRY(Row row, read_row(collection, statement));
    return row;
}

Result<void> Session::visit_rows(const Collection& collection, const Filter& filter,
                                 const std::vector<std::int64_t>& rows, const Visit& visit) {
    for (const std::int64_t k : rows) {
        ZONA_TRY(std::optional<Row> row, row_at(collection, k));
        if (!row || !filter.matches(*row->record.document)) continue;
        ZONA_TRY(const bool go_on, visit(*std::move(row)));
        if (!go_on) return {};
    }
    return {};
}

/// Those of the rows that meet the query and stand behind `after`. Without their documents, which
/// may be large.
Result<std::vector<Session::Found>> Session::sorted(const Collection& collection,
                                                    const Query& query, const Plan& plan,
                                                    const std::vector<std::int64_t>& rows,
                                                    const Place& after) {
    const bool forward = query.direction == Direction::kAscending;
    const auto before = [forward](const Place& a, const Place& b) {
        return forward ? compare_places(a, b) < 0 : compare_places(b, a) < 0;
    };
    std::vector<Found> out;
    const auto add = [&](const Row& row) -> Result<bool> {
        Place place = place_of(plan, row.record);
        if (after.empty() || before(after, place))
            out.push_back({.place = std::move(place), .k = row.k});
        return true;
    };
    ZONA_TRY_VOID(visit_rows(collection, query.filter, rows, add));
    std::ranges::sort(out, before, &Found::place);
    return out;
}

Result<void> Session::scan(const Collection& collection, const Filter& filter, const Plan& plan,
                           const Visit& visit) {
    if (nothing_can_match(plan)) return {};
    // In no order nothing else is quicker than the words, unless the index is bound.
    const std::size_t most = is_walk(plan) ? setup_.max_examined : kFewFound;
    ZONA_TRY(const auto rows, by_words(collection, plan, std::min(most, setup_.max_examined)));
    if (rows) return visit_rows(collection, filter, *rows, visit);
    const std::string sql = layout(collection).select_unordered(plan, Layout::row_columns());
    ZONA_TRY(Statement statement, connection_.prepare(sql));
    bind_unordered(statement, collection, plan);
    for (std::size_t examined = 0;; ++examined) {
        ZONA_TRY(const bool found, statement.step());
        if (!found) return {};
        if (examined == setup_.max_examined)
            return too_many_examined(collection, setup_.max_examined);
        ZONA_TRY(Row row, read_row(collection, statement));
        if (!plan.exact && !filter.matches(*row.record.document)) continue;
        ZONA_TRY(const bool go_on, visit(std::move(row)));
        if (!go_on) return {};
    }
}

/// Then documents are looked at one by one, and the first that is another's is refused.
Result<bool> Session::finds_foreign(const Collection& collection) {
    ZONA_TRY(Statement statement, connection_.prepare(layout(collection).find_foreign()));
    statement.bind(std::string_view(collection.scope().code()));
    return statement.step();
}

Result<std::uint64_t> Session::count(const Collection& collection, const Query& query) {
    ZONA_TRY_VOID(check_declared(setup_.collections, collection));
    ZONA_TRY(const Plan plan, detail::plan(collection.spec(), query, Ordered::kNo));
    was_served_by(plan.index);
    if (nothing_can_match(plan)) return 0;
    std::uint64_t count = 0;
    if (!plan.exact) {
        ZONA_TRY_VOID(scan(collection, query.filter, plan, [&count](const Row&) -> Result<bool> {
            ++count;
            return true;
        }));
        return count;
    }
    const std::string sql = layout(collection).select_unordered(plan, "COUNT(*)");
    ZONA_TRY(Statement statement, connection_.prepare(sql));
    bind_unordered(statement, collection, plan);
    ZONA_TRY(const bool row, statement.step());
    return row ? static_cast<std::uint64_t>(statement.integer(0)) : 0;
}

Result<std::vector<Group>> Session::aggregate(const Collection& collection,
                                              const Aggregation& aggregation) {
    ZONA_TRY_VOID(check_declared(setup_.collections, collection));
    ZONA_TRY_VOID(check_aggregation(collection.spec(), aggregation));
    const Query query{.filter = aggregation.filter, .walk = aggregation.walk};
    ZONA_TRY(const Plan plan, detail::plan(collection.spec(), query, Ordered::kNo));
    was_served_by(plan.index);
    Fold fold(aggregation);
    if (nothing_can_match(plan)) return fold.finish();
    const Plan covered = layout(collection).plan_for_groups(plan, aggregation);
    const auto sql = layout(collection).select_groups(covered, aggregation);
    bool foreign = false;
    if (sql) {
        ZONA_TRY(foreign, finds_foreign(collection));
    }
    if (sql && !foreign) {
        was_served_by(covered.index);
        ZONA_TRY(Statement statement, connection_.prepare(*sql));
        bind_unordered(statement, collection, covered);
        ZONA_TRY_VOID(add_groups(statement, layout(collection), aggregation, fold));
        return fold.finish();
    }
    ZONA_TRY_VOID(scan(collection, query.filter, plan, [&fold](const Row& row) -> Result<bool> {
        ZONA_TRY_VOID(fold.add(*row.record.document));
        return true;
    }));
    return fold.finish();
}

void Session::go_back(const Mark& mark) {
    ledger_.go_back(mark.ledger);
    words_.go_back(mark.words);
}

Result<void> Session::write_notes() {
    ZONA_TRY_VOID(ledger_.write());
    return words_.write();
}

Error Session::refused(const Collection& collection, const Id& id, Error error, int code) const {
    if (code != SQLITE_CONSTRAINT_UNIQUE) return error;
    // "UNIQUE constraint failed: c_tasks.scope, c_tasks./email", the columns of the index.
    const std::string table = layout(collection).plain_table();
    const std::string_view said = connection_.message();
    if (said.ends_with(fmt::format(": {0}.scope, {0}.id", table)))
        return exists_already(collection, id);
    for (const IndexSpec& index : collection.spec().indexes) {
        std::string columns = fmt::format(": {}.scope", table);
        for (const IndexField& field : index.fields)
            columns += fmt::format(", {}.{}", table, field.path.pointer());
        if (index.uniqueness == Uniqueness::kUnique && said.ends_with(columns))
            return not_unique(collection, index);
    }
    return error;
}

Result<Record> Session::insert(const Collection& collection, const Id& id,
                               const Document& document) {
    ZONA_TRY_VOID(check_declared(setup_.collections, collection));
    ZONA_TRY_VOID(check_id(id));
    ZONA_TRY(const std::string body, checked_text(collection.spec(), document));
    const core::SystemTime now = this->now();
    Record record{.scope = collection.scope(),
                  .id = id,
                  .version = 1,
                  .created = now,
                  .updated = now,
                  .document = std::make_shared<const Document>(document)};
    ZONA_TRY_VOID(add(collection, record, body));
    return record;
}

Result<void> Session::add(const Collection& collection, const Record& record,
                          std::string_view body) {
    const Layout& layout = this->layout(collection);
    const std::string_view scope = collection.scope().code();
    ZONA_TRY(Statement statement, connection_.prepare(layout.insert()));
    statement.bind(scope).bind(record.id);
    statement.bind(microseconds(record.created)).bind(microseconds(record.updated));
    statement.bind(record.version).bind(std::int64_t{collection.spec().version});
    for (const IndexField& field : layout.columns())
        statement.bind_value(detail::find(*record.document, field.path));
    statement.bind(scope).bind(body);
    if (auto done = statement.run(); !done.has_value())
        return refused(collection, record.id, done.take_error(), statement.code());
    if (collection.spec().is_counted())
        ledger_.note(collection.scope(), 1, static_cast<std::int64_t>(body.size()));
    return words_.note(layout, collection.scope(), sqlite3_last_insert_rowid(connection_.get()),
                       nullptr, record.document.get());
}

Result<void> Session::restore(const Collection& collection, const Record& record) {
    ZONA_TRY_VOID(check_declared(setup_.collections, collection));
    ZONA_TRY_VOID(check_restored(record));
    ZONA_TRY(const std::string body, checked_text(collection.spec(), *record.document));
    ZONA_TRY(const std::optional<Row> row, find_row(collection, record.id));
    if (!row) return add(collection, record, body);
    ZONA_TRY_VOID(erase(collection, *row));
    auto added = add(collection, record, body);
    // All or nothing: what was there comes back.
    if (!added) ZONA_TRY_VOID(add(collection, row->record, to_text(*row->record.document)));
    return added;
}

Result<Record> Session::change(const Collection& collection, Row row, const Document& document) {
    ZONA_TRY(const std::string body, checked_text(collection.spec(), document));
    const Layout& layout = this->layout(collection);
    const std::shared_ptr<const Document> before = row.record.document;
    const bool in_place = std::ranges::all_of(layout.columns(), [&](const IndexField& field) {
        return same_at(*before, document, field.path);
    });
    Record changed = std::move(row.record);
    ++changed.version;
    changed.updated = now();
    ZONA_TRY(Statement statement,
             connection_.prepare(in_place ? layout.update_body() : layout.update()));
    statement.bind(microseconds(changed.updated)).bind(changed.version);
    statement.bind(std::int64_t{collection.spec().version});
    if (!in_place) {
        for (const IndexField& field : layout.columns())
            statement.bind_value(detail::find(document, field.path));
    }
    statement.bind(std::string_view(body)).bind(row.k);
    if (auto done = statement.run(); !done.has_value())
        return refused(collection, changed.id, done.take_error(), statement.code());
    if (collection.spec().is_counted()) {
        ledger_.note(collection.scope(), 0, static_cast<std::int64_t>(body.size()) - row.bytes);
    }
    ZONA_TRY_VOID(words_.note(layout, collection.scope(), row.k, before.get(), &document));
    changed.document = std::make_shared<const Document>(document);
    return changed;
}

Result<Record> Session::change(const Collection& collection, Row row, const Update& update) {
    Document document = *row.record.document;
    ZONA_TRY_VOID(update.apply(document));
    return change(collection, std::move(row), document);
}

Result<Session::Row> Session::existing(const Collection& collection, const Id& id,
                                       const Expected& expected) {
    ZONA_TRY(std::optional<Row> row, find_row(collection, id));
    if (!row) return not_there(collection, id);
    ZONA_TRY_VOID(check_version(collection, row->record, expected));
    return *std::move(row);
}

Result<Record> Session::upsert(const Collection& collection, const Id& id,
                               const Document& document) {
    ZONA_TRY(std::optional<Row> row, find_row(collection, id));
    return row ? change(collection, *std::move(row), document) : insert(collection, id, document);
}

Result<Record> Session::replace(const Collection& collection, const Id& id,
                                const Document& document, Expected expected) {
    ZONA_TRY(Row row, existing(collection, id, expected));
    return change(collection, std::move(row), document);
}

Result<Record> Session::modify(const Collection& collection, const Id& id, const Update& update,
                               Expected expected) {
    ZONA_TRY(Row row, existing(collection, id, expected));
    return change(collection, std::move(row), update);
}

Result<std::optional<Record>> Session::find_and_modify(const Collection& collection,
                                                       const Query& query, const Update& update,
                                                       Returned returned) {
    ZONA_TRY(std::optional<Row> row, first(collection, query));
    if (!row) return std::nullopt;
    Record before = row->record;
    ZONA_TRY(Record after, change(collection, *std::move(row), update));
    if (returned == Returned::kBefore) return before;
    return after;
}

Result<std::vector<std::int64_t>> Session::rows_of(const Collection& collection,
                                                   const Query& query) {
    ZONA_TRY_VOID(check_declared(setup_.collections, collection));
    ZONA_TRY(const Plan plan, detail::plan(collection.spec(), query, Ordered::kNo));
    was_served_by(plan.index);
    std::vector<std::int64_t> rows;
    ZONA_TRY_VOID(scan(collection, query.filter, plan, [&rows](const Row& row) -> Result<bool> {
        rows.push_back(row.k);
        return true;
    }));
    return rows;
}

Result<void> Session::for_each_row(const Collection& collection,
                                   const std::vector<std::int64_t>& rows,
                                   const std::function<Result<void>(Row)>& change) {
    const Mark before = mark();
    ZONA_TRY_VOID(connection_.execute("SAVEPOINT many"));
    for (const std::int64_t k : rows) {
        auto changed = [&]() -> Result<void> {
            ZONA_TRY(std::optional<Row> row, row_at(collection, k));
            if (!row) return {};
            return change(*std::move(row));
        }();
        if (changed.has_value()) continue;
        go_back(before);
        // When SQLite has undone the whole transaction there is no savepoint any more.
        if (connection_.in_transaction())
            ZONA_TRY_VOID(connection_.execute("ROLLBACK TO many; RELEASE many"));
        return changed;
    }
    return connection_.execute("RELEASE many");
}

Result<std::uint64_t> Session::update_many(const Collection& collection, const Query& query,
                                           const Update& update) {
    ZONA_TRY(const std::vector<std::int64_t> rows, rows_of(collection, query));
    ZONA_TRY_VOID(for_each_row(collection, rows, [&](Row row) -> Result<void> {
        ZONA_TRY(const Record changed, change(collection, std::move(row), update));
        return {};
    }));
    return rows.size();
}

Result<void> Session::erase(const Collection& collection, const Row& row) {
    ZONA_TRY(Statement statement, connection_.prepare(layout(collection).remove()));
    statement.bind(row.k);
    ZONA_TRY_VOID(statement.run());
    if (collection.spec().is_counted()) ledger_.note(collection.scope(), -1, -row.bytes);
    return words_.note(layout(collection), collection.scope(), row.k, row.record.document.get(),
                       nullptr);
}

Result<bool> Session::remove(const Collection& collection, const Id& id, Expected expected) {
    ZONA_TRY(const std::optional<Row> row, find_row(collection, id));
    if (!row) return false;
    ZONA_TRY_VOID(check_version(collection, row->record, expected));
    ZONA_TRY_VOID(erase(collection, *row));
    return true;
}

Result<std::uint64_t> Session::remove_many(const Collection& collection, const Query& query) {
    ZONA_TRY(const std::vector<std::int64_t> rows, rows_of(collection, query));
    ZONA_TRY_VOID(for_each_row(
        collection, rows, [&](const Row& row) -> Result<void> { return erase(collection, row); }));
    return rows.size();
}

}  // namespace zona::store::detail
