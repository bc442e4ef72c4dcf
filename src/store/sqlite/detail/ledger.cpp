#include "store/sqlite/detail/ledger.h"

#include <algorithm>

#include <fmt/format.h>

namespace zona::store::detail {

using core::Result;

std::size_t Ledger::place_of(const Scope& scope) {
    const auto found = std::ranges::find(scopes_, scope.code(), &Sum::scope);
    if (found != scopes_.end()) return static_cast<std::size_t>(found - scopes_.begin());
    scopes_.push_back({.scope = scope.code()});
    return scopes_.size() - 1;
}

void Ledger::note(const Scope& scope, std::int64_t documents, std::int64_t bytes) {
    const Change change{.scope = place_of(scope), .documents = documents, .bytes = bytes};
    changes_.push_back(change);
    scopes_[change.scope].documents += documents;
    scopes_[change.scope].bytes += bytes;
}

void Ledger::go_back(Mark mark) {
    while (changes_.size() > mark) {
        const Change& last = changes_.back();
        scopes_[last.scope].documents -= last.documents;
        scopes_[last.scope].bytes -= last.bytes;
        changes_.pop_back();
    }
}

Result<StorageUse> Ledger::of(const Scope& scope) {
    const Sum& noted = scopes_[place_of(scope)];
    ZONA_TRY(Statement found,
             connection_.prepare("SELECT documents,bytes FROM zona_use WHERE scope=?"));
    found.bind(std::string_view(scope.code()));
    ZONA_TRY(const bool row, found.step());
    const std::int64_t documents = noted.documents + (row ? found.integer(0) : 0);
    const std::int64_t bytes = noted.bytes + (row ? found.integer(1) : 0);
    return use_of(static_cast<std::uint64_t>(std::max<std::int64_t>(documents, 0)),
                  static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, 0)));
}

Result<void> Ledger::write() {
    for (const Sum& sum : scopes_) {
        if (sum.documents == 0 && sum.bytes == 0) continue;
        ZONA_TRY(Statement add,
                 connection_.prepare("INSERT INTO zona_use(scope,documents,bytes) VALUES(?,?,?) "
                                     "ON CONFLICT(scope) DO UPDATE SET "
                                     "documents=documents+excluded.documents,"
                                     "bytes=bytes+excluded.bytes"));
        add.bind(std::string_view(sum.scope)).bind(sum.documents).bind(sum.bytes);
        ZONA_TRY_VOID(add.run());
    }
    scopes_.clear();
    changes_.clear();
    return {};
}

Result<void> prepare_ledger(Connection& connection,
                            const std::map<const CollectionSpec*, Layout>& layouts) {
    ZONA_TRY(const std::int64_t there,
             connection.integer("SELECT COUNT(*) FROM sqlite_schema WHERE name='zona_use'"));
    if (there != 0) return {};
    ZONA_TRY_VOID(connection.execute(
        "CREATE TABLE zona_use(scope TEXT PRIMARY KEY,documents,bytes) WITHOUT ROWID"));
    for (const auto& [spec, layout] : layouts) {
        if (!spec->is_counted()) continue;
        // length() of a text counts characters.
        ZONA_TRY_VOID(connection.execute(
            fmt::format("INSERT INTO zona_use(scope,documents,bytes) "
                        "SELECT scope,COUNT(*),SUM(LENGTH(CAST(body AS BLOB))) FROM {} "
                        "WHERE true GROUP BY scope ON CONFLICT(scope) DO UPDATE SET "
                        "documents=documents+excluded.documents,bytes=bytes+excluded.bytes",
                        layout.table())
                .c_str()));
    }
    return {};
}

Result<void> drop_ledger(Connection& connection) {
    return connection.execute("DROP TABLE IF EXISTS zona_use");
}

}  // namespace zona::store::detail
