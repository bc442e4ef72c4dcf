#include "store/sqlite/detail/layout.h"

#include <algorithm>
#include <ranges>

#include <fmt/format.h>
#include <gnu/libc-version.h>

#include "store/sqlite/detail/connection.h"

namespace zona::store::detail {
namespace {

std::string column_of(const Path& path) {
    return quoted(path.pointer());
}

std::vector<IndexField> columns_of(const CollectionSpec& spec) {
    std::vector<IndexField> out;
    for (const IndexSpec& index : spec.indexes)
        out.insert(out.end(), index.fields.begin(), index.fields.end());
    std::ranges::sort(out, {}, &IndexField::path);
    const auto same = std::ranges::unique(out, {}, &IndexField::path);
    out.erase(same.begin(), same.end());
    return out;
}

}  // namespace

Layout::Layout(const CollectionSpec& spec)
    : spec_(&spec), table_(quoted("c_" + spec.name)), columns_(columns_of(spec)) {
    std::string names;
    std::string marks;
    std::string sets;
    for (const IndexField& field : columns_) {
        names += column_of(field.path) + ",";
        marks += "?,";
        sets += column_of(field.path) + "=?,";
    }
    insert_ = fmt::format(
        "INSERT INTO {}(scope,id,created,updated,version,schema,{}owner,body) "
        "VALUES(?,?,?,?,?,?,{}?,?)",
        table_, names, marks);
    update_ =
        fmt::format("UPDATE {} SET updated=?,version=?,schema=?,{}body=? WHERE k=?", table_, sets);
    update_body_ =
        fmt::format("UPDATE {} SET updated=?,version=?,schema=?,body=? WHERE k=?", table_);
    remove_ = fmt::format("DELETE FROM {} WHERE k=?", table_);
    find_ = fmt::format("SELECT {} FROM {} INDEXED BY {} WHERE scope=? AND id=?", row_columns(),
                        table_, quoted(id_index()));
    find_foreign_ =
        fmt::format("SELECT 1 FROM {} INDEXED BY {} WHERE scope=? AND owner IS NOT scope LIMIT 1",
                    table_, quoted(foreign_index()));
    find_row_ = fmt::format("SELECT {} FROM {} WHERE k=?", row_columns(), table_);
    const std::string words = quoted(plain_words());
    insert_words_ = fmt::format("INSERT INTO {}(rowid,words) VALUES(?,?)", words);
    remove_words_ = fmt::format("INSERT INTO {0}({0},rowid,words) VALUES('delete',?,?)", words);
    find_words_ = fmt::format("SELECT rowid FROM {0} WHERE {0} MATCH ? LIMIT ?", words);
}

const char* Layout::row_columns() {
    return "k,id,created,updated,version,schema,owner,body";
}

std::string Layout::index_name(const IndexSpec& index) const {
    // Those that take the same columns differently are different indexes.
    return fmt::format("{}.{}", spec_->name, index.name);
}

std::string Layout::signature() const {
    std::string out;
    for (const IndexField& field : columns_)
        out += fmt::format("{}:{}\n", field.path.pointer(), static_cast<int>(field.type));
    return out;
}

std::string Layout::words_signature() const {
    if (spec_->search.empty()) return "";
    std::string paths;
    for (const Path& path : spec_->search)
        paths += " " + path.pointer();
    std::ranges::replace(paths, '\n', ' ');
    return fmt::format("search by glibc {} in{}\n", ::gnu_get_libc_version(), paths);
}

std::string Layout::create_words() const {
    // Which words a document has, not where nor how many, and no text. All that is not ASCII
    // belongs to words, which come in lower case, apart by blanks.
    return fmt::format(
        "CREATE VIRTUAL TABLE {} USING fts5(words,content='',columnsize=0,detail=none,"
        "tokenize=\"ascii tokenchars '-_/'\")",
        quoted(plain_words()));
}

std::string Layout::create_table() const {
    std::string names;
    for (const IndexField& field : columns_)
        names += column_of(field.path) + ",";
    return fmt::format(
        "CREATE TABLE IF NOT EXISTS {}(k INTEGER PRIMARY KEY,scope,id,created,updated,version,"
        "schema,{}owner,body)",
        table_, names);
}

std::string Layout::create_id_index() const {
    return fmt::format("CREATE UNIQUE INDEX {} ON {}(scope,id)", quoted(id_index()), table_);
}

std::string Layout::create_foreign_index() const {
    return fmt::format("CREATE INDEX {} ON {}(scope) WHERE owner IS NOT scope",
                       quoted(foreign_index()), table_);
}

std::string Layout::create_index(const IndexSpec& index) const {
    const bool unique = index.uniqueness == Uniqueness::kUnique;
    std::string names = "scope";
    std::string there;
    for (const IndexField& field : index.fields) {
        names += "," + column_of(field.path);
        there += fmt::format("{}{} IS NOT NULL", there.empty() ? " WHERE " : " AND ",
                             column_of(field.path));
    }
    if (!unique) names += ",created,id";
    return fmt::format("CREATE {}INDEX {} ON {}({}){}", unique ? "UNIQUE " : "",
                       quoted(index_name(index)), table_, names,
                       index.coverage == Coverage::kSparse ? there : "");
}

std::string Layout::from(const IndexSpec& index) const {
    return fmt::format("{} INDEXED BY {} WHERE scope=?", table_, quoted(index_name(index)));
}

std::string Layout::bounds(const Plan& plan, bool lower, bool upper) const {
    std::string out;
    for (std::size_t i = 0; i < plan.equal.size(); ++i)
        out += fmt::format(" AND {}=?", column_of(plan.index->fields[i].path));
    if (plan.order.empty()) return out;
    const std::string next = column_of(plan.order.front().path);
    const auto strict = [](const Bound& bound) { return bound.ends == Bound::Ends::kExclusive; };
    if (lower && plan.lower)
        out += fmt::format(" AND {}>{}?", next, strict(*plan.lower) ? "" : "=");
    if (upper && plan.upper)
        out += fmt::format(" AND {}<{}?", next, strict(*plan.upper) ? "" : "=");
    return out;
}

std::string Layout::order_terms(const Plan& plan, const char* suffix) const {
    std::vector<std::string> terms;
    terms.reserve(plan.order.size() + 2);
    for (const IndexField& field : plan.order)
        terms.push_back(column_of(field.path) + suffix);
    if (plan.by_creation) {
        terms.push_back(std::string("created") + suffix);
        terms.push_back(std::string("id") + suffix);
    }
    return fmt::format("{}", fmt::join(terms, ","));
}

std::string Layout::select(const Plan& plan, Direction direction, bool after) const {
    const bool forward = direction == Direction::kAscending;
    // Behind a place one end of the range is met already, and would compete with the place for the
    // search in the index.
    std::string where = bounds(plan, !after || !forward, !after || forward);
    if (plan.in)
        where += fmt::format(" AND {}=?", column_of(plan.index->fields[plan.equal.size()].path));
    if (after) {
        std::vector<const char*> marks(plan.order.size() + (plan.by_creation ? 2 : 0), "?");
        where += fmt::format(" AND ({}){}({})", order_terms(plan, ""), forward ? ">" : "<",
                             fmt::join(marks, ","));
        // SQLite does not see by itself that a place is in a sparse index.
        if (plan.index->coverage == Coverage::kSparse) {
            for (const IndexField& field : plan.order)
                where += fmt::format(" AND {} IS NOT NULL", column_of(field.path));
        }
    }
    // What is ordered by must be a column of each part of a union.
    std::string what = row_columns();
    for (const IndexField& field : plan.order)
        what += "," + column_of(field.path);
    const std::string one = fmt::format("SELECT {} FROM {}{}", what, from(*plan.index), where);
    std::string sql = one;
    for (std::size_t i = 1; plan.in && i < plan.in->size(); ++i)
        sql += " UNION ALL " + one;
    // One document at most.
    const bool single = plan.index->uniqueness == Uniqueness::kUnique && plan.order.empty();
    if (single && !plan.in) return sql;
    return sql + " ORDER BY " + order_terms(plan, forward ? "" : " DESC");
}

const IndexField* Layout::column(const Path& path) const {
    const auto found = std::ranges::find(columns_, path, &IndexField::path);
    return found == columns_.end() ? nullptr : &*found;
}

Plan Layout::plan_for_groups(const Plan& plan, const Aggregation& aggregation) const {
    if (!is_walk(plan) || plan.index->coverage == Coverage::kSparse) return plan;
    const auto holds_all = [&aggregation](const IndexSpec& index) {
        const auto holds = [&index](const std::optional<Path>& path) {
            return !path ||
                   std::ranges::find(index.fields, *path, &IndexField::path) != index.fields.end();
        };
        return index.coverage != Coverage::kSparse && holds(aggregation.group_by) &&
               std::ranges::all_of(aggregation.measures, holds, &Measure::path);
    };
    const auto found = std::ranges::find_if(spec_->indexes, holds_all);
    if (found == spec_->indexes.end()) return plan;
    Plan out = plan;
    out.index = &*found;
    return out;
}

std::optional<std::string> Layout::select_groups(const Plan& plan,
                                                 const Aggregation& aggregation) const {
    if (!plan.exact) return std::nullopt;
    std::string what = "NULL,COUNT(*)";
    if (aggregation.group_by) {
        const IndexField* const key = column(*aggregation.group_by);
        // 1 and 1.0 are one group, and which of them names it depends on who comes first.
        if (key == nullptr || key->type == FieldType::kNumber) return std::nullopt;
        what = column_of(key->path) + ",COUNT(*)";
    }
    for (const Measure& measure : aggregation.measures) {
        if (measure.kind == Measure::Kind::kCount) continue;
        const IndexField* const field = column(*measure.path);
        if (field == nullptr || field->type != FieldType::kInteger) return std::nullopt;
        what += fmt::format(",COUNT({0}),SUM({0}>>32),SUM({0}&4294967295),MIN({0}),MAX({0})",
                            column_of(field->path));
    }
    return select_unordered(plan, what) + (aggregation.group_by ? " GROUP BY 1" : "");
}

std::string Layout::select_unordered(const Plan& plan, const std::string& what) const {
    std::string where = bounds(plan, true, true);
    if (plan.in) {
        const std::vector<const char*> marks(plan.in->size(), "?");
        where +=
            fmt::format(" AND {} IN ({})", column_of(plan.index->fields[plan.equal.size()].path),
                        fmt::join(marks, ","));
    }
    return fmt::format("SELECT {} FROM {}{}", what, from(*plan.index), where);
}

}  // namespace zona::store::detail
