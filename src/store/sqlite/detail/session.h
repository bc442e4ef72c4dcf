/// @file
/// Session: Reader and Writer over one SQLite connection. One thread at a time; the caller has
/// begun a transaction.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/secret.h"
#include "store/database.h"
#include "store/sqlite/detail/connection.h"
#include "store/sqlite/detail/layout.h"
#include "store/sqlite/detail/ledger.h"
#include "store/sqlite/detail/word_index.h"

namespace zona::store::detail {

/// What all sessions of one database share; immutable.
struct SessionSetup {
    std::vector<const CollectionSpec*> collections;
    std::map<const CollectionSpec*, Layout> layouts;
    core::Secret page_token_key;
    std::size_t max_examined = 0;
    const core::Clock* clock = nullptr;
    core::Logger log;
};

class Session final : public Writer {
  public:
    /// Both outlive it.
    Session(Connection& connection, const SessionSetup& setup)
        : connection_(connection), setup_(setup), ledger_(connection), words_(connection) {}

    core::Result<std::optional<Record>> find(const Collection& collection, const Id& id) override;
    core::Result<std::optional<Record>> find_one(const Collection& collection,
                                                 const Query& query) override;
    core::Result<Page> find_page(const Collection& collection, const Query& query,
                                 const PageRequest& page) override;
    core::Result<std::uint64_t> count(const Collection& collection, const Query& query) override;
    core::Result<std::vector<Group>> aggregate(const Collection& collection,
                                               const Aggregation& aggregation) override;
    core::Result<StorageUse> storage_use(const Scope& scope) override { return ledger_.of(scope); }

    core::Result<Record> insert(const Collection& collection, const Id& id,
                                const Document& document) override;
    core::Result<Record> upsert(const Collection& collection, const Id& id,
                                const Document& document) override;
    core::Result<void> restore(const Collection& collection, const Record& record) override;
    core::Result<Record> replace(const Collection& collection, const Id& id,
                                 const Document& document, Expected expected) override;
    core::Result<Record> modify(const Collection& collection, const Id& id, const Update& update,
                                Expected expected) override;
    core::Result<std::optional<Record>> find_and_modify(const Collection& collection,
                                                        const Query& query, const Update& update,
                                                        Returned returned) override;
    core::Result<std::uint64_t> update_many(const Collection& collection, const Query& query,
                                            const Update& update) override;
    core::Result<bool> remove(const Collection& collection, const Id& id,
                              Expected expected) override;
    core::Result<std::uint64_t> remove_many(const Collection& collection,
                                            const Query& query) override;

    Connection& connection() { return connection_; }

    /// @{
    /// What its writes have changed besides documents is noted. Whoever commits them writes the
    /// notes first, or goes back in them when he has undone what came behind a mark.
    struct Mark {
        Ledger::Mark ledger;
        WordIndex::Mark words;
    };
    Mark mark() const { return {.ledger = ledger_.mark(), .words = words_.mark()}; }
    void go_back(const Mark& mark);
    core::Result<void> write_notes();
    /// @}
    /// WordIndex::fill() and merge() of all collections.
    core::Result<bool> fill_words() { return words_.fill(setup_.layouts); }
    core::Result<void> merge_words() { return words_.merge(setup_.layouts); }

  private:
    /// A record and its place in the table.
    struct Row {
        std::int64_t k = 0;
        Record record;
        std::int64_t bytes = 0;  ///< of its text
    };
    using Visit = std::function<core::Result<bool>(Row)>;

    core::Result<void> add(const Collection& collection, const Record& record,
                           std::string_view body);
    /// A row that meets a query, by its place in the query's order.
    struct Found {
        Place place;
        std::int64_t k = 0;
    };
    core::Result<std::optional<std::vector<std::int64_t>>> by_words(const Collection& collection,
                                                                    const Plan& plan,
                                                                    std::size_t most);
    core::Result<void> visit_rows(const Collection& collection, const Filter& filter,
                                  const std::vector<std::int64_t>& rows, const Visit& visit);
    core::Result<std::vector<Found>> sorted(const Collection& collection, const Query& query,
                                            const Plan& plan, const std::vector<std::int64_t>& rows,
                                            const Place& after);
    core::Result<std::optional<Row>> row_at(const Collection& collection, std::int64_t k);
    const Layout& layout(const Collection& collection) const;
    core::Result<Row> read_row(const Collection& collection, const Statement& statement) const;
    core::Result<std::optional<Row>> find_row(const Collection& collection, const Id& id);
    core::Result<Row> existing(const Collection& collection, const Id& id,
                               const Expected& expected);
    core::Result<std::optional<Row>> first(const Collection& collection, const Query& query);
    core::Result<bool> finds_foreign(const Collection& collection);
    core::Result<void> scan(const Collection& collection, const Filter& filter, const Plan& plan,
                            const Visit& visit);
    core::Result<std::vector<std::int64_t>> rows_of(const Collection& collection,
                                                    const Query& query);
    core::Result<void> for_each_row(const Collection& collection,
                                    const std::vector<std::int64_t>& rows,
                                    const std::function<core::Result<void>(Row)>& change);
    core::Result<Record> change(const Collection& collection, Row row, const Document& document);
    core::Result<Record> change(const Collection& collection, Row row, const Update& update);
    core::Result<void> erase(const Collection& collection, const Row& row);
    core::Error refused(const Collection& collection, const Id& id, core::Error error,
                        int code) const;
    core::SystemTime now() const;

    Connection& connection_;
    const SessionSetup& setup_;
    Ledger ledger_;
    WordIndex words_;
};

}  // namespace zona::store::detail
