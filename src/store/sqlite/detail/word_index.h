/// @file
/// WordIndex: which documents of a collection hold which words, kept by the transaction that
/// changes them.
///
///     CREATE VIRTUAL TABLE "w_NAME." USING fts5(...)    of row k its words, each behind the scope
///     CREATE TABLE zona_words(name, moved, last)        to be filled: the rows behind moved, up to
///                                                       last, are not in the index yet
///
/// FTS5 writes a piece of its index for each savepoint, so what a batch of transactions changes is
/// noted in memory and written once, before its commit, or before somebody searches in it. The
/// index keeps no text: what is taken out has to be named word by word. One thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "store/sqlite/detail/connection.h"
#include "store/sqlite/detail/layout.h"

namespace zona::store::detail {

/// Documents that are put into an index in one transaction.
inline constexpr int kFillBatch = 200;

class WordIndex {
  public:
    /// How much was noted and written; go_back() takes back what came later.
    struct Mark {
        std::size_t noted = 0;
        std::size_t written = 0;
    };

    /// `connection` outlives it.
    explicit WordIndex(Connection& connection) : connection_(connection) {}

    /// The document of row k is another now: null before it came, and when it has gone. Nothing is
    /// noted of a row that is still to be filled in. Errors: those of Connection.
    core::Result<void> note(const Layout& layout, const Scope& scope, std::int64_t k,
                            const Document* before, const Document* after);

    Mark mark() const { return {.noted = notes_.size(), .written = written_}; }
    /// To be called when the file was brought back to where it was at the mark.
    void go_back(Mark mark);
    /// Writes what was noted and not written. Errors: those of Connection.
    core::Result<void> write();

    /// Rows of the scope's documents that hold all `words` (Plan::words), in any order, with what
    /// was noted. Nothing: there are more than `most`, or the index is still being filled.
    core::Result<std::optional<std::vector<std::int64_t>>> rows(
        const Layout& layout, const Scope& scope, const std::vector<std::string>& words,
        std::size_t most);

    /// Puts the next documents of an index that is being filled into it; false: there is none. Once
    /// it has all of them it is used. Errors: those of Connection.
    core::Result<bool> fill(const std::map<const CollectionSpec*, Layout>& layouts);

    /// Merges the pieces of all indexes, so that nothing of what was taken out is left in the file.
    core::Result<void> merge(const std::map<const CollectionSpec*, Layout>& layouts);

  private:
    struct Note {
        const Layout* layout = nullptr;
        std::int64_t k = 0;
        std::string before;  ///< words as the index takes them; empty: none
        std::string after;
    };
    struct Filling {
        std::int64_t moved = 0;
        std::int64_t last = 0;
    };

    core::Result<std::optional<Filling>> filling(const Layout& layout);
    core::Result<void> fill_some(const Layout& layout, const Filling& filling);
    core::Result<void> put(const Layout& layout, std::int64_t k, const std::string& words);
    core::Result<void> take_out(const Layout& layout, std::int64_t k, const std::string& words);

    Connection& connection_;
    std::vector<Note> notes_;  // of a batch
    std::size_t written_ = 0;  // of the notes, the first ones
};

/// Makes the index new and empty, and has it filled if there are documents. Within a transaction.
core::Result<void> make_word_index(Connection& connection, const Layout& layout);
/// Takes it away, if there is one. Within a transaction.
core::Result<void> drop_word_index(Connection& connection, const Layout& layout);
/// Whether an index of these is still to be filled.
core::Result<bool> is_filling(Connection& connection,
                              const std::map<const CollectionSpec*, Layout>& layouts);

}  // namespace zona::store::detail
