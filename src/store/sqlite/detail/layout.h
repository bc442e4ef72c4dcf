/// @file
/// Layout: the table of one collection, and the statements that are the same for all its documents.
///
///     CREATE TABLE "c_NAME"(k INTEGER PRIMARY KEY, scope, id, created, updated, version, schema,
///                           <one column for each field of an index>, owner, body)
///
/// `scope` is what indexes begin with and queries ask for; `owner` is the stamp that is verified
/// when a row comes back; the body, which is large, stands last. Index columns are named by the
/// JSON pointer of their field and hold the field's value or NULL. The columns have no affinity:
/// what is bound is what is stored and compared. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/collection.h"
#include "store/detail/plan.h"

namespace zona::store::detail {

class Layout {
  public:
    explicit Layout(const CollectionSpec& spec);

    const CollectionSpec& spec() const { return *spec_; }
    const std::string& table() const { return table_; }  ///< quoted
    std::string plain_table() const { return "c_" + spec_->name; }
    std::string index_name(const IndexSpec& index) const;  ///< not quoted
    /// The index of words; not quoted. FTS5 makes names of tables of it by adding to it.
    std::string plain_words() const { return "w_" + spec_->name + "."; }
    std::string id_index() const { return spec_->name + ".id"; }
    /// No index that is declared is called so.
    std::string foreign_index() const { return spec_->name + "..foreign"; }

    /// The fields that have a column, sorted by path.
    const std::vector<IndexField>& columns() const { return columns_; }
    /// Paths and types of the columns: documents written with others have to be gone through.
    std::string signature() const;

    /// Of the words of a search, whose letters the C library knows: an index that was made by
    /// another declaration or library is made anew. Empty: there is no search.
    std::string words_signature() const;

    std::string create_table() const;
    std::string create_id_index() const;
    /// Of documents that are not the scope's which finds them: empty, and costs nothing.
    std::string create_foreign_index() const;
    std::string create_index(const IndexSpec& index) const;
    std::string create_words() const;

    /// Parameters: scope, id, created, updated, version, schema, columns, owner, body.
    const std::string& insert() const { return insert_; }
    /// Parameters: updated, version, schema, columns, body, k.
    const std::string& update() const { return update_; }
    /// The same without columns: no index is touched.
    const std::string& update_body() const { return update_body_; }
    /// Parameter: k.
    const std::string& remove() const { return remove_; }
    /// Columns as row_columns(). Parameters: scope, id.
    const std::string& find() const { return find_; }
    /// A row if the scope finds a document that is not its own. Parameter: scope.
    const std::string& find_foreign() const { return find_foreign_; }
    /// Parameter: k.
    const std::string& find_row() const { return find_row_; }

    /// @{
    /// Parameters: k, words. The words that are taken out are those that were put in.
    const std::string& insert_words() const { return insert_words_; }
    const std::string& remove_words() const { return remove_words_; }
    /// @}
    /// Column k. Parameters: what is to match, in the language of FTS5; how many at most.
    const std::string& find_words() const { return find_words_; }

    /// What a row is made from: k, id, created, updated, version, schema, owner, body.
    static const char* row_columns();

    /// The rows of a plan, in its order, from the document behind `after` on if there is one.
    /// Bind with bind_select().
    std::string select(const Plan& plan, Direction direction, bool after) const;
    /// The same rows in any order; "COUNT(*)" or row_columns().
    std::string select_unordered(const Plan& plan, const std::string& what) const;
    /// The groups of an aggregation over the documents of its plan, added up by SQLite: the key,
    /// COUNT(*), and for each measure with a path the count of its numbers, their sum in two halves
    /// (sum_of_halves()), the least and the greatest. Bind as select_unordered(). Nothing: the
    /// columns do not hold all that it asks for, or something that is no whole number.
    std::optional<std::string> select_groups(const Plan& plan,
                                             const Aggregation& aggregation) const;
    /// The plan by which select_groups() reads least: where all documents count, that of an index
    /// which holds all that is asked for, so that no row is looked at.
    Plan plan_for_groups(const Plan& plan, const Aggregation& aggregation) const;
    /// The column of a field; null: it has none.
    const IndexField* column(const Path& path) const;

    /// SQLite's own sum would be an error beyond 64 bits, where that of some numbers and others
    /// need not be.
    static __int128 sum_of_halves(std::int64_t high, std::int64_t low) {
        return (static_cast<__int128>(high) << 32) + low;
    }

  private:
    std::string from(const IndexSpec& index) const;
    std::string bounds(const Plan& plan, bool lower, bool upper) const;
    std::string order_terms(const Plan& plan, const char* suffix) const;

    const CollectionSpec* spec_;
    std::string table_;
    std::vector<IndexField> columns_;
    std::string insert_;
    std::string update_;
    std::string update_body_;
    std::string remove_;
    std::string find_;
    std::string find_foreign_;
    std::string find_row_;
    std::string insert_words_;
    std::string remove_words_;
    std::string find_words_;
};

}  // namespace zona::store::detail
