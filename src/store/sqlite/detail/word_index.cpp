#include "store/sqlite/detail/word_index.h"

#include <algorithm>
#include <utility>

#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "store/detail/compare.h"
#include "store/detail/encoding.h"
#include "store/detail/words.h"

namespace zona::store::detail {

using core::Result;

namespace {

/// A word as the index knows it: no scope holds a slash.
std::string term(std::string_view scope, std::string_view word) {
    return fmt::format("{}/{}", scope, word);
}

std::string terms_of(const Layout& layout, std::string_view scope, const Document& document) {
    std::string out;
    for (const std::string& word : document_words(document, layout.spec().search))
        out += (out.empty() ? "" : " ") + term(scope, word);
    return out;
}

/// In FTS5's language: all of these, none of which holds a quote.
std::string match_of(std::string_view scope, const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words) {
        const bool begins = word.ends_with('*');
        const std::string_view letters = std::string_view(word).substr(0, word.size() - begins);
        out += fmt::format("\"{}\"{} ", term(scope, letters), begins ? "*" : "");
    }
    return out;
}

Result<bool> is_there(Connection& connection, std::string_view table) {
    ZONA_TRY(Statement found,
             connection.prepare("SELECT 1 FROM sqlite_schema WHERE type='table' AND name=?"));
    found.bind(table);
    return found.step();
}

}  // namespace

Result<std::optional<WordIndex::Filling>> WordIndex::filling(const Layout& layout) {
    ZONA_TRY(Statement found,
             connection_.prepare("SELECT moved,last FROM zona_words WHERE name=?"));
    found.bind(std::string_view(layout.spec().name));
    ZONA_TRY(const bool row, found.step());
    if (!row) return std::nullopt;
    return Filling{.moved = found.integer(0), .last = found.integer(1)};
}

Result<void> WordIndex::note(const Layout& layout, const Scope& scope, std::int64_t k,
                             const Document* before, const Document* after) {
    if (layout.spec().search.empty()) return {};
    // The same texts have the same words.
    const auto same = [&](const Path& path) { return same_at(*before, *after, path); };
    if (before != nullptr && after != nullptr && std::ranges::all_of(layout.spec().search, same))
        return {};
    ZONA_TRY(const std::optional<Filling> filling, this->filling(layout));
    if (filling && filling->moved < k && k <= filling->last) return {};
    Note note{.layout = &layout, .k = k, .before = {}, .after = {}};
    if (before != nullptr) note.before = terms_of(layout, scope.code(), *before);
    if (after != nullptr) note.after = terms_of(layout, scope.code(), *after);
    if (note.before != note.after) notes_.push_back(std::move(note));
    return {};
}

void WordIndex::go_back(Mark mark) {
    notes_.resize(mark.noted);
    written_ = mark.written;
}

Result<void> WordIndex::write() {
    for (; written_ < notes_.size(); ++written_) {
        const Note& note = notes_[written_];
        ZONA_TRY_VOID(take_out(*note.layout, note.k, note.before));
        ZONA_TRY_VOID(put(*note.layout, note.k, note.after));
    }
    return {};
}

Result<void> WordIndex::put(const Layout& layout, std::int64_t k, const std::string& words) {
    if (words.empty()) return {};
    ZONA_TRY(Statement insert, connection_.prepare(layout.insert_words()));
    insert.bind(k).bind(std::string_view(words));
    return insert.run();
}

Result<void> WordIndex::take_out(const Layout& layout, std::int64_t k, const std::string& words) {
    if (words.empty()) return {};
    ZONA_TRY(Statement remove, connection_.prepare(layout.remove_words()));
    remove.bind(k).bind(std::string_view(words));
    return remove.run();
}

Result<std::optional<std::vector<std::int64_t>>> WordIndex::rows(
    const Layout& layout, const Scope& scope, const std::vector<std::string>& words,
    std::size_t most) {
    ZONA_TRY(const std::optional<Filling> filling, this->filling(layout));
    if (filling) return std::nullopt;
    ZONA_TRY_VOID(write());
    const std::string match = match_of(scope.code(), words);
    ZONA_TRY(Statement found, connection_.prepare(layout.find_words()));
    found.bind(std::string_view(match)).bind(static_cast<std::int64_t>(most) + 1);
    std::vector<std::int64_t> out;
    while (true) {
        ZONA_TRY(const bool row, found.step());
        if (!row) return out;
        if (out.size() == most) return std::nullopt;
        out.push_back(found.integer(0));
    }
}

