#include "store/sqlite/detail/schema.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "core/fault.h"
#include "store/detail/compare.h"
#include "store/detail/encoding.h"
#include "store/sqlite/detail/ledger.h"
#include "store/sqlite/detail/word_index.h"

namespace zona::store::detail {
namespace {

using core::Code;
using core::Error;
using core::Result;

constexpr std::int64_t kApplication = 0x7A6F6E61;  // "zona"
constexpr std::int64_t kFormat = 1;

/// Runs `steps` as one transaction.
template <class Steps>
Result<void> transact(Connection& connection, Steps steps) {
    ZONA_TRY_VOID(connection.execute("BEGIN IMMEDIATE"));
    Result<void> done = steps();
    if (done.has_value()) done = connection.execute("COMMIT");
    // The first error is the one to tell.
    if (!done.has_value() && connection.in_transaction()) (void)connection.execute("ROLLBACK");
    return done;
}

Result<void> prepare_file(Connection& connection) {
    ZONA_TRY(const std::int64_t application, connection.integer("PRAGMA application_id"));
    ZONA_TRY(const std::int64_t format, connection.integer("PRAGMA user_version"));
    ZONA_TRY(const std::int64_t tables, connection.integer("SELECT COUNT(*) FROM sqlite_schema"));
    if (application != kApplication && (application != 0 || format != 0 || tables != 0))
        return Error(Code::kConflict, "the database is not one that zona has made");
    if (format > kFormat) {
        return Error(
            Code::kConflict,
            fmt::format("the database has format {}, and this zona knows {} at most: start "
                        "the version that wrote it, or a newer one",
                        format, kFormat));
    }
    if (application == kApplication && format == kFormat) return {};
    ZONA_TRY_VOID(connection.execute(
        fmt::format("PRAGMA application_id={}; PRAGMA user_version={}", kApplication, kFormat)
            .c_str()));
    return connection.execute(
        "CREATE TABLE IF NOT EXISTS zona_collections(name TEXT PRIMARY KEY, version INTEGER,"
        " columns TEXT, target_version INTEGER, target TEXT, moved INTEGER) WITHOUT ROWID");
}

/// One collection, brought to its declaration.
class Preparation {
  public:
    Preparation(Connection& connection, const Layout& layout, const core::Logger& log)
        : connection_(connection), layout_(layout), spec_(layout.spec()), log_(log) {}

    Result<void> run() {
        ZONA_TRY_VOID(transact(connection_, [this] { return begin(); }));
        while (moving_) {
            ZONA_TRY_VOID(transact(connection_, [this] { return move_some(); }));
            ZONA_FAULT("store.migrated_some");
        }
        return transact(connection_, [this] { return finish(); });
    }

  private:
    /// What the collection is to become; a walk that was begun for something else starts anew.
    std::string target() const { return fmt::format("{}\n{}", spec_.version, layout_.signature()); }

    /// What the file knows of a collection.
    struct Known {
        std::int64_t version = 0;
        std::string columns;
        std::string words;
        std::int64_t target_version = 0;  // of a migration that was begun and not ended
        std::string target;
        std::int64_t moved = -1;
    };

    Result<std::optional<Known>> known() {
        ZONA_TRY(Statement found,
                 connection_.prepare("SELECT version,columns,target_version,target,moved FROM "
                                     "zona_collections WHERE name=?"));
        found.bind(std::string_view(spec_.name));
        ZONA_TRY(const bool row, found.step());
        if (!row) return std::nullopt;
        // The words stand before the columns, as one line: a zona that knows of none makes the
        // columns anew, and the next that does makes the words anew.
        std::string_view columns = found.text(1);
        std::string_view words;
        if (columns.starts_with("search ")) words = columns.substr(0, columns.find('\n') + 1);
        columns.remove_prefix(words.size());
        return Known{.version = found.integer(0),
                     .columns = std::string(columns),
                     .words = std::string(words),
                     .target_version = found.integer(2),
                     .target = std::string(found.text(3)),
                     .moved = found.integer(4)};
    }

