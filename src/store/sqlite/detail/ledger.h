/// @file
/// Ledger: how much each scope's documents take, kept in the file by the transaction that changes
/// it, so that it is right after any death.
///
///     CREATE TABLE zona_use(scope TEXT PRIMARY KEY, documents, bytes)
///
/// What a batch of transactions changes is noted in memory and written once, before its commit:
/// one row of a small table for each scope that changed. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/result.h"
#include "store/database.h"
#include "store/sqlite/detail/connection.h"
#include "store/sqlite/detail/layout.h"

namespace zona::store::detail {

class Ledger {
  public:
    /// How much was noted; go_back() undoes what came later.
    using Mark = std::size_t;

    /// `connection` outlives it.
    explicit Ledger(Connection& connection) : connection_(connection) {}

    /// What the scope takes, with what was noted. Errors: those of Connection.
    core::Result<StorageUse> of(const Scope& scope);
    /// So many documents and bytes of their text more, or fewer.
    void note(const Scope& scope, std::int64_t documents, std::int64_t bytes);

    Mark mark() const { return changes_.size(); }
    void go_back(Mark mark);
    /// Writes what was noted, once. Errors: those of Connection.
    core::Result<void> write();

  private:
    struct Change {
        std::size_t scope = 0;  ///< in scopes_
        std::int64_t documents = 0;
        std::int64_t bytes = 0;
    };
    struct Sum {
        std::string scope;
        std::int64_t documents = 0;
        std::int64_t bytes = 0;
    };

    std::size_t place_of(const Scope& scope);

    Connection& connection_;
    std::vector<Sum> scopes_;  // few: those of one batch
    std::vector<Change> changes_;
};

/// Makes the table and fills it from the documents, if it is not there. Within a transaction.
core::Result<void> prepare_ledger(Connection& connection,
                                  const std::map<const CollectionSpec*, Layout>& layouts);
/// Has prepare_ledger() count anew: documents are about to be changed past the ledger.
core::Result<void> drop_ledger(Connection& connection);

}  // namespace zona::store::detail