Result<bool> WordIndex::fill(const std::map<const CollectionSpec*, Layout>& layouts) {
    for (const auto& [spec, layout] : layouts) {
        if (spec->search.empty()) continue;
        ZONA_TRY(const std::optional<Filling> filling, this->filling(layout));
        if (!filling) continue;
        ZONA_TRY_VOID(fill_some(layout, *filling));
        return true;
    }
    return false;
}

Result<void> WordIndex::fill_some(const Layout& layout, const Filling& filling) {
    std::int64_t moved = filling.moved;
    int count = 0;
    {
        ZONA_TRY(Statement rows,
                 connection_.prepare(fmt::format("SELECT k,owner,body FROM {} WHERE k>? AND k<=? "
                                                 "ORDER BY k LIMIT {}",
                                                 layout.table(), kFillBatch)));
        rows.bind(filling.moved).bind(filling.last);
        for (;; ++count) {
            ZONA_TRY(const bool row, rows.step());
            if (!row) break;
            moved = rows.integer(0);
            ZONA_TRY(const std::shared_ptr<const Document> document, from_text(rows.text(2)));
            ZONA_TRY_VOID(put(layout, moved, terms_of(layout, rows.text(1), *document)));
        }
    }
    ZONA_TRY(Statement note,
             connection_.prepare(count == kFillBatch ? "UPDATE zona_words SET moved=? WHERE name=?"
                                                     : "DELETE FROM zona_words WHERE name=?"));
    if (count == kFillBatch) note.bind(moved);
    note.bind(std::string_view(layout.spec().name));
    return note.run();
}

Result<void> WordIndex::merge(const std::map<const CollectionSpec*, Layout>& layouts) {
    ZONA_TRY_VOID(write());
    for (const auto& [spec, layout] : layouts) {
        if (spec->search.empty()) continue;
        const std::string table = quoted(layout.plain_words());
        ZONA_TRY_VOID(connection_.execute(
            fmt::format("INSERT INTO {0}({0}) VALUES('optimize')", table).c_str()));
    }
    return {};
}

Result<void> make_word_index(Connection& connection, const Layout& layout) {
    ZONA_TRY_VOID(drop_word_index(connection, layout));
    ZONA_TRY_VOID(connection.execute(
        "CREATE TABLE IF NOT EXISTS zona_words(name TEXT PRIMARY KEY,moved,last) WITHOUT ROWID"));
    ZONA_TRY_VOID(connection.execute(layout.create_words().c_str()));
    ZONA_TRY(Statement fill,
             connection.prepare(fmt::format("INSERT INTO zona_words(name,moved,last) SELECT ?,0,k "
                                            "FROM {} ORDER BY k DESC LIMIT 1",
                                            layout.table())));
    fill.bind(std::string_view(layout.spec().name));
    return fill.run();
}

Result<void> drop_word_index(Connection& connection, const Layout& layout) {
    ZONA_TRY(const bool there, is_there(connection, layout.plain_words()));
    if (!there) return {};
    ZONA_TRY_VOID(
        connection.execute(fmt::format("DROP TABLE {}", quoted(layout.plain_words())).c_str()));
    ZONA_TRY(Statement forget, connection.prepare("DELETE FROM zona_words WHERE name=?"));
    forget.bind(std::string_view(layout.spec().name));
    return forget.run();
}

Result<bool> is_filling(Connection& connection,
                        const std::map<const CollectionSpec*, Layout>& layouts) {
    ZONA_TRY(const bool there, is_there(connection, "zona_words"));
    if (!there) return false;
    for (const auto& [spec, layout] : layouts) {
        ZONA_TRY(Statement found, connection.prepare("SELECT 1 FROM zona_words WHERE name=?"));
        found.bind(std::string_view(spec->name));
        ZONA_TRY(const bool row, found.step());
        if (row && !spec->search.empty()) return true;
    }
    return false;
}

}  // namespace zona::store::detail