    Result<void> begin() {
        ZONA_TRY_VOID(connection_.execute(layout_.create_table().c_str()));
        ZONA_TRY(const std::optional<Known> known, this->known());
        if (!known) return note(Moved::kAll);
        words_ = known->words;
        is_noted_ = known->version == spec_.version && known->columns == layout_.signature() &&
                    words_ == layout_.words_signature() && known->target.empty();
        const std::int64_t newest = std::max(known->version, known->target_version);
        if (newest > spec_.version) {
            return Error(Code::kConflict,
                         fmt::format("collection {} holds documents of version {}, and this zona "
                                     "knows {} at most: start the version that wrote them, or a "
                                     "newer one",
                                     spec_.name, newest, spec_.version));
        }
        ZONA_TRY_VOID(add_columns());
        moving_ = known->version != spec_.version || known->columns != layout_.signature();
        if (!moving_) return {};
        // What is moved gets other words.
        words_.clear();
        // One that was begun for something else starts anew.
        if (known->target_version == spec_.version && known->target == layout_.signature()) {
            moved_ = known->moved;
            log_.info("a migration goes on", {{"collection", spec_.name}, {"row", moved_}});
            return {};
        }
        log_.info("a migration begins",
                  {{"collection", spec_.name}, {"to_version", std::int64_t{spec_.version}}});
        // Values may pass each other on the way; indexes are built anew from what comes out.
        ZONA_TRY(const std::set<std::string> kept, drop_indexes({}));
        ZONA_TRY_VOID(drop_ledger(connection_));
        return note(Moved::kSome);
    }

    Result<void> add_columns() {
        std::set<std::string> there;
        ZONA_TRY(Statement columns, connection_.prepare("SELECT name FROM pragma_table_info(?)"));
        const std::string table = layout_.plain_table();
        columns.bind(std::string_view(table));
        while (true) {
            ZONA_TRY(const bool row, columns.step());
            if (!row) break;
            there.emplace(columns.text(0));
        }
        for (const IndexField& field : layout_.columns()) {
            if (there.contains(field.path.pointer())) continue;
            ZONA_TRY_VOID(
                connection_.execute(fmt::format("ALTER TABLE {} ADD COLUMN {}", layout_.table(),
                                                quoted(field.path.pointer()))
                                        .c_str()));
        }
        return {};
    }

    Result<void> move_some() {
        const std::string sql = fmt::format(
            "SELECT k,id,schema,body FROM {} WHERE k>? ORDER BY k "
            "LIMIT {}",
            layout_.table(), kBatch);
        ZONA_TRY(Statement rows, connection_.prepare(sql));
        rows.bind(moved_);
        int count = 0;
        for (;; ++count) {
            ZONA_TRY(const bool row, rows.step());
            if (!row) break;
            auto moved = move_one(rows);
            if (!moved.has_value()) return stopped(moved.take_error(), rows.id(1));
            moved_ = rows.integer(0);
        }
        moving_ = count == kBatch;
        return note(Moved::kSome);
    }

    Result<void> move_one(const Statement& row) {
        ZONA_TRY(const std::shared_ptr<const Document> stored, from_text(row.text(3)));
        Document document = *stored;
        for (const Migration& migration : spec_.migrations) {
            if (migration.to_version > row.integer(2)) ZONA_TRY_VOID(migration.change(document));
        }
        ZONA_TRY(const std::string body, checked_text(spec_, document));
        std::string sets;
        for (const IndexField& field : layout_.columns())
            sets += quoted(field.path.pointer()) + "=?,";
        ZONA_TRY(Statement update,
                 connection_.prepare(fmt::format("UPDATE {} SET {}schema=?,body=? WHERE k=?",
                                                 layout_.table(), sets)));
        for (const IndexField& field : layout_.columns())
            update.bind_value(find(document, field.path));
        update.bind(std::int64_t{spec_.version}).bind(std::string_view(body)).bind(row.integer(0));
        return update.run();
    }

    /// The error of one document; what the disk says stays what it is.
    Error stopped(Error error, const Id& id) const {
        if (error.code() == Code::kInvalidArgument || error.code() == Code::kTooLarge)
            error = std::move(error).recode(Code::kConflict);
        return std::move(error).context(
            fmt::format("the migration of collection {} to version {} stops at document {}",
                        spec_.name, spec_.version, to_string(id)));
    }

