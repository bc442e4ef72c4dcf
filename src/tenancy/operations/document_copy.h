/// @file
/// Copies of documents from one database to another, whatever keeps them: what backups, restores,
/// moves and migrations are made of.
///
/// Documents go with their versions and moments, in the order of their making, page by page. Counts
/// and hashes say whether two databases hold the same. Nothing here knows a backend. Source:
/// TEN-41, REL-08.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "store/database.h"
#include "tenancy/backup/backup_format.h"

namespace zona::tenancy {

/// Is told how many documents are done; an error ends the work.
using DocumentProgress = std::function<core::Result<void>(std::uint64_t documents)>;
/// Which collections.
using Specs = std::vector<const store::CollectionSpec*>;

/// Calls `visit` with every record. Errors: those of reading and of `visit`.
core::Result<void> for_each_record(
    store::Reader& reader, const store::Collection& collection,
    const std::function<core::Result<void>(const store::Record&)>& visit);

/// What a scope has in these collections. Errors: those of reading and of `progress`.
core::Result<std::vector<CollectionSum>> sum_up(store::Reader& reader, const Specs& specs,
                                                const store::Scope& scope,
                                                const DocumentProgress& progress);
/// How many documents a scope has in these collections.
core::Result<std::uint64_t> count_all(store::Reader& reader, const Specs& specs,
                                      const store::Scope& scope);
/// Removes all that a scope has in a collection, within the transaction.
core::Result<void> remove_all(store::Writer& writer, const store::Collection& collection);
/// The same in many small transactions; may be done again after it was interrupted. Blocks.
core::Result<void> remove_all(store::Database& database, const Specs& specs,
                              const store::Scope& scope, const DocumentProgress& progress);

/// Stores records in transactions of some hundred. One thread at a time; blocks.
class RecordSink {
  public:
    /// Both outlive it.
    RecordSink(store::Database& database, store::Scope scope)
        : database_(database), scope_(std::move(scope)) {}

    /// `spec` outlives it. Errors: those of Writer::restore() and of the commit.
    core::Result<void> add(const store::CollectionSpec& spec, const store::Record& record);
    /// Stores what waits. Errors: as add().
    core::Result<void> flush();

  private:
    struct Waiting {
        const store::CollectionSpec* spec;
        store::Record record;
    };
    store::Database& database_;
    const store::Scope scope_;
    std::vector<Waiting> waiting_;
};

/// What follow_documents() has done.
struct Followed {
    std::uint64_t documents = 0;  ///< that `from` had
    std::uint64_t changed = 0;    ///< that were stored or removed in `to`
};

/// Makes what a scope has in `specs` of `to` the same as in `from`: both are read side by side, and
/// what is missing, another or too much in `to` is stored or removed there. So it is a first copy,
/// one that goes on after an interruption, or the difference since the last one. `from` may be
/// written to meanwhile: then another call finds what this one has not seen. Nobody else writes to
/// `to`. Page by page, so that neither side is held for long. Blocks. Errors: those of both.
core::Result<Followed> follow_documents(store::Database& from, store::Database& to,
                                        const Specs& specs, const store::Scope& scope,
                                        const DocumentProgress& progress);

/// follow_documents(), then compares counts and hashes of both; gives those of the copy. `from`
/// must not be written to meanwhile. It takes as long as reading `from` twice and `to` twice, and
/// storing what differs. Errors: those of both; kConflict, naming the collection: the copy is not
/// the same.
core::Result<std::vector<CollectionSum>> copy_documents(store::Database& from, store::Database& to,
                                                        const Specs& specs,
                                                        const store::Scope& scope,
                                                        const DocumentProgress& progress);

}  // namespace zona::tenancy