    Result<void> finish() {
        std::set<std::string> wanted = {layout_.create_id_index(), layout_.create_foreign_index()};
        for (const IndexSpec& index : spec_.indexes)
            wanted.insert(layout_.create_index(index));
        ZONA_TRY(const std::set<std::string> kept, drop_indexes(wanted));
        for (const std::string& sql : wanted) {
            if (kept.contains(sql)) continue;
            auto made = connection_.execute(sql.c_str());
            if (made.has_value()) continue;
            Error error = made.take_error();
            if (error.code() == Code::kInternal && connection_.constraint_failed())
                error = std::move(error).recode(Code::kConflict);
            return std::move(error).context(
                fmt::format("collection {}: an index cannot be made", spec_.name));
        }
        if (is_noted_) return {};
        ZONA_TRY_VOID(prepare_words());
        return note(Moved::kAll);
    }

    /// An index of words is made empty, and filled when the database is open.
    Result<void> prepare_words() {
        if (spec_.search.empty()) return drop_word_index(connection_, layout_);
        if (words_ == layout_.words_signature()) return {};
        return make_word_index(connection_, layout_);
    }

    /// Drops those whose definition is not among `wanted`; gives the others.
    Result<std::set<std::string>> drop_indexes(const std::set<std::string>& wanted) {
        std::set<std::string> kept;
        std::vector<std::string> dropped;
        {
            ZONA_TRY(Statement indexes,
                     connection_.prepare("SELECT name,sql FROM sqlite_schema WHERE type='index' "
                                         "AND sql NOT NULL AND tbl_name=?"));
            const std::string table = layout_.plain_table();
            indexes.bind(std::string_view(table));
            while (true) {
                ZONA_TRY(const bool row, indexes.step());
                if (!row) break;
                std::string sql(indexes.text(1));
                if (wanted.contains(sql)) {
                    kept.insert(std::move(sql));
                } else {
                    dropped.emplace_back(indexes.text(0));
                }
            }
        }
        for (const std::string& name : dropped)
            ZONA_TRY_VOID(connection_.execute(fmt::format("DROP INDEX {}", quoted(name)).c_str()));
        return kept;
    }

    enum class Moved : std::uint8_t { kSome, kAll };
    /// Writes down how far it is.
    Result<void> note(Moved moved) {
        const std::string signature = layout_.signature();
        if (moved == Moved::kAll) {
            const std::string all = layout_.words_signature() + signature;
            ZONA_TRY(Statement done,
                     connection_.prepare("INSERT OR REPLACE INTO "
                                         "zona_collections(name,version,columns) VALUES(?,?,?)"));
            done.bind(std::string_view(spec_.name)).bind(std::int64_t{spec_.version});
            done.bind(std::string_view(all));
            return done.run();
        }
        ZONA_TRY(Statement some,
                 connection_.prepare("UPDATE zona_collections SET target_version=?,target=?,"
                                     "moved=? WHERE name=?"));
        some.bind(std::int64_t{spec_.version}).bind(std::string_view(signature)).bind(moved_);
        some.bind(std::string_view(spec_.name));
        return some.run();
    }

    Connection& connection_;
    const Layout& layout_;
    const CollectionSpec& spec_;
    const core::Logger& log_;
    std::string words_;      // the index of words that there is, by its signature
    bool is_noted_ = false;  // the file says that it is as declared; then that is not written again
    bool moving_ = false;
    std::int64_t moved_ = -1;  // rows up to here are done
};

}  // namespace

Result<void> prepare_schema(Connection& connection,
                            const std::map<const CollectionSpec*, Layout>& layouts,
                            const core::Logger& log) {
    ZONA_TRY_VOID(transact(connection, [&connection] { return prepare_file(connection); }));
    // What a large migration writes must not wait in the log for its end.
    ZONA_TRY_VOID(connection.execute("PRAGMA wal_autocheckpoint=4096"));
    for (const auto& [spec, layout] : layouts)
        ZONA_TRY_VOID(Preparation(connection, layout, log).run());
    ZONA_TRY_VOID(transact(
        connection, [&connection, &layouts] { return prepare_ledger(connection, layouts); }));
    return connection.execute("PRAGMA wal_autocheckpoint=0");
}

}  // namespace zona::store::detail
